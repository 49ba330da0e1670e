use std::time::Duration;

use jiff::tz::TimeZone;
use watchkeeper::config::{Schedule, Zone};
use watchkeeper::types::time::Clock;

use crate::places::{self, line, seen, zone};
use crate::{Street, stand, way};

fn yard() -> Zone {
    zone("yard", &[[0.4, 0.3], [0.8, 0.3], [0.8, 0.9], [0.4, 0.9]])
}

/// It is noon in UTC, a Friday.
fn active(schedule: &str) -> Zone {
    let mut zone = yard();
    zone.common.active = Some(Schedule::parse(schedule, TimeZone::UTC).unwrap());
    zone
}

#[test]
fn out_of_hours_nothing_is_told_and_whoever_is_inside_when_they_begin_comes_in_then() {
    let mut street = Street::new(vec![active("fri 12:01-13:00")], Vec::new());
    street.walk(1, stand([0.6, 0.6], 600));
    assert_eq!(street.said(), []);
    assert_eq!(street.rules.counts(0), [1, 0, 0], "numbers are no alarm");
    street.walk(1, stand([0.6, 0.6], 5));
    assert_eq!(street.said(), [("zone.enter", Some(1))]);
    assert_eq!(street.time(0, "since"), 0.0);
}

#[test]
fn what_was_told_to_begin_is_told_to_end_out_of_hours_too() {
    let mut street = Street::new(vec![active("fri 11:00-12:01")], Vec::new());
    street.walk(1, stand([0.6, 0.6], 700));
    street.walk(1, stand([0.2, 0.6], 5));
    street.walk(1, stand([0.6, 0.6], 5));
    assert_eq!(street.said(), [("zone.enter", Some(1)), ("zone.exit", Some(1))]);
}

#[test]
fn a_recording_has_no_time_of_day() {
    let mut street = Street::new(vec![active("mon 03:00-04:00")], Vec::new());
    let mut frame = places::frame(Duration::ZERO, vec![seen(1, [0.6, 0.6], 0.2)]);
    frame.capture.clock = Clock::Free;
    street.take(&frame);
    assert_eq!(street.said().len(), 1);
}

#[test]
fn beyond_the_limit_per_hour_firings_are_held_back_and_counted_and_the_hour_slides() {
    let mut line = line("door", [0.2, 0.5], [0.8, 0.5]);
    line.common.max_per_hour = Some(3);
    let mut street = Street::new(Vec::new(), vec![line]);
    for number in 1..=10 {
        street.walk(number, way([0.5, 0.4], [0.5, 0.6], 5));
        (0..30).for_each(|_| street.see(Vec::new()));
    }
    assert_eq!(street.said().len(), 3);
    assert_eq!(street.rules.crossed(0), [10, 0], "all the same they crossed");
    assert_eq!(street.rules.held_back().collect::<Vec<_>>(), [("door", 7)]);
    street.frame = 36_010;
    street.walk(11, way([0.5, 0.4], [0.5, 0.6], 5));
    assert_eq!(street.said().len(), 4);
    assert_eq!(street.fact(3, "count"), serde_json::json!({"in": 11, "out": 0}));
}

#[test]
fn an_exit_is_told_only_where_its_entrance_was() {
    let mut zone = yard();
    zone.common.max_per_hour = Some(1);
    let mut street = Street::new(vec![zone], Vec::new());
    street.see(vec![seen(1, [0.5, 0.6], 0.2), seen(2, [0.7, 0.6], 0.2)]);
    street.see(vec![seen(1, [0.1, 0.6], 0.2), seen(2, [0.1, 0.6], 0.2)]);
    assert_eq!(street.said(), [("zone.enter", Some(1)), ("zone.exit", Some(1))]);
    assert_eq!(street.rules.held_back().collect::<Vec<_>>(), [("yard", 1)]);
}

#[test]
fn a_dwell_is_told_only_where_the_entrance_was_not_held_back() {
    let mut zone = yard();
    zone.dwell = Some(Duration::from_secs(2));
    zone.common.max_per_hour = Some(2);
    let mut street = Street::new(vec![zone], Vec::new());
    street.walk(1, stand([0.5, 0.6], 30));
    street.see(vec![seen(1, [0.5, 0.6], 0.2), seen(2, [0.7, 0.6], 0.2)]);
    // The hour slides meanwhile.
    street.frame = 36_100;
    (0..30).for_each(|_| street.see(vec![seen(1, [0.5, 0.6], 0.2), seen(2, [0.7, 0.6], 0.2)]));
    assert_eq!(street.said(), [("zone.enter", Some(1)), ("zone.dwell", Some(1))]);
}

#[test]
fn a_clock_that_is_set_back_blocks_nothing() {
    let mut zone = yard();
    zone.dwell = Some(Duration::from_secs(1));
    zone.common.cooldown = Duration::from_secs(60);
    let mut street = Street::new(vec![zone], Vec::new());
    for k in 0..1000_u64 {
        let place = if k / 20 % 2 == 0 { [0.6, 0.6] } else { [0.2, 0.6] };
        let mut frame = places::frame(Duration::from_millis(k * 100), vec![seen(1, place, 0.2)]);
        // After thirty seconds it is an hour earlier.
        frame.capture.time.0 -= if k > 300 { 3_600_000_000 } else { 0 };
        street.take(&frame);
    }
    let dwells = street.said().iter().filter(|said| said.0 == "zone.dwell").count();
    assert_eq!(dwells, 2, "in a hundred seconds, with a cool-down of sixty");
}

#[test]
fn a_shadow_rule_says_so() {
    let mut zone = yard();
    zone.common.shadow = true;
    let mut street = Street::new(vec![zone], Vec::new());
    street.walk(1, stand([0.6, 0.6], 2));
    assert!(street.told[0].shadow);
}
