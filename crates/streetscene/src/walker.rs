//! People who walk, stop, queue, talk and ride: where they go and how they step.

use std::collections::VecDeque;

use crate::bicycle::Bicycle;
use crate::geometry::{V3, v3};
use crate::look::Look;
use crate::pose::{self, Arms, Stance};
use crate::rng::Rng;
use crate::site::{EAST, ROAD, SIZE, Site};

/// What is done on arriving at a goal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Then {
    /// Go on.
    Pass,
    /// Stand for so many seconds with these arms, looking in a direction.
    Stand(f64, Arms, f64),
    /// Join the kiosk's queue.
    Queue,
}

/// A place to go to.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// Where.
    pub at: V3,
    /// What then.
    pub then: Then,
}

/// How a bicycle is used.
#[derive(Debug, Clone)]
pub struct Bike {
    /// The bicycle's own identity.
    pub identity: u32,
    /// Its appearance.
    pub bicycle: Bicycle,
    /// Ridden (or else pushed).
    pub ridden: bool,
}

/// What moves of a person, interpolated between steps.
#[derive(Debug, Clone, Copy)]
pub struct Motion {
    /// Ground point.
    pub at: V3,
    /// Heading, radians (continuous).
    pub heading: f64,
    /// Turn of the head.
    pub head: f64,
    /// Gait phase (continuous).
    pub phase: f64,
    /// Length of two steps.
    pub stride: f64,
    /// 0 standing .. 1 walking.
    pub walk: f64,
}

/// A person in the world.
#[derive(Debug, Clone)]
pub struct Walker {
    /// Who.
    pub identity: u32,
    /// Appearance.
    pub look: Look,
    /// Bicycle, if any.
    pub bike: Option<Bike>,
    /// Now.
    pub now: Motion,
    /// One step before.
    pub before: Motion,
    /// What the arms do.
    pub arms: Arms,
    /// Velocity, metres per second.
    pub velocity: V3,
    /// Preferred speed, metres per second.
    pub pace: f64,
    /// Where to go.
    pub goals: VecDeque<Goal>,
    /// Standing until this time, looking there.
    pub standing: Option<(f64, f64)>,
    /// Out of the world until this time; then `returns` or replaced.
    pub away: Option<f64>,
    /// Whether the same person comes back.
    pub returns: bool,
    /// Walks beside this person (index), at this side.
    pub partner: Option<(usize, f64)>,
    /// In the queue.
    pub queueing: bool,
    /// Least distance to the current goal, metres, and when it last shrank.
    pub progress: (f64, f64),
}

/// An angle in -pi..pi.
pub fn wrap(a: f64) -> f64 {
    (a + std::f64::consts::PI).rem_euclid(std::f64::consts::TAU) - std::f64::consts::PI
}

impl Motion {
    /// Between two steps.
    pub fn lerp(&self, o: &Motion, t: f64) -> Motion {
        let f = |a: f64, b: f64| a + (b - a) * t;
        Motion {
            at: self.at.lerp(o.at, t),
            heading: f(self.heading, o.heading),
            head: f(self.head, o.head),
            phase: f(self.phase, o.phase),
            stride: f(self.stride, o.stride),
            walk: f(self.walk, o.walk),
        }
    }
}

/// Places at the rim where people come and go; the flag says that they lie across the south road.
fn gates(site: &Site) -> Vec<(V3, bool)> {
    let east = if site.east_road { 35.6 } else { 29.6 };
    let mut gates: Vec<(V3, bool)> = site
        .doors
        .iter()
        .map(|d| (*d + if d.y > 20.0 { v3(0.0, 1.0, 0.0) } else { v3(-1.0, 0.0, 0.0) }, false))
        .collect();
    gates.push((v3(-5.6, 2.4, 0.0), false));
    gates.push((v3(east, 3.0, 0.0), false));
    gates.push((v3(12.5, 22.6, 0.0), false));
    gates.push((v3(-5.6, -8.3, 0.0), true));
    gates.push((v3(east, -8.6, 0.0), true));
    gates
}

