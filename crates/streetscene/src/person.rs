//! Draws a person: tapered limbs, a trunk with its garment's pattern in body coordinates, a head with a face.

mod clothes;
mod head;

use crate::color::times;
use crate::geometry::{Pinhole, Seen, V3, v3};
use crate::look::{Look, Lower, Pattern};
use crate::pose::Joints;
use crate::raster::{Form, Layer, Lit, Paint, Rgb, Shape};
use clothes::garment;

/// One person in one camera: what its shapes share.
pub struct Figure<'a> {
    look: &'a Look,
    j: Joints,
    camera: &'a Pinhole,
    lit: Lit,
    shapes: Vec<Shape<'a>>,
}

/// A direction in camera coordinates, single precision.
fn small(c: V3) -> [f32; 3] {
    [c.x as f32, c.y as f32, c.z as f32]
}

/// The normal of a round surface at `side` (-1..1) across an axis with picture direction `(dx, dy)`.
fn normal(side: f32, a: Seen, b: Seen) -> [f32; 3] {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let len = (dx * dx + dy * dy).sqrt().max(1e-3);
    [dy / len * side, -dx / len * side, -(1.0 - side * side).max(0.0).sqrt()]
}

/// A round limb between two world points, painted by side and along.
pub fn limb<'a>(
    camera: &Pinhole,
    lit: Lit,
    a: V3,
    ra: f64,
    b: V3,
    rb: f64,
    color: impl Fn(f32, f32) -> Rgb + 'a,
) -> Shape<'a> {
    let (ca, cb) = (camera.to_camera(a), camera.to_camera(b));
    let (sa, sb) = (camera.place(ca), camera.place(cb));
    let paint: Paint = Box::new(move |side, t| lit.shade(color(side, t), normal(side, sa, sb)));
    let (ra, rb) = ((ra * camera.scale(ca.z)) as f32, (rb * camera.scale(cb.z)) as f32);
    Shape { order: (sa.z + sb.z) / 2.0, layer: Layer::Both, form: Form::Cone { a: sa, ra, b: sb, rb, paint } }
}

/// The shapes of a person.
pub fn shapes<'a>(look: &'a Look, joints: &Joints, camera: &'a Pinhole, lit: Lit) -> Vec<Shape<'a>> {
    let mut f = Figure { look, j: *joints, camera, lit, shapes: Vec::with_capacity(40) };
    for side in 0..2 {
        f.leg(side);
        f.arm(side);
    }
    f.trunk();
    f.head();
    f.bags();
    f.shapes
}

impl<'a> Figure<'a> {
    fn limb(&mut self, a: V3, ra: f64, b: V3, rb: f64, bias: f32, color: impl Fn(f32, f32) -> Rgb + 'a) {
        let mut shape = limb(self.camera, self.lit, a, ra, b, rb, color);
        shape.order -= bias;
        self.shapes.push(shape);
    }

    fn leg(&mut self, side: usize) {
        let (look, j) = (self.look, self.j);
        let k = look.height / 1.75 * (0.5 + 0.5 * look.build);
        let (hip, knee, ankle, toe) = (j.hips[side], j.knees[side], j.ankles[side], j.toes[side]);
        let cloth = look.lower_color;
        let (bare, cover) = match look.lower {
            Lower::Trousers => (cloth, 9.0),
            Lower::Shorts => (look.skin, 0.78),
            Lower::Skirt(_, tights) => (if tights { times(cloth, 0.35) } else { look.skin }, 0.0),
        };
        let loose = if look.lower == Lower::Trousers { 0.012 } else { 0.0 };
        let fold = look.quirk as f32;
        self.limb(hip, 0.088 * k, knee, (0.056 + loose) * k, 0.0, move |u, t| {
            let base = if t < cover { cloth } else { bare };
            times(base, 1.0 + 0.05 * (t * 14.0 + u * 3.0 + fold).sin())
        });
        let tone = if look.lower == Lower::Trousers { cloth } else { bare };
        let calf = knee.lerp(ankle, 0.3);
        self.limb(knee, (0.054 + loose) * k, calf, (0.056 + loose * 0.6) * k, 0.01, move |_, _| tone);
        self.limb(calf, (0.056 + loose * 0.6) * k, ankle, (0.036 + loose) * k, 0.005, move |u, t| {
            times(tone, 1.0 + 0.04 * (t * 17.0 - u * 2.0 + fold).sin())
        });
        let shoes = look.shoes;
        let heel = ankle + (ankle - toe) * 0.28 + v3(0.0, 0.0, -0.016 * look.height);
        self.limb(heel, 0.036 * k, toe, 0.03 * k, 0.0, move |_, _| shoes);
        self.limb(ankle, 0.042 * k, ankle.lerp(toe, 0.5), 0.04 * k, 0.005, move |_, _| shoes);
    }

