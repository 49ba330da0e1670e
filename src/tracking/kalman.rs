//! Constant-velocity Kalman filter of one box.
//!
//! ByteTrack's filter with the state of BoT-SORT (Aharon et al., 2022, section 3.1): centre x,
//! centre y, width and height, and a velocity for each, with noise in proportion to the size of
//! the box. All matrices of that filter couple a value with its own velocity only, so the 8 x 8
//! filter falls apart, exactly, into four of 2 x 2.
//!
//! The published process noise is per frame at 30 frames/s. Here a step has any length: see
//! [`Axis::predict`].

use std::time::Duration;

use crate::types::geometry::BBox;

/// The frame rate at which the published noise is stated.
const REFERENCE_FPS: f32 = 30.0;
/// Standard deviation of a position after one reference frame, as a part of the size (ByteTrack).
const STD_POSITION: f32 = 1.0 / 20.0;
/// The same of a velocity per reference frame (ByteTrack).
const STD_VELOCITY: f32 = 1.0 / 160.0;
/// Standard deviation of a detected edge, as a part of the size. ByteTrack has 1/20; small
/// detectors wobble more, and this gave the best tracks over MOT17-04, MOT17-09 and TUD-Campus.
const STD_MEASURED: f32 = 1.0 / 10.0;
/// Standard deviations of a new track, in the units of the two above (ByteTrack).
const NEW_POSITION: f32 = 2.0;
const NEW_VELOCITY: f32 = 10.0;
/// Least width and height of a prediction and in the noise, so that a box stays a box. Pixels.
const MIN_SIZE: f32 = 1.0;

/// One value, its velocity per reference frame, and their covariance.
#[derive(Clone, Copy, Debug)]
struct Axis {
    x: f32,
    v: f32,
    xx: f32,
    xv: f32,
    vv: f32,
}

impl Axis {
    fn new(x: f32, std: f32, std_velocity: f32) -> Self {
        Self { x, v: 0.0, xx: std * std, xv: 0.0, vv: std_velocity * std_velocity }
    }

    /// Moves on by `steps` reference frames, with noise as standard deviations per reference
    /// frame.
    ///
    /// The noise polynomials are the sum of the published filter's noise over that many steps, so
    /// one step is the published one, and a gap gives the same result in one step as in several.
    fn predict(&mut self, steps: f32, std: f32, std_velocity: f32) {
        let (q, r, n) = (std * std, std_velocity * std_velocity, steps);
        self.x += n * self.v;
        self.xx += n * (2.0 * self.xv + n * self.vv) + n * q + r * n * (n - 1.0) * (2.0 * n - 1.0) / 6.0;
        self.xv += n * self.vv + r * n * (n - 1.0) / 2.0;
        self.vv += n * r;
    }

    fn update(&mut self, measured: f32, std: f32) {
        let variance = self.xx + std * std;
        let (gain, gain_velocity) = (self.xx / variance, self.xv / variance);
        let innovation = measured - self.x;
        self.x += gain * innovation;
        self.v += gain_velocity * innovation;
        self.vv -= gain_velocity * self.xv;
        self.xv -= gain * self.xv;
        self.xx -= gain * self.xx;
    }
}

/// Where a box is, and where it is going.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    cx: Axis,
    cy: Axis,
    width: Axis,
    height: Axis,
}

impl Motion {
    /// A valid box, seen once; its velocity is unknown.
    pub fn new(bbox: &BBox) -> Self {
        let (cx, cy) = bbox.centre();
        let axis = |value, size: f32| {
            let size = size.max(MIN_SIZE);
            Axis::new(value, NEW_POSITION * STD_POSITION * size, NEW_VELOCITY * STD_VELOCITY * size)
        };
        let (w, h) = (bbox.width(), bbox.height());
        Self { cx: axis(cx, h), cy: axis(cy, h), width: axis(w, w), height: axis(h, h) }
    }

    /// Moves on by `elapsed`.
    pub fn predict(&mut self, elapsed: Duration) {
        let steps = elapsed.as_secs_f32() * REFERENCE_FPS;
        if steps <= 0.0 {
            return;
        }
        let (w, h) = self.size();
        for (axis, size) in [(&mut self.cx, h), (&mut self.cy, h), (&mut self.width, w), (&mut self.height, h)] {
            axis.predict(steps, STD_POSITION * size, STD_VELOCITY * size);
        }
        (self.width.x, self.height.x) = self.size();
    }

