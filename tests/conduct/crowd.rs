//! Crowds.

use serde_json::json;
use watchkeeper::config::{Rule, RuleKind};
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::observation::Seen;
use watchkeeper::types::schedule::Schedule;
use watchkeeper::types::time::Timestamp;

use super::scene::*;

const START: (EventType, Phase) = (EventType::CrowdStart, Phase::Start);
const END: (EventType, Phase) = (EventType::CrowdEnd, Phase::End);

fn crowd() -> Rule {
    rule(RuleKind::Crowd { from: 5, until: 3, hold: s(4) })
}

fn people(count: u64) -> Vec<Seen> {
    (1..=count).map(|number| person(number, [0.25 + 0.05 * number as f32, 0.6])).collect()
}

#[test]
fn a_crowd_begins_once_enough_have_been_there_for_long_enough() {
    let mut watched = Watched::new(crowd());
    assert!(watched.run(10.0, |_| people(4)).is_empty());
    let fired = watched.run(10.0, |_| [people(4), vec![subject(9, CAR, [0.7, 0.7], 0.1)]].concat());
    let (at, firing) = one(&fired);
    assert_eq!(told(&fired), [START]);
    near(at, 14.0, 0.11);
    let labels = json!({"person": 4, "car": 1});
    let data = json!({"zone": "yard", "count": 5, "labels": labels, "since": "2026-11-20T12:00:10.000Z"});
    assert_eq!(json!(firing.draft.data), data);
    assert!(firing.draft.track.is_none() && firing.draft.rule == "rule");
}

#[test]
fn it_ends_once_few_have_been_left_for_as_long_and_says_how_many_and_how_long() {
    let mut watched = Watched::new(crowd());
    let fired = watched.run(60.0, |t| match t {
        ..5.0 => people(1),
        ..20.0 => people(6),
        ..30.0 => people(8),
        ..40.0 => people(4),
        _ => people(3),
    });
    assert_eq!(told(&fired), [START, END]);
    near(fired[0].0, 9.0, 0.11);
    near(fired[1].0, 44.0, 0.11);
    let end = &fired[1].1;
    assert_eq!((end.draft.data["count"].as_u64(), end.draft.data["peak"].as_u64()), (Some(3), Some(8)));
    near(number(end, "duration_s"), 35.0, 0.11);
    let times =
        [fired[0].1.draft.data["since"].as_str(), end.draft.data["since"].as_str(), end.draft.data["until"].as_str()];
    assert_eq!(
        times,
        ["12:00:05", "12:00:05", "12:00:40"]
            .map(|t| format!("2026-11-20T{t}.000Z"))
            .each_ref()
            .map(|t| Some(t.as_str()))
    );
}

#[test]
fn it_does_not_end_while_nobody_looks() {
    let mut watched = Watched::new(crowd());
    assert_eq!(told(&watched.run(10.0, |_| people(6))), [START]);
    // Hidden for an instant, then no frames; the tracker is sure of nobody at first.
    assert!(watched.run(0.2, |_| people(3)).is_empty());
    watched.skip(60.0);
    assert!(watched.run(0.3, |_| people(0)).is_empty());
    assert!(watched.run(10.0, |_| people(6)).is_empty());
}

#[test]
fn to_and_fro_between_the_two_numbers_changes_nothing() {
    let mut watched = Watched::new(crowd());
    let fired = watched.run(120.0, |t| people(if t < 10.0 || t % 4.0 < 2.0 { 5 } else { 4 }));
    assert_eq!(told(&fired), [START]);
    let fired = watched.run(120.0, |t| people(if t % 4.0 < 2.0 { 3 } else { 4 }));
    assert_eq!(told(&fired), [], "three for two seconds at a time is not three for four");
}

