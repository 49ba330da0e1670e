//! Who stands.

use watchkeeper::config::{Rule, RuleKind};
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::observation::Seen;
use watchkeeper::types::schedule::Schedule;
use watchkeeper::types::time::Timestamp;

use super::scene::*;

const START: (EventType, Phase) = (EventType::ObjectStopped, Phase::Start);
const END: (EventType, Phase) = (EventType::ObjectStopped, Phase::End);

fn stopped() -> Rule {
    rule(RuleKind::Stopped { after: s(10) })
}

fn car(number: u64, x: f32) -> Seen {
    of_box(number, CAR, &BBox::new(x - 0.1, 0.5, x + 0.1, 0.65))
}

#[test]
fn a_car_that_stops_is_told_and_its_end_when_it_drives_on() {
    let mut watched = Watched::new(stopped());
    let fired = watched.run(60.0, |t| {
        let moved = (t as f32).min(5.0) + (t as f32 - 40.0).max(0.0);
        vec![car(1, 0.25 + 0.05 * moved)]
    });
    assert_eq!(told(&fired), [START, END]);
    near(fired[0].0, 15.0, 1.5);
    near(fired[1].0, 41.0, 1.0);
    near(number(&fired[1].1, "duration_s"), 36.0, 1.5);
    assert_eq!(fired[1].1.draft.data["reason"], "moved");
    assert_eq!(fired[1].1.draft.track.as_ref().unwrap().id, "gate:3:1");
}

#[test]
fn who_walks_never_stands_however_the_box_trembles() {
    let mut noise = Noise(5);
    let fired = Watched::new(stopped()).run(200.0, |t| {
        let x = 0.3 + 0.4 * ((t as f32 * 0.05) % 2.0 - 1.0).abs();
        vec![noise.tremble(person(1, [x, 0.5]), 0.03)]
    });
    assert!(fired.is_empty(), "{:?}", told(&fired));
}

#[test]
fn who_stands_stands_however_the_box_trembles_and_without_any_help_of_the_tracker() {
    for part in [0.02, 0.05, 0.1] {
        let mut noise = Noise(7);
        let fired = Watched::new(stopped()).run(300.0, |_| vec![noise.tremble(person(1, [0.5, 0.5]), part)]);
        assert_eq!(told(&fired), [START], "{part}");
        near(fired[0].0, 10.0, 0.2);
    }
}

#[test]
fn who_stands_before_a_camera_that_shakes_stands() {
    for fps in [3.0, 25.0] {
        let (mut noise, mut watched) = (Noise(11), Watched::new(stopped()));
        watched.fps = fps;
        let fired = watched.run(600.0, |_| {
            let (dx, dy) = (0.12 * noise.next(), 0.12 * noise.next());
            vec![person(1, [0.5 + 0.15 * dx, 0.5 + 0.3 * dy])]
        });
        assert_eq!(told(&fired), [START], "{fps}");
    }
}

#[test]
fn one_wild_box_and_somebody_in_front_are_no_movement() {
    let mut watched = Watched::new(stopped());
    let fired = watched.run(60.0, |t| {
        let frame = (t * 10.0).round() as u64;
        let covered = (20.0..25.0).contains(&t);
        let bbox = match frame {
            170 => BBox::new(0.7, 0.1, 0.8, 0.3),
            _ if covered => BBox::new(0.4, 0.5, 0.6, 0.55),
            350..400 => BBox::new(0.55, 0.5, 0.6, 0.65),
            _ => BBox::new(0.4, 0.5, 0.6, 0.65),
        };
        vec![of_box(1, CAR, &bbox)]
    });
    assert_eq!(told(&fired), [START]);
    near(fired[0].0, 10.0, 0.11);
}

#[test]
fn frames_without_a_detection_neither_stop_nor_move_it() {
    let mut watched = Watched::new(stopped());
    let fired = watched.run(60.0, |t| match t {
        ..15.0 => vec![car(1, 0.5)],
        ..16.0 => vec![Seen { coasted: true, ..car(1, 0.5 + 0.3 * (t as f32 - 15.0)) }],
        ..20.0 => vec![],
        _ => vec![car(1, 0.5)],
    });
    assert_eq!(told(&fired), [START]);
}

#[test]
fn who_comes_straight_towards_the_camera_does_not_stand() {
    let fired = Watched::new(stopped()).run(30.0, |t| {
        let half = 0.03 + 0.01 * t as f32;
        vec![of_box(1, CAR, &BBox::new(0.5 - half, 0.45 - half, 0.5 + half, 0.45 + half))]
    });
    assert!(fired.is_empty());
}

