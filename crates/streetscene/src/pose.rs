//! Where a body's joints are: gait driven by the distance walked, standing poses, riding.

use crate::geometry::{V3, v3};
use crate::look::Look;

/// What the arms do while standing (and, for some, while walking).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arms {
    /// At the sides, swinging when walking.
    Loose,
    /// A phone held before the chest.
    Phone,
    /// A phone held at the ear.
    Call,
    /// Crossed before the chest.
    Crossed,
    /// Hands at the hips.
    Hips,
    /// Hands in the pockets.
    Pockets,
    /// One arm moving, as when talking.
    Talk,
    /// Both hands on a handlebar at the left side.
    Push,
}

/// One instant of a person.
#[derive(Debug, Clone, Copy)]
pub struct Stance {
    /// Ground point under the pelvis.
    pub at: V3,
    /// Heading of the body, radians.
    pub heading: f64,
    /// Turn of the head against the body, radians.
    pub head: f64,
    /// Phase of the gait (one per two steps) or of the crank.
    pub phase: f64,
    /// Length of two steps, metres.
    pub stride: f64,
    /// 0 standing .. 1 walking.
    pub walk: f64,
    /// What the arms do.
    pub arms: Arms,
    /// Riding a bicycle.
    pub riding: bool,
    /// Clock for small movements, seconds.
    pub time: f64,
}

/// Joints in the world; pairs are left, right.
#[derive(Debug, Clone, Copy)]
pub struct Joints {
    /// Forward direction of the body.
    pub forward: V3,
    /// Leftward direction of the body.
    pub left: V3,
    /// Forward direction of the head.
    pub gaze: V3,
    /// Leftward direction of the head.
    pub gaze_left: V3,
    /// Upward direction of the head.
    pub crown: V3,
    /// Centre of the head.
    pub head: V3,
    /// Base of the neck.
    pub neck: V3,
    /// Bottom of the trunk.
    pub crotch: V3,
    /// Shoulder joints.
    pub shoulders: [V3; 2],
    /// Elbows.
    pub elbows: [V3; 2],
    /// Wrists.
    pub wrists: [V3; 2],
    /// Hands (finger tips).
    pub hands: [V3; 2],
    /// Hip joints.
    pub hips: [V3; 2],
    /// Knees.
    pub knees: [V3; 2],
    /// Ankles.
    pub ankles: [V3; 2],
    /// Toes.
    pub toes: [V3; 2],
}

/// Length of two steps at a speed (metres, metres per second).
pub fn stride(height: f64, speed: f64) -> f64 {
    height * (0.36 + 0.32 * speed.clamp(0.0, 2.2))
}

const UP: V3 = v3(0.0, 0.0, 1.0);

