//! Draws cars and vans: convex bodies of flat faces with windows, wheels and lamps.

use crate::color::{hsv, times};
use crate::geometry::{Pinhole, Seen, V3, v3};
use crate::raster::{Form, Layer, Lit, Rgb, Shape};
use crate::rng::Rng;

/// What a car looks like.
#[derive(Debug, Clone)]
pub struct Car {
    /// Length, metres.
    pub length: f64,
    /// Width, metres.
    pub width: f64,
    /// Height, metres.
    pub height: f64,
    /// Paint.
    pub color: Rgb,
    /// A stripe along the side.
    pub stripe: Option<Rgb>,
    /// Outline of the lower body from the side: (along from the rear 0..1, up in metres), anticlockwise.
    body: Vec<(f64, f64)>,
    /// Outline of the cabin from the side.
    cabin: Vec<(f64, f64)>,
    /// Whether the cabin's rear half has windows.
    glass_rear: bool,
    rim: Rgb,
}

impl Car {
    /// Any car or van.
    pub fn random(rng: &mut Rng) -> Car {
        let color = match rng.below(8) {
            0 | 1 => hsv(0.6, rng.range(0.0, 0.08), rng.range(0.75, 0.95)),
            2 => hsv(0.6, rng.range(0.0, 0.1), rng.range(0.06, 0.18)),
            3 | 4 => hsv(0.6, rng.range(0.0, 0.1), rng.range(0.35, 0.65)),
            _ => hsv(rng.unit(), rng.range(0.5, 0.95), rng.range(0.35, 0.8)),
        };
        let kind = rng.below(4);
        let (length, width, height) = match kind {
            0 => (rng.range(4.3, 4.8), rng.range(1.75, 1.85), rng.range(1.42, 1.5)),
            1 => (rng.range(3.7, 4.2), rng.range(1.68, 1.8), rng.range(1.46, 1.58)),
            2 => (rng.range(4.4, 4.8), rng.range(1.82, 1.92), rng.range(1.62, 1.75)),
            _ => (rng.range(4.9, 5.5), rng.range(1.9, 2.0), rng.range(1.95, 2.35)),
        };
        let belt = height * rng.range(0.56, 0.62);
        let hood = belt - rng.range(0.04, 0.12);
        let (body, cabin) = match kind {
            0 => (
                vec![
                    (0.0, 0.3),
                    (1.0, 0.3),
                    (1.0, hood * 0.75),
                    (0.97, hood - 0.03),
                    (0.7, belt),
                    (0.2, belt),
                    (0.0, belt - 0.06),
                ],
                vec![(0.13, belt), (0.74, belt), (0.57, height), (0.27, height)],
            ),
            1 | 2 => (
                vec![(0.0, 0.3), (1.0, 0.3), (1.0, hood * 0.78), (0.96, hood - 0.02), (0.73, belt), (0.0, belt)],
                vec![(0.0, belt), (0.78, belt), (0.6, height), (0.08, height)],
            ),
            _ => (
                vec![(0.0, 0.3), (1.0, 0.3), (1.0, hood * 0.7), (0.97, hood - 0.1), (0.88, belt), (0.0, belt)],
                vec![(0.0, belt), (0.9, belt), (0.78, height), (0.01, height)],
            ),
        };
        let glass_rear = kind < 3 || rng.chance(0.35);
        let stripe = rng.chance(0.15).then(|| crate::color::cloth(rng));
        Car { length, width, height, color, stripe, body, cabin, glass_rear, rim: [rng.range(0.35, 0.75) as f32; 3] }
    }

    /// The four ground corners of a car at a place: rear left, rear right, front right, front left.
    pub fn footprint(&self, at: V3, heading: f64) -> [V3; 4] {
        let f = V3::heading(heading) * (self.length / 2.0);
        let l = V3::heading(heading + std::f64::consts::FRAC_PI_2) * (self.width / 2.0);
        [at - f + l, at - f - l, at + f - l, at + f + l]
    }
}

