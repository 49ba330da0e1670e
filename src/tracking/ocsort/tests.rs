//! The three ideas of OC-SORT, one by one.

use std::time::Duration;

use super::observations::Observations;
use super::*;
use crate::config::{TrackerKind, Tracking};
use crate::tracking::{Tracker, new};
use crate::types::geometry::BBox;

fn config(tracker: TrackerKind) -> Tracking {
    Tracking { tracker, ..Tracking::default() }
}

fn seconds(t: f64) -> Duration {
    Duration::from_secs_f64(t)
}

fn person(cx: f32) -> Detection {
    Detection { bbox: BBox::from_centre(cx, 500.0, 60.0, 160.0), score: 0.9, class: 0 }
}

/// Walks to `x(1)` in the second before 1.
fn walk(tracker: &mut dyn Tracker, x: impl Fn(f32) -> f32) {
    for i in 0..=30_u8 {
        let t = f32::from(i) / 30.0;
        tracker.update(&Input::new(seconds(f64::from(i) / 30.0), &[person(x(t))]));
    }
}

/// Where a track is now.
fn centre(tracks: &[Track], number: u64) -> Option<f32> {
    tracks.iter().find(|track| track.number == number).map(|track| track.bbox.centre().0)
}

#[test]
fn of_two_boxes_the_one_ahead_continues_a_way_though_the_one_behind_is_a_little_nearer() {
    let settings = Settings::new(&config(TrackerKind::OcSort));
    let at = |momentum| {
        let mut tracker = OcSort::new(Settings { momentum, ..settings });
        walk(&mut tracker, |t| 200.0 + 60.0 * t);
        // Expected at 262, and three frames ago at 256.
        centre(tracker.update(&Input::new(seconds(31.0 / 30.0), &[person(274.0), person(251.0)])), 1)
    };
    assert_eq!((at(settings.momentum), at(0.0)), (Some(274.0), Some(251.0)));
}

#[test]
fn who_turned_back_while_hidden_is_found_where_it_was_last_seen() {
    for (kind, number) in [(TrackerKind::OcSort, 1), (TrackerKind::Bytetrack, 2)] {
        let mut tracker = new(&config(kind));
        walk(&mut *tracker, |t| 200.0 + 200.0 * t);
        tracker.update(&Input::new(seconds(1.4), &[]));
        tracker.update(&Input::new(seconds(1.5), &[person(395.0)]));
        let tracks = tracker.update(&Input::new(seconds(1.55), &[person(394.0)]));
        assert_eq!(centre(tracks, number), Some(394.0), "{kind:?}: {tracks:?}");
    }
}

#[test]
fn after_a_gap_the_filter_follows_the_way_that_was_made_in_it() {
    let settings = Settings::new(&config(TrackerKind::OcSort));
    let error = |re_update| {
        let mut tracker = OcSort::new(Settings { re_update, ..settings });
        walk(&mut tracker, |t| 100.0 + 150.0 * t);
        for i in 31..=60 {
            // It slowed down to 15 pixels a second.
            let seen = [person(265.0)];
            tracker.update(&Input::new(seconds(f64::from(i) / 30.0), if i == 60 { &seen } else { &[] }));
        }
        let tracks = tracker.update(&Input::new(seconds(2.4), &[]));
        (centre(tracks, 1).unwrap_or(f32::NAN) - 271.0).abs()
    };
    let (with, without) = (error(true), error(false));
    assert!(with < 5.0 && without > 1.5 * with, "{with} and {without} pixels");
}

#[test]
fn a_direction_begins_three_frames_ago_or_where_it_was_last_seen() {
    let span = Settings::new(&Tracking::default()).span;
    for (fps, back) in [(5.0, 1.0), (10.0, 1.0), (15.0, 1.0), (30.0, 3.0), (60.0, 6.0)] {
        let place = |i: u32| BBox::from_centre(i as f32, 0.0, 10.0, 10.0);
        let mut observations = Observations::new(Duration::ZERO, &place(0));
        for i in 1..100 {
            observations.push(seconds(f64::from(i) / fps), &place(i), span);
        }
        assert_eq!(observations.before(seconds(100.0 / fps), span).0, 100.0 - back, "{fps} frames/s");
    }
    // More frames than are kept: not so exact, and not much nearer.
    let mut observations = Observations::new(Duration::ZERO, &person(0.0).bbox);
    for i in 1..1000_u16 {
        observations.push(seconds(f64::from(i) / 240.0), &person(f32::from(i)).bbox, span);
    }
    let back = 1000.0 - observations.before(seconds(1000.0 / 240.0), span).0;
    assert!((18.0..=28.0).contains(&back), "{back} frames of 27");
}
