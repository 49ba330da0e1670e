//! The moving world: people and cars at a fixed step, who is in whose picture, what is crossed.

mod crowd;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use crate::bicycle::Bicycle;
use crate::geometry::{V3, v3};
use crate::light::{Light, Lighting};
use crate::regions::{self, Ground};
use crate::rng::Rng;
use crate::site::{ROAD, Site};
use crate::traffic::{self, Lane, Vehicle};
use crate::truth::{CameraInfo, Crossing};
use crate::walker::Walker;
pub use watch::Subject;

/// Seconds of one step of the simulation.
pub const STEP: f64 = 0.05;
/// Seconds simulated before time 0, so that the plaza is alive.
const WARM_UP: f64 = 70.0;
/// A subject out of the picture for longer than this gets a new track.
const TRACK_GAP: f64 = 2.0;

/// What to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed that fixes everything.
    pub seed: u64,
    /// Width of the pictures, pixels.
    pub width: u32,
    /// Height of the pictures, pixels.
    pub height: u32,
    /// Time of day; `None`: by seed.
    pub light: Option<Light>,
    /// People who come and go, most of them in the world at a time; `None`: 16 to 21 by seed.
    pub people: Option<usize>,
}

impl Default for Options {
    fn default() -> Options {
        Options { seed: 1, width: 640, height: 360, light: None, people: None }
    }
}

/// The world of one seed at one time.
pub struct World {
    /// The plan.
    pub(crate) site: Site,
    /// The people.
    pub(crate) walkers: Vec<Walker>,
    /// The cars.
    pub(crate) cars: Vec<Vehicle>,
    /// Parked bicycles: identity, appearance, place, heading.
    pub(crate) racks: Vec<(u32, Bicycle, V3, f64)>,
    /// The lanes.
    pub(crate) lanes: Vec<Lane>,
    /// Seed.
    pub(crate) seed: u64,
    /// Time asked for, seconds.
    pub(crate) time: f64,
    steps: i64,
    rng: Rng,
    next_identity: u32,
    queue: Vec<usize>,
    served: f64,
    next_car: Vec<f64>,
    /// What is walked around: middle and radius.
    obstacles: Vec<(V3, f64)>,
    cameras: Vec<CameraInfo>,
    zones: Vec<Ground>,
    lines: Vec<Ground>,
    tracks: Vec<BTreeMap<u32, (u32, f64)>>,
    next_track: Vec<u32>,
    within: BTreeSet<(usize, u32, usize)>,
    ground: BTreeMap<u32, V3>,
    crossings: Vec<Crossing>,
}

impl World {
    /// The world of a seed at time 0.
    pub fn new(options: &Options) -> World {
        let seed = options.seed;
        let lighting = Lighting::random(&mut Rng::new(seed, 2), options.light);
        let site = Site::new(seed, lighting, options.width.max(16), options.height.max(16));
        let mut rng = Rng::new(seed, 3);
        let people = options.people.unwrap_or(20 + rng.below(7));
        let zones = regions::zones(&site);
        let lines = regions::lines(&site);
        let cameras: Vec<CameraInfo> =
            (0..site.cameras.len()).map(|i| CameraInfo::new(i, &site.cameras[i].0, &zones, &lines)).collect();
        let lanes = traffic::lanes(&site);
        let count = cameras.len();
        let mut world = World {
            lanes,
            seed,
            time: 0.0,
            steps: -((WARM_UP / STEP) as i64),
            next_identity: 1,
            queue: Vec::new(),
            served: 0.0,
            next_car: Vec::new(),
            obstacles: Vec::new(),
            cameras,
            zones,
            lines,
            tracks: vec![BTreeMap::new(); count],
            next_track: vec![1; count],
            within: BTreeSet::new(),
            ground: BTreeMap::new(),
            crossings: Vec::new(),
            walkers: Vec::new(),
            cars: Vec::new(),
            racks: Vec::new(),
            rng: rng.clone(),
            site,
        };
        world.populate(people, &mut rng);
        world.rng = rng;
        while world.steps < 0 {
            world.step();
        }
        world.crossings.clear();
        world
    }

