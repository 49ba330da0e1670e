//! Nobody there.

use watchkeeper::config::{Rule, RuleKind};
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::observation::Seen;
use watchkeeper::types::schedule::Schedule;
use watchkeeper::types::time::Timestamp;

use super::scene::*;

const START: (EventType, Phase) = (EventType::ZoneAbsence, Phase::Start);
const END: (EventType, Phase) = (EventType::ZoneAbsence, Phase::End);

fn absence() -> Rule {
    let mut rule = rule(RuleKind::Absence { after: s(10) });
    rule.common.classes = vec!["person".to_owned()];
    rule
}

#[test]
fn a_place_that_is_empty_from_the_first_frame_is_told_of() {
    let mut watched = Watched::new(absence());
    let fired = watched.run(30.0, |_| vec![subject(1, CAR, [0.5, 0.5], 0.2), person(2, [0.9, 0.9])]);
    let (at, firing) = one(&fired);
    near(at, 10.0, 0.01);
    assert_eq!(told(&fired), [START]);
    assert_eq!(firing.draft.data["zone"], "yard");
}

#[test]
fn it_ends_with_the_first_who_comes_and_the_time_begins_anew() {
    let mut watched = Watched::new(absence());
    let there = |t: f64| (t < 5.0 || (20.0..21.0).contains(&t)).then(|| person(1, [0.5, 0.5]));
    let fired = watched.run(40.0, |t| there(t).into_iter().collect());
    assert_eq!(told(&fired), [START, END, START]);
    near(fired[0].0, 14.9, 0.01);
    near(fired[1].0, 20.0, 0.01);
    near(number(&fired[1].1, "duration_s"), 15.1, 0.01);
    near(fired[2].0, 30.9, 0.01);
}

#[test]
fn somebody_whose_detection_is_missing_for_a_while_is_there() {
    let mut watched = Watched::new(absence());
    let fired = watched.run(60.0, |t| vec![Seen { coasted: t % 9.0 > 1.0, ..person(1, [0.5, 0.5]) }]);
    assert!(fired.is_empty());
    let fired = watched.run(60.0, |t| if t % 9.0 > 1.0 { vec![] } else { vec![person(1, [0.5, 0.5])] });
    assert!(fired.is_empty());
}

#[test]
fn time_without_frames_is_not_time_without_anybody() {
    let mut watched = Watched::new(absence());
    assert!(watched.run(20.0, |_| vec![person(1, [0.5, 0.5])]).is_empty());
    watched.ends(1);
    watched.skip(60.0);
    // A tracker takes a moment to be sure of him.
    let fired = watched.run(20.0, |t| if t < 0.5 { vec![] } else { vec![person(2, [0.5, 0.5])] });
    assert!(fired.is_empty(), "{:?}", told(&fired));

    // Who came while nobody looked is found as well.
    assert!(watched.run(9.8, |_| vec![]).is_empty());
    watched.skip(60.0);
    assert!(watched.run(1.0, |t| if t < 0.5 { vec![] } else { vec![person(3, [0.5, 0.5])] }).is_empty());
    let fired = watched.run(20.0, |_| vec![]);
    near(number(&watched.reset()[0], "duration_s"), 19.9, 0.11);
    assert_eq!(told(&fired), [START]);
}

#[test]
fn a_camera_that_stalls_often_or_sends_few_frames_tells_of_an_empty_place() {
    let mut watched = Watched::new(absence());
    let fired: Vec<_> = (0..4)
        .flat_map(|_| {
            watched.skip(4.0);
            watched.run(4.0, |_| vec![])
        })
        .collect();
    near(one(&fired).0, 20.0 + 2.0, 1.0);

    let mut watched = Watched::new(absence());
    watched.fps = 0.05;
    let (at, firing) = (watched.run(120.0, |_| vec![]), START);
    assert_eq!(told(&at), [firing]);
    assert!(one(&at).0 <= 60.0);
}

#[test]
fn its_end_is_told_after_the_schedule_has_closed_and_when_all_is_over() {
    let mut rule = absence();
    rule.common.active = Some(Schedule::parse("mon-fri 08:00-12:00", jiff::tz::TimeZone::UTC).unwrap());
    let mut watched = Watched::new(rule);
    watched.begin = Timestamp(NOON.0 - 20_000_000);
    assert_eq!(told(&watched.run(30.0, |_| vec![])), [START]);
    assert_eq!(told(&watched.run(1.0, |_| vec![person(1, [0.5, 0.5])])), [END]);
    assert!(watched.run(30.0, |_| vec![]).is_empty());

    let mut watched = Watched::new(absence());
    watched.run(20.0, |_| vec![]);
    let fired = watched.reset();
    assert_eq!((fired[0].draft.event_type, fired[0].draft.phase), END);
    assert!(watched.reset().is_empty());
    let fired = watched.run(20.0, |_| vec![]);
    near(one(&fired).0, 30.0, 0.01);
}