/// How a car stands.
#[derive(Debug, Clone, Copy)]
pub struct Parking {
    /// Middle on the ground.
    pub at: V3,
    /// Heading, radians.
    pub heading: f64,
    /// Distance rolled, metres.
    pub rolled: f64,
    /// Lamps on.
    pub lamps: bool,
    /// Brake lamps on.
    pub braking: bool,
}

struct Draw<'a> {
    camera: &'a Pinhole,
    lit: Lit,
    at: V3,
    forward: V3,
    left: V3,
    out: Vec<Shape<'a>>,
    step: f32,
}

impl Draw<'_> {
    /// A world point from metres along (from the rear), left of the middle, and up.
    fn p(&self, length: f64, along: f64, side: f64, up: f64) -> V3 {
        self.at + self.forward * (along - length / 2.0) + self.left * side + v3(0.0, 0.0, up)
    }

    /// Adds a polygon where it faces the camera; later ones lie over earlier ones. Returns whether it was seen.
    fn face(&mut self, points: &[V3], outward: V3, color: Rgb, round: f64, glow: bool) -> bool {
        let mid = points.iter().fold(V3::default(), |s, p| s + *p) * (1.0 / points.len() as f64);
        if (mid - self.camera.position).dot(outward) >= 0.0 {
            return false;
        }
        let corners = near_clip(self.camera, points);
        if corners.len() < 3 {
            return true;
        }
        let n = self.camera.turn(outward);
        let color = if glow { color } else { self.lit.shade(color, [n.x as f32, n.y as f32, n.z as f32]) };
        let depth = self.camera.to_camera(mid).z;
        self.step -= 0.001;
        let form = Form::Face { corners, round: (round * self.camera.scale(depth)) as f32, color, alpha: 1.0 };
        self.out.push(Shape { order: self.step, layer: Layer::Both, form });
        true
    }
}

/// Corners in the picture of a polygon cut at the near plane.
pub fn near_clip(camera: &Pinhole, points: &[V3]) -> Vec<Seen> {
    let near = 0.5;
    let c: Vec<V3> = points.iter().map(|p| camera.to_camera(*p)).collect();
    let mut out = Vec::with_capacity(c.len() + 1);
    for i in 0..c.len() {
        let (a, b) = (c[i], c[(i + 1) % c.len()]);
        if a.z >= near {
            out.push(camera.place(a));
        }
        if (a.z >= near) != (b.z >= near) {
            out.push(camera.place(a.lerp(b, (near - a.z) / (b.z - a.z))));
        }
    }
    out
}

/// The shapes of a car.
pub fn shapes<'a>(car: &'a Car, at: &Parking, camera: &'a Pinhole, lit: Lit) -> Vec<Shape<'a>> {
    let forward = V3::heading(at.heading);
    let left = V3::heading(at.heading + std::f64::consts::FRAC_PI_2);
    let mut d = Draw { camera, lit, at: at.at, forward, left, out: Vec::with_capacity(60), step: 0.0 };
    let (len, half) = (car.length, car.width / 2.0);
    let up = v3(0.0, 0.0, 1.0);
    // The far wheels and the floor show under the body.
    wheels(&mut d, car, at, false);
    let floor: Vec<V3> = [(0.03, -1.0), (0.97, -1.0), (0.97, 1.0), (0.03, 1.0)]
        .iter()
        .map(|(a, s)| d.p(len, a * len, s * half * 0.95, 0.22))
        .collect();
    d.face(&floor, up, [0.04; 3], 0.0, false);
    prism(&mut d, car, &car.body, half, half, car.color);
    let inset = half * 0.78;
    for side in [1.0, -1.0] {
        let outward = left * side;
        if let Some(color) = car.stripe {
            let s = half * side;
            let band = [(0.04, 0.52), (0.95, 0.52), (0.95, 0.6), (0.04, 0.6)].map(|(a, z)| d.p(len, a * len, s, z));
            d.face(&band, outward, color, 0.0, false);
        }
        for a in [0.33, 0.62] {
            let s = half * side * 1.001;
            let top = car.body[car.body.len() - 1].1;
            let line = [(a, 0.36), (a + 0.004, 0.36), (a + 0.004, top), (a, top)].map(|(a, z)| d.p(len, a * len, s, z));
            d.face(&line, outward, times(car.color, 0.5), 0.0, false);
        }
    }
    lamps(&mut d, car, at, half);
    wheels(&mut d, car, at, true);
    prism(&mut d, car, &car.cabin, half * 0.97, inset, car.color);
    windows(&mut d, car, half * 0.97, inset);
    for shape in &mut d.out {
        shape.order += camera.to_camera(at.at).z as f32;
    }
    d.out
}

