//! From true ways to tracks as a tracker gives them: with frames in which somebody is not found, with boxes that
//! tremble, with subjects that are lost behind others and numbered anew.

use std::collections::BTreeMap;
use std::time::Duration;

use streetscene::truth::Class;
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::observation::{Observation, Seen, fixed_box, fixed_score};
use watchkeeper::types::track::EndReason;

use super::{Place, STEP, Stay, Watched};
use crate::places;

/// What goes wrong.
pub struct Noise {
    /// Share of frames in which somebody is not found.
    pub missed: f64,
    /// Trembling of each edge of a box, sigma, in heights of the box.
    pub jitter: f64,
    /// Somebody of whom more than this share is hidden is not found; over 1: never.
    pub hidden: f64,
    /// Chance per frame of being lost, and numbered anew some frames later.
    pub switch: f64,
    /// The same after having been hidden for over half a second.
    pub switch_hidden: f64,
}

impl Noise {
    pub const NONE: Self = Self { missed: 0.0, jitter: 0.0, hidden: 2.0, switch: 0.0, switch_hidden: 0.0 };
    /// One frame in twenty is missed, a switch every twenty seconds and after every third time behind somebody.
    pub const MIDDLING: Self = Self { missed: 0.05, jitter: 0.015, hidden: 0.85, switch: 0.002, switch_hidden: 0.33 };
}

/// A track is listed for so long after its last sight, and over after so long.
const COAST: f64 = 0.5;
const MAX_GAP: f64 = 2.0;
const EDGE_GAP: f64 = 0.3;

struct Followed {
    number: u64,
    first: f64,
    last: f64,
    bounds: [f64; 4],
    speed: [f64; 2],
    class: Class,
    /// It is not found any more.
    lost: bool,
}

/// Frames at 10 per second.
pub fn observe(camera: &Watched, noise: &Noise, seed: u64) -> Vec<Observation> {
    let mut random = Random(seed + 1);
    let size = (f64::from(camera.info.width), f64::from(camera.info.height));
    let (mut next, mut frames) = (1, Vec::new());
    let mut lost: Vec<Followed> = Vec::new();
    // By stay: its track, and the time up to which it is not found.
    let mut active: BTreeMap<usize, (Option<Followed>, f64)> = BTreeMap::new();
    let places: Vec<BTreeMap<u32, Place>> =
        camera.stays.iter().map(|stay| stay.way.iter().map(|place| (place.step, *place)).collect()).collect();
    for step in (0..(super::LENGTH / STEP) as u32).step_by(2) {
        let now = f64::from(step) * STEP;
        let here: Vec<(usize, Place)> = places
            .iter()
            .enumerate()
            .filter(|(i, _)| is_near(&camera.stays[*i], step))
            .filter_map(|(i, p)| Some((i, *p.get(&step)?)))
            .collect();
        let mut tracks = Vec::new();
        for (index, place) in &here {
            let stay = &camera.stays[*index];
            let (followed, unseen_until) = active.entry(*index).or_insert((None, 0.0));
            let cover = here
                .iter()
                .filter(|(_, other)| other.depth < place.depth - 0.3)
                .map(|(_, other)| covered(place, other));
            let found =
                cover.fold(0.0, f64::max) <= noise.hidden && random.unit() >= noise.missed && now >= *unseen_until;
            let bounds = place.bounds.map(|edge| edge + noise.jitter * place.height() * random.normal());
            let switches = random.unit();
            if let Some(track) = followed {
                let hidden = now - track.last > 0.55;
                let is_switched = if hidden && found { noise.switch_hidden } else { noise.switch };
                if switches < is_switched {
                    *unseen_until = now + (1.0 + (random.unit() * 7.0).floor()) * 0.1;
                    let mut gone = followed.take().unwrap();
                    gone.lost = true;
                    lost.push(gone);
                    continue;
                }
            }
            if !found {
                continue;
            }
            match followed {
                Some(track) => track.see(bounds, now),
                None => {
                    let (first, last, speed, lost) = (now, now, [0.0; 2], false);
                    *followed = Some(Followed { number: next, first, last, bounds, speed, class: stay.class, lost });
                    next += 1;
                }
            }
        }
        // Stays that are over.
        let over: Vec<usize> =
            active.keys().copied().filter(|i| now > camera.stays[*i].way.last().unwrap().time()).collect();
        lost.extend(over.into_iter().filter_map(|index| active.remove(&index)?.0));
        let mut frame = places::frame(Duration::from_millis((now * 1000.0).round() as u64), Vec::new());
        for track in active.values().filter_map(|(track, _)| track.as_ref()).chain(&lost) {
            // Confirmed with the second sight.
            if track.last > track.first
                && now - track.last <= COAST + 1e-9
                && !(track.leaves(size) && now - track.last > EDGE_GAP)
            {
                tracks.push(track.listed(now, size));
            }
        }
        lost.retain(|track| {
            let gap = now - track.last;
            let leaves = track.leaves(size) && !track.lost;
            let over = gap > MAX_GAP || leaves && gap > EDGE_GAP;
            if over && track.last > track.first {
                frame.ended.push((track.number, if leaves { EndReason::Left } else { EndReason::NotSeen }));
            }
            !over
        });
        tracks.sort_by_key(|track| (track.coasted, track.number));
        frame.ended.sort_by_key(|ended| ended.0);
        frame.tracks = tracks;
        frames.push(frame);
    }
    frames
}