impl Walker {
    /// A new person (`identity`, and `identity + 1` for a bicycle), not yet in the world.
    pub fn random(identity: u32, rng: &mut Rng) -> Walker {
        let mut look = Look::random(rng);
        let bike = match rng.below(100) {
            0..=11 => Some(true),
            12..=15 => Some(false),
            _ => None,
        };
        let pace = if bike == Some(true) { rng.range(2.4, 4.0) } else { (1.3 + 0.17 * rng.normal()).clamp(0.8, 1.9) };
        let bike = bike.map(|ridden| Bike { identity: identity + 1, bicycle: Bicycle::random(rng), ridden });
        if bike.is_some() {
            look = look.on_bicycle(rng);
        }
        let still = Motion { at: V3::default(), heading: 0.0, head: 0.0, phase: rng.unit(), stride: 1.2, walk: 1.0 };
        Walker {
            identity,
            look,
            bike,
            now: still,
            before: still,
            arms: Arms::Loose,
            velocity: V3::default(),
            pace,
            goals: VecDeque::new(),
            standing: None,
            away: Some(0.0),
            returns: false,
            partner: None,
            queueing: false,
            progress: (f64::MAX, 0.0),
        }
    }

    /// Notes how far the goal is; returns for how long it has not come nearer, seconds.
    pub fn patience(&mut self, distance: f64, now: f64) -> f64 {
        if distance < self.progress.0 - 0.25 || self.progress.1 > now {
            self.progress = (distance, now);
        }
        now - self.progress.1
    }

    /// Forgets the progress towards the goal before.
    pub fn fresh(&mut self) {
        self.progress = (f64::MAX, f64::MAX);
    }

    /// Whether this person rides.
    pub fn rides(&self) -> bool {
        self.bike.as_ref().is_some_and(|b| b.ridden)
    }

    /// Comes in somewhere with a new plan.
    pub fn enter(&mut self, site: &Site, rng: &mut Rng) {
        let gates = gates(site);
        let from = rng.below(gates.len());
        let to = (from + 1 + rng.below(gates.len() - 1)) % gates.len();
        let cross = |goals: &mut VecDeque<Goal>, x: f64, north: bool| {
            let (a, b) = (v3(x, ROAD.0 - 0.8, 0.0), v3(x, ROAD.1 + 1.0, 0.0));
            for at in if north { [a, b] } else { [b, a] } {
                goals.push_back(Goal { at, then: Then::Pass });
            }
        };
        let lane = site.crossing + rng.range(-1.2, 1.2);
        self.goals.clear();
        let mut start = gates[from].0 + v3(0.0, rng.range(-0.3, 0.3), 0.0);
        if self.rides() && rng.chance(0.5) {
            let west = rng.chance(0.5);
            let y = if west { ROAD.1 - 0.75 } else { ROAD.0 + 0.75 };
            let (a, b) = (v3(-30.0, y, 0.0), v3(55.0, y, 0.0));
            start = if west { b } else { a };
            self.goals.push_back(Goal { at: if west { a } else { b }, then: Then::Pass });
        } else {
            if gates[from].1 {
                cross(&mut self.goals, lane, true);
            }
            let stops = 1 + rng.below(4);
            for _ in 0..stops {
                let goal = self.stop(site, rng);
                self.goals.push_back(goal);
            }
            if gates[to].1 {
                cross(&mut self.goals, lane, false);
            }
            self.goals.push_back(Goal { at: gates[to].0, then: Then::Pass });
        }
        self.standing = None;
        self.queueing = false;
        self.progress = (f64::MAX, f64::MAX);
        self.away = None;
        let first = self.goals.front().map_or(start, |g| g.at) - start;
        self.now = Motion { at: start, heading: first.y.atan2(first.x), walk: 1.0, ..self.now };
        self.before = self.now;
        self.velocity = first.unit() * self.pace;
        self.arms = self.walking_arms(rng);
    }

    fn walking_arms(&self, rng: &mut Rng) -> Arms {
        match &self.bike {
            Some(b) if !b.ridden => Arms::Push,
            Some(_) => Arms::Loose,
            None => [
                Arms::Phone,
                Arms::Pockets,
                Arms::Call,
                Arms::Loose,
                Arms::Loose,
                Arms::Loose,
                Arms::Loose,
                Arms::Loose,
            ][rng.below(8)],
        }
    }

