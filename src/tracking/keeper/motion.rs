//! Constant-velocity Kalman filter of one box in continuous time.
//!
//! Centre, width and height with a velocity each, as in BoT-SORT (Aharon et al., 2022, section 3.1), which falls
//! apart into four filters of 2 x 2. Noise is white in continuous time, so that one long step is exactly two short
//! ones and no number depends on the frame rate. Lengths are shares of the box's size, the root of its area, so that
//! people and cars, near and far, are alike.

use super::settings::Settings;
use crate::types::camera_motion::CameraMotion;
use crate::types::geometry::BBox;

/// Least width and height, pixels.
const MIN_SIZE: f32 = 1.0;
/// Vertical speed of a new track as a share of the horizontal one, and that of width and height.
const NEW_VERTICAL: f32 = 0.6;
const NEW_GROWTH: f32 = 0.2;
/// Growth fades this many times faster than speed.
const GROWTH_FADE: f32 = 4.0;

/// One value, its velocity, and their covariance.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    pub x: f32,
    pub v: f32,
    xx: f32,
    xv: f32,
    vv: f32,
}

impl Axis {
    fn new(x: f32, std: f32, std_velocity: f32) -> Self {
        Self { x, v: 0.0, xx: std * std, xv: 0.0, vv: std_velocity * std_velocity }
    }

    fn predict(&mut self, t: f32, q_pos: f32, q_vel: f32) {
        let (q, r) = (q_pos * q_pos, q_vel * q_vel);
        self.x += t * self.v;
        self.xx += t * (2.0 * self.xv + t * self.vv) + t * q + r * t * t * t / 3.0;
        self.xv += t * self.vv + r * t * t / 2.0;
        self.vv += t * r;
    }

    fn update(&mut self, measured: f32, variance: f32) {
        let total = self.xx + variance;
        let (gain, gain_velocity) = (self.xx / total, self.xv / total);
        let innovation = measured - self.x;
        self.x += gain * innovation;
        self.v += gain_velocity * innovation;
        self.vv -= gain_velocity * self.xv;
        self.xv -= gain * self.xv;
        self.xx -= gain * self.xx;
    }

    fn fade(&mut self, keep: f32) {
        self.v *= keep;
        self.xv *= keep;
        self.vv *= keep * keep;
    }

    fn scale(&mut self, by: f32) {
        self.v *= by;
        self.xx *= by * by;
        self.xv *= by * by;
        self.vv *= by * by;
    }
}

/// Where a box is, and where it is going: pixels, and pixels per second.
#[derive(Clone, Copy, Debug)]
pub struct Motion {
    pub cx: Axis,
    pub cy: Axis,
    width: Axis,
    height: Axis,
}

impl Motion {
    /// A box seen once.
    pub fn new(bbox: &BBox, s: &Settings) -> Self {
        let (cx, cy) = bbox.centre();
        let (w, h) = (bbox.width().max(MIN_SIZE), bbox.height().max(MIN_SIZE));
        let size = (w * h).sqrt();
        let axis = |x, size: f32, share: f32| Axis::new(x, s.r_pos * size, s.new_speed * share * size);
        Self {
            cx: axis(cx, size, 1.0),
            cy: axis(cy, size, NEW_VERTICAL),
            width: axis(w, w, NEW_GROWTH),
            height: axis(h, h, NEW_GROWTH),
        }
    }

    /// The root of its area, pixels.
    pub fn size(&self) -> f32 {
        (self.width.x * self.height.x).sqrt()
    }

    /// Moves on by `t` seconds.
    pub fn predict(&mut self, t: f32, s: &Settings) {
        if t <= 0.0 {
            return;
        }
        let (w, h, size) = (self.width.x, self.height.x, self.size());
        self.cx.predict(t, s.q_pos * size, s.q_vel * size);
        self.cy.predict(t, s.q_pos * size, s.q_vel * size);
        self.width.predict(t, s.q_size * s.q_pos * w, s.q_size * s.q_vel * w);
        self.height.predict(t, s.q_size * s.q_pos * h, s.q_size * s.q_vel * h);
        self.stay_a_box();
    }

    /// Out of sight for `t` seconds: what it did last is worth less and less.
    pub fn fade(&mut self, t: f32, s: &Settings) {
        let rate = -t / s.fade_s;
        self.cx.fade(rate.exp());
        self.cy.fade(rate.exp());
        self.width.fade((GROWTH_FADE * rate).exp());
        self.height.fade((GROWTH_FADE * rate).exp());
    }

    /// Takes in a box seen now, `doubt` times as uncertain as usual.
    ///
    /// Beyond `outlier` sigma the innovation counts as if it were less certain by as much (Huber's weights): a box
    /// that jumps is more often half hidden than half a stride ahead.
    pub fn update(&mut self, bbox: &BBox, doubt: f32, s: &Settings) {
        let (cx, cy) = bbox.centre();
        let (w, h, size) = (self.width.x, self.height.x, self.size());
        let (vx, vy) = self.spread(s);
        let far = (cx - self.cx.x).powi(2) / vx + (cy - self.cy.x).powi(2) / vy;
        let doubt = doubt * doubt * (far / (s.outlier * s.outlier)).max(1.0);
        let variance = |size: f32| (s.r_pos * size).powi(2) * doubt;
        self.cx.update(cx, variance(size));
        self.cy.update(cy, variance(size));
        self.width.update(bbox.width(), variance(w));
        self.height.update(bbox.height(), variance(h));
        self.stay_a_box();
    }

    fn stay_a_box(&mut self) {
        self.width.x = self.width.x.max(MIN_SIZE);
        self.height.x = self.height.x.max(MIN_SIZE);
    }

    /// State and covariance follow the camera (BoT-SORT, section 3.2).
    pub fn follow(&mut self, camera: &CameraMotion) {
        let (x, y) = camera.point((self.cx.x, self.cy.x));
        let (vx, vy) = (self.cx.v, self.cy.v);
        let zoom = camera.zoom();
        for axis in [&mut self.cx, &mut self.cy, &mut self.width, &mut self.height] {
            axis.scale(zoom);
        }
        (self.cx.x, self.cy.x) = (x, y);
        (self.cx.v, self.cy.v) = (camera.a * vx - camera.b * vy, camera.b * vx + camera.a * vy);
        self.width.x *= zoom;
        self.height.x *= zoom;
        self.stay_a_box();
    }

    /// Where it is.
    pub fn bbox(&self) -> BBox {
        BBox::from_centre(self.cx.x, self.cy.x, self.width.x, self.height.x)
    }

    /// Variances of the centre of a detection, x and y.
    pub fn spread(&self, s: &Settings) -> (f32, f32) {
        let r = (s.r_pos * self.size()).powi(2);
        (self.cx.xx + r, self.cy.xx + r)
    }
}
