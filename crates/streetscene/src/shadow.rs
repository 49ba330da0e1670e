//! Shadows of people, vehicles and furniture on the ground, and the pools of headlights.

use crate::geometry::{Pinhole, Seen, V3, v3};
use crate::light::Light;
use crate::pose;
use crate::raster::{Rgb, edges, span};
use crate::view::Frame;
use crate::world::World;

/// How dark each pixel is by shadows, 0..1.
pub(crate) struct Shadow {
    width: usize,
    height: usize,
    dark: Vec<f32>,
    touched: [usize; 2],
}

impl Shadow {
    pub(crate) fn new(width: u32, height: u32) -> Shadow {
        let (width, height) = (width as usize, height as usize);
        Shadow { width, height, dark: vec![0.0; width * height], touched: [0, height] }
    }

    fn clear(&mut self) {
        self.dark[self.touched[0] * self.width..self.touched[1].max(self.touched[0]) * self.width].fill(0.0);
        self.touched = [self.height, 0];
    }

    /// Darkens a convex polygon; the darker one wins.
    fn polygon(&mut self, corners: &[Seen], depth: f32, shift: (f32, f32)) {
        let edges = edges(corners);
        if edges.len() < 3 {
            return;
        }
        let bounds = corners.iter().fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |m, c| {
            [m[0].min(c.x), m[1].min(c.y), m[2].max(c.x), m[3].max(c.y)]
        });
        let clamp = |v: f32, high: usize| v.clamp(0.0, high as f32) as usize;
        let (x0, x1) = (clamp(bounds[0] + shift.0 - 1.0, self.width), clamp(bounds[2] + shift.0 + 2.0, self.width));
        let (y0, y1) = (clamp(bounds[1] + shift.1 - 1.0, self.height), clamp(bounds[3] + shift.1 + 2.0, self.height));
        if y0 >= y1 {
            return;
        }
        self.touched = [self.touched[0].min(y0), self.touched[1].max(y1)];
        let columns = (x0 as i32 - shift.0 as i32, x1 as i32 - shift.0 as i32);
        for y in y0..y1 {
            let py = y as f32 + 0.5 - shift.1;
            let (from, to) = span(&edges, py, 1.0, columns);
            for column in from..to {
                let x = (column + shift.0 as i32) as usize;
                let px = column as f32 + 0.5;
                let d = edges.iter().fold(f32::MIN, |m, e| m.max(e[0] * px + e[1] * py + e[2]));
                if d < 1.0 {
                    let k = ((1.0 - d) * 0.5).min(1.0) * depth;
                    let at = &mut self.dark[y * self.width + x];
                    *at = at.max(k);
                }
            }
        }
    }
}

/// The corners of a round limb's shadow on the ground, in the picture.
fn shadow_of(lens: &Pinhole, sun: V3, a: V3, ra: f64, b: V3, rb: f64) -> Option<Vec<Seen>> {
    let fall = |p: V3| v3(p.x - sun.x / sun.z * p.z, p.y - sun.y / sun.z * p.z, 0.0);
    let (a, b) = (fall(a), fall(b));
    let d = b - a;
    let heading = d.y.atan2(d.x);
    let half = std::f64::consts::FRAC_PI_2;
    let mut points = Vec::with_capacity(10);
    for k in 0..5 {
        points.push(b + V3::heading(heading - half + half * f64::from(k) / 2.0) * rb);
    }
    for k in 0..5 {
        points.push(a + V3::heading(heading + half + half * f64::from(k) / 2.0) * ra);
    }
    points.into_iter().map(|p| lens.project(p).filter(|s| s.z > 1.0)).collect()
}

