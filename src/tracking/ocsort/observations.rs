//! Where a subject was seen lately, and in which direction it goes.

use std::time::Duration;

use crate::types::camera_motion::CameraMotion;
use crate::types::geometry::BBox;

/// How many are kept.
const KEPT: usize = 8;

/// Centres of the latest detections of one subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observations {
    /// The next one to be forgotten at `oldest`; all the same at first.
    seen: [(Duration, (f32, f32)); KEPT],
    oldest: usize,
}

/// A way with its length taken out, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Direction {
    x: f32,
    y: f32,
}

impl Direction {
    /// None where both are the same point.
    pub fn between(from: (f32, f32), to: (f32, f32)) -> Self {
        let (x, y) = (to.0 - from.0, to.1 - from.1);
        let length = x.hypot(y);
        if length > 0.0 { Self { x: x / length, y: y / length } } else { Self::default() }
    }

    /// How well both agree: 0.5 where they are the same, 0 at right angles, -0.5 where they are opposite; 0 where one
    /// is none.
    pub fn agreement(self, other: Self) -> f32 {
        let cosine = self.x * other.x + self.y * other.y;
        0.5 - cosine.clamp(-1.0, 1.0).acos() / std::f32::consts::PI
    }
}

impl Direction {
    /// The camera turned.
    pub fn turn(&mut self, camera: &CameraMotion) {
        let (x, y) = (camera.a * self.x - camera.b * self.y, camera.b * self.x + camera.a * self.y);
        *self = Self::between((0.0, 0.0), (x, y));
    }
}

impl Observations {
    /// The camera moved: where it was seen is elsewhere in the picture now.
    pub fn warp(&mut self, camera: &CameraMotion) {
        for (_, centre) in &mut self.seen {
            *centre = camera.point(*centre);
        }
    }

    /// Seen for the first time.
    pub fn new(now: Duration, bbox: &BBox) -> Self {
        Self { seen: [(now, bbox.centre()); KEPT], oldest: 0 }
    }

    /// Takes in a detection. `span` is what [`Self::before`] is asked for: at high frame rates, fewer are kept than come.
    pub fn push(&mut self, now: Duration, bbox: &BBox, span: Duration) {
        let back = |n: usize| (self.oldest + KEPT - n) % KEPT;
        // The latest one is replaced while it is near the one before.
        let close = now.saturating_sub(self.seen[back(2)].0).saturating_mul(KEPT as u32 - 1) < span;
        let at = if close { back(1) } else { self.oldest };
        self.seen[at] = (now, bbox.centre());
        self.oldest = (at + 1) % KEPT;
    }

    /// Where it was `span` ago, or the next time after that; where it was last seen if it was not seen since.
    pub fn before(&self, now: Duration, span: Duration) -> (f32, f32) {
        let in_order = (0..KEPT).map(|i| self.seen[(self.oldest + i) % KEPT]);
        let mut latest = (0.0, 0.0);
        for (time, centre) in in_order {
            latest = centre;
            if now.saturating_sub(time) <= span {
                break;
            }
        }
        latest
    }
}
