use std::time::Duration;

use watchkeeper::config::{Anchor, Zone};
use watchkeeper::types::observation::{Seen, fixed_score};
use watchkeeper::types::track::EndReason;

use crate::places::{self, seen, zone};
use crate::{Street, stand, way};

const YARD: [[f32; 2]; 4] = [[0.4, 0.3], [0.8, 0.3], [0.8, 0.9], [0.4, 0.9]];
const ENTER: &str = "zone.enter";
const EXIT: &str = "zone.exit";
const DWELL: &str = "zone.dwell";

fn yard() -> Zone {
    zone("yard", &YARD)
}

fn for_seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn who_walks_through_comes_in_and_goes_out_once() {
    let mut street = Street::new(vec![yard()], Vec::new());
    street.walk(7, way([0.2, 0.6], [1.0, 0.6], 40));
    assert_eq!(street.said(), [(ENTER, Some(7)), (EXIT, Some(7))]);
    assert!((street.time(0, "since") - 1.0).abs() < 0.11, "at 0.4, after ten steps");
    assert!((street.time(1, "until") - 3.0).abs() < 0.11, "at 0.8, after thirty");
    assert_eq!(street.fact(1, "reason"), "outside");
    assert!((street.fact(1, "dwell_s").as_f64().unwrap() - 2.0).abs() < 0.21);
    let track = street.told[0].draft.track.as_ref().unwrap();
    assert_eq!((track.id.as_str(), track.zones.as_slice()), ("gate:1:7", ["yard".to_owned()].as_slice()));
}

#[test]
fn with_inertia_both_ways_take_as_long_and_say_when_it_was() {
    let mut street = Street::new(vec![Zone { inertia: for_seconds(0.5), ..yard() }], Vec::new());
    street.walk(1, stand([0.3, 0.6], 5));
    street.walk(1, stand([0.6, 0.6], 5));
    assert_eq!(street.said(), [], "0.4 seconds are not enough");
    street.walk(1, stand([0.6, 0.6], 1));
    assert_eq!(street.said(), [(ENTER, Some(1))]);
    assert_eq!(street.time(0, "since"), 0.5);
    street.walk(1, stand([0.3, 0.6], 5));
    assert_eq!(street.said().len(), 1);
    street.walk(1, stand([0.3, 0.6], 1));
    assert_eq!(street.said()[1], (EXIT, Some(1)));
    assert_eq!(street.time(1, "until"), 1.1);
}

#[test]
fn flicker_a_track_that_is_not_found_for_some_frames_does_not_leave() {
    let mut street = Street::new(vec![Zone { inertia: for_seconds(0.3), ..yard() }], Vec::new());
    street.walk(1, way([0.3, 0.6], [0.6, 0.6], 10));
    for _ in 0..20 {
        // Predicted out of the zone, then not listed, then found where it was.
        for step in 1..=5_u8 {
            street.see(vec![Seen { coasted: true, ..seen(1, [0.6 + 0.1 * f32::from(step), 0.6], 0.2) }]);
        }
        (0..8).for_each(|_| street.see(Vec::new()));
        street.walk(1, stand([0.6, 0.6], 3));
    }
    assert_eq!(street.said(), [(ENTER, Some(1))]);
    assert_eq!(street.rules.counts(0), [1, 0, 0]);
}

#[test]
fn a_predicted_place_lets_nobody_in() {
    let mut street = Street::new(vec![yard()], Vec::new());
    street.walk(1, stand([0.3, 0.6], 2));
    street.see(vec![Seen { coasted: true, ..seen(1, [0.5, 0.6], 0.2) }]);
    street.walk(1, stand([0.3, 0.6], 2));
    assert_eq!(street.said(), []);
}

#[test]
fn straddling_who_stands_on_the_border_and_trembles_comes_in_once_at_most() {
    let tremble = |k: u32| ((k * 7919) % 21) as f32 / 20.0 * 0.02 - 0.01;
    for border in [0.395, 0.398, 0.4, 0.402] {
        let mut street = Street::new(vec![Zone { inertia: for_seconds(0.2), ..yard() }], Vec::new());
        street.walk(1, (0..600).map(|k| [border + tremble(k) * 9.0 / 16.0 * 0.5, 0.6]));
        assert!(street.said().len() <= 1, "{border}: {:?}", street.said());
    }
}

#[test]
fn stop_and_go_a_visit_with_pauses_is_one_visit() {
    let mut street = Street::new(vec![Zone { inertia: for_seconds(0.3), ..yard() }], Vec::new());
    street.walk(1, way([0.3, 0.6], [0.41, 0.6], 8));
    street.walk(1, stand([0.41, 0.6], 50));
    street.walk(1, way([0.41, 0.6], [0.79, 0.6], 30));
    street.walk(1, stand([0.79, 0.6], 50));
    street.walk(1, way([0.79, 0.6], [0.9, 0.6], 8));
    assert_eq!(street.said(), [(ENTER, Some(1)), (EXIT, Some(1))]);
}

