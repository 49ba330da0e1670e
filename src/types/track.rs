//! A subject followed over frames of one camera.

use std::time::Duration;

use super::geometry::BBox;

/// A track as the tracker publishes it after one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Number within its camera and run, from 1, never reused.
    pub number: u64,
    /// Index into the model's labels.
    pub class: u16,
    /// Pixels of the frame: the detection where there was one, else the prediction.
    pub bbox: BBox,
    /// Score of the latest detection, 0..1.
    pub score: f32,
    /// Best score so far.
    pub top_score: f32,
    /// Media time of its first detection.
    pub first_seen: Duration,
    /// Media time of its latest detection.
    pub last_seen: Duration,
    /// True where this frame had no detection for it and `bbox` is predicted.
    pub coasted: bool,
}
