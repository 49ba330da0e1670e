//! Tracks that are lost and begun anew.

use watchkeeper::config::Zone;
use watchkeeper::types::observation::Seen;
use watchkeeper::types::track::EndReason;

use crate::places::{line, seen, zone};
use crate::{Street, stand, way};

fn yard() -> Zone {
    zone("yard", &[[0.4, 0.3], [0.8, 0.3], [0.8, 0.9], [0.4, 0.9]])
}

fn both() -> Street {
    Street::new(vec![yard()], vec![line("door", [0.2, 0.5], [0.8, 0.5])])
}

#[test]
fn an_id_switch_inside_is_one_visit_and_goes_on_under_the_new_number() {
    let mut street = both();
    street.walk(1, stand([0.6, 0.7], 10));
    (0..5).for_each(|_| street.see(Vec::new()));
    street.walk(2, stand([0.61, 0.7], 20));
    street.see_and_end(vec![seen(2, [0.61, 0.7], 0.2)], &[(1, EndReason::NotSeen)]);
    street.walk(2, stand([0.61, 0.7], 30));
    assert_eq!(street.rules.counts(0), [1, 0, 0]);
    street.walk(2, way([0.61, 0.7], [0.95, 0.7], 20));
    assert_eq!(street.said(), [("zone.enter", Some(1)), ("zone.exit", Some(2))]);
    assert_eq!(street.time(1, "since"), 0.0, "since the first one came");
    assert_eq!(street.fact(1, "entered_as"), "gate:1:1");
}

#[test]
fn a_dwell_after_an_id_switch_says_who_came_in_and_who_kept_his_number_needs_no_other() {
    let mut street = Street::new(vec![Zone { dwell: Some(std::time::Duration::from_secs(2)), ..yard() }], Vec::new());
    street.walk(1, stand([0.6, 0.7], 10));
    street.walk(2, stand([0.6, 0.7], 20));
    street.walk(3, stand([0.45, 0.4], 30));
    street.walk(3, way([0.45, 0.4], [0.2, 0.4], 10));
    let told = [("zone.enter", 1), ("zone.dwell", 2), ("zone.enter", 3), ("zone.dwell", 3), ("zone.exit", 3)];
    assert_eq!(street.said(), told.map(|(what, number)| (what, Some(number))));
    let entered_as = [1, 3, 4].map(|event| street.fact(event, "entered_as"));
    assert_eq!(entered_as, ["gate:1:1".into(), serde_json::Value::Null, serde_json::Value::Null]);
}

#[test]
fn an_id_switch_on_the_way_is_followed_where_the_way_leads() {
    let mut street = both();
    street.walk(1, way([0.42, 0.7], [0.56, 0.7], 14));
    (0..10).for_each(|_| street.see(Vec::new()));
    street.walk(2, way([0.66, 0.7], [0.76, 0.7], 10));
    assert_eq!(street.said(), [("zone.enter", Some(1))]);
}

#[test]
fn who_is_hidden_for_long_is_where_he_was_until_his_tracker_gives_him_up() {
    let mut street = both();
    street.walk(1, stand([0.6, 0.45], 10));
    (0..400).for_each(|_| street.see(Vec::new()));
    street.walk(1, way([0.6, 0.48], [0.6, 0.7], 20));
    assert_eq!(street.said(), [("zone.enter", Some(1)), ("line.crossed", Some(1))]);
    street.see_and_end(Vec::new(), &[(1, EndReason::NotSeen)]);
    (0..25).for_each(|_| street.see(Vec::new()));
    assert_eq!(street.said()[2..], [("zone.exit", Some(1))]);
}

#[test]
fn somebody_else_far_off_is_somebody_else() {
    let mut street = both();
    street.walk(1, stand([0.45, 0.7], 10));
    street.walk(2, stand([0.75, 0.7], 10));
    assert_eq!(street.said(), [("zone.enter", Some(1)), ("zone.enter", Some(2))]);
    street.see_and_end(Vec::new(), &[(1, EndReason::NotSeen), (2, EndReason::NotSeen)]);
    (0..40).for_each(|_| street.see(Vec::new()));
    street.walk(3, stand([0.45, 0.7], 10));
    assert_eq!(street.said().iter().filter(|said| said.0 == "zone.enter").count(), 3, "and so is who comes later");
    assert_eq!(street.said().iter().filter(|said| said.0 == "zone.exit").count(), 2);
}