#[test]
fn dwell_is_told_once_and_a_short_way_out_does_not_begin_it_anew() {
    let loiter = Zone { dwell: Some(for_seconds(5.0)), grace: for_seconds(2.0), ..yard() };
    let mut street = Street::new(vec![loiter], Vec::new());
    street.walk(1, stand([0.6, 0.6], 30));
    street.walk(1, stand([0.3, 0.6], 15));
    street.walk(1, stand([0.6, 0.6], 5));
    assert_eq!(street.said(), [(ENTER, Some(1)), (EXIT, Some(1)), (ENTER, Some(1))]);
    street.walk(1, stand([0.6, 0.6], 100));
    assert_eq!(street.said()[3..], [(DWELL, Some(1))]);
    assert_eq!((street.time(3, "since"), street.fact(3, "dwell_s").as_f64()), (0.0, Some(5.0)));
    // Away for longer: another stay, another dwell.
    street.walk(1, stand([0.3, 0.6], 25));
    street.walk(1, stand([0.6, 0.6], 60));
    assert_eq!(street.said()[4..], [(EXIT, Some(1)), (ENTER, Some(1)), (DWELL, Some(1))]);
}

#[test]
fn a_track_that_ends_inside_goes_out_and_says_how() {
    let mut street = Street::new(vec![zone("all", &[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])], Vec::new());
    street.walk(1, stand([0.5, 0.5], 10));
    street.see_and_end(Vec::new(), &[(1, EndReason::NotSeen)]);
    assert_eq!(street.said().len(), 1, "it may be back at once");
    (0..25).for_each(|_| street.see(Vec::new()));
    assert_eq!(street.said()[1], (EXIT, Some(1)));
    assert_eq!((street.fact(1, "reason"), street.time(1, "until")), ("ended".into(), 0.9));
    street.walk(2, way([0.5, 0.5], [0.98, 0.5], 10));
    street.see_and_end(Vec::new(), &[(2, EndReason::Left)]);
    (0..6).for_each(|_| street.see(Vec::new()));
    assert_eq!(street.said()[3], (EXIT, Some(2)));
    assert_eq!(street.fact(3, "reason"), "left");
    assert_eq!(street.rules.counts(0), [0, 0, 0]);
}

