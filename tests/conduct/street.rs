//! Who stands in a street, by its exact truth: boxes of what can be seen, so that people who pass cover others in part.

use std::collections::BTreeMap;

use streetscene::{Light, Options, View, World};
use watchkeeper::config::{Rule, RuleKind};
use watchkeeper::types::event::Phase;
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::observation::Seen;

use super::scene::*;

const FRAMES: u32 = 200;
const RATE: f64 = 4.0;
const AFTER: f64 = 6.0;

/// Where it truly was, by frame: middle of the lower edge and height of its whole box, heights of the picture.
type Way = BTreeMap<u32, ([f32; 2], f32)>;

/// How far it got within frames, in its own heights.
fn moved(way: &Way, from: u32, to: u32) -> Option<f32> {
    let (start, height) = way.get(&from)?;
    let far = |(at, _): &([f32; 2], f32)| (at[0] - start[0]).hypot(at[1] - start[1]) / height;
    way.range(from..=to).map(|(_, place)| far(place)).max_by(f32::total_cmp)
}

#[test]
fn those_who_are_told_to_stand_stand_and_those_who_stand_are_told() {
    let kind = RuleKind::Stopped { after: std::time::Duration::from_secs_f64(AFTER) };
    let (mut starts, mut stood, mut missed) = (0, 0, Vec::new());
    for seed in [3, 8] {
        let mut world = World::new(&Options { seed, width: 320, height: 180, light: Some(Light::Day), people: None });
        let mut view = View::new(&world, 0);
        let mut watched = Watched::of(&camera(yard(), vec![Rule { zone: None, ..rule(kind.clone()) }]));
        (watched.fps, watched.frame.size) = (RATE, (320, 180));
        let mut ways: BTreeMap<u64, Way> = BTreeMap::new();
        // Frames in which a track was told to stand.
        let mut standing: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        let mut open: Vec<u64> = Vec::new();
        for frame in 0..FRAMES {
            world.advance_to(f64::from(frame) / RATE);
            view.render(&world, u64::from(frame) + 1);
            let seen: Vec<Seen> = view
                .truth()
                .objects
                .iter()
                .filter(|object| !object.ignore)
                .map(|object| {
                    let number = u64::from(object.track);
                    let [x1, _, x2, y2] = object.full_box;
                    let height = (object.full_box[3] - object.full_box[1]) / 180.0;
                    ways.entry(number).or_default().insert(frame, ([(x1 + x2) / 360.0, y2 / 180.0], height));
                    let [x1, y1, x2, y2] = object.bounds;
                    of_box(number, PERSON, &BBox::new(x1 / 320.0, y1 / 180.0, x2 / 320.0, y2 / 180.0))
                })
                .collect();
            for firing in watched.see(&seen) {
                let number = firing.track.unwrap();
                match firing.draft.phase {
                    Phase::Start => {
                        starts += 1;
                        open.push(number);
                        let far = moved(&ways[&number], frame - (AFTER * RATE) as u32, frame);
                        assert!(
                            far.is_none_or(|far| far < 0.45),
                            "seed {seed}, frame {frame}, track {number}: {far:?}"
                        );
                    }
                    _ => open.retain(|other| *other != number),
                }
            }
            for number in &open {
                standing.entry(*number).or_default().push(frame);
            }
        }
        // Whoever did not move by a tenth of his height for twice as long, and could be seen, was told.
        let long = (2.0 * AFTER * RATE) as u32;
        for (number, way) in &ways {
            for from in (0..FRAMES - long).step_by(10) {
                let all_seen = way.range(from..=from + long).count() == long as usize + 1;
                if !all_seen || moved(way, from, from + long).is_none_or(|far| far > 0.1) {
                    continue;
                }
                stood += 1;
                let at = from + long;
                if !standing.get(number).is_some_and(|frames| frames.contains(&at)) {
                    missed.push((seed, *number, at));
                }
            }
        }
    }
    eprintln!("{starts} told, {stood} stretches of standing, {} missed: {missed:?}", missed.len());
    assert!(starts >= 20 && stood >= 30, "{starts}, {stood}");
    assert!(missed.len() * 50 <= stood, "{} of {stood} missed: {missed:?}", missed.len());
}
