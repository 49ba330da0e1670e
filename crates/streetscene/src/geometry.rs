//! Points of the world (metres, z up) and the pinhole cameras that see them.

use std::ops::{Add, Mul, Sub};

/// A point or direction in the world, metres; the ground is `z = 0`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct V3 {
    /// East.
    pub x: f64,
    /// North.
    pub y: f64,
    /// Up.
    pub z: f64,
}

/// Short for a [`V3`].
pub const fn v3(x: f64, y: f64, z: f64) -> V3 {
    V3 { x, y, z }
}

impl Add for V3 {
    type Output = V3;
    fn add(self, o: V3) -> V3 {
        v3(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl Sub for V3 {
    type Output = V3;
    fn sub(self, o: V3) -> V3 {
        v3(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f64> for V3 {
    type Output = V3;
    fn mul(self, k: f64) -> V3 {
        v3(self.x * k, self.y * k, self.z * k)
    }
}

impl V3 {
    /// Scalar product.
    pub fn dot(self, o: V3) -> f64 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    /// Vector product.
    pub fn cross(self, o: V3) -> V3 {
        v3(self.y * o.z - self.z * o.y, self.z * o.x - self.x * o.z, self.x * o.y - self.y * o.x)
    }

    /// Length.
    pub fn norm(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// The same direction with length 1 (unchanged where the length is 0).
    pub fn unit(self) -> V3 {
        let n = self.norm();
        if n > 1e-12 { self * (1.0 / n) } else { self }
    }

    /// The point a share `t` of the way to `o`.
    pub fn lerp(self, o: V3, t: f64) -> V3 {
        self + (o - self) * t
    }

    /// The horizontal direction of a heading (radians, 0 is east, anticlockwise).
    pub fn heading(angle: f64) -> V3 {
        v3(angle.cos(), angle.sin(), 0.0)
    }
}

/// A calibrated pinhole camera. Pixel `(x, y)` of a point with camera coordinates `(X, Y, Z)` is
/// `(focal X / Z + width / 2, focal Y / Z + height / 2)`, pixel edges at whole numbers.
#[derive(Debug, Clone, Copy)]
pub struct Pinhole {
    /// Where it stands.
    pub position: V3,
    /// Heading of its axis, radians.
    pub yaw: f64,
    /// How far its axis points below the horizon, radians.
    pub pitch: f64,
    /// Focal length, pixels.
    pub focal: f64,
    /// Picture size, pixels.
    pub width: f64,
    /// Picture size, pixels.
    pub height: f64,
    right: V3,
    down: V3,
    forward: V3,
}

/// A point as a camera sees it: pixels, and the depth along its axis in metres.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Pixels from the left edge.
    pub x: f32,
    /// Pixels from the top edge.
    pub y: f32,
    /// Depth, metres.
    pub z: f32,
}

/// Nearest depth that is drawn, metres.
pub const NEAR: f64 = 0.3;

impl Pinhole {
    /// A camera from its pose.
    pub fn new(position: V3, yaw: f64, pitch: f64, focal: f64, width: u32, height: u32) -> Pinhole {
        let flat = V3::heading(yaw);
        let forward = flat * pitch.cos() + v3(0.0, 0.0, -pitch.sin());
        let right = v3(yaw.sin(), -yaw.cos(), 0.0);
        let down = forward.cross(right);
        let (width, height) = (f64::from(width), f64::from(height));
        Pinhole { position, yaw, pitch, focal, width, height, right, down, forward }
    }

    /// A world point in camera coordinates: right, down, ahead.
    pub fn to_camera(&self, p: V3) -> V3 {
        self.turn(p - self.position)
    }

    /// A world direction in camera coordinates.
    pub fn turn(&self, d: V3) -> V3 {
        v3(d.dot(self.right), d.dot(self.down), d.dot(self.forward))
    }

    /// Where a point in camera coordinates falls (its depth is held above [`NEAR`]).
    pub fn place(&self, c: V3) -> Seen {
        let z = c.z.max(NEAR);
        Seen {
            x: (self.focal * c.x / z + self.width / 2.0) as f32,
            y: (self.focal * c.y / z + self.height / 2.0) as f32,
            z: z as f32,
        }
    }

    /// Where a world point falls; `None` behind the camera.
    pub fn project(&self, p: V3) -> Option<Seen> {
        let c = self.to_camera(p);
        (c.z > NEAR).then(|| self.place(c))
    }

    /// The world direction through a pixel position (not of length 1: depth 1).
    pub fn ray(&self, x: f64, y: f64) -> V3 {
        let (u, v) = ((x - self.width / 2.0) / self.focal, (y - self.height / 2.0) / self.focal);
        self.right * u + self.down * v + self.forward
    }

    /// Pixels per metre at a depth.
    pub fn scale(&self, depth: f64) -> f64 {
        self.focal / depth.max(NEAR)
    }
}
