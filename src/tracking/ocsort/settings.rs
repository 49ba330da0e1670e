//! The settings of OC-SORT.

use std::time::Duration;

use crate::config::Tracking;
use crate::tracking::kalman::Model;

/// All of an OC-SORT's settings.
#[derive(Clone, Copy, Debug)]
pub(in crate::tracking) struct Settings {
    /// Those of the config.
    pub config: Tracking,
    /// How long a track without a detection is still published, as coasted.
    pub coast: Duration,
    /// How boxes move.
    pub motion: Model,
    /// How far back a direction begins (the paper's Δt: three frames at 30 frames/s).
    pub span: Duration,
    /// What a direction counts against an overlap (the paper's λ).
    pub momentum: f32,
    /// Least overlap of a low-score detection with the predicted box, 0..1.
    pub low_iou: f32,
    /// Least overlap with the box last seen, 0..1.
    pub recovery_iou: f32,
    /// After a gap, the way that was not seen is made up for.
    pub re_update: bool,
}

impl Settings {
    /// Span and momentum are the paper's; the overlaps, of which it has 0.3 throughout, are those that gave the best
    /// tracks over MOT17-04, MOT17-09, PETS09-S2L1, TUD-Campus and drawn streets at 5 to 30 frames/s.
    pub const fn new(config: &Tracking) -> Self {
        Self {
            config: *config,
            coast: crate::tracking::COAST,
            motion: Model::BYTETRACK,
            // Three frames, and a bit for frames that come late.
            span: Duration::from_millis(115),
            momentum: 0.2,
            low_iou: 0.6,
            recovery_iou: 0.5,
            re_update: true,
        }
    }
}
