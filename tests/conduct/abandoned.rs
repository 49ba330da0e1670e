//! Things left behind.

use watchkeeper::config::{Rule, RuleKind};
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::observation::Seen;
use watchkeeper::types::schedule::Schedule;
use watchkeeper::types::time::Timestamp;

use super::scene::*;

const START: (EventType, Phase) = (EventType::ObjectAbandoned, Phase::Start);
const END: (EventType, Phase) = (EventType::ObjectAbandoned, Phase::End);
const AT: [f32; 2] = [0.5, 0.6];

fn abandoned() -> Rule {
    let kind = RuleKind::Abandoned { after: s(20), owners: vec!["person".to_owned()], near: 1.5 };
    let mut rule = rule(kind);
    rule.common.classes = vec!["suitcase".to_owned(), "backpack".to_owned()];
    rule
}

fn suitcase(number: u64) -> Seen {
    subject(number, SUITCASE, AT, 0.08)
}

/// Beside the suitcase, so many heights off.
fn owner(number: u64, heights: f32) -> Seen {
    person(number, [AT[0] - 0.0475 - 0.15 * heights, AT[1]])
}

#[test]
fn what_its_owner_leaves_is_told_once_he_has_been_away_for_so_long() {
    let mut watched = Watched::new(abandoned());
    let fired = watched.run(90.0, |t| {
        let away = if t < 40.0 { 0.5 } else { 0.5 + t as f32 - 40.0 };
        vec![suitcase(1), owner(2, away.min(4.0))]
    });
    let (at, firing) = one(&fired);
    assert_eq!(told(&fired), [START]);
    near(at, 61.0, 0.3);
    assert_eq!(firing.draft.track.as_ref().unwrap().label, "suitcase");
}

#[test]
fn what_somebody_stays_near_is_not_abandoned() {
    let mut noise = Noise(1);
    let fired = Watched::new(abandoned()).run(120.0, |t| {
        let near = noise.tremble(owner(2, 1.0), 0.03);
        // Out of sight for a moment every ten seconds.
        if t % 10.0 < 0.6 { vec![suitcase(1)] } else { vec![suitcase(1), near] }
    });
    assert!(fired.is_empty());
}

#[test]
fn whoever_passes_by_neither_watches_over_it_nor_ends_it() {
    let passing = |t: f64| owner(10 + (t / 5.0) as u64, 4.0 - 1.6 * (t % 5.0) as f32);
    let fired = Watched::new(abandoned()).run(120.0, |t| vec![suitcase(1), passing(t)]);
    near(one(&fired).0, 20.0, 0.2);
    assert_eq!(told(&fired), [START]);
}

#[test]
fn it_ends_when_somebody_watches_over_it_and_may_begin_again() {
    let mut watched = Watched::new(abandoned());
    let fired = watched.run(120.0, |t| {
        let there = (40.0..50.0).contains(&t);
        vec![suitcase(1), owner(2, if there { 0.5 } else { 5.0 })]
    });
    assert_eq!(told(&fired), [START, END, START]);
    near(fired[1].0, 43.0, 0.2);
    assert_eq!(fired[1].1.draft.data["reason"], "owner");
    near(number(&fired[1].1, "duration_s"), 43.0, 0.2);
    near(fired[2].0, 70.0, 0.2);
}

#[test]
fn it_ends_when_the_thing_is_gone_and_says_when_it_was_seen_last() {
    let fired = Watched::new(abandoned()).run(60.0, |t| if t < 30.0 { vec![suitcase(1)] } else { vec![] });
    assert_eq!(told(&fired), [START, END]);
    near(fired[1].0, 40.0, 0.2);
    assert_eq!(fired[1].1.draft.data["reason"], "gone");
    near(number(&fired[1].1, "duration_s"), 29.9, 0.2);
}

