//! Cars: lanes, following, stopping for people.

use crate::car::{Car, Parking};
use crate::geometry::{V3, v3};
use crate::rng::Rng;
use crate::site::{EAST, ROAD, Site};

/// A straight lane.
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    /// Where cars come in.
    pub start: V3,
    /// Which way they drive, radians.
    pub heading: f64,
    /// How far, metres.
    pub length: f64,
    /// Where they stop for others, metres from the start.
    pub halt: Option<f64>,
}

/// The lanes of a seed (right-hand traffic).
pub fn lanes(site: &Site) -> Vec<Lane> {
    let quarter = (ROAD.1 - ROAD.0) / 4.0;
    let pi = std::f64::consts::PI;
    let mut lanes = vec![
        Lane {
            start: v3(-38.0, ROAD.0 + quarter, 0.0),
            heading: 0.0,
            length: 100.0,
            halt: Some(38.0 + site.crossing - 2.9),
        },
        Lane {
            start: v3(62.0, ROAD.1 - quarter, 0.0),
            heading: pi,
            length: 100.0,
            halt: Some(62.0 - site.crossing - 2.9),
        },
    ];
    if site.east_road {
        let quarter = (EAST.1 - EAST.0) / 4.0;
        lanes.push(Lane { start: v3(EAST.0 + quarter, 55.0, 0.0), heading: -pi / 2.0, length: 90.0, halt: Some(54.0) });
    }
    lanes
}

/// A car in the world.
#[derive(Debug, Clone)]
pub struct Vehicle {
    /// Who.
    pub identity: u32,
    /// Appearance.
    pub car: Car,
    /// Its lane; `None` when parked.
    pub lane: Option<usize>,
    /// Place when parked.
    pub parked: (V3, f64),
    /// Metres along the lane (middle of the car).
    pub along: f64,
    /// One step before.
    pub before: f64,
    /// Metres per second.
    pub speed: f64,
    /// Preferred speed.
    pub pace: f64,
    /// Slowing down.
    pub braking: bool,
}

impl Vehicle {
    /// A car that comes into a lane.
    pub fn driving(identity: u32, lane: usize, rng: &mut Rng) -> Vehicle {
        let pace = rng.range(4.5, 9.0);
        Vehicle {
            identity,
            car: Car::random(rng),
            lane: Some(lane),
            parked: (V3::default(), 0.0),
            along: 0.0,
            before: 0.0,
            speed: pace,
            pace,
            braking: false,
        }
    }

    /// A parked car.
    pub fn parked(identity: u32, at: V3, heading: f64, rng: &mut Rng) -> Vehicle {
        Vehicle { lane: None, parked: (at, heading), speed: 0.0, ..Vehicle::driving(identity, 0, rng) }
    }

    /// Where it stands at a share `t` between the steps.
    pub fn place(&self, lanes: &[Lane], t: f64, dark: bool) -> Parking {
        match self.lane {
            Some(l) => {
                let along = self.before + (self.along - self.before) * t;
                let lane = lanes[l];
                Parking {
                    at: lane.start + V3::heading(lane.heading) * along,
                    heading: lane.heading,
                    rolled: along,
                    lamps: dark,
                    braking: self.braking,
                }
            }
            None => Parking { at: self.parked.0, heading: self.parked.1, rolled: 0.0, lamps: false, braking: false },
        }
    }
}

/// Moves all cars one step. `people` are ground points; `busy` tells whether somebody is on the crossing.
pub fn step(cars: &mut [Vehicle], lanes: &[Lane], people: &[V3], busy: bool, dt: f64) {
    let spots: Vec<(usize, Option<usize>, f64, f64)> =
        cars.iter().enumerate().map(|(i, c)| (i, c.lane, c.along, c.car.length)).collect();
    // Who would cross the south road waits while a car is near the junction.
    let junction = cars.iter().any(|c| {
        c.lane.is_some_and(|l| l < 2) && {
            let x = c.place(lanes, 1.0, false).at.x;
            (EAST.0 - 16.0..EAST.1 + 16.0).contains(&x)
        }
    });
    for (i, car) in cars.iter_mut().enumerate() {
        let Some(l) = car.lane else { continue };
        let lane = lanes[l];
        let nose = car.along + car.car.length / 2.0;
        let mut gap = 60.0f64;
        for (j, other, along, length) in &spots {
            if *j != i && *other == Some(l) && *along > car.along {
                gap = gap.min(along - length / 2.0 - nose - 1.3);
            }
        }
        if let Some(halt) = lane.halt
            && (if l < 2 { busy } else { junction })
            && nose < halt + 0.6
        {
            gap = gap.min(halt - nose);
        }
        let dir = V3::heading(lane.heading);
        for p in people {
            let d = *p - lane.start;
            let (ahead, aside) = (d.dot(dir) - nose, (d - dir * d.dot(dir)).norm());
            if ahead > -0.5 && aside < car.car.width / 2.0 + 0.55 {
                gap = gap.min(ahead - 1.2);
            }
        }
        let safe = (2.0 * 2.6 * gap.max(0.0)).sqrt();
        let want = car.pace.min(safe);
        car.braking = want < car.speed - 0.15 || car.speed < 0.2;
        car.speed += (want - car.speed).clamp(-5.0 * dt, 1.6 * dt);
        if gap <= 0.0 {
            car.speed = 0.0;
        }
        car.before = car.along;
        car.along += car.speed.max(0.0) * dt;
    }
}
