//! What every tracker must hold, whatever is shown to it: random scenes, shrunk to the smallest that fails, and scenes
//! of any bytes as the fuzz target has them (`fuzz/`).
//!
//! The scenes are the same in every run; `PROPTEST_CASES=10000` tries more of them.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "../fuzz/scene.rs"]
mod scene;

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use scene::{Frame, HOSTILE, Look, Story};
use watchkeeper::config::TrackerKind;
use watchkeeper::tracking::{MAX_DETECTIONS, MAX_TRACKS};
use watchkeeper::types::camera_motion::CameraMotion;
use watchkeeper::types::detection::Detection;
use watchkeeper::types::geometry::BBox;

fn config(cases: u32) -> Config {
    let default = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    Config { cases, rng_seed: RngSeed::Fixed(20), failure_persistence: None, ..default }
}

// ------------------------------------------------------------------------------------------------ scenes

fn any_number() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -50.0..2000.0_f32, 2 => prop::sample::select(&HOSTILE[..]), 1 => any::<f32>()]
}

/// Somebody on a coarse grid, so that boxes of several frames meet, and often are equal.
fn somebody() -> impl Strategy<Value = Detection> {
    let score = prop::sample::select(vec![0.95, 0.9, 0.75, 0.65, 0.5, 0.3, 0.15, 0.05]);
    (0..8_u8, 0..3_u8, 0..12_u8, score, 0..2_u16).prop_map(|(column, row, wobble, score, class)| {
        let (x, y) = (100.0 + 45.0 * f32::from(column), 100.0 + 120.0 * f32::from(row));
        let wobble = f32::from(wobble.saturating_sub(4));
        Detection { bbox: BBox::from_centre(x + wobble, y - wobble, 60.0, 150.0), score, class }
    })
}

fn anything() -> impl Strategy<Value = Detection> {
    let edges = (any_number(), any_number(), any_number(), any_number());
    let score = prop_oneof![0.0..1.0_f32, any_number()];
    (edges, score, 0..2_u16).prop_map(|((x1, y1, x2, y2), score, class)| {
        let bbox = BBox::new(x1, y1, x2, y2);
        Detection { bbox, score, class }
    })
}

fn look() -> impl Strategy<Value = Look> {
    let values = prop::sample::select(vec![0.0, 1.0, -1.0, 0.5, f32::NAN, 1e30]);
    prop::option::weighted(0.8, prop::array::uniform4(values))
}

fn camera_motion() -> impl Strategy<Value = CameraMotion> {
    let shift = (-20.0..20.0_f32, -20.0..20.0_f32).prop_map(|(tx, ty)| CameraMotion { tx, ty, ..CameraMotion::NONE });
    let any = prop::array::uniform4(any_number()).prop_map(|[a, b, tx, ty]| CameraMotion { a, b, tx, ty });
    prop_oneof![6 => Just(CameraMotion::NONE), 2 => shift, 1 => any]
}

/// Milliseconds since the frame before; below 0, time goes back.
fn pace() -> impl Strategy<Value = i64> {
    prop_oneof![12 => Just(33), 4 => Just(100), 2 => Just(200), 1 => Just(0), 1 => Just(-500), 1 => 0..5000_i64]
}

fn scene(hostile: u32, frames: usize, most: usize) -> impl Strategy<Value = Vec<Frame>> {
    let detection = prop_oneof![12 => somebody(), hostile => anything()];
    let detections = prop::collection::vec((detection, look()), 0..most);
    let frame = (pace(), detections, any::<bool>(), camera_motion(), prop::option::of(Just((640, 480))), 0..60_u8);
    prop::collection::vec(frame, 1..frames).prop_map(|frames| {
        let mut now = 0_i64;
        let frame = |(pace, detections, appearance, camera_motion, size, reset): (i64, _, _, _, _, u8)| {
            now = (now + pace).max(0);
            let time = Duration::from_millis(now as u64);
            Frame { reset: reset == 0, time, detections, appearance, camera_motion, size }
        };
        frames.into_iter().map(frame).collect()
    })
}

fn play(kind: TrackerKind, scene: &[Frame]) -> Story {
    scene::play(&mut *scene::tracker(kind), scene)
}

