//! Everybody and everything that moves or may be taken away, as shapes before a camera.

use crate::geometry::{Pinhole, V3, v3};
use crate::look::Look;
use crate::pose::{self, Joints};
use crate::raster::Shape;
use crate::truth::Class;
use crate::world::{World, bike_place};
use crate::{bicycle, car, person};

/// What is to be drawn, with its place in the order.
pub(super) struct Actor<'a> {
    pub identity: u32,
    pub class: Class,
    /// The identity of a rider's bicycle.
    pub ridden: Option<u32>,
    pub order: f64,
    pub joints: Option<(&'a Look, Joints)>,
    pub shapes: Vec<Shape<'a>>,
}

/// Everybody and everything before a camera.
pub(super) fn actors<'a>(world: &'a World, lens: &'a Pinhole) -> Vec<Actor<'a>> {
    let t = world.share();
    let lighting = &world.site.lighting;
    let dark = lighting.dark();
    let mut out = Vec::new();
    let depth = |p: V3| lens.to_camera(p + v3(0.0, 0.0, 0.9)).z;
    for w in world.walkers.iter().filter(|w| w.away.is_none()) {
        let stance = w.stance(t, world.time);
        let z = depth(stance.at);
        if z < 1.2 {
            continue;
        }
        let lit = lighting.object(stance.at, lens);
        let joints = pose::joints(&w.look, &stance);
        let shapes = person::shapes(&w.look, &joints, lens, lit);
        let ridden = w.bike.as_ref().filter(|b| b.ridden).map(|b| b.identity);
        out.push(Actor {
            identity: w.identity,
            class: Class::Person,
            ridden,
            order: z,
            joints: Some((&w.look, joints)),
            shapes,
        });
        if let Some(b) = &w.bike {
            let at = bike_place(stance.at, stance.heading, b.ridden);
            let shapes = bicycle::shapes(&b.bicycle, at, stance.heading, stance.phase, dark && b.ridden, lens, lit);
            // Drawn first: legs are seen through its wheels.
            out.push(Actor {
                identity: b.identity,
                class: Class::Bicycle,
                ridden: None,
                order: if b.ridden { z + 0.01 } else { depth(at) },
                joints: None,
                shapes,
            });
        }
    }
    for (identity, bike, at, heading) in &world.racks {
        if depth(*at) > 1.2 {
            let shapes = bicycle::shapes(bike, *at, *heading, 0.1, false, lens, lighting.object(*at, lens));
            out.push(Actor {
                identity: *identity,
                class: Class::Bicycle,
                ridden: None,
                order: depth(*at),
                joints: None,
                shapes,
            });
        }
    }
    for c in &world.cars {
        let place = c.place(&world.lanes, t, dark);
        let corners = c.car.footprint(place.at, place.heading);
        if corners.iter().any(|p| lens.to_camera(*p).z > 1.0) {
            let shapes = car::shapes(&c.car, &place, lens, lighting.object(place.at, lens));
            if !shapes.is_empty() {
                out.push(Actor {
                    identity: c.identity,
                    class: Class::Car,
                    ridden: None,
                    order: depth(place.at),
                    joints: None,
                    shapes,
                });
            }
        }
    }
    out
}