    fn identity(&mut self) -> u32 {
        self.next_identity += 2;
        self.next_identity - 2
    }

    fn populate(&mut self, people: usize, rng: &mut Rng) {
        let start = self.now();
        for _ in 0..people {
            let identity = self.identity();
            let mut w = Walker::random(identity, rng);
            w.away = Some(start + rng.range(0.0, WARM_UP * 0.6));
            self.walkers.push(w);
        }
        // Some walk in pairs.
        let mut i = 0;
        while i + 1 < people {
            if rng.chance(0.25) && self.walkers[i].bike.is_none() && self.walkers[i + 1].bike.is_none() {
                self.walkers[i + 1].partner = Some((i, if rng.chance(0.5) { 0.62 } else { -0.62 }));
                i += 1;
            }
            i += 1;
        }
        self.next_car = (0..self.lanes.len()).map(|_| start + rng.range(0.0, 12.0)).collect();
        let bicycles = rng.below(5);
        let spot = v3(rng.range(3.0, 20.0), rng.range(2.4, 15.0), 0.0);
        for k in 0..bicycles {
            let at = spot + v3(0.75 * k as f64, 0.0, 0.0);
            if self.site.free(at, 0.7) && (at.x - self.site.crossing).abs() > 2.5 {
                let identity = self.identity();
                self.racks.push((identity, Bicycle::random(rng), at, 1.4 + rng.range(-0.12, 0.12)));
            }
        }
        let spots: Vec<(V3, f64)> = if self.site.east_road {
            (0..4).map(|k| (v3(29.7, 2.5 + 6.0 * f64::from(k), 0.0), std::f64::consts::FRAC_PI_2)).collect()
        } else {
            (0..2).map(|k| (v3(27.2, 4.0 + 6.5 * f64::from(k), 0.0), 1.5)).collect()
        };
        for (at, heading) in spots {
            if rng.chance(0.5) {
                let identity = self.identity();
                self.cars.push(Vehicle::parked(identity, at, heading, rng));
                self.obstacles.extend([-1.5, 0.0, 1.5].map(|d| (at + V3::heading(heading) * d, 0.95)));
            }
        }
        self.obstacles.extend(self.site.items.iter().map(|i| (i.at, i.radius)));
        self.obstacles.extend(self.racks.iter().map(|r| (r.2, 0.65)));
    }

    /// The cameras: intrinsics, pose, zones and lines.
    pub fn cameras(&self) -> &[CameraInfo] {
        &self.cameras
    }

    /// The time of day.
    pub fn light(&self) -> Light {
        self.site.lighting.light
    }

    /// The time asked for last, seconds.
    pub fn time_s(&self) -> f64 {
        self.time
    }

    /// Moves on to a time (seconds; never back).
    pub fn advance_to(&mut self, time_s: f64) {
        while self.now() < time_s - 1e-9 {
            self.step();
        }
        self.time = time_s;
    }

    /// The zone and line crossings since the last call, in order of time.
    pub fn take_crossings(&mut self) -> Vec<Crossing> {
        let mut list = std::mem::take(&mut self.crossings);
        list.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
        list
    }

    /// Where between the last two steps the asked time lies, 0..1.
    pub(crate) fn share(&self) -> f64 {
        (1.0 - (self.now() - self.time) / STEP).clamp(0.0, 1.0)
    }

    /// A subject's track in a camera's picture.
    pub(crate) fn track(&self, camera: usize, identity: u32) -> Option<u32> {
        self.tracks[camera].get(&identity).map(|t| t.0)
    }