    fn arm(&mut self, side: usize) {
        let (look, j) = (self.look, self.j);
        let k = look.height / 1.75 * (0.55 + 0.45 * look.build);
        let (shoulder, elbow, wrist, hand) = (j.shoulders[side], j.elbows[side], j.wrists[side], j.hands[side]);
        let (skin, sleeve) = (look.skin, look.sleeve);
        let loose = if sleeve > 0.9 { 0.008 } else { 0.0 };
        let cloth = if let Pattern::Block(_) = look.pattern { look.second } else { look.upper };
        let (stripes, second, bands) = match look.pattern {
            Pattern::Stripes(n) => (n * 0.55, look.second, false),
            Pattern::Bands => (0.0, look.second, true),
            _ => (0.0, look.second, false),
        };
        let fold = look.quirk as f32;
        let wear = move |u: f32, t: f32| {
            if t > sleeve {
                skin
            } else if stripes > 0.0 && (t * 2.0 * stripes).rem_euclid(2.0) < 1.0 {
                second
            } else if bands && (0.3..0.38).contains(&t) {
                [0.9, 0.92, 0.85]
            } else {
                times(cloth, 1.0 + 0.05 * (t * 26.0 + u * 2.0 + fold).sin())
            }
        };
        self.limb(shoulder, (0.058 + loose) * k, elbow, (0.041 + loose) * k, 0.0, move |u, t| wear(u, t * 0.5));
        self.limb(elbow, (0.041 + loose) * k, wrist, (0.029 + loose) * k, 0.01, move |u, t| wear(u, 0.5 + t * 0.5));
        self.limb(wrist.lerp(hand, 0.25), 0.03 * k, hand, 0.028 * k, 0.015, move |_, _| skin);
    }

    /// Share of the view along the body's forward and left directions, and across the picture's right.
    fn facing(&self, at: V3) -> [f32; 4] {
        let view = at - self.camera.position;
        let view = v3(view.x, view.y, 0.0).unit();
        let right = v3(view.y, -view.x, 0.0);
        let flat = v3(self.j.forward.x, self.j.forward.y, 0.0).unit();
        let left = v3(-flat.y, flat.x, 0.0);
        [right.dot(flat), -view.dot(flat), right.dot(left), -view.dot(left)].map(|v| v as f32)
    }

    /// A tube around the body from `a` down to `b` with half-widths `wide` and half-depths `deep` (metres).
    fn tube(
        &mut self,
        a: V3,
        b: V3,
        wide: [f64; 9],
        deep: [f64; 9],
        order: f32,
        color: impl Fn([f32; 2], f32) -> Rgb + 'a,
    ) {
        let (ca, cb) = (self.camera.to_camera(a), self.camera.to_camera(b));
        let (sa, sb) = (self.camera.place(ca), self.camera.place(cb));
        let face = self.facing(a);
        let (front, flank) = (f64::from(face[1]), f64::from(face[3]));
        let profile: [f32; 9] = std::array::from_fn(|i| {
            let depth = ca.z + (cb.z - ca.z) * i as f64 / 8.0;
            ((wide[i] * front).hypot(deep[i] * flank) * self.camera.scale(depth)) as f32
        });
        let tilt = self.camera.pitch.sin();
        let cap = |i: usize, c: V3| ((deep[i] * front).hypot(wide[i] * flank) * tilt * self.camera.scale(c.z)) as f32;
        let lit = self.lit;
        // The axis runs down the picture when the person stands: its side is then the picture's right.
        let flip = if sb.y >= sa.y { 1.0 } else { -1.0 };
        let paint: Paint = Box::new(move |side, t| {
            let bow = (1.0 - side * side).max(0.0).sqrt();
            let u = side * flip;
            let body = [u * face[0] + bow * face[1], u * face[2] + bow * face[3]];
            lit.shade(color(body, t), normal(side, sa, sb))
        });
        let form = Form::Tube { a: sa, b: sb, profile, cap_a: cap(0, ca), cap_b: cap(8, cb), paint };
        self.shapes.push(Shape { order, layer: Layer::Both, form });
    }

