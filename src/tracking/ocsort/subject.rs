//! A subject as OC-SORT knows it.

use std::time::Duration;

use super::observations::{Direction, Observations};
use super::settings::Settings;
use crate::tracking::kalman::Motion;
use crate::tracking::lives::{Life, Living};
use crate::types::camera_motion::CameraMotion;
use crate::types::detection::Detection;
use crate::types::geometry::BBox;

/// Most steps of a way that is made up for; a longer gap has longer ones.
const MAX_STEPS: u32 = 64;

/// One subject, published once it is confirmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    life: Life,
    /// Predicted to this frame.
    motion: Motion,
    /// As it was after the latest detection.
    motion_seen: Motion,
    /// Where it was last seen, in the picture of now.
    pub last: BBox,
    /// Frames since the latest detection, this one included.
    frames: u32,
    observations: Observations,
    direction: Direction,
    /// When a high-score detection was last taken.
    pub last_high: Duration,
}

impl Living for Subject {
    fn life(&self) -> &Life {
        &self.life
    }

    fn life_mut(&mut self) -> &mut Life {
        &mut self.life
    }
}

impl Subject {
    /// Seen for the first time.
    pub fn new(settings: &Settings, detection: &Detection, now: Duration) -> Self {
        let motion = Motion::new(&settings.motion, &detection.bbox);
        Self {
            life: Life::new(detection, now),
            motion,
            motion_seen: motion,
            last: detection.bbox,
            frames: 0,
            observations: Observations::new(now, &detection.bbox),
            direction: Direction::default(),
            last_high: now,
        }
    }

    /// Moves on by so many reference frames to the next frame, in which it is not seen yet and before which the camera
    /// moved.
    pub fn predict(&mut self, settings: &Settings, steps: f32, camera: &CameraMotion) {
        if !self.life.seen {
            self.motion.hold_size(&settings.motion);
        }
        self.motion.predict(&settings.motion, steps);
        if *camera != CameraMotion::NONE {
            self.motion.warp(&settings.motion, camera);
            self.motion_seen.warp(&settings.motion, camera);
            self.observations.warp(camera);
            self.direction.turn(camera);
            self.last = camera.bbox(&self.last);
        }
        self.life.bbox = self.motion.bbox(&settings.motion);
        self.life.seen = false;
        self.frames = self.frames.saturating_add(1);
    }

    /// Where its direction begins.
    pub fn origin(&self, settings: &Settings, now: Duration) -> (f32, f32) {
        self.observations.before(now, settings.span)
    }

    /// How well a detection continues its way from `origin`, -0.5..0.5 (the paper's observation-centric momentum).
    pub fn momentum(&self, origin: (f32, f32), detection: &Detection) -> f32 {
        self.direction.agreement(Direction::between(origin, detection.bbox.centre()))
    }

    /// Takes in its detection of this frame.
    pub fn see(&mut self, settings: &Settings, detection: &Detection, now: Duration) {
        let origin = self.origin(settings, now);
        self.direction = Direction::between(origin, detection.bbox.centre());
        if settings.re_update && self.frames > 1 {
            self.re_update(settings, &detection.bbox, now);
        }
        self.motion.update(&settings.motion, &detection.bbox);
        self.motion_seen = self.motion;
        self.last = detection.bbox;
        self.frames = 0;
        self.observations.push(now, &detection.bbox, settings.span);
        self.life.see(detection, now);
        if detection.score >= settings.config.high_score {
            self.last_high = now;
        }
    }

    /// Goes back to when it was last seen, and on to now along a straight line, as if it had been seen on it in every
    /// frame (the paper's observation-centric re-update): what the filter believed of its velocity in the meantime is
    /// forgotten. Ends predicted to now.
    fn re_update(&mut self, settings: &Settings, to: &BBox, now: Duration) {
        let from = self.last;
        let steps = self.frames.min(MAX_STEPS);
        let step = settings.motion.steps(now - self.life.track.last_seen) / steps as f32;
        self.motion = self.motion_seen;
        for i in 1..=steps {
            self.motion.predict(&settings.motion, step);
            if i < steps {
                let part = i as f32 / steps as f32;
                let between = |a: f32, b: f32| a + part * (b - a);
                let (x1, y1) = (between(from.x1, to.x1), between(from.y1, to.y1));
                let (x2, y2) = (between(from.x2, to.x2), between(from.y2, to.y2));
                self.motion.update(&settings.motion, &BBox::new(x1, y1, x2, y2));
            }
        }
    }
}
