//! Against the way.

use watchkeeper::config::{Rule, RuleKind};
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::observation::Seen;

use super::scene::*;

/// The right way is to the right.
fn one_way() -> Rule {
    rule(RuleKind::WrongWay { way: [0.5, 0.0], tolerance_deg: 45.0, distance: 0.1 })
}

/// Walks from the middle with a speed, frame heights a second.
fn walk(number: u64, [vx, vy]: [f32; 2]) -> impl Fn(f64) -> Seen {
    move |t| person(number, [0.5 + vx / 2.0 * t as f32, 0.5 + vy * t as f32])
}

#[test]
fn whoever_goes_against_the_way_is_told_once_and_soon() {
    let mut watched = Watched::new(one_way());
    let walk = walk(1, [-0.15, 0.0]);
    let fired = watched.run(3.5, |t| vec![walk(t)]);
    let (at, firing) = one(&fired);
    assert_eq!(told(&fired), [(EventType::ObjectWrongWay, Phase::Instant)]);
    near(at, 1.3, 0.3);
    assert_eq!(firing.draft.track.as_ref().unwrap().id, "gate:3:1");
    assert_eq!(number(firing, "angle_deg"), 180.0);
    assert!(number(firing, "distance") >= 0.1);
}

#[test]
fn with_the_way_and_across_it_nobody_is_wrong() {
    for speed in [[0.15, 0.0], [0.0, 0.15], [0.0, -0.15], [-0.1, 0.12], [-0.1, -0.12]] {
        let walk = walk(1, speed);
        assert!(Watched::new(one_way()).run(2.5, |t| vec![walk(t)]).is_empty(), "{speed:?}");
    }
    for speed in [[-0.12, 0.1], [-0.12, -0.1]] {
        let walk = walk(1, speed);
        assert_eq!(Watched::new(one_way()).run(2.5, |t| vec![walk(t)]).len(), 1, "{speed:?}");
    }
}

#[test]
fn a_box_that_trembles_goes_nowhere() {
    let mut noise = Noise(3);
    let mut watched = Watched::new(rule(RuleKind::WrongWay { way: [1.0, 0.0], tolerance_deg: 90.0, distance: 0.0 }));
    assert!(watched.run(120.0, |_| vec![noise.tremble(person(1, [0.5, 0.5]), 0.03)]).is_empty());
}

#[test]
fn who_sways_on_the_spot_goes_nowhere() {
    let mut watched = Watched::new(rule(RuleKind::WrongWay { way: [1.0, 0.0], tolerance_deg: 90.0, distance: 0.0 }));
    let sway = |t: f64| 0.3 / 2.0 * 0.04 * (t * 1.5).sin() as f32;
    assert!(watched.run(60.0, |t| vec![person(1, [0.5 + sway(t), 0.5])]).is_empty());
}

#[test]
fn who_walks_wrong_with_a_trembling_box_is_told() {
    for seed in 0..20 {
        let (mut noise, walk) = (Noise(seed), walk(1, [-0.15, 0.0]));
        let fired = Watched::new(one_way()).run(3.5, |t| vec![noise.tremble(walk(t), 0.03)]);
        assert_eq!(fired.len(), 1, "{seed}");
    }
}

#[test]
fn a_track_that_jumps_to_somebody_else_has_not_walked_there() {
    for jump in 10..30 {
        let mut watched = Watched::new(one_way());
        let fired = watched.run(4.0, |t| {
            let x = 0.6 + 0.02 * t as f32;
            vec![person(1, [if t * 10.0 < f64::from(jump) { x } else { x - 0.3 }, 0.5])]
        });
        assert!(fired.is_empty(), "{jump}");
    }
}

#[test]
fn predicted_frames_do_not_count() {
    let walk = walk(1, [-0.15, 0.0]);
    let fired = Watched::new(one_way()).run(3.5, |t| vec![Seen { coasted: true, ..walk(t) }]);
    assert!(fired.is_empty());
}

#[test]
fn the_slow_are_judged_by_a_longer_way() {
    let (wrong, right) = (walk(1, [-0.04, 0.0]), walk(2, [0.04, 0.0]));
    let fired = Watched::new(one_way()).run(6.0, |t| vec![wrong(t), right(t)]);
    let (at, firing) = one(&fired);
    assert_eq!(firing.track, Some(1));
    near(at, 2.7, 0.5);
}

#[test]
fn who_turns_round_is_told_after_the_turn() {
    let fired = Watched::new(one_way()).run(5.0, |t| {
        let way = if t < 2.5 { t } else { 5.0 - t };
        vec![person(1, [0.4 + 0.1 * way as f32, 0.5])]
    });
    near(one(&fired).0, 3.6, 0.5);
}

#[test]
fn outside_the_zone_and_below_the_distance_nothing_is_wrong() {
    let mut watched = Watched::new(one_way());
    assert!(watched.run(3.0, |t| vec![person(1, [0.7 - 0.1 * t as f32, 0.9])]).is_empty());
    assert!(watched.run(3.0, |t| vec![person(2, [0.5 - 0.007 * t as f32, 0.5])]).is_empty());
}

#[test]
fn every_track_by_itself_and_anew_after_all_was_over() {
    let mut watched = Watched::new(one_way());
    let two = |t: f64| vec![walk(1, [-0.15, 0.0])(t), walk(2, [-0.2, 0.0])(t)];
    assert_eq!(watched.run(3.0, two).len(), 2);
    assert!(watched.reset().is_empty());
    assert_eq!(watched.run(3.0, two).len(), 2);
}

#[test]
fn another_number_on_the_way_is_the_same_subject() {
    let walk = walk(1, [-0.12, 0.0]);
    for switch in [0.8, 2.0] {
        let mut watched = Watched::new(one_way());
        let mut fired = watched.run(switch, |t| vec![walk(t)]);
        watched.ends(1);
        fired.extend(watched.run(4.5 - switch, |t| vec![Seen { number: 2, ..walk(t + switch) }]));
        near(one(&fired).0, 1.3, 0.3);
    }
}
