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

use crate::types::camera_motion::CameraMotion;
use crate::types::geometry::BBox;

/// Least width and height of a prediction and in the noise, so that a box stays a box. Pixels.
const MIN_SIZE: f32 = 1.0;
/// Most reference frames in one step: a day. Longer ones would leave the numbers' range.
const MAX_STEPS: f32 = 3e6;

/// How boxes move: standard deviations, as parts of the box's size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    /// The time between frames at which the others are stated.
    pub frame: Duration,
    /// Of a position, after one such frame.
    pub position: f32,
    /// Of a velocity per frame, after one such frame.
    pub velocity: f32,
    /// Of a detected edge.
    pub measured: f32,
    /// Of a new track's position, in units of `position`.
    pub new_position: f32,
    /// Of a new track's velocity, in units of `velocity`.
    pub new_velocity: f32,
    /// Follows the ratio of width to height in place of the width, with the noise that SORT's successors give it.
    pub aspect: bool,
}

impl Model {
    /// ByteTrack's noise but for `measured`, which is 1/20 there: small detectors wobble more, and this gave the best
    /// tracks over MOT17-04, MOT17-09 and TUD-Campus.
    pub const BYTETRACK: Self = Self {
        frame: Duration::from_nanos(33_333_333),
        position: 1.0 / 20.0,
        velocity: 1.0 / 160.0,
        measured: 1.0 / 10.0,
        new_position: 2.0,
        new_velocity: 10.0,
        aspect: false,
    };
    /// Of the ratio of width to height (DeepSORT, ByteTrack): of a position, a velocity and a measurement.
    const ASPECT: [f32; 3] = [1e-2, 1e-5, 1e-1];

    /// Reference frames in a time. Both times multiplied with a whole number give the same, bit for bit.
    pub fn steps(&self, elapsed: Duration) -> f32 {
        let steps = elapsed.as_nanos() as f64 / self.frame.as_nanos().max(1) as f64;
        (steps as f32).min(MAX_STEPS)
    }
}

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

    /// All of it is so many times as large.
    fn zoom(&mut self, zoom: f32) {
        self.x *= zoom;
        self.v *= zoom;
        self.widen(zoom);
    }

    /// What is uncertain of it is.
    fn widen(&mut self, zoom: f32) {
        for variance in [&mut self.xx, &mut self.xv, &mut self.vv] {
            *variance *= zoom * zoom;
        }
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
    /// Width, or its ratio to the height.
    width: Axis,
    height: Axis,
}

impl Motion {
    /// A valid box, seen once; its velocity is unknown.
    pub fn new(model: &Model, bbox: &BBox) -> Self {
        let (cx, cy) = bbox.centre();
        let axis = |value, size: f32| {
            let size = size.max(MIN_SIZE);
            Axis::new(value, model.new_position * model.position * size, model.new_velocity * model.velocity * size)
        };
        let (w, h) = (bbox.width(), bbox.height());
        let width = if model.aspect { Axis::new(w / h, Model::ASPECT[0], Model::ASPECT[1]) } else { axis(w, w) };
        Self { cx: axis(cx, h), cy: axis(cy, h), width, height: axis(h, h) }
    }

    /// Moves on by so many reference frames, see [`Model::steps`].
    pub fn predict(&mut self, model: &Model, steps: f32) {
        if steps <= 0.0 {
            return;
        }
        let (w, h) = self.size();
        for (axis, size) in [(&mut self.cx, h), (&mut self.cy, h), (&mut self.height, h)] {
            axis.predict(steps, model.position * size, model.velocity * size);
        }
        self.height.x = self.height.x.max(MIN_SIZE);
        if model.aspect {
            self.width.predict(steps, Model::ASPECT[0], Model::ASPECT[1]);
        } else {
            self.width.predict(steps, model.position * w, model.velocity * w);
            self.width.x = self.width.x.max(MIN_SIZE);
        }
    }

    /// The camera moved: what was known is turned, zoomed and shifted with the picture (BoT-SORT, section 3.2).
    ///
    /// x and y are as uncertain as each other, always, so that turning them leaves them uncorrelated; a box stays
    /// upright.
    pub fn warp(&mut self, model: &Model, camera: &CameraMotion) {
        if *camera == CameraMotion::NONE {
            return;
        }
        let CameraMotion { a, b, .. } = *camera;
        let zoom = camera.zoom();
        (self.cx.x, self.cy.x) = camera.point((self.cx.x, self.cy.x));
        (self.cx.v, self.cy.v) = (a * self.cx.v - b * self.cy.v, b * self.cx.v + a * self.cy.v);
        self.cx.widen(zoom);
        self.cy.widen(zoom);
        self.height.zoom(zoom);
        self.height.x = self.height.x.max(MIN_SIZE);
        if !model.aspect {
            self.width.zoom(zoom);
            self.width.x = self.width.x.max(MIN_SIZE);
        }
    }

    /// Takes in a valid box seen now.
    pub fn update(&mut self, model: &Model, bbox: &BBox) {
        let (w, h) = self.size();
        let (cx, cy) = bbox.centre();
        self.cx.update(cx, model.measured * h);
        self.cy.update(cy, model.measured * h);
        self.height.update(bbox.height(), model.measured * h);
        if model.aspect {
            self.width.update(bbox.width() / bbox.height(), Model::ASPECT[2]);
        } else {
            self.width.update(bbox.width(), model.measured * w);
        }
    }

