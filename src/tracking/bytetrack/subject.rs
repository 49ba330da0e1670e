//! A subject as ByteTrack knows it.

use std::time::Duration;

use super::rules::Rules;
use crate::tracking::kalman::Motion;
use crate::tracking::lives::{Life, Living};
use crate::types::camera_motion::CameraMotion;
use crate::types::detection::Detection;

/// One subject, published once it is confirmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    life: Life,
    motion: Motion,
    /// When a high-score detection was last taken.
    pub last_high: Duration,
    /// Had a detection in the frame before.
    pub seen_before: bool,
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
    pub fn new(rules: &Rules, detection: &Detection, now: Duration) -> Self {
        Self {
            life: Life::new(detection, now),
            motion: Motion::new(&rules.motion, &detection.bbox),
            last_high: now,
            seen_before: false,
        }
    }

    /// Moves on by so many reference frames to the next frame, in which it is not seen yet and before which the camera
    /// moved.
    pub fn predict(&mut self, rules: &Rules, steps: f32, camera: &CameraMotion) {
        if !self.life.seen {
            self.motion.hold_size(&rules.motion);
        }
        if self.life.confirmed || !rules.unconfirmed_stay {
            self.motion.predict(&rules.motion, steps);
        }
        self.motion.warp(&rules.motion, camera);
        if !rules.compare_last_seen {
            self.life.bbox = self.motion.bbox(&rules.motion);
        }
        self.seen_before = self.life.seen;
        self.life.seen = false;
    }

    /// Takes in its detection of this frame.
    pub fn see(&mut self, rules: &Rules, detection: &Detection, now: Duration) {
        self.motion.update(&rules.motion, &detection.bbox);
        self.life.see(detection, now);
        if rules.compare_last_seen {
            self.life.bbox = self.motion.bbox(&rules.motion);
        }
        if detection.score >= rules.config.high_score {
            self.last_high = now;
        }
    }
}
