//! A scene shown in slow motion, to a tracker whose times are as much longer, gives the same tracks.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::config::{TrackerKind, Tracking};
use crate::tracking::{Input, Tracker, bytetrack, keeper, ocsort};
use crate::types::detection::Detection;
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

/// Time since the frame before in nanoseconds, and what is found.
type Frame = (u32, Vec<Detection>);

fn scene() -> impl Strategy<Value = Vec<Frame>> {
    let score = prop::sample::select(vec![0.95, 0.8, 0.65, 0.4, 0.2]);
    let detection = (0..8_u8, 0..2_u8, -9.0..9.0_f32, score).prop_map(|(column, row, wobble, score)| {
        let (x, y) = (100.0 + 45.0 * f32::from(column), 100.0 + 120.0 * f32::from(row));
        Detection { bbox: BBox::from_centre(x + wobble, y - wobble, 60.0, 150.0), score, class: 0 }
    });
    let pace = prop_oneof![8 => Just(33_333_333), 2 => 1..250_000_000_u32, 1 => 0..1_500_000_000_u32];
    prop::collection::vec((pace, prop::collection::vec(detection, 0..10)), 1..60)
}

/// With times as they would have been without `by`.
fn play(kind: TrackerKind, scene: &[Frame], by: u32) -> Vec<(Vec<Track>, Vec<u64>)> {
    let mut tracker = slow(kind, by);
    let mut now = Duration::ZERO;
    let frame = |(pace, detections): &Frame| {
        now += by * Duration::from_nanos((*pace).into());
        let mut tracks = tracker.update(&Input::new(now, detections)).to_vec();
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