#[test]
fn a_thing_that_flickers_and_changes_its_number_and_its_class_is_one_thing() {
    let mut noise = Noise(2);
    let mut watched = Watched::new(abandoned());
    let fired = watched.run(100.0, |t| {
        let frame = (t * 10.0).round() as u64;
        let class = if frame / 40 % 3 == 1 { BACKPACK } else { SUITCASE };
        let thing = Seen { class, number: 1 + frame / 25, ..noise.tremble(suitcase(1), 0.05) };
        if frame % 25 < 8 && !frame.is_multiple_of(200) { vec![] } else { vec![thing] }
    });
    assert_eq!(told(&fired), [START]);
    near(fired[0].0, 20.0, 0.9);
    let id = |fired: &(f64, watchkeeper::rules::Firing)| fired.1.draft.track.as_ref().unwrap().id.clone();
    let ended = watched.run(20.0, |_| vec![]);
    assert_eq!((told(&ended), id(&ended[0])), (vec![END], id(&fired[0])), "under the number under which it began");
}

#[test]
fn two_boxes_of_one_thing_are_one_thing_and_two_things_are_two() {
    let fired =
        Watched::new(abandoned()).run(40.0, |_| vec![suitcase(1), Seen { class: BACKPACK, number: 2, ..suitcase(1) }]);
    assert_eq!(told(&fired), [START]);
    let other = subject(2, SUITCASE, [0.6, 0.6], 0.08);
    let fired = Watched::new(abandoned()).run(40.0, |_| vec![suitcase(1), other]);
    assert_eq!(told(&fired), [START, START]);
}

#[test]
fn somebody_in_front_for_a_while_does_not_end_it_nor_does_his_own_bag() {
    let fired = Watched::new(abandoned()).run(60.0, |t| match t {
        ..30.0 => vec![suitcase(1)],
        // Its number goes with the bag of somebody who passes, and it is seen again under another one.
        ..32.0 => vec![subject(1, SUITCASE, [AT[0] + 0.1 * (t as f32 - 30.0), AT[1]], 0.08)],
        ..38.0 => vec![],
        _ => vec![suitcase(7)],
    });
    assert_eq!(told(&fired), [START]);
}

#[test]
fn of_hundreds_of_things_some_are_followed_and_what_began_ends() {
    let mut rule = abandoned();
    rule.zone = None;
    let mut watched = Watched::new(rule);
    let things = |row: u64| -> Vec<Seen> {
        (0..200)
            .map(|i| subject(200 * row + i + 1, SUITCASE, [(i % 50) as f32 / 50.0, 0.1 + 0.2 * (i / 50) as f32], 0.02))
            .collect()
    };
    let fired = watched.run(75.0, |t| {
        if t < 25.0 {
            things(0)
        } else {
            things(1).into_iter().map(|t| Seen { bbox: t.bbox.map(|e| e + 1200), ..t }).collect()
        }
    });
    let starts = fired.iter().filter(|(_, f)| f.draft.phase == Phase::Start).count();
    assert!(starts > 380, "{starts}");
    assert_eq!(fired.len() + watched.reset().len(), 2 * starts);
}

#[test]
fn where_all_classes_count_those_who_may_watch_are_no_things() {
    let mut rule = abandoned();
    rule.common.classes.clear();
    assert!(Watched::new(rule).run(60.0, |_| vec![person(1, AT)]).is_empty());
}

#[test]
fn what_is_carried_or_pushed_is_not_abandoned() {
    let fired = Watched::new(abandoned())
        .run(100.0, |t| vec![subject(1, SUITCASE, [0.5 + 0.25 * (t as f32 * 0.15).sin(), 0.6], 0.08)]);
    assert!(fired.is_empty());
}

#[test]
fn its_end_is_told_after_the_schedule_has_closed_in_shadow_too_and_when_all_is_over() {
    let mut rule = abandoned();
    rule.common.active = Some(Schedule::parse("mon-fri 08:00-12:00", jiff::tz::TimeZone::UTC).unwrap());
    rule.common.shadow = true;
    let mut watched = Watched::new(rule);
    watched.begin = Timestamp(NOON.0 - 30_000_000);
    let fired = watched.run(60.0, |t| if t < 40.0 { vec![suitcase(1)] } else { vec![] });
    assert_eq!(told(&fired), [START, END]);
    assert!(fired.iter().all(|(_, firing)| firing.shadow));

    let mut watched = Watched::new(abandoned());
    watched.run(30.0, |_| vec![suitcase(1)]);
    let fired = watched.reset();
    assert_eq!((fired[0].draft.phase, fired[0].draft.data["reason"].as_str()), (Phase::End, Some("reset")));
    assert!(watched.reset().is_empty());
}
