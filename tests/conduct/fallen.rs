//! Who lies.

use watchkeeper::config::{Rule, RuleKind};
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::observation::{Posture, Seen};
use watchkeeper::types::schedule::Schedule;
use watchkeeper::types::time::Timestamp;

use super::posture::turned;
use super::scene::*;

const START: (EventType, Phase) = (EventType::ObjectFallen, Phase::Start);
const END: (EventType, Phase) = (EventType::ObjectFallen, Phase::End);

fn fallen() -> Rule {
    rule(RuleKind::Fallen { after: s(6) })
}

/// Somebody who lies or stands.
fn by(down: bool) -> Seen {
    Seen { posture: Posture::of(&turned(if down { 85.0 } else { 5.0 }), 0.5), ..person(1, [0.5, 0.6]) }
}

#[test]
fn whoever_lies_for_long_is_told_and_his_getting_up() {
    let mut watched = Watched::new(fallen());
    let fired = watched.run(60.0, |t| vec![by((10.0..40.0).contains(&t))]);
    assert_eq!(told(&fired), [START, END]);
    near(fired[0].0, 16.0, 0.11);
    near(fired[1].0, 41.0, 0.11);
    near(number(&fired[0].1, "trunk_deg"), 85.0, 1.0);
    near(number(&fired[1].1, "duration_s"), 30.0, 0.11);
    assert_eq!(fired[1].1.draft.data["reason"], "up");
}

#[test]
fn who_bends_down_or_sits_down_for_a_moment_has_not_fallen() {
    assert!(Watched::new(fallen()).run(120.0, |t| vec![by(t % 10.0 < 5.0)]).is_empty());
}

#[test]
fn a_pose_that_flickers_changes_nothing() {
    let mut watched = Watched::new(fallen());
    let fired = watched.run(60.0, |t| {
        let frame = (t * 10.0).round() as u64;
        let seen = by((10.0..40.0).contains(&t) != frame.is_multiple_of(7));
        vec![if frame % 3 == 1 { Seen { posture: None, ..seen } } else { seen }]
    });
    assert_eq!(told(&fired), [START, END]);
    near(fired[0].0, 16.0, 1.5);
    near(fired[1].0, 41.0, 1.5);
}

#[test]
fn between_lying_and_upright_nothing_changes() {
    let between = Seen { posture: Some(Posture { trunk_deg: 55, aspect_16: 18 }), ..person(1, [0.5, 0.6]) };
    assert!(Watched::new(fallen()).run(30.0, |_| vec![between]).is_empty());
    let fired = Watched::new(fallen()).run(60.0, |t| vec![if t < 10.0 { by(true) } else { between }]);
    assert_eq!(told(&fired), [START]);
}

#[test]
fn wider_than_high_is_lying_though_the_trunk_seems_upright() {
    let posture = Some(Posture { trunk_deg: 20, aspect_16: 12 });
    let fired = Watched::new(fallen()).run(10.0, |_| vec![Seen { posture, ..person(1, [0.5, 0.6]) }]);
    assert_eq!(told(&fired), [START]);
}

#[test]
fn without_keypoints_nobody_falls_and_nobody_gets_up() {
    let mut watched = Watched::new(fallen());
    let silent = |_| vec![person(1, [0.5, 0.6])];
    assert!(watched.run(20.0, silent).is_empty());
    assert!(watched.run(3.0, |_| vec![by(true)]).is_empty());
    assert!(watched.run(20.0, silent).is_empty());
    assert!(watched.run(3.0, |_| vec![by(true)]).is_empty(), "what was 20 seconds ago is forgotten");
    assert_eq!(told(&watched.run(4.0, |_| vec![by(true)])), [START]);
    assert!(watched.run(20.0, silent).is_empty(), "it goes on");
    assert_eq!(told(&watched.run(2.0, |_| vec![by(false)])), [END]);
}

#[test]
fn it_goes_on_under_another_number_and_ends_with_the_track() {
    let mut watched = Watched::new(fallen());
    assert_eq!(told(&watched.run(10.0, |_| vec![by(true)])), [START]);
    watched.ends(1);
    assert!(watched.run(10.0, |_| vec![Seen { number: 2, ..by(true) }]).is_empty());
    watched.ends(2);
    let fired = watched.run(5.0, |_| vec![]);
    let (_, end) = one(&fired);
    assert_eq!((end.draft.data["reason"].as_str(), end.track), (Some("ended"), Some(1)));
    near(number(end, "duration_s"), 19.9, 0.2);
}

#[test]
fn who_is_back_under_the_number_that_another_has_inherited_is_somebody_else() {
    let mut watched = Watched::new(fallen());
    assert_eq!(told(&watched.run(10.0, |_| vec![by(true)])), [START]);
    watched.ends(1);
    let heir = Seen { number: 2, ..by(true) };
    assert!(watched.run(10.0, |_| vec![heir]).is_empty());
    let elsewhere = Seen { bbox: person(1, [0.3, 0.7]).bbox, ..by(true) };
    let fired = watched.run(10.0, |_| vec![heir, elsewhere]);
    let ids = fired.iter().map(|(_, f)| (f.draft.phase, f.track.unwrap())).collect::<Vec<_>>();
    assert_eq!(ids, [(Phase::End, 1), (Phase::Start, 2), (Phase::Start, 1)]);
}

#[test]
fn whoever_falls_outside_the_zone_is_nobodys_matter() {
    let outside = Seen { bbox: person(1, [0.5, 0.9]).bbox, ..by(true) };
    assert!(Watched::new(fallen()).run(20.0, |_| vec![outside]).is_empty());
}

#[test]
fn its_end_is_told_after_the_schedule_has_closed_in_shadow_too_and_when_all_is_over() {
    let mut rule = fallen();
    rule.common.active = Some(Schedule::parse("mon-fri 08:00-12:00", jiff::tz::TimeZone::UTC).unwrap());
    rule.common.shadow = true;
    let mut watched = Watched::new(rule);
    watched.begin = Timestamp(NOON.0 - 10_000_000);
    let fired = watched.run(60.0, |t| vec![by(t < 30.0)]);
    assert_eq!(told(&fired), [START, END]);
    assert!(fired.iter().all(|(_, firing)| firing.shadow));

    let mut watched = Watched::new(fallen());
    watched.run(10.0, |_| vec![by(true)]);
    let fired = watched.reset();
    assert_eq!((fired[0].draft.phase, fired[0].draft.data["reason"].as_str()), (Phase::End, Some("reset")));
    assert!(watched.reset().is_empty());
}
