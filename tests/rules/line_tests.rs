use std::time::Duration;

use watchkeeper::config::{Directions, Line};
use watchkeeper::types::observation::{Seen, fixed_score};
use watchkeeper::types::track::EndReason;

use crate::places::{line, seen};
use crate::{Street, stand, way};

/// From left to right across the middle: whoever walks down goes in.
fn door() -> Line {
    line("door", [0.2, 0.5], [0.8, 0.5])
}

fn street(line: Line) -> Street {
    Street::new(Vec::new(), vec![line])
}

#[test]
fn down_the_picture_is_in_over_a_line_from_left_to_right() {
    let mut street = street(door());
    street.walk(1, way([0.5, 0.3], [0.5, 0.7], 20));
    street.walk(2, way([0.5, 0.7], [0.5, 0.3], 20));
    assert_eq!(street.said(), [("line.crossed", Some(1)), ("line.crossed", Some(2))]);
    assert_eq!((street.fact(0, "direction"), street.fact(1, "direction")), ("in".into(), "out".into()));
    assert_eq!(street.fact(1, "count"), serde_json::json!({"in": 1, "out": 1}));
    assert_eq!(street.rules.crossed(0), [1, 1]);
    assert!((street.time(0, "crossed_at") - 1.0).abs() < 0.02, "it was on it after ten steps");
    let certain = (street.told[0].draft.capture.0 - crate::places::NOON) as f64 / 1e6;
    assert!((1.1..=1.3).contains(&certain), "certain with the second frame beyond: {certain}");
}

#[test]
fn the_other_way_round_is_the_other_direction() {
    let mut street = street(line("door", [0.8, 0.5], [0.2, 0.5]));
    street.walk(1, way([0.5, 0.3], [0.5, 0.7], 20));
    assert_eq!(street.rules.crossed(0), [0, 1]);
}

#[test]
fn who_goes_round_the_end_has_not_crossed() {
    let mut street = street(door());
    street.walk(1, way([0.5, 0.3], [0.95, 0.3], 20));
    street.walk(1, way([0.95, 0.3], [0.95, 0.7], 20));
    street.walk(1, way([0.95, 0.7], [0.5, 0.7], 20));
    assert_eq!(street.said(), []);
    // And back through it: that is one.
    street.walk(1, way([0.5, 0.7], [0.5, 0.3], 20));
    assert_eq!(street.rules.crossed(0), [0, 1]);
}

#[test]
fn who_comes_up_to_the_line_and_turns_back_has_not_crossed() {
    let mut street = street(door());
    street.walk(1, way([0.5, 0.3], [0.5, 0.505], 20));
    street.walk(1, way([0.5, 0.505], [0.5, 0.3], 20));
    assert_eq!(street.said(), []);
}

#[test]
fn a_way_that_stops_on_the_line_itself_counts_once() {
    for stop in [0.5, 0.499_99, 0.500_01] {
        let mut street = street(door());
        street.walk(1, way([0.5, 0.3], [0.5, stop], 10));
        street.walk(1, stand([0.5, stop], 10));
        street.walk(1, way([0.5, stop], [0.5, 0.7], 10));
        assert_eq!(street.rules.crossed(0), [1, 0], "{stop}");
        street.walk(1, way([0.5, 0.7], [0.5, stop], 10));
        street.walk(1, way([0.5, stop], [0.5, 0.7], 10));
        assert_eq!(street.rules.crossed(0), [1, 0], "{stop}: back on it, and away again");
    }
}

#[test]
fn straddling_who_stands_on_the_line_and_trembles_does_not_count() {
    let mut street = street(door());
    street.walk(1, way([0.5, 0.3], [0.5, 0.49], 10));
    let tremble = |k: u32| ((k * 7919) % 21) as f32 / 20.0 * 0.014 - 0.007;
    street.walk(1, (0..600).map(|k| [0.5, 0.5 + tremble(k)]));
    assert_eq!(street.said(), []);
    street.walk(1, way([0.5, 0.51], [0.5, 0.7], 10));
    assert_eq!(street.rules.crossed(0), [1, 0], "and once when it goes on");
}

#[test]
fn stop_and_go_across_the_line_counts_once() {
    let mut street = street(door());
    for part in 0..20_u8 {
        let y = 0.4 + 0.01 * f32::from(part);
        street.walk(1, way([0.5, y], [0.5, y + 0.01], 2));
        street.walk(1, stand([0.5, y + 0.01], 7));
    }
    assert_eq!(street.rules.crossed(0), [1, 0]);
}

#[test]
fn flicker_a_crossing_that_nobody_saw_counts_once_and_when_it_was() {
    let mut street = street(door());
    street.walk(1, way([0.5, 0.3], [0.5, 0.46], 8));
    // Predicted over the line, then out of sight, then beyond.
    for step in 1..=3_u8 {
        street.see(vec![Seen { coasted: true, ..seen(1, [0.5, 0.46 + 0.02 * f32::from(step)], 0.2) }]);
    }
    assert_eq!(street.said(), [], "a prediction proves nothing");
    (0..3).for_each(|_| street.see(Vec::new()));
    street.walk(1, way([0.5, 0.6], [0.5, 0.7], 5));
    assert_eq!(street.rules.crossed(0), [1, 0]);
    assert!((street.time(0, "crossed_at") - 1.0).abs() < 0.11);
}

#[test]
fn a_prediction_over_the_line_that_was_wrong_counts_for_nothing() {
    let mut street = street(door());
    street.walk(1, way([0.5, 0.3], [0.5, 0.46], 8));
    for step in 1..=5_u8 {
        street.see(vec![Seen { coasted: true, ..seen(1, [0.5, 0.46 + 0.03 * f32::from(step)], 0.2) }]);
    }
    street.walk(1, way([0.5, 0.46], [0.5, 0.3], 8));
    assert_eq!(street.said(), []);
}

