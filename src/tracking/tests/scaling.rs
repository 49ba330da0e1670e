//! A scene shown in slow motion, to a tracker whose times are as much longer, gives the same tracks.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::config::{TrackerKind, Tracking};
use crate::tracking::{Input, Tracker, bytetrack, keeper, ocsort};
use crate::types::camera_motion::CameraMotion;
use crate::types::detection::Detection;
use crate::types::embedding::Embeddings;
use crate::types::geometry::BBox;
use crate::types::track::Track;

/// A tracker all of whose times are `by` times as long.
fn slow(kind: TrackerKind, by: u32) -> Box<dyn Tracker> {
    let config = Tracking::default();
    let config = Tracking { tracker: kind, confirm: by * config.confirm, max_gap: by * config.max_gap, ..config };
    match kind {
        TrackerKind::Bytetrack => {
            let mut rules = bytetrack::Rules::new(&config);
            rules.coast *= by;
            rules.motion.frame *= by;
            Box::new(bytetrack::ByteTrack::new(rules))
        }
        TrackerKind::Keeper => {
            let mut settings = keeper::Settings::default();
            settings.unit *= by;
            Box::new(keeper::Keeper::new(&config, settings))
        }
        TrackerKind::OcSort => {
            let mut settings = ocsort::Settings::new(&config);
            settings.coast *= by;
            settings.motion.frame *= by;
            settings.span *= by;
            Box::new(ocsort::OcSort::new(settings))
        }
    }
}

/// Time since the frame before in nanoseconds, what is found, what it looks like, and how the camera moved.
type Frame = (u32, Vec<(Detection, [f32; 3])>, bool, CameraMotion);

fn scene() -> impl Strategy<Value = Vec<Frame>> {
    let score = prop::sample::select(vec![0.95, 0.8, 0.65, 0.4, 0.2]);
    let look = prop::array::uniform3(-1.0..1.0_f32);
    let detection = (0..8_u8, 0..2_u8, -9.0..9.0_f32, score, look).prop_map(|(column, row, wobble, score, look)| {
        let (x, y) = (100.0 + 45.0 * f32::from(column), 100.0 + 120.0 * f32::from(row));
        (Detection { bbox: BBox::from_centre(x + wobble, y - wobble, 60.0, 150.0), score, class: 0 }, look)
    });
    let pace = prop_oneof![8 => Just(33_333_333), 2 => 1..250_000_000_u32, 1 => 0..1_500_000_000_u32];
    let shift = (0.95..1.05_f32, -0.02..0.02_f32, -20.0..20.0_f32, -20.0..20.0_f32);
    let camera = prop_oneof![
        4 => Just(CameraMotion::NONE),
        1 => shift.prop_map(|(a, b, tx, ty)| CameraMotion { a, b, tx, ty }),
    ];
    prop::collection::vec((pace, prop::collection::vec(detection, 0..10), any::<bool>(), camera), 1..60)
}

/// With times as they would have been without `by`.
fn play(kind: TrackerKind, scene: &[Frame], by: u32) -> Vec<(Vec<Track>, Vec<u64>)> {
    let mut tracker = slow(kind, by);
    let mut now = Duration::ZERO;
    let mut looks = Embeddings::default();
    let frame = |(pace, found, looking, camera_motion): &Frame| {
        now += by * Duration::from_nanos((*pace).into());
        let detections: Vec<_> = found.iter().map(|(detection, _)| *detection).collect();
        looks.clear();
        for (_, look) in found {
            looks.push(look);
        }
        let appearance = looking.then_some(&looks);
        let input = Input { appearance, camera_motion: *camera_motion, ..Input::new(now, &detections) };
        let mut tracks = tracker.update(&input).to_vec();
        for track in &mut tracks {
            track.first_seen /= by;
            track.last_seen /= by;
        }
        (tracks, tracker.ended().iter().map(|ended| ended.track.number).collect())
    };
    scene.iter().map(frame).collect()
}

proptest! {
    #![proptest_config(Config { cases: 200, rng_seed: RngSeed::Fixed(20), failure_persistence: None, ..Config::default() })]

    #[test]
    fn slow_motion_gives_the_same_tracks(scene in scene(), by in 2..50_u32) {
        for &kind in TrackerKind::ALL {
            prop_assert_eq!(play(kind, &scene, 1), play(kind, &scene, by), "{:?}", kind);
        }
    }
}