    fn trunk(&mut self) {
        let (look, j) = (self.look, self.j);
        let k = look.height / 1.75;
        let top = j.neck;
        let mid = self.camera.to_camera(top.lerp(j.crotch, 0.5)).z as f32;
        let (b, w) = (look.build * k, look.waist);
        let wide =
            [0.062, 0.15, 0.182, 0.178, 0.165 * (0.4 + 0.6 * w), 0.152 * w, 0.155 * (0.3 + 0.7 * w), 0.168, 0.15]
                .map(|v| v * b);
        let belly = (look.build - 0.9).max(0.0) * 0.35;
        let deep = [0.055, 0.085, 0.105, 0.118, 0.112, 0.105 + belly, 0.108 + belly, 0.118, 0.105].map(|v| v * b);
        let straps = look.backpack;
        let neck_skin = look.skin;
        self.limb(top + v3(0.0, 0.0, -0.03), 0.052 * k, j.head, 0.05 * k, -0.02, move |_, _| times(neck_skin, 0.85));
        self.tube(top, j.crotch, wide, deep, mid, move |body, t| {
            if t > look.hem && look.coat == 0.0 {
                return if t < look.hem + 0.035 { times(look.lower_color, 0.5) } else { look.lower_color };
            }
            if let Some(strap) = straps
                && body[0] > 0.1
                && t < 0.62
                && (0.42..0.62).contains(&body[1].abs())
            {
                return strap;
            }
            garment(look, body, t)
        });
        let hips = self.camera.to_camera(j.hips[0].lerp(j.hips[1], 0.5)).z as f32;
        let nearest = [0, 1].map(|i| self.camera.to_camera(j.knees[i].lerp(j.hips[i], 0.5)).z as f32);
        let order = hips.min(nearest[0]).min(nearest[1]) - 0.02;
        let leg = 0.47 * look.height;
        if let Lower::Skirt(length, _) = look.lower {
            self.drape(0.155 * w * b, length * leg, order, move |_, t| {
                times(look.lower_color, 0.92 + 0.08 * (t * 3.0).cos())
            });
        }
        if look.coat > 0.0 {
            self.drape(0.16 * b, look.coat * leg, order - 0.005, move |body, t| garment(look, body, 0.9 + 0.4 * t));
        }
    }

    /// A skirt or the tail of a coat: from the waist down over the thighs.
    fn drape(&mut self, waist: f64, length: f64, order: f32, color: impl Fn([f32; 2], f32) -> Rgb + 'a) {
        let j = self.j;
        let k = self.look.height / 1.75 * self.look.build;
        let top = j.crotch.lerp(j.neck, 0.36);
        let flat = v3(j.forward.x, j.forward.y, 0.0).unit();
        // It goes where the thighs go, and widens with the step.
        let share = (length / (0.245 * self.look.height)).min(1.0);
        let ends = [0, 1].map(|i| j.hips[i].lerp(j.knees[i], share));
        let mid = ends[0].lerp(ends[1], 0.5);
        let drop = length.max(0.1);
        let bottom = v3(mid.x, mid.y, j.hips[0].z - drop);
        let spread = (ends[0] - ends[1]).dot(flat).abs() / 2.0;
        let wide: [f64; 9] = std::array::from_fn(|i| {
            let t = i as f64 / 8.0;
            waist + (0.165 * k - waist) * (t * 3.0).min(1.0) + 0.035 * t * k
        });
        let deep: [f64; 9] = std::array::from_fn(|i| {
            let t = i as f64 / 8.0;
            (0.115 + 0.045 * t) * k + spread * t * 0.85
        });
        self.tube(top, bottom, wide, deep, order, color);
    }