/// The visible faces of an extruded outline; half-widths at its lowest and highest points.
fn prism(d: &mut Draw, car: &Car, outline: &[(f64, f64)], low: f64, high: f64, color: Rgb) {
    let len = car.length;
    let (z0, z1) = outline.iter().fold((f64::MAX, f64::MIN), |m, p| (m.0.min(p.1), m.1.max(p.1)));
    let half = |z: f64| low + (high - low) * (z - z0) / (z1 - z0).max(1e-6);
    let n = outline.len();
    for i in 0..n {
        let (a, b) = (outline[i], outline[(i + 1) % n]);
        let quad = [
            d.p(len, a.0 * len, half(a.1), a.1),
            d.p(len, b.0 * len, half(b.1), b.1),
            d.p(len, b.0 * len, -half(b.1), b.1),
            d.p(len, a.0 * len, -half(a.1), a.1),
        ];
        let (along, rise) = ((b.0 - a.0) * len, b.1 - a.1);
        let outward = (d.forward * rise + v3(0.0, 0.0, -along)).unit();
        d.face(&quad, outward, color, 0.03, false);
    }
    for side in [1.0, -1.0] {
        let points: Vec<V3> = outline.iter().map(|p| d.p(len, p.0 * len, side * half(p.1), p.1)).collect();
        let lean = (low - high) / (z1 - z0).max(1e-6);
        let outward = (d.left * side + v3(0.0, 0.0, lean)).unit();
        d.face(&points, outward, color, 0.03, false);
    }
}

fn windows(d: &mut Draw, car: &Car, low: f64, high: f64) {
    let len = car.length;
    let [rear, front, roof_front, roof_rear] = [car.cabin[0], car.cabin[1], car.cabin[2], car.cabin[3]];
    let (z0, z1) = (rear.1, roof_rear.1);
    let half = |t: f64| low + (high - low) * t;
    let up = |t: f64| z0 + (z1 - z0) * t;
    let glass = [0.1, 0.13, 0.17];
    let (t0, t1) = (0.1, 0.86);
    let at = |a: (f64, f64), b: (f64, f64), t: f64| (a.0 + (b.0 - a.0) * t) * len;
    // Windscreen and rear window.
    for (base, roof, sign, wanted) in [(front, roof_front, 1.0, true), (rear, roof_rear, -1.0, car.glass_rear)] {
        let quad = [(t0, 1.0), (t0, -1.0), (t1, -1.0), (t1, 1.0)]
            .map(|(t, s)| d.p(len, at(base, roof, t) + sign * 0.012, s * half(t) * 0.86, up(t)));
        let outward = (d.forward * (sign * (z1 - z0)) + v3(0.0, 0.0, (base.0 - roof.0).abs() * len)).unit();
        if wanted {
            d.face(&quad, outward, glass, 0.0, false);
        }
    }
    let lean = (low - high) / (z1 - z0).max(1e-6);
    let panes: &[(f64, f64)] = if car.glass_rear { &[(0.08, 0.47), (0.51, 0.9)] } else { &[(0.62, 0.92)] };
    for side in [1.0, -1.0] {
        let outward = (d.left * side + v3(0.0, 0.0, lean)).unit();
        for (from, to) in panes {
            let along = |share: f64, t: f64| {
                let (a, b) = (at(rear, roof_rear, t), at(front, roof_front, t));
                a + (b - a) * share
            };
            let quad = [(*from, t0), (*to, t0), (*to, t1), (*from, t1)]
                .map(|(s, t)| d.p(len, along(s, t), side * (half(t) + 0.005), up(t)));
            d.face(&quad, outward, glass, 0.0, false);
        }
    }
}

