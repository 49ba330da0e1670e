//! Whatever happens: who is told that something began is told that it ended, and nothing is allocated meanwhile.

use std::collections::BTreeMap;

use allocation_counter::measure;
use proptest::prelude::*;
use watchkeeper::config::{Camera, Common, Rule, RuleKind};
use watchkeeper::rules::Firing;
use watchkeeper::types::event::Phase;
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::observation::{Posture, Seen};

use super::scene::*;

/// All rules at once, quick to fire.
fn all() -> Camera {
    let persons = vec!["person".to_owned()];
    let kinds = [
        ("crowd", RuleKind::Crowd { from: 2, until: 1, hold: s(1) }),
        ("absence", RuleKind::Absence { after: s(1) }),
        ("wrong", RuleKind::WrongWay { way: [1.0, 0.0], tolerance_deg: 60.0, distance: 0.05 }),
        ("stopped", RuleKind::Stopped { after: s(2) }),
        ("abandoned", RuleKind::Abandoned { after: s(2), owners: persons.clone(), near: 0.5 }),
        ("speed", RuleKind::Speed { above_kmh: 5.0 }),
        ("fallen", RuleKind::Fallen { after: s(1) }),
    ];
    let rules = kinds.into_iter().map(|(id, kind)| {
        let mut common = Common::new(id);
        match id {
            "absence" => common.classes.clone_from(&persons),
            "abandoned" => common.classes = vec!["suitcase".to_owned()],
            "stopped" => common.max_per_hour = Some(4),
            "crowd" => common.cooldown = s(3),
            _ => {}
        }
        Rule { common, zone: Some(0), kind }
    });
    let mut zone = yard();
    zone.distances_m = Some([20.0, 20.0, 20.0, 20.0]);
    camera(zone, rules.collect())
}

/// Number, class, place, way per frame, lean, coasted now and then.
type Subject = (u8, u16, [f32; 2], [f32; 2], u8, bool);

/// What may come next.
#[derive(Clone, Debug)]
enum Act {
    /// For so many frames these are seen.
    See(u8, Vec<Subject>),
    Nothing(u8),
    End(u8),
    Skip(u8),
    Reset,
}

fn act() -> impl Strategy<Value = Act> {
    let place = (0.15f32..0.85, 0.25f32..0.85).prop_map(|(x, y)| [x, y]);
    let way = prop_oneof![Just([0.0, 0.0]), (-0.03f32..0.03, -0.03f32..0.03).prop_map(|(x, y)| [x, y])];
    let track = (1u8..6, 0u16..5, place, way, 0u8..180, any::<bool>());
    prop_oneof![
        8 => (1u8..40, proptest::collection::vec(track, 0..5)).prop_map(|(frames, tracks)| Act::See(frames, tracks)),
        2 => (1u8..40).prop_map(Act::Nothing),
        2 => (1u8..6).prop_map(Act::End),
        1 => (1u8..90).prop_map(Act::Skip),
        1 => Just(Act::Reset),
    ]
}

/// What is open, by rule and track.
#[derive(Default)]
struct Open(BTreeMap<(String, Option<String>), bool>);