proptest! {
    #![proptest_config(config(200))]

    /// Numbers are never used again, no number is there twice, boxes are boxes, what ends was there: see `scene::play`.
    #[test]
    fn whatever_comes_in_tracks_are_sound(scene in scene(2, 60, 12)) {
        for &kind in TrackerKind::ALL {
            play(kind, &scene);
        }
    }

    #[test]
    fn the_order_of_detections_changes_nothing(scene in scene(1, 40, 12), by in 0..50_usize) {
        let other = scene::reordered(&scene, by);
        for &kind in TrackerKind::ALL {
            prop_assert_eq!(play(kind, &scene), play(kind, &other), "{:?}", kind);
        }
    }

    #[test]
    fn another_beginning_of_time_changes_nothing(scene in scene(1, 40, 8), by in 1..1_000_000_000_u64) {
        let by = Duration::from_micros(by);
        let mut later = scene.clone();
        later.iter_mut().for_each(|frame| frame.time += by);
        // A run's time that goes back to before its first frame stands still there.
        for &kind in TrackerKind::ALL {
            let mut shifted = play(kind, &later);
            for track in shifted.iter_mut().flat_map(|(tracks, _)| tracks) {
                track.first_seen -= by;
                track.last_seen -= by;
            }
            prop_assert_eq!(play(kind, &scene), shifted, "{:?}", kind);
        }
    }

    #[test]
    fn a_second_run_is_as_the_first(scene in scene(1, 30, 8)) {
        for &kind in TrackerKind::ALL {
            let mut tracker = scene::tracker(kind);
            let first = scene::play(&mut *tracker, &scene);
            tracker.reset();
            prop_assert_eq!(first, scene::play(&mut *tracker, &scene), "{:?}", kind);
        }
    }
}

proptest! {
    #![proptest_config(config(3))]

    #[test]
    fn thousands_of_detections_are_cut_to_the_best(scene in scene(2, 4, 3 * MAX_DETECTIONS)) {
        for &kind in TrackerKind::ALL {
            let story = play(kind, &scene);
            prop_assert!(story.iter().all(|(tracks, _)| tracks.len() <= MAX_TRACKS));
        }
    }
}

// ------------------------------------------------------------------------------------------------ frame rates

/// Walkers, each on a lane of its own, at several speeds; some are hidden for a while.
fn walk(walkers: &[(f32, f32)], fps: f64, seconds: f64) -> Vec<Frame> {
    let frames = (seconds * fps) as u32;
    (0..frames)
        .map(|i| {
            let t = f64::from(i) / fps;
            let walking = walkers.iter().enumerate().filter(|(lane, _)| lane % 3 != 2 || !(2.0..3.0).contains(&t));
            let detections = walking.map(|(lane, &(from, speed))| {
                let (x, y) = (from + speed * t as f32, 100.0 + 180.0 * lane as f32);
                (Detection { bbox: BBox::from_centre(x, y, 60.0, 150.0), score: 0.9, class: 0 }, None)
            });
            Frame { time: Duration::from_secs_f64(t), detections: detections.collect(), ..Frame::default() }
        })
        .collect()
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn as_many_tracks_at_5_as_at_30_frames_per_second(
        walkers in prop::collection::vec((100.0..900.0_f32, -110.0..110.0_f32), 1..8),
    ) {
        for &kind in TrackerKind::ALL {
            for fps in [5.0, 7.5, 10.0, 15.0, 25.0, 30.0] {
                let story = play(kind, &walk(&walkers, fps, 5.0));
                let most = story.iter().flat_map(|(tracks, _)| tracks).map(|track| track.number).max();
                prop_assert_eq!(most, Some(walkers.len() as u64), "{:?} at {} frames/s", kind, fps);
            }
        }
    }
}

// ------------------------------------------------------------------------------------------------ any bytes

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}

/// The bytes of scene number `seed`: anything at first; later ones repeat themselves, as a camera's frames do.
fn bytes(seed: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 7);
    let length = 16 + usize::from(random.next()) * 6;
    let mut bytes: Vec<u8> = (0..length).map(|_| random.next()).collect();
    let period = usize::from(random.next()) + 12;
    if !seed.is_multiple_of(4) {
        for i in period..bytes.len() {
            if random.next() > 8 {
                bytes[i] = bytes[i - period];
            }
        }
    }
    bytes
}

/// `WATCHKEEPER_FUZZ=100000` drives more.
#[test]
fn scenes_of_any_bytes_break_nothing() {
    let inputs = std::env::var("WATCHKEEPER_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let (mut frames, mut published) = (0, 0);
    for seed in 0..inputs {
        let bytes = bytes(seed);
        let scene = scene::decode(&bytes);
        frames += scene.len();
        // One that repeats itself.
        if seed % 16 == 1 {
            let story = play(TrackerKind::Bytetrack, &scene);
            published += story.iter().map(|(tracks, _)| tracks.len()).sum::<usize>();
        }
        let driven = std::panic::catch_unwind(|| scene::drive(&bytes));
        assert!(driven.is_ok(), "seed {seed}: {bytes:?}");
    }
    println!("{inputs} inputs, {frames} frames");
    assert!(
        frames as u64 > 5 * inputs && published as u64 > inputs / 16,
        "{frames} frames and {published} boxes prove little"
    );
}

#[test]
fn the_stored_scenes_break_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/tracker");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        scene::drive(&std::fs::read(&file).unwrap());
    }
}