fn lamps(d: &mut Draw, car: &Car, at: &Parking, half: f64) {
    let len = car.length;
    let back = d.forward * -1.0;
    for side in [1.0, -1.0] {
        let quad = |d: &Draw, along: f64, s0: f64, s1: f64, z0: f64, z1: f64| {
            [(s0, z0), (s1, z0), (s1, z1), (s0, z1)].map(|(s, z)| d.p(len, along, side * s * half, z))
        };
        let head = quad(d, len + 0.035, 0.58, 0.93, 0.52, 0.66);
        let color = if at.lamps { [1.5, 1.5, 1.35] } else { [0.85, 0.87, 0.9] };
        d.face(&head, d.forward, color, 0.01, at.lamps);
        let tail = quad(d, -0.035, 0.66, 0.95, 0.6, 0.78);
        let lit = at.lamps || at.braking;
        let color = if at.braking {
            [1.3, 0.16, 0.12]
        } else if at.lamps {
            [0.85, 0.09, 0.07]
        } else {
            [0.55, 0.05, 0.05]
        };
        d.face(&tail, back, color, 0.01, lit);
    }
    for (along, outward) in [(len + 0.034, d.forward), (-0.034, back)] {
        let low = [(-1.0, 0.3), (1.0, 0.3), (1.0, 0.42), (-1.0, 0.42)].map(|(s, z)| d.p(len, along, s * half * 0.9, z));
        d.face(&low, outward, [0.08; 3], 0.0, false);
        let plate =
            [(-0.26, 0.4), (0.26, 0.4), (0.26, 0.51), (-0.26, 0.51)].map(|(s, z)| d.p(len, along + 0.002, s, z));
        d.face(&plate, outward, [0.85, 0.85, 0.8], 0.0, false);
    }
}

fn wheels(d: &mut Draw, car: &Car, at: &Parking, near: bool) {
    let len = car.length;
    let r = 0.325;
    for side in [1.0, -1.0] {
        let outward = d.left * side;
        let hub = d.p(len, len / 2.0, side * car.width / 2.0, r);
        if ((hub - d.camera.position).dot(outward) < 0.0) != near {
            continue;
        }
        for along in [0.18, 0.8] {
            let disc = |d: &Draw, radius: f64, push: f64| -> Vec<V3> {
                (0..16)
                    .map(|i| {
                        let a = f64::from(i) * std::f64::consts::TAU / 16.0;
                        d.p(len, along * len + radius * a.cos(), side * (car.width / 2.0 + push), r + radius * a.sin())
                    })
                    .collect()
            };
            // A far wheel shows its inner side.
            let facing = if near { outward } else { outward * -1.0 };
            d.face(&disc(d, r * 1.13, 0.0), facing, [0.05; 3], 0.0, false);
            d.face(&disc(d, r, 0.015), facing, [0.09; 3], 0.0, false);
            if near {
                d.face(&disc(d, r * 0.62, 0.02), facing, car.rim, 0.0, false);
                let spin = at.rolled / r;
                for k in 0..5 {
                    let a = spin + f64::from(k) * std::f64::consts::TAU / 5.0;
                    let tip = |da: f64, q: f64| {
                        d.p(
                            len,
                            along * len - q * r * (a + da).cos(),
                            side * (car.width / 2.0 + 0.025),
                            r + q * r * (a + da).sin(),
                        )
                    };
                    let spoke = [tip(-0.3, 0.5), tip(0.3, 0.5), tip(0.0, 0.2)];
                    d.face(&spoke, facing, times(car.rim, 0.3), 0.0, false);
                }
            }
        }
    }
}