/// The joints of a person at an instant.
pub fn joints(look: &Look, s: &Stance) -> Joints {
    let h = look.height;
    let forward = V3::heading(s.heading);
    let left = V3::heading(s.heading + std::f64::consts::FRAC_PI_2);
    let tau = std::f64::consts::TAU;
    let w = s.walk;
    let idle = 1.0 - w;
    let sway = idle * 0.012 * (s.time * 0.7 + look.quirk).sin();
    let bob = -0.014 * w * (2.0 * tau * s.phase).cos();
    let (pelvis, lean) = if s.riding {
        (s.at + forward * -0.16 + UP * (0.50 * h + 0.11), 0.5 + 0.12 * look.quirk.sin())
    } else {
        (s.at + left * sway + UP * (h * (0.527 - 0.012 * w) + bob), 0.03 + 0.04 * w)
    };
    let trunk = (UP * lean.cos() + forward * lean.sin()).unit();
    let front = (forward * lean.cos() + UP * -lean.sin()).unit();
    // Shoulders turn against the hips.
    let twist = 0.16 * w * (tau * s.phase).cos() * if s.riding { 0.0 } else { 1.0 };
    let shoulder_left = left * twist.cos() + forward * -twist.sin();
    let neck = pelvis + trunk * (0.305 * h);
    let shoulder_mid = pelvis + trunk * (0.285 * h);
    let shoulder_half = 0.112 * h * (0.75 + 0.25 * look.build);
    let hip_half = 0.052 * h;
    let nod = match s.arms {
        Arms::Phone => 0.45,
        _ => 0.05,
    };
    let turn = s.heading + s.head;
    let flat = V3::heading(turn);
    let gaze = flat * f64::cos(nod) + UP * -f64::sin(nod);
    let crown = UP * f64::cos(nod) + flat * f64::sin(nod);
    let gaze_left = V3::heading(turn + std::f64::consts::FRAC_PI_2);
    let neck_up = (trunk + UP * 1.5).unit();
    let head = neck + neck_up * (0.05 * h) + crown * (0.048 * h) + gaze * (0.012 * h);
    let mut j = Joints {
        forward: front,
        left: shoulder_left,
        gaze,
        gaze_left,
        crown,
        head,
        neck,
        crotch: pelvis + trunk * (-0.03 * h),
        shoulders: [shoulder_mid + shoulder_left * shoulder_half, shoulder_mid + shoulder_left * -shoulder_half],
        elbows: [V3::default(); 2],
        wrists: [V3::default(); 2],
        hands: [V3::default(); 2],
        hips: [pelvis + left * hip_half, pelvis + left * -hip_half],
        knees: [V3::default(); 2],
        ankles: [V3::default(); 2],
        toes: [V3::default(); 2],
    };
    for side in 0..2 {
        leg(&mut j, h, s, side, forward, left);
        arm(&mut j, look, s, side, forward, left);
    }
    j
}

fn leg(j: &mut Joints, h: f64, s: &Stance, side: usize, forward: V3, left: V3) {
    let tau = std::f64::consts::TAU;
    let sign = if side == 0 { 1.0 } else { -1.0 };
    let (thigh, shank) = (0.245 * h, 0.24 * h);
    let phase = (s.phase + 0.5 * side as f64).rem_euclid(1.0);
    let (target, pitch) = if s.riding {
        let a = tau * phase;
        let crank = s.at + forward * (0.02 + 0.17 * a.cos()) + UP * (0.30 - 0.17 * a.sin()) + left * (sign * 0.11);
        (crank + forward * -0.09 + UP * 0.10, 0.1)
    } else {
        const STANCE: f64 = 0.6;
        let reach = STANCE * s.stride * s.walk;
        let (along, lift, pitch) = if phase < STANCE {
            let p = phase / STANCE;
            let heel = ((p - 0.55) / 0.45).max(0.0);
            let strike = (1.0 - p / 0.15).max(0.0);
            (reach * (0.44 - p), (0.055 * heel * heel + 0.012 * strike) * h, 0.75 * heel * heel - 0.3 * strike)
        } else {
            let p = (phase - STANCE) / (1.0 - STANCE);
            let ease = 0.5 - 0.5 * (std::f64::consts::PI * p).cos();
            let rise = (0.055 * (1.0 - p) + 0.012 * p + 0.05 * (std::f64::consts::PI * p).sin()) * h;
            (reach * (-0.56 + ease), rise, 0.75 * (1.0 - p).powi(2) - 0.3 * p * p)
        };
        let spread = 0.045 * h + 0.02 * h * (1.0 - s.walk);
        let base = s.at + left * (sign * spread) + forward * along;
        (base + UP * (0.043 * h + lift * s.walk), pitch * s.walk)
    };
    let hip = j.hips[side];
    let (knee, ankle) = bend(hip, target, thigh, shank, forward);
    let toe_dir = (forward * pitch.cos() + UP * -pitch.sin()) + left * (sign * 0.12);
    j.knees[side] = knee;
    j.ankles[side] = ankle;
    j.toes[side] = ankle + toe_dir.unit() * (0.095 * h) + UP * (-0.028 * h * pitch.cos().max(0.3));
}