fn is_near(stay: &Stay, step: u32) -> bool {
    (stay.way[0].step..=stay.way[stay.way.len() - 1].step).contains(&step)
}

/// The share of a box that another one hides.
fn covered(place: &Place, by: &Place) -> f64 {
    let (a, b) = (place.bounds, by.bounds);
    let (w, h) = (a[2].min(b[2]) - a[0].max(b[0]), a[3].min(b[3]) - a[1].max(b[1]));
    w.max(0.0) * h.max(0.0) / ((a[2] - a[0]) * (a[3] - a[1]))
}

impl Followed {
    fn see(&mut self, bounds: [f64; 4], now: f64) {
        let elapsed = now - self.last;
        for axis in 0..2 {
            let moved = (bounds[axis] + bounds[axis + 2] - self.bounds[axis] - self.bounds[axis + 2]) / 2.0;
            self.speed[axis] += (moved / elapsed - self.speed[axis]) * 0.3;
        }
        (self.bounds, self.last) = (bounds, now);
    }

    fn leaves(&self, (width, height): (f64, f64)) -> bool {
        let [x1, y1, x2, y2] = self.bounds;
        x1 < 8.0 || y1 < 8.0 || x2 > width - 8.0 || y2 > height - 8.0
    }

    fn listed(&self, now: f64, (width, height): (f64, f64)) -> Seen {
        let gap = now - self.last;
        let edge = |i: usize| (self.bounds[i] + self.speed[i % 2] * gap) as f32;
        let bbox = BBox::new(edge(0), edge(1), edge(2), edge(3));
        Seen {
            class: class(self.class),
            bbox: fixed_box(&bbox, (width as u32, height as u32)),
            score: fixed_score(0.8),
            first_seen: Duration::from_millis((self.first * 1000.0).round() as u64),
            coasted: gap > 1e-6,
            ..places::seen(self.number, [0.5, 0.5], 0.2)
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of mean 0 and sigma 1.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// What a detector finds.
pub struct Found {
    pub bbox: BBox,
    pub score: f32,
    pub class: u16,
}

/// Detections at 10 frames per second; nobody is numbered.
pub fn detect(camera: &Watched, noise: &Noise, seed: u64) -> Vec<Vec<Found>> {
    let mut random = Random(seed + 101);
    let mut frames: Vec<Vec<(Place, u16)>> = (0..(super::LENGTH / STEP) as usize / 2).map(|_| Vec::new()).collect();
    for stay in &camera.stays {
        for place in stay.way.iter().filter(|place| place.step % 2 == 0) {
            frames[place.step as usize / 2].push((*place, class(stay.class)));
        }
    }
    let mut detect = |here: &Vec<(Place, u16)>| {
        let mut found = Vec::new();
        for (place, class) in here {
            let hides = here.iter().filter(|(other, _)| other.depth < place.depth - 0.3);
            let hidden = hides.map(|(other, _)| covered(place, other)).fold(0.0, f64::max);
            let [x1, y1, x2, y2] =
                place.bounds.map(|edge| (edge + noise.jitter * place.height() * random.normal()) as f32);
            let score = (0.9 - 0.4 * hidden.min(1.0) + 0.03 * random.normal()).clamp(0.05, 0.99) as f32;
            if hidden <= noise.hidden && random.unit() >= noise.missed {
                found.push(Found { bbox: BBox::new(x1, y1, x2, y2), score, class: *class });
            }
        }
        found
    };
    frames.iter().map(&mut detect).collect()
}

fn class(class: Class) -> u16 {
    match class {
        Class::Person => 0,
        Class::Bicycle => 1,
        Class::Car => 2,
    }
}