    /// Stops growth and shrinking, for a subject that is out of sight.
    pub fn hold_size(&mut self, model: &Model) {
        if !model.aspect {
            self.width.v = 0.0;
        }
        self.height.v = 0.0;
    }

    /// The box now.
    pub fn bbox(&self, model: &Model) -> BBox {
        let width = if model.aspect { self.width.x * self.height.x } else { self.width.x };
        BBox::from_centre(self.cx.x, self.cy.x, width, self.height.x)
    }

    fn size(&self) -> (f32, f32) {
        (self.width.x.max(MIN_SIZE), self.height.x.max(MIN_SIZE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: Model = Model::BYTETRACK;
    const FRAME: Duration = Duration::from_nanos(33_333_333);
    const START: BBox = BBox::new(100.0, 500.0, 140.0, 600.0);

    fn walk(motion: &mut Motion, frames: u32) {
        for i in 1..=frames {
            motion.predict(&MODEL, MODEL.steps(FRAME));
            let x = 100.0 + 3.0 * i as f32;
            motion.update(&MODEL, &BBox::new(x, 500.0, x + 40.0, 600.0));
        }
    }

    #[test]
    fn a_steady_walk_is_predicted() {
        let mut motion = Motion::new(&MODEL, &START);
        walk(&mut motion, 60);
        motion.predict(&MODEL, MODEL.steps(10 * FRAME));
        let (cx, cy) = motion.bbox(&MODEL).centre();
        assert!((cx - (120.0 + 3.0 * 70.0)).abs() < 3.0, "{cx}");
        assert!((cy - 550.0).abs() < 0.1, "{cy}");
    }

    /// Within the noise's dependence on the size, which is constant here.
    #[test]
    fn one_long_step_equals_many_short_ones() {
        let mut once = Motion::new(&MODEL, &START);
        walk(&mut once, 30);
        once.hold_size(&MODEL);
        let mut often = once;
        once.predict(&MODEL, MODEL.steps(12 * FRAME));
        (0..24).for_each(|_| often.predict(&MODEL, MODEL.steps(FRAME / 2)));
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
        let mut motion = Motion::new(&MODEL, &START);
        motion.predict(&MODEL, MODEL.steps(FRAME));
        motion.update(&MODEL, &BBox::new(104.0, 502.0, 146.0, 606.0));
        motion.predict(&MODEL, MODEL.steps(FRAME));
        let expected = [
            123.8462, 0.7396, 553.0769, 0.5917, 41.5385, 0.2959, 103.0769, 0.5917, 151.6487, 48.4675, 34.0849, 24.3149,
        ];
        let Motion { cx, cy, width, height } = motion;
        let got = [cx.x, cx.v, cy.x, cy.v, width.x, width.v, height.x, height.v, cx.xx, cx.xv, cx.vv, width.xx];
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-3 * expected.abs().max(1.0), "{got} {expected}");
        }
    }

    /// What a camera that turns by 90 degrees, zooms by 2 and shifts sees of a walk is that walk, turned, zoomed and
    /// shifted, with its uncertainty.
    #[test]
    fn warping_is_what_the_moved_camera_would_have_known() {
        let camera = CameraMotion { a: 0.0, b: 2.0, tx: 1500.0, ty: -40.0 };
        // As wide as high, since a box stays upright.
        let seen = |i: u32| BBox::from_centre(100.0 + 3.0 * i as f32, 500.0 - i as f32, 60.0, 60.0);
        let (mut before, mut moved) = (Motion::new(&MODEL, &seen(0)), Motion::new(&MODEL, &camera.bbox(&seen(0))));
        for i in 1..30 {
            before.predict(&MODEL, MODEL.steps(FRAME));
            before.update(&MODEL, &seen(i));
            moved.predict(&MODEL, MODEL.steps(FRAME));
            moved.update(&MODEL, &camera.bbox(&seen(i)));
        }
        before.warp(&MODEL, &camera);
        let axes = |m: &Motion| [m.cx, m.cy, m.width, m.height].map(|axis| [axis.x, axis.v, axis.xx, axis.xv, axis.vv]);
        for (got, expected) in axes(&before).iter().flatten().zip(axes(&moved).iter().flatten()) {
            assert!((got - expected).abs() < 1e-2 + 1e-4 * expected.abs(), "{before:?} {moved:?}");
        }
    }

    #[test]
    fn a_long_prediction_of_a_shrinking_box_stays_a_box() {
        let mut motion = Motion::new(&MODEL, &START);
        for i in 1..10 {
            motion.predict(&MODEL, MODEL.steps(FRAME));
            motion.update(&MODEL, &BBox::new(100.0, 500.0, 140.0, 600.0 - 9.0 * i as f32));
        }
        motion.predict(&MODEL, MODEL.steps(Duration::from_secs(60)));
        assert!(motion.bbox(&MODEL).is_valid(), "{:?}", motion.bbox(&MODEL));
    }

    #[test]
    fn a_box_far_below_a_pixel_stays_finite() {
        let speck = BBox::new(0.0, 0.0, 1e-30, 1e-30);
        let mut motion = Motion::new(&MODEL, &speck);
        motion.predict(&MODEL, MODEL.steps(FRAME));
        motion.update(&MODEL, &speck);
        assert!(motion.bbox(&MODEL).is_valid(), "{:?}", motion.bbox(&MODEL));
    }
}