    fn bags(&mut self) {
        let (look, j) = (self.look, self.j);
        let k = look.height / 1.75;
        if let Some(color) = look.backpack {
            let back = j.forward * (-(0.11 * look.build + 0.075) * k);
            let (a, b) = (j.neck.lerp(j.crotch, 0.1) + back, j.neck.lerp(j.crotch, 0.72) + back);
            let order = self.camera.to_camera(a.lerp(b, 0.4)).z as f32;
            let wide = [0.1, 0.14, 0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.13].map(|v| v * k);
            let deep = [0.05, 0.075, 0.085, 0.09, 0.095, 0.1, 0.1, 0.1, 0.085].map(|v| v * k);
            self.tube(a, b, wide, deep, order, move |body, t| {
                let pocket = t > 0.52 && body[0] < -0.4 && body[1].abs() < 0.75;
                if pocket && t < 0.57 { times(color, 0.5) } else { times(color, if pocket { 0.82 } else { 1.0 }) }
            });
        }
        if let Some((color, side)) = look.handbag {
            let out = (j.hips[side] - j.hips[1 - side]).unit();
            let at = j.hips[side] + out * (0.13 * k) + v3(0.0, 0.0, -0.02);
            let far = j.shoulders[1 - side];
            let strap = times(color, 0.7);
            let over = if self.facing(at)[1] > 0.0 { j.forward } else { j.forward * -1.0 };
            let chest = j.neck.lerp(j.crotch, 0.5) + over * (0.12 * k);
            self.limb(far + v3(0.0, 0.0, 0.04), 0.012, chest, 0.012, 0.12, move |_, _| strap);
            self.limb(chest, 0.012, at, 0.012, 0.12, move |_, _| strap);
            self.bag(at + v3(0.0, 0.0, 0.08 * k), 0.24 * k, 0.14 * k, 0.05 * k, color);
        }
        if let Some((color, side)) = look.shopping {
            self.bag(j.hands[side] + v3(0.0, 0.0, -0.08 * k), 0.34 * k, 0.16 * k, 0.06 * k, color);
            let (hand, down) = (j.hands[side], v3(0.0, 0.0, -0.1 * k));
            let strap = times(color, 0.6);
            self.limb(hand, 0.012, hand + down, 0.012, 0.0, move |_, _| strap);
        }
    }

    /// A flat bag that hangs from `top`, along the body.
    fn bag(&mut self, top: V3, drop: f64, long: f64, thick: f64, color: Rgb) {
        let order = self.camera.to_camera(top + v3(0.0, 0.0, -drop / 2.0)).z as f32 - 0.02;
        let wide = [thick * 0.8, thick, thick, thick, thick, thick, thick, thick, thick * 0.9];
        let deep = [long * 0.88, long * 0.94, long * 0.97, long, long, long, long, long, long * 0.94];
        self.tube(top, top + v3(0.0, 0.0, -drop), wide, deep, order, move |_, t| {
            times(color, if t < 0.12 { 0.7 } else { 1.0 })
        });
    }
}

/// The 17 keypoints in COCO order: world points, and for those on the head the direction they face.
pub fn keypoints(look: &Look, j: &Joints) -> [(V3, Option<V3>); 17] {
    let k = 0.3 + 0.7 * look.height / 1.75;
    let on = |f: f64, l: f64, u: f64| j.head + j.gaze * (f * k) + j.gaze_left * (l * k) + j.crown * (u * k);
    let eye = |s: f64| (on(0.075, 0.028 * s, 0.012), Some((j.gaze * 0.93 + j.gaze_left * (0.37 * s)).unit()));
    let ear = |s: f64| (on(0.0, 0.078 * s, -0.012), Some((j.gaze_left * s + j.gaze * 0.15).unit()));
    let nose = (on(0.095, 0.0, -0.025), Some(j.gaze));
    let pair = |p: [V3; 2]| [(p[0], None), (p[1], None)];
    let [ls, rs] = pair(j.shoulders);
    let [le, re] = pair(j.elbows);
    let [lw, rw] = pair(j.wrists);
    let [lh, rh] = pair(j.hips);
    let [lk, rk] = pair(j.knees);
    let [la, ra] = pair(j.ankles);
    [nose, eye(1.0), eye(-1.0), ear(1.0), ear(-1.0), ls, rs, le, re, lw, rw, lh, rh, lk, rk, la, ra]
}
