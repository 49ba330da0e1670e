//! What every tracker must hold at 5, 10 and 30 frames a second.

use std::time::Duration;

use crate::config::{TrackerKind, Tracking};
use crate::tracking::{COAST, Input, Tracker, new};
use crate::types::detection::Detection;
use crate::types::geometry::BBox;
use crate::types::track::{EndReason, Track};

const RATES: [f64; 3] = [5.0, 10.0, 30.0];

/// Every tracker at every rate.
fn each(test: impl Fn(&mut dyn Tracker, f64, &str)) {
    for &tracker in TrackerKind::ALL {
        for fps in RATES {
            let said = format!("{tracker:?} at {fps} frames/s");
            test(&mut *new(&Tracking { tracker, ..Tracking::default() }), fps, &said);
        }
    }
}

fn person(x: f32) -> Detection {
    Detection { bbox: BBox::from_centre(x, 300.0, 60.0, 160.0), score: 0.9, class: 0 }
}

/// Frame number `frame`.
fn show(tracker: &mut dyn Tracker, fps: f64, frame: u32, detections: &[Detection]) -> Vec<Track> {
    tracker.update(&Input::new(Duration::from_secs_f64(f64::from(frame) / fps), detections)).to_vec()
}

#[test]
fn a_single_detection_is_not_published_not_even_after_a_stall() {
    each(|tracker, fps, said| {
        for frame in 0..40 {
            let there = if frame == 20 { vec![person(300.0)] } else { vec![] };
            // Ten seconds pass before it.
            let tracks = show(tracker, fps, if frame < 20 { frame } else { frame + 10 * fps as u32 }, &there);
            assert_eq!(tracks, [], "{said}, frame {frame}");
        }
    });
}

#[test]
fn a_second_one_is() {
    each(|tracker, fps, said| {
        let counts: Vec<_> = (0..3).map(|frame| show(tracker, fps, frame, &[person(300.0)]).len()).collect();
        assert_eq!(counts, [0, 1, 1], "{said}");
    });
}

#[test]
fn who_is_not_seen_is_listed_for_as_long_as_a_track_coasts() {
    each(|tracker, fps, said| {
        let seen = 3 * fps as u32;
        (0..=seen).for_each(|frame| drop(show(tracker, fps, frame, &[person(300.0)])));
        for frame in seen + 1..seen + 2 * fps as u32 {
            let gap = Duration::from_secs_f64(f64::from(frame) / fps) - Duration::from_secs_f64(f64::from(seen) / fps);
            let tracks = show(tracker, fps, frame, &[]);
            let listed = tracks.iter().map(|track| (track.number, track.coasted)).collect::<Vec<_>>();
            assert_eq!(listed, if gap <= COAST { vec![(1, true)] } else { vec![] }, "{said}, {gap:?}");
        }
    });
}

#[test]
fn without_looks_a_track_ends_once_it_was_not_seen_for_max_gap() {
    let max_gap = Tracking::default().max_gap;
    each(|tracker, fps, said| {
        let seen = 3 * fps as u32;
        (0..=seen).for_each(|frame| drop(show(tracker, fps, frame, &[person(300.0)])));
        let mut over = vec![];
        for frame in seen + 1..seen + 4 * fps as u32 {
            show(tracker, fps, frame, &[]);
            let gap = Duration::from_secs_f64(f64::from(frame - seen) / fps);
            over.extend(tracker.ended().iter().map(|ended| (gap, ended.track.number, ended.reason)));
        }
        let frame = Duration::from_secs_f64(1.0 / fps);
        let in_time = |gap: Duration| gap > max_gap && gap <= max_gap + frame + Duration::from_millis(1);
        assert!(matches!(over[..], [(gap, 1, EndReason::NotSeen)] if in_time(gap)), "{said}: {over:?}");
        let after = 3 + seen + 4 * fps as u32;
        let back: Vec<_> = (0..2).map(|i| show(tracker, fps, after + i, &[person(300.0)])).collect();
        assert_eq!(back[1].iter().map(|track| track.number).collect::<Vec<_>>(), [2], "{said}");
    });
}
