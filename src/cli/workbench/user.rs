//! One lane's use of a model, down to its raw outputs.

use std::sync::Arc;

use crate::config::Task;
use crate::inference::{Context, FrameRef, InferenceError, Lane, LoadedModel, ModelManager, Pending};
use crate::pipeline::{CropInput, FrameInput};
use crate::types::geometry::BBox;
use crate::types::tensor::TensorRef;
use crate::vision::{Decoder, Embedder};

/// A model with one context of a lane, which prepares its inputs as the pipeline does.
pub(in crate::cli) struct ModelUser {
    pub(in crate::cli) model: Arc<LoadedModel>,
    kind: Kind,
    state: State,
}

enum Kind {
    Frames { decoder: Box<Decoder>, input: Box<FrameInput> },
    Crops { input: Box<CropInput>, boxes: Vec<BBox> },
}

enum State {
    Idle(Box<dyn Context>),
    Running(Box<dyn Pending>),
    /// It went down with whatever ran it.
    Gone,
}

impl ModelUser {
    pub(in crate::cli) fn new(
        models: &ModelManager,
        lane: &Lane,
        model: &Arc<LoadedModel>,
    ) -> Result<Self, InferenceError> {
        let misfit = |reason: String| InferenceError::Head { model: model.model.name.clone(), reason };
        let kind = if model.model.task == Task::Reid {
            let head = Embedder::new(&model.model, model.io()).map_err(|error| misfit(error.to_string()))?;
            Kind::Crops { input: Box::new(CropInput::new(&model.model, &head)?), boxes: Vec::new() }
        } else {
            let decoder = Decoder::new(&model.model, model.io()).map_err(|error| misfit(error.to_string()))?;
            let input = Box::new(FrameInput::new(&model.model, &decoder));
            Kind::Frames { decoder: Box::new(decoder), input }
        };
        let context = models.create_pipeline_contexts(lane, model, 1)?.free.pop_front();
        let state = context.map_or(State::Gone, State::Idle);
        Ok(Self { model: Arc::clone(model), kind, state })
    }

    pub(in crate::cli) fn name(&self) -> &str {
        &self.model.model.name
    }

    /// True where it looks at crops.
    pub(in crate::cli) fn takes_crops(&self) -> bool {
        matches!(self.kind, Kind::Crops { .. })
    }

    /// Most pictures in a run, a power of two.
    pub(in crate::cli) fn max_batch(&self) -> usize {
        match &self.state {
            State::Idle(context) => context.max_batch(),
            State::Running(_) | State::Gone => 1,
        }
    }

    /// From now on the device looks through outputs itself where it can, as it does for the pipeline.
    pub(in crate::cli) fn filter(&mut self) -> Result<(), InferenceError> {
        if let (State::Idle(context), Kind::Frames { decoder, .. }) = (&mut self.state, &self.kind)
            && let Some(table) = decoder.table()
        {
            context.filter(table.output, table.classes, decoder.min_score())?;
        }
        Ok(())
    }

    /// The next run has `batch` pictures, a power of two.
    pub(in crate::cli) fn set_batch(&mut self, batch: usize) -> Result<(), InferenceError> {
        match &mut self.state {
            State::Idle(context) => context.set_batch(batch),
            State::Running(_) | State::Gone => Err(self.gone()),
        }
    }

    /// Puts the frame into the model's input, or `batch` boxes of it where the model looks at crops.
    pub(in crate::cli) fn prepare(&mut self, frame: &FrameRef<'_>, batch: usize) -> Result<(), InferenceError> {
        let State::Idle(context) = &mut self.state else { return Err(self.gone()) };
        match &mut self.kind {
            Kind::Frames { input, .. } => input.fill(context.as_mut(), frame).map(|_| ()),
            Kind::Crops { input, boxes } => {
                let (width, height) = (frame.picture.width as f32, frame.picture.height as f32);
                boxes.clear();
                boxes.extend((0..batch).map(|n| cut_out(n, width, height)));
                input.fill(context.as_mut(), frame, boxes)
            }
        }
    }

    /// Starts a run.
    pub(in crate::cli) fn submit(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Gone) {
            State::Idle(context) => State::Running(context.submit()),
            other => other,
        };
    }

    /// Waits for the run's end.
    pub(in crate::cli) fn wait(&mut self) -> Result<(), InferenceError> {
        let State::Running(pending) = std::mem::replace(&mut self.state, State::Gone) else { return Err(self.gone()) };
        let (context, result) = pending.wait()?;
        self.state = State::Idle(context);
        result
    }

    /// An output of the last run; `None` for one of a type that nothing reads.
    pub(in crate::cli) fn output(&self, index: usize) -> Option<TensorRef<'_>> {
        match &self.state {
            State::Idle(context) => context.output(index).ok(),
            State::Running(_) | State::Gone => None,
        }
    }

    fn gone(&self) -> InferenceError {
        InferenceError::Run { model: self.name().to_owned(), reason: "its context is gone".to_owned() }
    }
}

/// The n-th box: upright, each at another place.
fn cut_out(n: usize, width: f32, height: f32) -> BBox {
    let x = (n * 5 % 13) as f32 / 13.0;
    let y = (n * 3 % 7) as f32 / 14.0;
    BBox::new(x * width, y * height, (x + 0.07) * width, (y + 0.4) * height)
}
