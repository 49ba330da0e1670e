//! What detections look like, for a tracker that asks before it tells tracks.

use std::time::{Duration, Instant};

use super::extras::Extras;
use crate::inference::FrameRef;
use crate::telemetry::metrics::CameraMetrics;
use crate::tracking::{Input, MAX_DETECTIONS, Tracker};
use crate::types::embedding::Embeddings;

/// Looks of one frame's detections.
pub(super) struct Looks {
    /// Detections that the tracker asked for.
    wanted: Vec<usize>,
    rows: Embeddings,
}

impl Looks {
    pub(super) fn new() -> Self {
        Self { wanted: Vec::with_capacity(MAX_DETECTIONS), rows: Embeddings::default() }
    }

    /// Has the ReID model look at the detections that the tracker asks for. `None` where it asks for none, or nobody
    /// looked; else a row for each detection. With it comes how long the model took.
    pub(super) fn take(
        &mut self,
        tracker: &mut dyn Tracker,
        extras: Option<&mut Extras>,
        frame: Option<&FrameRef<'_>>,
        input: &Input<'_>,
        metrics: &CameraMetrics,
    ) -> (Option<&Embeddings>, Duration) {
        let (Some(extras), Some(frame)) = (extras, frame) else { return (None, Duration::ZERO) };
        if !extras.has_looks() {
            return (None, Duration::ZERO);
        }
        tracker.wants(input, &mut self.wanted);
        if self.wanted.is_empty() {
            return (None, Duration::ZERO);
        }
        let began = Instant::now();
        let looked = extras.look(frame, input.detections, &mut self.wanted, &mut self.rows, metrics);
        (looked.then_some(&self.rows), began.elapsed())
    }
}
