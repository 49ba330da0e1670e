//! A subject as ByteTrack knows it.

use std::time::Duration;

use super::kalman::Motion;
use crate::types::detection::Detection;
use crate::types::geometry::BBox;
use crate::types::track::{EndReason, Track};

/// One subject, published once it is confirmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    /// As last seen; the number is 0 until it is confirmed.
    pub track: Track,
    motion: Motion,
    /// The box now: as detected in this frame, else as predicted.
    pub bbox: BBox,
    /// When a high-score detection was last taken.
    pub last_high: Duration,
    /// Has its number.
    pub confirmed: bool,
    /// Has a detection in this frame.
    pub seen: bool,
    /// Had one in the frame before.
    pub seen_before: bool,
    /// To be removed, and why.
    pub over: Option<EndReason>,
}

impl Subject {
    /// Seen for the first time.
    pub fn new(detection: &Detection, now: Duration) -> Self {
        let Detection { bbox, score, class } = *detection;
        Self {
            track: Track {
                number: 0,
                class,
                bbox,
                score,
                top_score: score,
                median_score: score,
                first_seen: now,
                last_seen: now,
                coasted: false,
                stationary: false,
            },
            motion: Motion::new(&bbox),
            bbox,
            last_high: now,
            confirmed: false,
            seen: true,
            seen_before: false,
            over: None,
        }
    }

    /// Moves on to the next frame, in which it is not seen yet.
    pub fn predict(&mut self, elapsed: Duration) {
        if !self.seen {
            self.motion.hold_size();
        }
        self.motion.predict(elapsed);
        self.bbox = self.motion.bbox();
        self.seen_before = self.seen;
        self.seen = false;
    }

    /// Takes in its detection of this frame.
    pub fn see(&mut self, detection: &Detection, now: Duration, high_score: f32) {
        self.motion.update(&detection.bbox);
        self.bbox = detection.bbox;
        self.seen = true;
        if detection.score >= high_score {
            self.last_high = now;
        }
        self.track.bbox = detection.bbox;
        self.track.score = detection.score;
        self.track.top_score = self.track.top_score.max(detection.score);
        self.track.last_seen = now;
    }

    /// From its first to its latest detection.
    pub fn age(&self) -> Duration {
        self.track.last_seen - self.track.first_seen
    }
}