impl Open {
    fn take(&mut self, firing: &Firing) -> Result<(), TestCaseError> {
        let draft = &firing.draft;
        let open = self.0.entry((draft.rule.clone(), draft.track.as_ref().map(|track| track.id.clone()))).or_default();
        match draft.phase {
            Phase::Start => prop_assert!(!std::mem::replace(open, true), "{draft:?} begins twice"),
            Phase::End => {
                prop_assert!(std::mem::replace(open, false), "{draft:?} ends and has not begun");
                prop_assert!(draft.data["duration_s"].as_f64().unwrap() >= 0.0);
                prop_assert!(draft.data["since"].as_str() <= draft.data["until"].as_str(), "{draft:?}");
            }
            _ => {}
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn begin_and_end_alternate_whatever_happens(acts in proptest::collection::vec(act(), 1..40)) {
        let mut watched = Watched::of(&all());
        let mut open = Open::default();
        for act in acts {
            let mut fired = Vec::new();
            match act {
                Act::See(frames, mut tracks) => {
                    tracks.sort_by_key(|track| track.0);
                    tracks.dedup_by_key(|track| track.0);
                    for frame in 0..frames {
                        let seen = tracks.iter().map(|(number, class, at, way, lean, coasted)| {
                            let at = [0, 1].map(|i| at[i] + way[i] * f32::from(frame));
                            let posture = (*class == PERSON).then_some(Posture { trunk_deg: *lean, aspect_16: 40 });
                            let coasted = *coasted && frame % 5 == 4;
                            Seen { posture, coasted, ..subject(u64::from(*number), *class, at, 0.2) }
                        });
                        let seen: Vec<Seen> = seen.collect();
                        fired.extend(watched.see(&seen));
                    }
                }
                Act::Nothing(frames) => fired.extend((0..frames).flat_map(|_| watched.see(&[]))),
                Act::End(number) => watched.ends(u64::from(number)),
                Act::Skip(seconds) => watched.skip(f64::from(seconds)),
                Act::Reset => fired.extend(watched.reset()),
            }
            fired.iter().try_for_each(|firing| open.take(firing))?;
        }
        watched.reset().iter().try_for_each(|firing| open.take(firing))?;
        prop_assert!(open.0.values().all(|open| !open), "{:?}", open.0);
        prop_assert!(watched.reset().is_empty());
    }
}

#[test]
fn all_of_them_fire_in_the_end_and_the_same_again() {
    let story = || {
        let mut watched = Watched::of(&all());
        let mut told = Vec::new();
        for frame in 0..600 {
            let t = frame as f32 / 10.0;
            let walker = person(1, [0.5 - 0.3 * (t * 0.3).sin(), 0.5]);
            let down = t > 20.0 && t < 25.0;
            let posture = Some(Posture { trunk_deg: if down { 90 } else { 0 }, aspect_16: 40 });
            let bag = subject(2, SUITCASE, [0.75, 0.75], 0.08);
            let car = of_box(3, CAR, &BBox::new(0.25, 0.6, 0.35, 0.7));
            let tracks = [Seen { posture, ..walker }, bag, car];
            let seen = if (300..400).contains(&frame) { &tracks[1..1] } else { &tracks[..] };
            told.extend(watched.see(seen).into_iter().map(|f| format!("{:?}", f.draft)));
        }
        told.extend(watched.reset().into_iter().map(|f| format!("{:?}", f.draft)));
        told
    };
    let told = story();
    for rule in ["crowd", "absence", "wrong", "stopped", "abandoned", "speed", "fallen"] {
        assert!(told.iter().any(|told| told.contains(&format!("rule: {rule:?}"))), "{rule}");
    }
    assert_eq!(told, story());
}

#[test]
fn nothing_is_allocated_where_nothing_fires() {
    let mut watched = Watched::of(&all());
    let mut noise = Noise(4);
    let mut frames = |from: u64| -> Vec<Vec<Seen>> {
        let frame = |frame: u64| {
            // Each track lives for 10 seconds; standing, walking, lying, with a bag.
            let t = frame as f32 / 10.0;
            (0..20u64)
                .map(|i| {
                    let number = 1 + i + 20 * (frame / 100);
                    let x = 0.3 + 0.4 * ((t * 0.05 * i as f32).sin() + 1.0) / 2.0;
                    let class = if i % 5 == 4 { SUITCASE } else { PERSON };
                    let posture = Some(Posture { trunk_deg: 80, aspect_16: 10 });
                    noise.tremble(Seen { posture, ..subject(number, class, [x, 0.3 + 0.02 * i as f32], 0.2) }, 0.02)
                })
                .collect()
        };
        (from..from + 600).map(frame).collect()
    };
    let (warm, measured) = (frames(0), frames(600));
    let mut fired = 0;
    let ends = |watched: &mut Watched, tracks: &[Seen]| {
        tracks.iter().filter(|track| track.number > 20).for_each(|track| watched.ends(track.number - 20));
    };
    let mut feed = |watched: &mut Watched, frames: &[Vec<Seen>]| {
        let mut quiet = 0;
        for tracks in frames {
            ends(watched, tracks);
            let mut some = false;
            let info = measure(|| watched.see_and(tracks, |_| some = true));
            fired += u32::from(some);
            if !some {
                quiet += 1;
                assert_eq!((info.count_total, info.bytes_total), (0, 0), "at {}: {info:?}", watched.now);
            }
        }
        quiet
    };
    for tracks in &warm {
        ends(&mut watched, tracks);
        watched.see_and(tracks, |_| ());
    }
    assert!(feed(&mut watched, &measured) > 300);
    assert!(fired > 0);
}
