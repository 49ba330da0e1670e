//! From a frame to detections: one camera's letterbox, contexts and head.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::inference::{Context, InferenceError, LoadedModel, ModelManager, Pending};
use crate::source::Frame;
use crate::telemetry::metrics::{CameraMetrics, Stage};
use crate::types::detection::Detection;
use crate::types::frame::FrameMeta;
use crate::types::tensor::{TensorData, TensorRef};
use crate::vision::heads::Decoder;
use crate::vision::letterbox::Letterbox;
use crate::vision::mapping::Mapping;

/// Most outputs that a head reads.
const MOST_OUTPUTS: usize = 16;

/// Frames of one camera on their way through one model.
pub(super) struct Analysis {
    model: Arc<LoadedModel>,
    decoder: Decoder,
    letterbox: Option<Letterbox>,
    free: VecDeque<Box<dyn Context>>,
    in_flight: VecDeque<InFlight>,
    depth: usize,
    rejected: u64,
    detections: Vec<Detection>,
}

struct InFlight {
    meta: FrameMeta,
    mapping: Mapping,
    began: Instant,
    pending: Box<dyn Pending>,
}

impl Analysis {
    pub(super) fn new(
        camera: &str,
        models: &ModelManager,
        model: &Arc<LoadedModel>,
        depth: usize,
    ) -> Result<Self, InferenceError> {
        let decoder = Decoder::new(&model.model, model.io())
            .map_err(|error| InferenceError::Head { model: model.model.name.clone(), reason: error.to_string() })?;
        let contexts = models.create_pipeline_contexts(camera, model, depth)?;
        Ok(Self {
            model: Arc::clone(model),
            decoder,
            letterbox: None,
            free: contexts.free,
            in_flight: VecDeque::with_capacity(depth),
            depth,
            rejected: 0,
            detections: Vec::with_capacity(model.model.max_detections),
        })
    }

    pub(super) fn has_room(&self) -> bool {
        self.in_flight.len() < self.depth
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Frame to tensor, and off it goes.
    pub(super) fn begin(&mut self, frame: &Frame, metrics: &CameraMetrics) -> Result<(), InferenceError> {
        let began = Instant::now();
        let Some(mut context) = self.free.pop_front() else { return Err(self.failed("no free context")) };
        match self.prepare(context.as_mut(), frame) {
            Ok(mapping) => {
                metrics.stage(Stage::Preprocess).observe(began.elapsed());
                let in_flight =
                    InFlight { meta: frame.meta, mapping, began: Instant::now(), pending: context.submit() };
                self.in_flight.push_back(in_flight);
                Ok(())
            }
            Err(error) => {
                self.free.push_back(context);
                Err(error)
            }
        }
    }

    fn prepare(&mut self, context: &mut dyn Context, frame: &Frame) -> Result<Mapping, InferenceError> {
        let Some(picture) = frame.picture() else { return Err(self.failed("the frame's format cannot be read")) };
        let input = self.decoder.input();
        if !self.letterbox.as_ref().is_some_and(|letterbox| letterbox.fits(&picture)) {
            // The first frame, or the camera changed its picture size.
            let letterbox = Letterbox::new(&picture, input.width, input.height, &self.model.model.input)
                .map_err(|error| self.failed(&error.to_string()))?;
            self.letterbox = Some(letterbox);
        }
        let Some(letterbox) = self.letterbox.as_mut() else { return Err(self.failed("no letterbox")) };
        if let Err(error) = letterbox.run(&picture, context.input_f32(input.index)?) {
            return Err(self.failed(&error.to_string()));
        }
        let mapping = self.letterbox.as_ref().map(Letterbox::mapping);
        if let Some(input) = self.decoder.size_input() {
            for (element, value) in context.input_i64(input.index)?.iter_mut().zip(input.size) {
                *element = value;
            }
        }
        mapping.ok_or_else(|| self.failed("no letterbox"))
    }

    /// Waits for the oldest frame in flight; `None` where there is none.
    pub(super) fn finish(
        &mut self,
        metrics: &CameraMetrics,
    ) -> Option<Result<(FrameMeta, &[Detection]), InferenceError>> {
        let InFlight { meta, mapping, began, pending } = self.in_flight.pop_front()?;
        let (context, result) = match pending.wait() {
            Ok(done) => done,
            Err(error) => return Some(Err(error)),
        };
        metrics.stage(Stage::Infer).observe(began.elapsed());
        let began = Instant::now();
        let result = result.and_then(|()| self.decode(context.as_ref(), &mapping));
        self.free.push_back(context);
        metrics.stage(Stage::Postprocess).observe(began.elapsed());
        metrics.detections.add(self.detections.len() as u64);
        let rejected = self.decoder.rejected();
        if rejected > 0 && self.rejected == 0 {
            let model = &self.model.model.name;
            tracing::warn!(%model, "boxes that are none (no area, no label, no number); check head and labels");
        }
        metrics.bad_boxes.add(rejected.saturating_sub(self.rejected));
        self.rejected = rejected;
        Some(result.map(|()| (meta, self.detections.as_slice())))
    }

    fn decode(&mut self, context: &dyn Context, mapping: &Mapping) -> Result<(), InferenceError> {
        let mut outputs = [TensorRef { shape: &[], data: TensorData::F32(&[]) }; MOST_OUTPUTS];
        let count = self.model.io().outputs.len().min(MOST_OUTPUTS);
        for (index, output) in outputs.iter_mut().enumerate().take(count) {
            // One of a type that no head reads stays empty; the head looks at those it named.
            if let Ok(tensor) = context.output(index) {
                *output = tensor;
            }
        }
        self.decoder
            .decode(&outputs[..count], mapping, &mut self.detections)
            .map_err(|error| self.failed(&error.to_string()))
    }

    fn failed(&self, reason: &str) -> InferenceError {
        InferenceError::Run { model: self.model.model.name.clone(), reason: reason.to_owned() }
    }
}