    fn stop(&self, site: &Site, rng: &mut Rng) -> Goal {
        let mut at = v3(rng.range(1.5, SIZE.0 - 1.5), rng.range(1.8, SIZE.1 - 1.5), 0.0);
        for _ in 0..12 {
            if site.free(at, 0.5) {
                break;
            }
            at = v3(rng.range(1.5, SIZE.0 - 1.5), rng.range(1.8, SIZE.1 - 1.5), 0.0);
        }
        if self.bike.is_some() {
            return Goal { at, then: Then::Pass };
        }
        let arms =
            [Arms::Loose, Arms::Phone, Arms::Call, Arms::Crossed, Arms::Hips, Arms::Pockets, Arms::Talk, Arms::Loose]
                [rng.below(8)];
        let face = rng.range(-3.1, 3.1);
        match rng.below(10) {
            0 => Goal { at: site.queue.0, then: Then::Queue },
            1 => {
                let at = site.stop + v3(rng.range(-2.2, 2.2), rng.range(-0.6, -0.1), 0.0);
                Goal { at, then: Then::Stand(rng.range(6.0, 22.0), arms, -1.57 + rng.range(-0.7, 0.7)) }
            }
            2..=5 => Goal { at, then: Then::Stand(rng.range(2.0, 14.0), arms, face) },
            _ => Goal { at, then: Then::Pass },
        }
    }

    /// This person at a share `t` of the way from the step before to now.
    pub fn stance(&self, t: f64, time: f64) -> Stance {
        let m = self.before.lerp(&self.now, t);
        let shy = self.arms != Arms::Loose && self.arms != Arms::Push;
        // Hands on hips and crossed arms are for standing.
        let still = matches!(self.arms, Arms::Hips | Arms::Crossed | Arms::Talk);
        let arms = if shy && still && m.walk > 0.5 { Arms::Loose } else { self.arms };
        Stance {
            at: m.at,
            heading: m.heading,
            head: m.head,
            phase: m.phase,
            stride: m.stride,
            walk: m.walk,
            arms,
            riding: self.rides(),
            time,
        }
    }

    /// Moves one step of `dt` seconds with a wanted velocity.
    pub fn step(&mut self, want: V3, dt: f64, time: f64, face: Option<f64>) {
        self.before = self.now;
        let rides = self.rides();
        let change = want - self.velocity;
        let most = if rides { 1.6 } else { 2.6 } * dt;
        let change = if change.norm() > most { change.unit() * most } else { change };
        self.velocity = self.velocity + change;
        let mut speed = self.velocity.norm();
        if rides && speed > 0.05 {
            // A bicycle goes where it points.
            let turn = wrap(want.y.atan2(want.x) - self.now.heading).clamp(-1.3 * dt, 1.3 * dt);
            self.now.heading += if want.norm() > 0.1 { turn } else { 0.0 };
            self.velocity = V3::heading(self.now.heading) * speed;
        } else {
            if speed < 0.06 && want.norm() < 0.01 {
                self.velocity = V3::default();
                speed = 0.0;
            }
            let aim = if speed > 0.25 { Some(self.velocity.y.atan2(self.velocity.x)) } else { face };
            if let Some(aim) = aim {
                self.now.heading += wrap(aim - self.now.heading).clamp(-2.8 * dt, 2.8 * dt);
            }
        }
        self.now.at = self.now.at + self.velocity * dt;
        let stride = pose::stride(self.look.height, speed);
        self.now.stride = stride;
        self.now.phase += if rides { speed * dt / 4.2 } else { speed * dt / stride };
        let walk = (speed / 0.7).min(1.0);
        self.now.walk += (walk - self.now.walk).clamp(-3.0 * dt, 3.0 * dt);
        let glance = 0.5 * (0.23 * time + self.look.quirk * 3.0).sin() * (0.41 * time + self.look.quirk).sin();
        self.now.head = if rides { glance * 0.4 } else { glance };
    }

    /// Whether a place lies on a road.
    pub fn on_road(site: &Site, p: V3) -> bool {
        (ROAD.0..ROAD.1).contains(&p.y) || (site.east_road && (EAST.0..EAST.1).contains(&p.x))
    }
}