#[test]
fn who_is_cut_off_by_the_lower_edge_is_in_a_zone_that_reaches_it() {
    let floor = zone("floor", &[[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]);
    let mut street = Street::new(vec![floor], Vec::new());
    street.walk(1, stand([0.5, 1.0], 2));
    street.walk(2, stand([0.8, 1.02], 2));
    assert_eq!(street.said(), [(ENTER, Some(1)), (ENTER, Some(2))]);
}

#[test]
fn a_label_that_changes_its_mind_makes_nobody_come_or_go() {
    let people =
        Zone { common: watchkeeper::config::Common { classes: vec!["person".to_owned()], ..yard().common }, ..yard() };
    let mut street = Street::new(vec![people], Vec::new());
    for k in 0..60_u16 {
        street.see(vec![Seen { class: k / 3 % 2, ..seen(1, [0.6, 0.6], 0.2) }]);
        street.see(vec![Seen { class: k / 3 % 2, median_score: fixed_score(0.1), ..seen(1, [0.6, 0.6], 0.2) }]);
    }
    assert_eq!(street.said(), [(ENTER, Some(1))]);
    assert_eq!(street.rules.counts(0), [1, 0, 0], "as what it came in");
    street.see(vec![Seen { class: 1, ..seen(1, [0.2, 0.6], 0.2) }]);
    assert_eq!(street.said()[1], (EXIT, Some(1)));
}

#[test]
fn labels_scores_and_sizes_say_who_counts() {
    let mut picky = yard();
    picky.common.classes = vec!["car".to_owned()];
    (picky.common.min_score, picky.common.min_height, picky.common.max_height) = (0.5, 0.1, 0.3);
    let mut street = Street::new(vec![picky], Vec::new());
    let car =
        |number, height, score| Seen { class: 2, median_score: fixed_score(score), ..seen(number, [0.6, 0.6], height) };
    street.see(vec![
        car(1, 0.2, 0.6),
        car(2, 0.05, 0.6),
        car(3, 0.35, 0.6),
        car(4, 0.2, 0.4),
        seen(5, [0.6, 0.6], 0.2),
    ]);
    assert_eq!(street.said(), [(ENTER, Some(1))]);
}

#[test]
fn the_anchor_says_where_somebody_is() {
    for (anchor, inside) in [(Anchor::Bottom, false), (Anchor::Centre, true), (Anchor::Top, false)] {
        let mut band = zone("band", &[[0.0, 0.45], [1.0, 0.45], [1.0, 0.55], [0.0, 0.55]]);
        band.common.anchor = anchor;
        let mut street = Street::new(vec![band], Vec::new());
        street.see(vec![seen(1, [0.5, 0.7], 0.4)]);
        assert_eq!(street.said().len(), usize::from(inside), "{anchor:?}");
    }
}

#[test]
fn numbers_are_told_by_label_for_whole_stretches_of_the_clock() {
    let counted = Zone { count_every: Some(for_seconds(60.0)), ..yard() };
    let mut street = Street::new(vec![counted], Vec::new());
    // From noon on: 30 s of nobody, 20 s of one, 10 s of three.
    for k in 0..601_u16 {
        let there = [(300, 1), (500, 2), (500, 3)].iter().filter(|(from, _)| k >= *from);
        let tracks = there.map(|(_, number)| seen(*number, [0.45 + 0.1 * *number as f32, 0.6], 0.2)).collect();
        street.see(tracks);
    }
    let counts: Vec<usize> =
        (0..street.told.len()).filter(|at| street.told[*at].draft.event_type.name() == "zone.count").collect();
    let [at] = counts[..] else { panic!("{:?}", street.said()) };
    assert_eq!(street.fact(at, "from"), "2026-11-20T12:00:00.000Z");
    assert_eq!(street.fact(at, "until"), "2026-11-20T12:01:00.000Z");
    assert_eq!(street.fact(at, "frames"), 600);
    assert_eq!(street.fact(at, "labels"), serde_json::json!({"person": {"min": 0, "max": 3, "mean": 0.83, "last": 3}}));
}

fn counts(street: &Street) -> Vec<(f64, f64, serde_json::Value)> {
    let counts = (0..street.told.len()).filter(|at| street.told[*at].draft.event_type.name() == "zone.count");
    counts.map(|at| (street.time(at, "from"), street.time(at, "until"), street.fact(at, "frames"))).collect()
}

#[test]
fn a_capture_time_that_steps_back_a_little_tells_no_stretch_twice() {
    let mut street = Street::new(vec![Zone { count_every: Some(for_seconds(60.0)), ..yard() }], Vec::new());
    for k in 0..1500_u64 {
        let mut frame = places::frame(Duration::from_millis(k * 100), Vec::new());
        // The camera begins to tell its own time just beyond the border.
        frame.capture.time.0 -= if k >= 605 { 10_000_000 } else { 0 };
        street.take(&frame);
    }
    assert_eq!(counts(&street), [(0.0, 60.0, 600.into()), (60.0, 120.0, 700.into())]);
    // A clock that is set back by more is another time.
    let mut frame = places::frame(Duration::from_secs(150), Vec::new());
    frame.capture.time.0 -= 100_000_000;
    street.take(&frame);
    assert_eq!(counts(&street).len(), 3);
}

#[test]
fn the_stretch_that_is_open_at_the_end_is_told_with_its_real_end_and_the_next_begins_there() {
    let mut street = Street::new(vec![Zone { count_every: Some(for_seconds(60.0)), ..yard() }], Vec::new());
    street.walk(1, stand([0.6, 0.6], 900));
    street.reset();
    assert_eq!(counts(&street)[1..], [(60.0, 90.0, 300.into())]);
    let last = street.told.last().unwrap();
    assert_eq!(last.draft.data["labels"]["person"]["min"], 1, "as long as there were frames");
    street.reset();
    street.frame += 50;
    street.walk(2, stand([0.6, 0.6], 900));
    assert_eq!(counts(&street)[2..], [(95.0, 120.0, 250.into()), (120.0, 180.0, 600.into())]);
}

#[test]
fn when_all_tracks_are_over_everybody_goes_out() {
    let mut street = Street::new(vec![yard()], Vec::new());
    street.see(vec![seen(1, [0.5, 0.6], 0.2), seen(2, [0.7, 0.6], 0.2)]);
    street.reset();
    assert_eq!(street.said()[2..], [(EXIT, Some(1)), (EXIT, Some(2))]);
    street.see(vec![seen(1, [0.5, 0.6], 0.2)]);
    assert_eq!(street.said()[4..], [(ENTER, Some(1))]);
}

#[test]
fn other_names_for_the_same_classes_change_nobodys_visit() {
    let mut street = Street::new(vec![yard()], Vec::new());
    street.walk(1, stand([0.6, 0.6], 3));
    let labels = ["car", "person"].map(str::to_owned).to_vec();
    let other = std::sync::Arc::new(watchkeeper::types::observation::Model { labels, event: None });
    street.rules.take(watchkeeper::rules::Input::Model(&other), |_| panic!("nothing happened"));
    assert_eq!(street.rules.counts(0), [0, 1]);
    let _ = places::model();
}