    /// How far a camera's picture is shaken now, whole pixels.
    pub(crate) fn shake(&self, camera: usize) -> (i32, i32) {
        let optics = &self.site.cameras[camera].1;
        let (t, p, a) = (self.time, optics.phase, optics.shake * self.site.cameras[camera].0.width / 640.0);
        let wave = |k: f64| {
            (t * 2.3 * k + p).sin() * 0.5 + (t * 7.1 * k + p * 1.7).sin() * 0.35 + (t * 13.7 * k + p * 0.3).sin() * 0.25
        };
        ((a * wave(1.0)).round() as i32, (a * wave(1.31)).round() as i32)
    }

    fn now(&self) -> f64 {
        self.steps as f64 * STEP
    }

    fn step(&mut self) {
        self.steps += 1;
        let now = self.now();
        self.arrivals(now);
        self.walk(now);
        self.drive(now);
        self.watch(now);
    }

    fn arrivals(&mut self, now: f64) {
        for i in 0..self.walkers.len() {
            if self.walkers[i].away.is_none_or(|t| now < t) {
                continue;
            }
            if !self.walkers[i].returns && self.walkers[i].now.at != V3::default() {
                let identity = self.identity();
                let partner = self.walkers[i].partner;
                let mut new = Walker::random(identity, &mut self.rng);
                if partner.is_some() && new.bike.is_some() {
                    new.bike = None;
                    new.pace = 1.3;
                }
                new.partner = partner;
                self.walkers[i] = new;
            }
            let led =
                self.walkers[i].partner.filter(|(l, _)| self.walkers[*l].away.is_none() && !self.walkers[*l].rides());
            let mut rng = self.rng.clone();
            self.walkers[i].enter(&self.site, &mut rng);
            self.rng = rng;
            if let Some((leader, aside)) = led {
                // Only somebody who has just come in can be joined unseen.
                let lead = self.walkers[leader].now;
                let fresh = lead.at.x < -4.5 || lead.at.x > 28.0 || lead.at.y > 21.0;
                if fresh {
                    let beside = lead.at + V3::heading(lead.heading + std::f64::consts::FRAC_PI_2) * aside;
                    let goals = self.walkers[leader].goals.clone();
                    let w = &mut self.walkers[i];
                    w.now.at = beside;
                    w.now.heading = lead.heading;
                    w.before = w.now;
                    w.goals = goals;
                }
            }
        }
    }

    fn drive(&mut self, now: f64) {
        for lane in 0..self.lanes.len() {
            let room = self.cars.iter().all(|c| c.lane != Some(lane) || c.along > 14.0);
            if now >= self.next_car[lane] && room {
                let identity = self.identity();
                let car = Vehicle::driving(identity, lane, &mut self.rng);
                self.cars.push(car);
                self.next_car[lane] = now + self.rng.range(3.0, 16.0);
            }
        }
        let lanes = &self.lanes;
        self.cars.retain(|c| c.lane.is_none_or(|l| c.along < lanes[l].length));
        let people: Vec<V3> = self
            .walkers
            .iter()
            .filter(|w| w.away.is_none() && Walker::on_road(&self.site, w.now.at))
            .map(|w| w.now.at)
            .collect();
        let c = self.site.crossing;
        let busy = self.walkers.iter().any(|w| {
            let p = w.now.at;
            w.away.is_none()
                && !w.rides()
                && (p.x - c).abs() < 2.6
                && (ROAD.0 - 0.5..ROAD.1 + 0.7).contains(&p.y)
                && w.velocity.norm() > 0.1
        });
        // A rider along the road is followed, not feared from the side.
        traffic::step(&mut self.cars, &self.lanes, &people, busy, STEP);
    }
}

/// Where a person's bicycle stands: under a rider, left of who pushes it.
pub(crate) fn bike_place(at: V3, heading: f64, ridden: bool) -> V3 {
    if ridden {
        at
    } else {
        at + V3::heading(heading + std::f64::consts::FRAC_PI_2) * 0.5 + V3::heading(heading) * 0.05
    }
}
