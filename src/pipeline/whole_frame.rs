//! One camera's use of a model that looks at whole frames: letterbox, contexts and head.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::inputs::FrameInput;
use crate::inference::{Context, FrameRef, InferenceError, Lane, LoadedModel, ModelManager, Pending};
use crate::telemetry::metrics::{CameraMetrics, Stage};
use crate::types::found::Found;
use crate::types::tensor::{TensorData, TensorRef};
use crate::vision::heads::Decoder;
use crate::vision::mapping::Mapping;

/// Most outputs that a head reads.
pub(super) const MOST_OUTPUTS: usize = 16;

/// A model that looks at whole frames, as one camera uses it.
pub(super) struct WholeFrame {
    pub(super) model: Arc<LoadedModel>,
    decoder: Decoder,
    input: FrameInput,
    free: VecDeque<Box<dyn Context>>,
    rejected: u64,
}

/// A frame in the model.
pub(super) struct Running {
    mapping: Mapping,
    began: Instant,
    pending: Box<dyn Pending>,
}

impl Running {
    /// True where it is known already that there will be no answer.
    pub(super) fn has_failed(&self) -> bool {
        self.pending.has_failed()
    }
}

impl WholeFrame {
    pub(super) fn new(
        lane: &Lane,
        models: &ModelManager,
        model: &Arc<LoadedModel>,
        depth: usize,
    ) -> Result<Self, InferenceError> {
        let decoder = Decoder::new(&model.model, model.io())
            .map_err(|error| InferenceError::Head { model: model.model.name.clone(), reason: error.to_string() })?;
        let mut contexts = models.create_pipeline_contexts(lane, model, depth)?;
        if let Some(table) = decoder.table() {
            for context in &mut contexts.free {
                context.filter(table.output, table.classes, decoder.min_score())?;
            }
        }
        let input = FrameInput::new(&model.model, &decoder);
        Ok(Self { model: Arc::clone(model), decoder, input, free: contexts.free, rejected: 0 })
    }

    /// For a model that has nothing to do.
    pub(super) fn tidy(&mut self) {
        self.free.iter_mut().for_each(|context| context.tidy());
    }

    /// Picture to tensor, and off it goes.
    pub(super) fn begin(&mut self, frame: &FrameRef<'_>, metrics: &CameraMetrics) -> Result<Running, InferenceError> {
        let began = Instant::now();
        let Some(mut context) = self.free.pop_front() else { return Err(self.failed("no free context")) };
        match self.input.fill(context.as_mut(), frame) {
            Ok(mapping) => {
                metrics.stage(Stage::Preprocess).observe(began.elapsed());
                Ok(Running { mapping, began: Instant::now(), pending: context.submit() })
            }
            Err(error) => {
                self.free.push_back(context);
                Err(error)
            }
        }
    }

    /// Waits for the answer; `found` is what the model found, or empty.
    pub(super) fn finish(
        &mut self,
        running: Running,
        metrics: &CameraMetrics,
        found: &mut Found,
    ) -> Result<(), InferenceError> {
        found.clear();
        let Running { mapping, began, pending } = running;
        let (context, result) = pending.wait()?;
        metrics.stage(Stage::Infer).observe(began.elapsed());
        let began = Instant::now();
        let result = result.and_then(|()| self.decode(context.as_ref(), &mapping, found));
        self.free.push_back(context);
        metrics.stage(Stage::Postprocess).observe(began.elapsed());
        let rejected = self.decoder.rejected();
        if rejected > 0 && self.rejected == 0 {
            let model = &self.model.model.name;
            tracing::warn!(%model, "boxes that are none (no area, no label, no number); check head and labels");
        }
        metrics.bad_boxes.add(rejected.saturating_sub(self.rejected));
        self.rejected = rejected;
        result
    }

    /// Waits for the answer and throws it away.
    pub(super) fn abandon(&mut self, running: Running) {
        if let Ok((context, _)) = running.pending.wait() {
            self.free.push_back(context);
        }
    }

    fn decode(&mut self, context: &dyn Context, mapping: &Mapping, found: &mut Found) -> Result<(), InferenceError> {
        let mut outputs = [TensorRef { shape: &[], data: TensorData::F32(&[]) }; MOST_OUTPUTS];
        let count = read_outputs(context, &self.model, &mut outputs);
        self.decoder.decode(&outputs[..count], mapping, found).map_err(|error| self.failed(&error.to_string()))
    }

    fn failed(&self, reason: &str) -> InferenceError {
        InferenceError::Run { model: self.model.model.name.clone(), reason: reason.to_owned() }
    }
}

/// All outputs of the last run, and how many there are.
pub(super) fn read_outputs<'a>(
    context: &'a dyn Context,
    model: &LoadedModel,
    outputs: &mut [TensorRef<'a>; MOST_OUTPUTS],
) -> usize {
    let count = model.io().outputs.len().min(MOST_OUTPUTS);
    for (index, output) in outputs.iter_mut().enumerate().take(count) {
        // One of a type that no head reads stays empty; the head looks at those it named.
        if let Ok(tensor) = context.output(index) {
            *output = tensor;
        }
    }
    count
}