fn arm(j: &mut Joints, look: &Look, s: &Stance, side: usize, forward: V3, left: V3) {
    let h = look.height;
    let tau = std::f64::consts::TAU;
    let (upper, fore) = (0.17 * h, 0.15 * h);
    let sign = if side == 0 { 1.0 } else { -1.0 };
    let out = left * sign;
    let shoulder = j.shoulders[side];
    let chest = j.neck + UP * (-0.13 * h) + forward * (0.10 * h);
    let carrying = look.shopping.is_some_and(|(_, hand)| hand == side);
    let wobble = 0.01 * (s.time * 1.3 + look.quirk + side as f64).sin();
    let reach = |to: V3, hint: V3| bend(shoulder, to, upper, fore, hint);
    let busy = match s.arms {
        _ if s.riding => Some(reach(s.at + forward * 0.36 + left * (sign * 0.23) + UP * 1.03, out * 0.6 + UP * -1.0)),
        _ if carrying => None,
        Arms::Phone if side == 1 => {
            Some(reach(chest + forward * (0.08 * h) + left * (-0.04 + wobble), UP * -1.0 + out * 0.4))
        }
        Arms::Call if side == 1 => Some(reach(
            j.head + j.gaze_left * (-0.06 * h) + UP * (-0.03 * h) + forward * 0.02,
            forward * 0.7 + out * 0.5 + UP * -0.8,
        )),
        Arms::Crossed => Some(reach(
            chest + left * (-sign * (0.085 * h)) + UP * (sign * 0.015 - 0.03 * h) + forward * 0.03,
            UP * -1.0 + out * 0.7,
        )),
        Arms::Hips => {
            Some(reach(j.hips[side] + out * (0.065 * h) + UP * (0.05 * h) + forward * 0.03, out + forward * -0.4))
        }
        Arms::Pockets => {
            Some(reach(j.hips[side] + out * (0.06 * h) + UP * (0.005 * h) + forward * 0.06, forward * -1.0 + out * 0.5))
        }
        Arms::Talk if side == 0 => {
            let a = s.time * 2.1 + look.quirk;
            let to = chest
                + out * (0.1 * h + 0.05 * a.sin())
                + forward * (0.06 * h)
                + UP * (0.06 * (a * 1.3).cos() - 0.04 * h);
            Some(reach(to, UP * -1.0 + out * 0.5))
        }
        Arms::Push => {
            let bar = s.at + left * (0.5 + 0.22 * sign) + forward * 0.36 + UP * 1.02;
            Some(reach(bar, UP * -1.0 + forward * -0.5))
        }
        _ => None,
    };
    let (elbow, wrist) = busy.unwrap_or_else(|| {
        let amp = if carrying { 0.12 } else { 0.24 + 0.14 * (s.stride / h).min(1.2) };
        let swing = -sign * amp * s.walk * (tau * (s.phase + 0.05)).cos() + wobble * 2.0;
        let bent = (0.18 + 0.3 * s.walk * (0.5 + swing).clamp(0.2, 1.0)) * if carrying { 0.3 } else { 1.0 };
        let splay = 0.11 + 0.05 * look.quirk.cos();
        let dir = |a: f64| (UP * -a.cos() + forward * a.sin() + out * splay).unit();
        let elbow = shoulder + dir(swing) * upper;
        (elbow, elbow + (dir(swing + bent) + out * -0.1).unit() * fore)
    });
    j.elbows[side] = elbow;
    j.wrists[side] = wrist;
    let straight = (wrist - elbow).unit();
    j.hands[side] = wrist + straight * (0.05 * h);
}

/// Two bones from `from` towards `to`; the joint bends towards `hint`. Returns the joint and the end reached.
fn bend(from: V3, to: V3, first: f64, second: f64, hint: V3) -> (V3, V3) {
    let span = to - from;
    let d = span.norm().clamp((first - second).abs() + 0.02, (first + second) * 0.999);
    let dir = span.unit();
    let a = (first * first - second * second + d * d) / (2.0 * d);
    let off = (first * first - a * a).max(0.0).sqrt();
    let side = (hint - dir * hint.dot(dir)).unit();
    (from + dir * a + side * off, from + dir * d)
}
