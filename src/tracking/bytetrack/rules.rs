//! The choices in which implementations of ByteTrack differ.

use std::time::Duration;

use crate::config::Tracking;
use crate::tracking::kalman::Model;
use crate::types::geometry::BBox;

/// All of a ByteTrack's settings.
#[derive(Clone, Copy, Debug)]
pub(in crate::tracking) struct Rules {
    /// Those of the config.
    pub config: Tracking,
    /// How long a track without a detection is still published, as coasted.
    pub coast: Duration,
    /// How boxes move.
    pub motion: Model,
    /// Least overlap in the second association, 0..1 (the authors' code).
    pub low_iou: f32,
    /// A seen and an unseen track that overlap more are one subject, 0..1 (the authors' code).
    pub duplicate_iou: f32,
    /// Overlaps with high-score detections are multiplied with the score.
    pub fused: bool,
    /// Detections are compared with the box as the filter had it when the track was last seen, in place of the
    /// predicted one.
    pub compare_last_seen: bool,
    /// An unconfirmed track stays where it is until it is confirmed.
    pub unconfirmed_stay: bool,
    /// Tracks of the first frame are confirmed at once.
    pub first_at_once: bool,
    /// A box from 10 to 19 is ten pixels wide, and not nine.
    pub whole_pixels: bool,
}

impl Rules {
    /// Ours.
    pub const fn new(config: &Tracking) -> Self {
        Self {
            config: *config,
            coast: super::COAST,
            motion: Model::BYTETRACK,
            low_iou: 0.5,
            duplicate_iou: 0.85,
            fused: true,
            compare_last_seen: false,
            unconfirmed_stay: false,
            first_at_once: false,
            whole_pixels: false,
        }
    }

    /// Intersection over union.
    pub fn overlap(&self, a: &BBox, b: &BBox) -> f32 {
        if self.whole_pixels {
            let wider = |b: &BBox| BBox::new(b.x1, b.y1, b.x2 + 1.0, b.y2 + 1.0);
            return wider(a).iou(&wider(b));
        }
        a.iou(b)
    }
}