#[test]
fn it_ends_with_its_track_told_or_not_seen_for_long() {
    let mut watched = Watched::new(stopped());
    assert_eq!(told(&watched.run(12.0, |_| vec![car(1, 0.3), car(2, 0.7)])), [START, START]);
    watched.ends(1);
    let fired = watched.run(20.0, |_| vec![]);
    let (at, firing) = one(&fired);
    near(at, 14.0, 0.11);
    assert_eq!((firing.draft.data["reason"].as_str(), firing.track), (Some("ended"), Some(1)));
    near(number(firing, "duration_s"), 11.9, 0.11);
    assert!(watched.run(100.0, |_| vec![]).is_empty(), "its tracker may wait for it");
    watched.skip(3.0 * 3600.0);
    let fired = watched.run(1.0, |_| vec![]);
    assert_eq!((told(&fired), fired[0].1.track), (vec![END], Some(2)));
    near(number(&fired[0].1, "duration_s"), 11.9, 0.11);
}

#[test]
fn another_number_after_a_moment_without_a_track_is_the_same_stop() {
    let mut watched = Watched::new(stopped());
    assert!(watched.run(8.0, |_| vec![car(1, 0.5)]).is_empty());
    watched.ends(1);
    watched.skip(1.0);
    let fired = watched.run(30.0, |t| vec![car(2, 0.5 - 0.05 * (t as f32 - 15.0).max(0.0))]);
    assert_eq!(told(&fired), [START, END]);
    near(fired[0].0, 10.0, 0.11);

    let mut watched = Watched::new(stopped());
    assert_eq!(told(&watched.run(12.0, |_| vec![car(1, 0.5)])), [START]);
    watched.ends(1);
    let fired = watched.run(30.0, |t| vec![car(2, 0.5 - 0.05 * (t as f32 - 15.0).max(0.0))]);
    let (_, end) = one(&fired);
    assert_eq!((told(&fired), end.draft.data["reason"].as_str()), (vec![END], Some("moved")));
    assert_eq!(end.draft.track.as_ref().unwrap().id, "gate:3:1", "under the number under which it began");
}

#[test]
fn a_track_that_has_an_heir_and_is_still_predicted_is_not_back() {
    let mut watched = Watched::new(stopped());
    assert_eq!(told(&watched.run(12.0, |_| vec![car(1, 0.5)])), [START]);
    let predicted = Seen { coasted: true, ..car(1, 0.5) };
    let fired = watched.run(0.4, |_| vec![predicted, car(2, 0.5)]);
    assert!(fired.is_empty(), "{:?}", told(&fired));
    watched.ends(1);
    let fired = watched.run(20.0, |_| vec![car(2, 0.5)]);
    assert!(fired.is_empty(), "{:?}", told(&fired));
    let end = watched.reset().remove(0);
    assert_eq!(end.draft.track.unwrap().id, "gate:3:1");
}

#[test]
fn a_cool_down_is_its_heirs_too() {
    let mut rule = stopped();
    rule.common.cooldown = s(60);
    let mut watched = Watched::new(rule);
    let place = |t: f64| 0.3 + 0.02 * (t as f32 - 15.0).clamp(0.0, 10.0);
    let fired = watched.run(60.0, |t| vec![car(if t < 20.0 { 1 } else { 2 }, place(t))]);
    assert_eq!(told(&fired), [START, END]);
    let fired = watched.run(20.0, |_| vec![car(2, place(60.0))]);
    near(one(&fired).0, 70.0, 0.2);
}

#[test]
fn what_stands_outside_the_zone_is_nobodys_matter() {
    let mut watched = Watched::new(stopped());
    assert!(watched.run(30.0, |_| vec![person(1, [0.5, 0.9])]).is_empty());
    let fired = watched.run(30.0, |_| vec![car(2, 0.5)]);
    near(one(&fired).0, 40.0, 0.2);
}

#[test]
fn its_end_is_told_after_the_schedule_has_closed_in_shadow_too_and_when_all_is_over() {
    let mut rule = stopped();
    rule.common.active = Some(Schedule::parse("mon-fri 08:00-12:00", jiff::tz::TimeZone::UTC).unwrap());
    rule.common.shadow = true;
    let mut watched = Watched::new(rule);
    watched.begin = Timestamp(NOON.0 - 20_000_000);
    let fired = watched.run(60.0, |t| vec![car(1, 0.5 - 0.05 * (t as f32 - 40.0).max(0.0))]);
    assert_eq!(told(&fired), [START, END]);
    assert!(fired.iter().all(|(_, firing)| firing.shadow));

    let mut watched = Watched::new(stopped());
    watched.run(15.0, |_| vec![car(1, 0.5)]);
    let fired = watched.reset();
    assert_eq!((fired[0].draft.phase, fired[0].draft.data["reason"].as_str()), (Phase::End, Some("reset")));
    assert!(watched.reset().is_empty());
}

#[test]
fn another_model_calls_it_by_the_same_name() {
    let mut watched = Watched::new(stopped());
    watched.run(15.0, |_| vec![car(1, 0.5)]);
    watched.model(&["bus", "car", "person"]);
    let end = watched.reset().remove(0);
    assert_eq!(end.draft.track.unwrap().label, "car");

    watched.model(&LABELS);
    watched.run(15.0, |_| vec![car(1, 0.5)]);
    watched.model(&["bus", "person"]);
    let end = watched.reset().remove(0);
    assert_eq!(end.draft.track.unwrap().label, "", "no other label");
}
