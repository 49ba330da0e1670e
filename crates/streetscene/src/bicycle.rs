//! Draws a bicycle, ridden, pushed or parked.

use crate::geometry::{Pinhole, Seen, V3, v3};
use crate::person::limb;
use crate::raster::{Form, Layer, Lit, Rgb, Shape};
use crate::rng::Rng;

/// What a bicycle looks like.
#[derive(Debug, Clone)]
pub struct Bicycle {
    /// Frame.
    pub color: Rgb,
    /// Mudguards and tyres.
    pub trim: Rgb,
    /// A basket before the handlebar.
    pub basket: Option<Rgb>,
    /// A low frame.
    pub step_through: bool,
}

impl Bicycle {
    /// Any bicycle.
    pub fn random(rng: &mut Rng) -> Bicycle {
        let color = crate::color::cloth(rng);
        let dark = rng.range(0.05, 0.2) as f32;
        Bicycle {
            color,
            trim: [dark; 3],
            basket: rng.chance(0.3).then(|| crate::color::hsv(0.09, rng.range(0.2, 0.6), rng.range(0.2, 0.7))),
            step_through: rng.chance(0.4),
        }
    }
}

/// Half of the distance between the axles, metres.
pub const HALF_BASE: f64 = 0.52;

/// The shapes of a bicycle whose middle stands at `at`; `phase` is the crank's, `lamp` whether its lamps are on.
pub fn shapes<'a>(
    b: &'a Bicycle,
    at: V3,
    heading: f64,
    phase: f64,
    lamp: bool,
    camera: &'a Pinhole,
    lit: Lit,
) -> Vec<Shape<'a>> {
    let forward = V3::heading(heading);
    let left = V3::heading(heading + std::f64::consts::FRAC_PI_2);
    let p = |along: f64, up: f64| at + forward * along + v3(0.0, 0.0, up);
    let mut out: Vec<Shape> = Vec::with_capacity(80);
    let radius = 0.34;
    for axle in [-HALF_BASE, HALF_BASE] {
        let rim: Vec<V3> = (0..20)
            .map(|i| {
                let a = f64::from(i) * std::f64::consts::TAU / 20.0;
                p(axle + radius * a.cos(), radius + radius * a.sin())
            })
            .collect();
        let seen: Vec<Seen> = rim.iter().map(|r| camera.place(camera.to_camera(*r))).collect();
        let order = camera.to_camera(p(axle, radius)).z as f32 + 0.02;
        let round = (0.02 * camera.scale(f64::from(order))) as f32;
        let disc = |layer, alpha| Shape {
            order: order + 0.01,
            layer,
            form: Form::Face { corners: seen.clone(), round, color: lit.shade([0.45; 3], [0.0, -0.5, -0.8]), alpha },
        };
        out.push(disc(Layer::Mask, 1.0));
        out.push(disc(Layer::Picture, 0.16));
        let trim = b.trim;
        for i in 0..20 {
            let mut piece = limb(camera, lit, rim[i], 0.021, rim[(i + 1) % 20], 0.021, move |_, _| trim);
            piece.order = order;
            out.push(piece);
        }
    }
    let (rear, front, crank) = (p(-HALF_BASE, radius), p(HALF_BASE, radius), p(-0.03, 0.29));
    let (seat, head, low) = (p(-0.19, 0.8), p(0.36, 0.86), p(0.39, 0.62));
    let color = b.color;
    let top = if b.step_through { p(-0.12, 0.5) } else { seat };
    let tubes = [
        (crank, seat),
        (crank, low),
        (top, head),
        (crank, rear),
        (rear, seat),
        (low, front),
        (front, low),
        (head, low),
    ];
    for (from, to) in tubes {
        out.push(limb(camera, lit, from, 0.02, to, 0.02, move |_, _| color));
    }
    let triangle: Vec<Seen> =
        [rear, crank, low, head, seat].iter().map(|r| camera.place(camera.to_camera(*r))).collect();
    let depth = camera.to_camera(crank).z as f32;
    let fill = |corners| Form::Face { corners, round: 0.5, color, alpha: 1.0 };
    out.push(Shape { order: depth, layer: Layer::Mask, form: fill(triangle) });
    let black = |_: f32, _: f32| [0.07, 0.07, 0.08];
    out.push(limb(camera, lit, p(-0.32, 0.93), 0.06, p(-0.08, 0.93), 0.03, black));
    out.push(limb(camera, lit, seat, 0.016, p(-0.2, 0.93), 0.016, black));
    let bar = p(0.34, 1.02);
    out.push(limb(camera, lit, head, 0.018, bar, 0.018, black));
    out.push(limb(camera, lit, bar + left * 0.27, 0.017, bar + left * -0.27, 0.017, black));
    let turn = std::f64::consts::TAU * phase;
    for sign in [1.0, -1.0] {
        let foot = crank
            + forward * (0.17 * turn.cos() * sign)
            + v3(0.0, 0.0, -0.17 * turn.sin() * sign)
            + left * (0.1 * sign);
        out.push(limb(camera, lit, crank + left * (0.06 * sign), 0.014, foot, 0.02, black));
    }
    if let Some(weave) = b.basket {
        out.push(limb(camera, lit, p(0.52, 0.98), 0.14, p(0.54, 0.84), 0.11, move |u, t| {
            if ((u * 4.0).floor() + (t * 4.0).floor()) as i32 % 2 == 0 { weave } else { weave.map(|c| c * 0.7) }
        }));
    }
    if lamp {
        let bright = Lit { ambient: [1.0; 3], direct: [0.0; 3], towards: [0.0; 3] };
        let facing = (at - camera.position).dot(forward) < 0.0;
        let (place, glow) = if facing { (p(0.47, 0.86), [1.3, 1.3, 1.2]) } else { (p(-0.62, 0.72), [1.2, 0.15, 0.12]) };
        let mut light = limb(camera, bright, place, 0.045, place + v3(0.0, 0.0, 0.01), 0.045, move |_, _| glow);
        light.order -= 0.6;
        out.push(light);
    }
    out
}
