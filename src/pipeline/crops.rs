//! One camera's use of a ReID model: boxes to embeddings, several in a run.

use std::sync::Arc;
use std::time::Instant;

use super::inputs::CropInput;
use super::whole_frame::{MOST_OUTPUTS, read_outputs};
use crate::inference::budget::next_batch;
use crate::inference::{Context, FrameRef, InferenceError, Lane, LoadedModel, ModelManager};
use crate::telemetry::metrics::{CameraMetrics, Stage};
use crate::types::embedding::Embeddings;
use crate::types::geometry::BBox;
use crate::types::tensor::{TensorData, TensorRef};
use crate::vision::Embedder;

/// A model that looks at crops, as one camera uses it.
pub(super) struct Crops {
    pub(super) model: Arc<LoadedModel>,
    embedder: Embedder,
    input: CropInput,
    context: Option<Box<dyn Context>>,
    embeddings: Embeddings,
    rejected: u64,
}

impl Crops {
    pub(super) fn new(lane: &Lane, models: &ModelManager, model: &Arc<LoadedModel>) -> Result<Self, InferenceError> {
        let embedder = Embedder::new(&model.model, model.io())
            .map_err(|error| InferenceError::Head { model: model.model.name.clone(), reason: error.to_string() })?;
        let input = CropInput::new(&model.model, &embedder)?;
        let context = models.create_pipeline_contexts(lane, model, 1)?.free.pop_front();
        Ok(Self { model: Arc::clone(model), embedder, input, context, embeddings: Embeddings::default(), rejected: 0 })
    }

    /// For a model that has nothing to do.
    pub(super) fn tidy(&mut self) {
        self.context.iter_mut().for_each(|context| context.tidy());
    }

    /// Numbers in one of its embeddings.
    pub(super) fn dim(&self) -> usize {
        self.embedder.dim()
    }

    /// Boxes in one run, at most.
    pub(super) fn most(&self) -> usize {
        self.context.as_ref().map_or(1, |context| context.max_batch())
    }

    /// Looks at `boxes`, and gives each that it can make out its embedding.
    pub(super) fn run(
        &mut self,
        frame: &FrameRef<'_>,
        boxes: &[BBox],
        metrics: &CameraMetrics,
        mut give: impl FnMut(usize, &[f32]),
    ) -> Result<(), InferenceError> {
        let most = self.most();
        let mut begun = 0;
        while begun < boxes.len() {
            // Batches are powers of two: 7 are 4, 2 and 1.
            let left = &boxes[begun..];
            let now = &left[..next_batch(left.len(), most)];
            self.run_once(frame, now, metrics)?;
            for row in 0..now.len() {
                if let Some(embedding) = self.embeddings.get(row) {
                    give(begun + row, embedding);
                }
            }
            begun += now.len();
        }
        let rejected = self.embedder.rejected();
        if rejected > 0 && self.rejected == 0 {
            let model = &self.model.model.name;
            tracing::warn!(%model, "embeddings that are none (all zeros, no number); check the model and its input");
        }
        metrics.bad_boxes.add(rejected.saturating_sub(self.rejected));
        self.rejected = rejected;
        Ok(())
    }

    fn run_once(
        &mut self,
        frame: &FrameRef<'_>,
        boxes: &[BBox],
        metrics: &CameraMetrics,
    ) -> Result<(), InferenceError> {
        let began = Instant::now();
        let Some(mut context) = self.context.take() else { return Err(self.failed("its context is gone")) };
        let prepared = self.input.fill(context.as_mut(), frame, boxes);
        if let Err(error) = prepared {
            self.context = Some(context);
            return Err(error);
        }
        metrics.stage(Stage::Preprocess).observe(began.elapsed());
        let began = Instant::now();
        let (context, result) = context.submit().wait()?;
        metrics.stage(Stage::Infer).observe(began.elapsed());
        let result = result.and_then(|()| {
            let mut outputs = [TensorRef { shape: &[], data: TensorData::F32(&[]) }; MOST_OUTPUTS];
            let count = read_outputs(context.as_ref(), &self.model, &mut outputs);
            let read = self.embedder.read(&outputs[..count], boxes.len(), &mut self.embeddings);
            read.map_err(|error| self.failed(&error.to_string()))
        });
        self.context = Some(context);
        result
    }

    fn failed(&self, reason: &str) -> InferenceError {
        InferenceError::Run { model: self.model.model.name.clone(), reason: reason.to_owned() }
    }
}