#[test]
fn a_short_gathering_is_none_and_a_flicker_does_not_begin_the_time_anew() {
    let mut watched = Watched::new(crowd());
    assert!(watched.run(30.0, |t| people(if t % 10.0 < 3.5 { 9 } else { 2 })).is_empty());
    let fired = watched.run(6.0, |t| people(if (t * 10.0) as u64 % 7 == 3 { 4 } else { 5 }));
    near(one(&fired).0, 34.0, 0.21);
}

#[test]
fn only_those_in_the_zone_that_the_rule_asks_for_make_a_crowd() {
    let mut rule = crowd();
    rule.common.classes = vec!["person".to_owned()];
    rule.common.min_score = 0.5;
    let mut watched = Watched::new(rule);
    let outside = |t: &Seen| Seen { bbox: person(t.number, [0.1, 0.9]).bbox, ..*t };
    let fired = watched.run(20.0, |_| people(5).iter().map(outside).collect());
    assert!(fired.is_empty());
    let fired = watched.run(20.0, |_| people(5).iter().map(|t| Seen { class: CAR, ..*t }).collect());
    assert!(fired.is_empty());
    let fired = watched.run(20.0, |_| people(5).iter().map(|t| Seen { median_score: 4999, ..*t }).collect());
    assert!(fired.is_empty());
    assert_eq!(told(&watched.run(20.0, |_| people(5))), [START]);
}

fn until_noon() -> Option<Schedule> {
    Some(Schedule::parse("mon-fri 08:00-12:00", jiff::tz::TimeZone::UTC).unwrap())
}

#[test]
fn what_began_ends_also_after_the_schedule_has_closed() {
    let mut rule = crowd();
    rule.common.active = until_noon();
    let mut watched = Watched::new(rule);
    watched.begin = Timestamp(NOON.0 - 10_000_000);
    assert_eq!(told(&watched.run(30.0, |_| people(5))), [START]);
    assert_eq!(told(&watched.run(30.0, |_| people(0))), [END]);
    assert!(watched.run(30.0, |t| people(if t < 15.0 { 5 } else { 0 })).is_empty(), "neither start nor end");
}

#[test]
fn a_crowd_that_is_there_when_the_schedule_opens_is_told_then() {
    let mut rule = crowd();
    rule.common.active = Some(Schedule::parse("mon-fri 12:00-18:00", jiff::tz::TimeZone::UTC).unwrap());
    let mut watched = Watched::new(rule);
    watched.begin = Timestamp(NOON.0 - 10_000_000);
    let fired = watched.run(20.0, |_| people(5));
    near(one(&fired).0, 10.0, 0.11);
}

#[test]
fn beyond_the_limit_of_an_hour_neither_start_nor_end_is_told() {
    let mut rule = crowd();
    rule.common.max_per_hour = Some(2);
    let mut watched = Watched::new(rule);
    let fired = watched.run(120.0, |t| people(if t % 30.0 < 15.0 { 5 } else { 0 }));
    assert_eq!(told(&fired), [START, END, START, END]);
    assert_eq!(watched.rules.held_back().collect::<Vec<_>>(), [("rule", 2)], "each is counted once");
}

#[test]
fn a_shadow_rule_says_so_of_both() {
    let mut rule = crowd();
    rule.common.shadow = true;
    let fired = Watched::new(rule).run(30.0, |t| people(if t < 10.0 { 5 } else { 0 }));
    assert_eq!(told(&fired), [START, END]);
    assert!(fired.iter().all(|(_, firing)| firing.shadow));
}

#[test]
fn it_ends_when_all_tracks_are_over_and_begins_anew() {
    let mut watched = Watched::new(crowd());
    watched.run(10.0, |_| people(5));
    let fired = watched.reset();
    assert_eq!((fired[0].draft.event_type, fired[0].draft.phase), END);
    near(number(&fired[0], "duration_s"), 9.9, 0.01);
    assert_eq!(fired[0].draft.data["count"].as_u64(), Some(5));
    assert!(watched.reset().is_empty());
    let fired = watched.run(10.0, |_| people(5));
    near(one(&fired).0, 14.0, 0.11);
}