/// Draws the shadows of people, bicycles and cars, and the pools of headlights, on the ground.
pub(crate) fn cast(
    shadow: &mut Shadow,
    world: &World,
    lens: &Pinhole,
    shift: (i32, i32),
    frame: &mut Frame,
    ground: impl Fn(usize, usize) -> f32,
) {
    shadow.clear();
    let lighting = &world.site.lighting;
    let move_by = (shift.0 as f32, shift.1 as f32);
    let t = world.share();
    let sun = lighting.sun;
    let deep = lighting.shadow;
    let ring = |at: V3, rx: f64, ry: f64, heading: f64| -> Option<Vec<Seen>> {
        let (f, l) = (V3::heading(heading), V3::heading(heading + std::f64::consts::FRAC_PI_2));
        (0..12)
            .map(|i| {
                let a = f64::from(i) * std::f64::consts::TAU / 12.0;
                lens.project(at + f * (rx * a.cos()) + l * (ry * a.sin())).filter(|s| s.z > 1.0)
            })
            .collect()
    };
    for w in world.walkers.iter().filter(|w| w.away.is_none()) {
        let s = w.stance(t, world.time);
        if lens.to_camera(s.at).z < 1.5 {
            continue;
        }
        // Where the feet touch.
        for (size, k) in [(0.3, 0.16), (0.2, 0.26)] {
            if let Some(c) = ring(s.at, size * if w.rides() { 2.4 } else { 1.0 }, size, s.heading) {
                shadow.polygon(&c, k, move_by);
            }
        }
        if deep <= 0.0 {
            continue;
        }
        let j = pose::joints(&w.look, &s);
        let mut limbs = vec![(j.neck, 0.15, j.crotch, 0.16), (j.head, 0.11, j.head + v3(0.0, 0.0, 0.05), 0.1)];
        for side in 0..2 {
            limbs.push((j.hips[side], 0.09, j.knees[side], 0.07));
            limbs.push((j.knees[side], 0.065, j.ankles[side], 0.05));
            limbs.push((j.shoulders[side], 0.06, j.elbows[side], 0.05));
            limbs.push((j.elbows[side], 0.045, j.wrists[side], 0.035));
        }
        if let Some(b) = &w.bike {
            let at = crate::world::bike_place(s.at, s.heading, b.ridden);
            let f = V3::heading(s.heading);
            for along in [-0.52, 0.52] {
                limbs.push((
                    at + f * (along - 0.3) + v3(0.0, 0.0, 0.34),
                    0.04,
                    at + f * (along + 0.3) + v3(0.0, 0.0, 0.34),
                    0.04,
                ));
                limbs.push((at + f * along, 0.04, at + f * along + v3(0.0, 0.0, 0.68), 0.04));
            }
            limbs.push((at + f * -0.2 + v3(0.0, 0.0, 0.8), 0.03, at + f * 0.36 + v3(0.0, 0.0, 0.8), 0.03));
        }
        for (a, ra, b, rb) in limbs {
            if let Some(c) = shadow_of(lens, sun, a, ra, b, rb) {
                shadow.polygon(&c, deep, move_by);
            }
        }
    }
    for c in &world.cars {
        let place = c.place(&world.lanes, t, lighting.dark());
        if lens.to_camera(place.at).z < 2.0 {
            continue;
        }
        if let Some(r) = ring(place.at, c.car.length * 0.53, c.car.width * 0.6, place.heading) {
            shadow.polygon(&r, 0.45, move_by);
        }
        if deep > 0.0 {
            let f = V3::heading(place.heading) * (c.car.length / 2.0 - 0.8);
            for up in [0.6, c.car.height - 0.25] {
                let f = if up > 1.0 { f * 0.5 } else { f };
                let (a, b) = (place.at - f + v3(0.0, 0.0, up), place.at + f + v3(0.0, 0.0, up));
                if let Some(r) = shadow_of(lens, sun, a, 0.85, b, 0.85) {
                    shadow.polygon(&r, deep, move_by);
                }
            }
        }
    }
    for y in shadow.touched[0]..shadow.touched[1].max(shadow.touched[0]) {
        for x in 0..shadow.width {
            let dark = shadow.dark[y * shadow.width + x];
            if dark > 0.0 {
                let k = 1.0 - dark * ground(x, y);
                for v in &mut frame.rgba[(y * shadow.width + x) * 4..][..3] {
                    *v = (f32::from(*v) * k) as u8;
                }
            }
        }
    }
    if lighting.dark() {
        headlights(world, lens, shift, frame, t, ground);
    }
}