    /// Takes in a valid box seen now.
    pub fn update(&mut self, bbox: &BBox) {
        let (w, h) = self.size();
        let (cx, cy) = bbox.centre();
        self.cx.update(cx, STD_MEASURED * h);
        self.cy.update(cy, STD_MEASURED * h);
        self.width.update(bbox.width(), STD_MEASURED * w);
        self.height.update(bbox.height(), STD_MEASURED * h);
    }

    /// Stops growth and shrinking, for a subject that is out of sight.
    pub fn hold_size(&mut self) {
        self.width.v = 0.0;
        self.height.v = 0.0;
    }

    /// The box now.
    pub fn bbox(&self) -> BBox {
        BBox::from_centre(self.cx.x, self.cy.x, self.width.x, self.height.x)
    }

    fn size(&self) -> (f32, f32) {
        (self.width.x.max(MIN_SIZE), self.height.x.max(MIN_SIZE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_nanos(33_333_333);
    const START: BBox = BBox::new(100.0, 500.0, 140.0, 600.0);

    fn walk(motion: &mut Motion, frames: u32) {
        for i in 1..=frames {
            motion.predict(FRAME);
            let x = 100.0 + 3.0 * i as f32;
            motion.update(&BBox::new(x, 500.0, x + 40.0, 600.0));
        }
    }

    #[test]
    fn a_steady_walk_is_predicted() {
        let mut motion = Motion::new(&START);
        walk(&mut motion, 60);
        motion.predict(10 * FRAME);
        let (cx, cy) = motion.bbox().centre();
        assert!((cx - (120.0 + 3.0 * 70.0)).abs() < 3.0, "{cx}");
        assert!((cy - 550.0).abs() < 0.1, "{cy}");
    }

    /// Within the noise's dependence on the size, which is constant here.
    #[test]
    fn one_long_step_equals_many_short_ones() {
        let mut once = Motion::new(&START);
        walk(&mut once, 30);
        once.hold_size();
        let mut often = once;
        once.predict(12 * FRAME);
        (0..24).for_each(|_| often.predict(FRAME / 2));
        for (a, b) in [(once.cx, often.cx), (once.cy, often.cy), (once.width, often.width), (once.height, often.height)]
        {
            for (a, b) in [(a.x, b.x), (a.v, b.v), (a.xx, b.xx), (a.xv, b.xv), (a.vv, b.vv)] {
                assert!((a - b).abs() <= 1e-3 * a.abs().max(1e-3), "{a} {b}");
            }
        }
    }

    /// Values from the 8 x 8 matrices in numpy (f64).
    #[test]
    fn one_frame_equals_the_full_filter() {
        let mut motion = Motion::new(&START);
        motion.predict(FRAME);
        motion.update(&BBox::new(104.0, 502.0, 146.0, 606.0));
        motion.predict(FRAME);
        let expected = [
            123.8462, 0.7396, 553.0769, 0.5917, 41.5385, 0.2959, 103.0769, 0.5917, 151.6487, 48.4675, 34.0849, 24.3149,
        ];
        let Motion { cx, cy, width, height } = motion;
        let got = [cx.x, cx.v, cy.x, cy.v, width.x, width.v, height.x, height.v, cx.xx, cx.xv, cx.vv, width.xx];
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-3 * expected.abs().max(1.0), "{got} {expected}");
        }
    }

    #[test]
    fn a_long_prediction_of_a_shrinking_box_stays_a_box() {
        let mut motion = Motion::new(&START);
        for i in 1..10 {
            motion.predict(FRAME);
            motion.update(&BBox::new(100.0, 500.0, 140.0, 600.0 - 9.0 * i as f32));
        }
        motion.predict(Duration::from_secs(60));
        assert!(motion.bbox().is_valid(), "{:?}", motion.bbox());
    }

    #[test]
    fn a_box_far_below_a_pixel_stays_finite() {
        let speck = BBox::new(0.0, 0.0, 1e-30, 1e-30);
        let mut motion = Motion::new(&speck);
        motion.predict(FRAME);
        motion.update(&speck);
        assert!(motion.bbox().is_valid(), "{:?}", motion.bbox());
    }
}
