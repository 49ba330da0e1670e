//! From a frame to detections: the frames of one camera on their way through the model that feeds its tracker.

use std::collections::VecDeque;
use std::sync::Arc;

use super::extras::Extras;
use super::whole_frame::{Running, WholeFrame};
use crate::inference::{FrameRef, InferenceError, Lane, LoadedModel, ModelManager};
use crate::source::Frame;
use crate::telemetry::metrics::CameraMetrics;
use crate::types::found::Found;
use crate::types::frame::FrameMeta;

/// Frames of one camera on their way through one model.
pub(super) struct Analysis {
    model: WholeFrame,
    in_flight: VecDeque<InFlight>,
    depth: usize,
    found: Found,
}

struct InFlight {
    meta: FrameMeta,
    /// Its pixels, where somebody needs them afterwards.
    frame: Option<Frame>,
    running: Running,
}

/// What was found in a frame.
pub(super) struct Analysed<'a> {
    pub(super) meta: FrameMeta,
    pub(super) frame: Option<Frame>,
    pub(super) found: &'a Found,
}

impl Analysis {
    pub(super) fn new(
        lane: &Lane,
        models: &ModelManager,
        model: &Arc<LoadedModel>,
        depth: usize,
    ) -> Result<Self, InferenceError> {
        Ok(Self {
            model: WholeFrame::new(lane, models, model, depth)?,
            in_flight: VecDeque::with_capacity(depth),
            depth,
            found: Found::default(),
        })
    }

    pub(super) fn has_room(&self) -> bool {
        self.in_flight.len() < self.depth
    }

    /// Puts another model in its place and hands it back; not with frames in flight.
    pub(super) fn replace(&mut self, model: WholeFrame) -> WholeFrame {
        std::mem::replace(&mut self.model, model)
    }

    /// For a camera that gives no frames.
    pub(super) fn tidy(&mut self) {
        self.model.tidy();
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Starts on a frame, and has further models start that need not wait for its tracks; with `keep` it comes back
    /// together with what was found in it.
    pub(super) fn begin(
        &mut self,
        frame: Frame,
        keep: bool,
        extras: Option<&mut Extras>,
        metrics: &CameraMetrics,
    ) -> Result<(), InferenceError> {
        let meta = frame.meta;
        let Some(picture) = frame.picture() else {
            let model = self.model.model.model.name.clone();
            return Err(InferenceError::Run { model, reason: "the frame's format cannot be read".to_owned() });
        };
        let reference = FrameRef { tag: (meta.run, meta.seq), picture };
        let running = self.model.begin(&reference, metrics)?;
        match extras {
            // Nobody will want to know what else is in it, and the device has better to do.
            Some(extras) if running.has_failed() => extras.pass_over(),
            Some(extras) => extras.begin(&reference, metrics),
            None => {}
        }
        self.in_flight.push_back(InFlight { meta, frame: keep.then_some(frame), running });
        Ok(())
    }

    /// Waits for the oldest frame in flight; `None` where there is none.
    pub(super) fn finish(&mut self, metrics: &CameraMetrics) -> Option<Result<Analysed<'_>, InferenceError>> {
        let InFlight { meta, frame, running } = self.in_flight.pop_front()?;
        if let Err(error) = self.model.finish(running, metrics, &mut self.found) {
            return Some(Err(error));
        }
        metrics.detections.add(self.found.detections.len() as u64);
        Some(Ok(Analysed { meta, frame, found: &self.found }))
    }
}