#[test]
fn as_many_frames_as_asked_for_are_seen_on_each_side() {
    let line = Line { frames: 4, ..door() };
    let mut street = street(line);
    street.walk(1, stand([0.5, 0.4], 3));
    street.walk(1, stand([0.5, 0.6], 10));
    assert_eq!(street.rules.crossed(0), [0, 0], "three frames above are too few");
    street.walk(1, stand([0.5, 0.4], 3));
    street.walk(1, stand([0.5, 0.6], 3));
    assert_eq!(street.rules.crossed(0), [0, 0]);
    street.walk(1, stand([0.5, 0.4], 4));
    assert_eq!(street.rules.crossed(0), [0, 1]);
}

#[test]
fn only_the_direction_that_was_asked_for_counts() {
    let mut street = street(Line { direction: Directions::In, ..door() });
    street.walk(1, way([0.5, 0.3], [0.5, 0.7], 20));
    street.walk(1, way([0.5, 0.7], [0.5, 0.3], 20));
    street.walk(1, way([0.5, 0.3], [0.5, 0.7], 20));
    assert_eq!(street.rules.crossed(0), [2, 0]);
}

#[test]
fn within_a_cool_down_there_and_back_is_nothing_and_there_is_told_when_it_is_over() {
    let mut line = door();
    line.common.cooldown = Duration::from_secs(10);
    let mut street = street(line);
    for _ in 0..3 {
        street.walk(1, way([0.5, 0.4], [0.5, 0.6], 5));
        street.walk(1, way([0.5, 0.6], [0.5, 0.4], 5));
    }
    assert_eq!(street.rules.crossed(0), [1, 0]);
    street.walk(1, stand([0.5, 0.4], 80));
    assert_eq!(street.rules.crossed(0), [1, 1], "in the end it is where it was");
    street.walk(2, way([0.3, 0.4], [0.3, 0.6], 5));
    assert_eq!(street.rules.crossed(0), [2, 1], "others have their own");
}

#[test]
fn a_crossing_that_waits_for_its_cool_down_is_told_where_its_track_proves_to_be_another() {
    let mut line = door();
    line.common.cooldown = Duration::from_secs(60);
    let mut street = street(line);
    street.walk(1, way([0.5, 0.4], [0.5, 0.6], 5));
    street.walk(1, way([0.5, 0.6], [0.5, 0.4], 5));
    assert_eq!(street.rules.crossed(0), [1, 0], "out waits");
    // Two tracks of one subject for a while; then the first is over.
    (0..10).for_each(|_| street.see(vec![seen(1, [0.5, 0.4], 0.2), seen(2, [0.5, 0.4], 0.2)]));
    street.see_and_end(vec![seen(2, [0.5, 0.4], 0.2)], &[(1, EndReason::Duplicate)]);
    street.walk(2, stand([0.5, 0.4], 5));
    assert_eq!(street.rules.crossed(0), [1, 1]);
}

#[test]
fn two_tracks_of_one_subject_that_cross_and_prove_to_be_one_cross_once() {
    let mut line = door();
    line.common.cooldown = Duration::from_secs(60);
    let mut street = street(line);
    street.walk(1, way([0.5, 0.4], [0.5, 0.6], 5));
    street.walk(1, stand([0.5, 0.6], 5));
    for [x, y] in [stand([0.5, 0.6], 5), way([0.5, 0.6], [0.5, 0.4], 5), stand([0.5, 0.4], 5)].concat() {
        street.see(vec![seen(1, [x, y], 0.2), seen(2, [x, y], 0.2)]);
    }
    assert_eq!(street.rules.crossed(0), [1, 1], "the one without a cool-down");
    street.see_and_end(vec![seen(2, [0.5, 0.4], 0.2)], &[(1, EndReason::Duplicate)]);
    street.walk(2, stand([0.5, 0.4], 5));
    assert_eq!(street.rules.crossed(0), [1, 1]);
}

#[test]
fn who_does_not_count_in_the_frame_that_settles_it_crosses_when_he_does() {
    let picky = || {
        let mut line = door();
        line.common.min_score = 0.5;
        street(line)
    };
    let faint = |y| Seen { median_score: fixed_score(0.45), ..seen(1, [0.5, y], 0.2) };
    let mut street = picky();
    street.walk(1, way([0.5, 0.4], [0.5, 0.48], 4));
    (0..10).for_each(|k| street.see(vec![faint(0.52 + 0.01 * f32::from(k as u8))]));
    assert_eq!(street.said(), []);
    street.walk(1, stand([0.5, 0.62], 5));
    assert_eq!(street.rules.crossed(0), [1, 0]);
    assert!((street.time(0, "crossed_at") - 0.45).abs() < 0.06);

    let mut street = picky();
    street.walk(1, way([0.5, 0.4], [0.5, 0.48], 4));
    (0..10).for_each(|_| street.see(vec![faint(0.56)]));
    street.walk(1, stand([0.5, 0.44], 5));
    assert_eq!(street.rules.crossed(0), [0, 0], "back before he counted");
    (0..10).for_each(|_| street.see(vec![faint(0.56)]));
    street.reset();
    assert_eq!(street.rules.crossed(0), [0, 0], "gone before he counted");
}

#[test]
fn a_diagonal_line_in_a_wide_picture_has_its_sides_where_the_eye_sees_them() {
    let mut street = street(line("ramp", [0.3, 0.7], [0.7, 0.3]));
    street.walk(1, way([0.3, 0.3], [0.7, 0.7], 20));
    assert_eq!(street.rules.crossed(0), [1, 0], "to the right of whoever looks along it");
}
