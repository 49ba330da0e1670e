//! One motion that most points agree on: RANSAC over pairs of points, then least squares over those that agree.
//!
//! Fischler and Bolles, "Random sample consensus" (1981). The random numbers begin alike each time, so the same points
//! give the same motion.

use crate::types::camera_motion::CameraMotion;

/// A point before and now.
pub(super) type Pair = ((f32, f32), (f32, f32));

/// Two pairs make a guess; so many guesses find a motion that a third of the points share with 99.9 %.
const GUESSES: usize = 60;
/// A point agrees with a guess where it is this near to it, and with the result, pixels.
const NEAR_GUESS: f32 = 1.0;
const NEAR: f32 = 0.5;
/// Rounds of least squares.
const ROUNDS: usize = 4;
/// A camera turns and zooms no more than this between two frames: sine of the turn, parts of the size.
const MOST_TURN: f32 = 0.3;
const MOST_ZOOM: f32 = 0.3;

/// A motion and the points that agree with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub motion: CameraMotion,
    pub inliers: usize,
}

/// Finds the motion of points.
#[derive(Clone, Debug, Default)]
pub(super) struct Fitter {
    inliers: Vec<Pair>,
}

impl Fitter {
    pub fn new(limit: usize) -> Self {
        Self { inliers: Vec::with_capacity(limit) }
    }

    /// The motion that most pairs agree on; `None` where there is none.
    pub fn fit(&mut self, pairs: &[Pair]) -> Option<Fit> {
        if pairs.len() < 3 {
            return None;
        }
        let least_apart = 0.1 * spread(pairs);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        // What points near it deviate counts, too: of two motions with as many points, the nearer one.
        let mut best = (f32::INFINITY, CameraMotion::NONE);
        for _ in 0..GUESSES {
            let (a, b) = (pairs[random.below(pairs.len())], pairs[random.below(pairs.len())]);
            let apart = square(a.0, b.0);
            if apart <= least_apart || apart == 0.0 {
                continue;
            }
            let Some(motion) = least_squares(&[a, b]) else { continue };
            let deviation = |pair: &Pair| square(motion.point(pair.0), pair.1).min(NEAR_GUESS * NEAR_GUESS);
            let cost = pairs.iter().map(deviation).sum();
            if cost < best.0 {
                best = (cost, motion);
            }
        }
        let mut motion = best.0.is_finite().then_some(best.1)?;
        for round in 0..ROUNDS {
            let near = if round == 0 { NEAR_GUESS } else { NEAR };
            self.inliers.clear();
            self.inliers.extend(pairs.iter().filter(|pair| square(motion.point(pair.0), pair.1) < near * near));
            motion = least_squares(&self.inliers)?;
        }
        let inliers = pairs.iter().filter(|pair| square(motion.point(pair.0), pair.1) < NEAR * NEAR).count();
        Some(Fit { motion, inliers })
    }
}

/// Mean square distance from their middle before.
fn spread(pairs: &[Pair]) -> f32 {
    let (middle, _) = middles(pairs);
    pairs.iter().map(|pair| square(pair.0, middle)).sum::<f32>() / pairs.len().max(1) as f32
}

fn square(a: (f32, f32), b: (f32, f32)) -> f32 {
    let (dx, dy) = (a.0 - b.0, a.1 - b.1);
    dx * dx + dy * dy
}

fn middles(pairs: &[Pair]) -> Pair {
    let part = 1.0 / pairs.len().max(1) as f32;
    let mut sums = [0.0_f32; 4];
    for ((x, y), (u, v)) in pairs {
        for (sum, value) in sums.iter_mut().zip([x, y, u, v]) {
            *sum += value;
        }
    }
    let [x, y, u, v] = sums.map(|sum| sum * part);
    ((x, y), (u, v))
}

/// The motion with the least squares of deviations; `None` where it is none that a camera does.
fn least_squares(pairs: &[Pair]) -> Option<CameraMotion> {
    let (before, now) = middles(pairs);
    let (mut along, mut across, mut power) = (0.0_f32, 0.0_f32, 0.0_f32);
    for ((x, y), (u, v)) in pairs {
        let (x, y, u, v) = (x - before.0, y - before.1, u - now.0, v - now.1);
        along += x * u + y * v;
        across += x * v - y * u;
        power += x * x + y * y;
    }
    let (a, b) = (along / power, across / power);
    let possible = (a.hypot(b) - 1.0).abs() <= MOST_ZOOM && b.abs() <= MOST_TURN && a > 0.0;
    let (tx, ty) = (now.0 - a * before.0 + b * before.1, now.1 - b * before.0 - a * before.1);
    possible.then_some(CameraMotion { a, b, tx, ty })
}

/// Xorshift (Marsaglia, 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) as usize) % n
    }
}