/// Pools of light before cars.
fn headlights(
    world: &World,
    lens: &Pinhole,
    shift: (i32, i32),
    frame: &mut Frame,
    t: f64,
    ground: impl Fn(usize, usize) -> f32,
) {
    let power = if world.site.lighting.light == Light::Night { 60.0 } else { 22.0 };
    for c in world.cars.iter().filter(|c| c.lane.is_some()) {
        let place = c.place(&world.lanes, t, true);
        let forward = V3::heading(place.heading);
        let middle = place.at + forward * (c.car.length / 2.0 + 3.2);
        let Some(s) = lens.project(middle).filter(|s| s.z > 4.0) else { continue };
        let Some(ahead) = lens.project(middle + forward * 3.0).filter(|s| s.z > 1.5) else { continue };
        let left = V3::heading(place.heading + std::f64::consts::FRAC_PI_2);
        let Some(aside) = lens.project(middle + left * 1.5) else { continue };
        let (ax, ay, bx, by) = (ahead.x - s.x, ahead.y - s.y, aside.x - s.x, aside.y - s.y);
        let det = ax * by - ay * bx;
        if det.abs() < 1.0 {
            continue;
        }
        let reach = (ax.abs() + bx.abs(), ay.abs() + by.abs());
        let clamp = |v: f32, high: u32| v.clamp(0.0, high as f32) as u32;
        let (cx, cy) = (s.x + shift.0 as f32, s.y + shift.1 as f32);
        for y in clamp(cy - reach.1, frame.height)..clamp(cy + reach.1, frame.height) {
            for x in clamp(cx - reach.0, frame.width)..clamp(cx + reach.0, frame.width) {
                let (px, py) = (x as f32 - cx, y as f32 - cy);
                let (u, v) = ((px * by - py * bx) / det, (ax * py - ay * px) / det);
                let d = 1.0 - (u * u + v * v);
                if d > 0.0 {
                    let i = ((y * frame.width + x) * 4) as usize;
                    let k = power * d * (1.0 - 0.4 * u) * (0.3 + 0.7 * ground(x as usize, y as usize));
                    for (v, tint) in frame.rgba[i..i + 3].iter_mut().zip([1.0, 0.97, 0.85]) {
                        *v = (f32::from(*v) * (1.0 + 0.012 * k * tint) + 0.12 * k * tint).min(255.0) as u8;
                    }
                }
            }
        }
    }
}

/// Shadows of what stands, on the fixed picture with its margin.
pub(crate) fn fixed(picture: &mut [Rgb], width: usize, height: usize, world: &World, lens: &Pinhole, margin: i32) {
    let mut shadow = Shadow::new(width as u32, height as u32);
    let site = &world.site;
    let shift = (margin as f32, margin as f32);
    for item in &site.items {
        let near: Option<Vec<Seen>> = (0..12)
            .map(|i| {
                let a = f64::from(i) * std::f64::consts::TAU / 12.0;
                lens.project(item.at + V3::heading(a) * (item.radius.min(1.5) * 1.15 + 0.05)).filter(|s| s.z > 0.8)
            })
            .collect();
        if let Some(c) = near {
            shadow.polygon(&c, 0.25, shift);
        }
        if site.lighting.shadow > 0.0 {
            for (a, ra, b, rb) in item.casters() {
                if let Some(c) = shadow_of(lens, site.lighting.sun, a, ra, b, rb) {
                    shadow.polygon(&c, site.lighting.shadow, shift);
                }
            }
        }
    }
    for (pixel, dark) in picture.iter_mut().zip(&shadow.dark) {
        *pixel = pixel.map(|v| v * (1.0 - dark));
    }
}