#[test]
fn another_class_or_size_is_somebody_else() {
    for other in [Seen { class: 2, ..seen(2, [0.6, 0.7], 0.2) }, seen(2, [0.6, 0.7], 0.4)] {
        let mut street = both();
        street.walk(1, stand([0.6, 0.7], 10));
        (0..10).for_each(|_| street.see(vec![other]));
        assert_eq!(street.said(), [("zone.enter", Some(1)), ("zone.enter", Some(2))]);
    }
}

#[test]
fn one_missed_frame_beside_a_newcomer_changes_nothing() {
    let mut street = both();
    street.walk(1, stand([0.6, 0.7], 10));
    // The other one appears in the very frame in which the first is not found.
    street.see(vec![seen(2, [0.62, 0.7], 0.2)]);
    (0..10).for_each(|_| street.see(vec![seen(1, [0.6, 0.7], 0.2), seen(2, [0.62, 0.7], 0.2)]));
    assert_eq!(street.rules.counts(0), [2, 0, 0]);
    assert_eq!(street.said(), [("zone.enter", Some(1)), ("zone.enter", Some(2))]);
}

#[test]
fn who_leaves_the_picture_is_not_who_comes_in_there() {
    let all = zone("all", &[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]);
    let mut street = Street::new(vec![all], Vec::new());
    street.walk(1, way([0.8, 0.7], [0.98, 0.7], 9));
    street.see_and_end(Vec::new(), &[(1, EndReason::Left)]);
    street.walk(2, way([0.98, 0.7], [0.8, 0.7], 9));
    assert_eq!(street.said(), [("zone.enter", Some(1)), ("zone.enter", Some(2)), ("zone.exit", Some(1))]);
}

#[test]
fn who_walked_out_is_gone_though_the_tracker_waits_for_him() {
    let all = zone("all", &[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]);
    let mut street = Street::new(vec![all], Vec::new());
    street.walk(1, way([0.8, 0.7], [0.98, 0.7], 9));
    (0..10).for_each(|_| street.see(Vec::new()));
    street.walk(2, way([0.98, 0.7], [0.8, 0.7], 9));
    street.see_and_end(Vec::new(), &[(1, EndReason::NotSeen)]);
    assert_eq!(street.said(), [("zone.enter", Some(1)), ("zone.enter", Some(2)), ("zone.exit", Some(1))]);
}

#[test]
fn an_id_switch_on_the_line_is_one_crossing() {
    for gap in [0, 1, 4, 8_u8] {
        let mut street = both();
        street.walk(1, way([0.6, 0.4], [0.6, 0.49], 9));
        (0..gap).for_each(|_| street.see(Vec::new()));
        let from = 0.50 + 0.01 * f32::from(gap);
        street.walk(2, way([0.6, from], [0.6, from + 0.1], 10));
        assert_eq!(street.rules.crossed(0), [1, 0], "{gap} frames unseen");
        let crossed = street.told.iter().position(|firing| firing.draft.event_type.name() == "line.crossed").unwrap();
        assert!((street.time(crossed, "crossed_at") - 1.0).abs() <= 0.2, "{gap} frames unseen");
    }
}

#[test]
fn an_id_switch_beyond_the_line_does_not_count_again() {
    let mut street = both();
    street.walk(1, way([0.6, 0.4], [0.6, 0.54], 14));
    street.walk(2, way([0.6, 0.55], [0.6, 0.7], 15));
    street.walk(2, way([0.6, 0.7], [0.6, 0.55], 15));
    street.walk(3, way([0.6, 0.54], [0.6, 0.4], 14));
    assert_eq!(street.rules.crossed(0), [1, 1]);
}

#[test]
fn two_tracks_that_prove_to_be_one_are_one_visit_when_it_is_known() {
    let mut street = both();
    street.walk(1, stand([0.6, 0.7], 10));
    (0..3).for_each(|_| street.see(Vec::new()));
    street.walk(2, stand([0.6, 0.7], 5));
    street.see_and_end(vec![seen(1, [0.6, 0.7], 0.2)], &[(2, EndReason::Duplicate)]);
    street.walk(1, stand([0.6, 0.7], 40));
    assert_eq!(street.rules.counts(0), [1, 0, 0]);
    assert_eq!(street.said(), [("zone.enter", Some(1))]);
}
