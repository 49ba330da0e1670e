//! One engine's answers, read as the pipeline reads them, and as they are.

use std::sync::Arc;

use crate::config::Task;
use crate::inference::{Context, FrameRef, InferenceError, Lane, LoadedModel, ModelManager, Pending};
use crate::pipeline::{CropInput, FrameInput};
use crate::types::embedding::Embeddings;
use crate::types::found::Found;
use crate::types::geometry::BBox;
use crate::types::tensor::{TensorData, TensorRef};
use crate::vision::mapping::Mapping;
use crate::vision::{Decoder, Embedder};

/// A model with one context. Outputs come whole: a device that looked through them would hide most of them.
pub(super) struct Engine {
    model: Arc<LoadedModel>,
    kind: Kind,
    state: State,
}

enum Kind {
    Frames { decoder: Box<Decoder>, input: Box<FrameInput>, mapping: Option<Mapping> },
    Crops { embedder: Box<Embedder>, input: Box<CropInput>, count: usize },
}

enum State {
    Idle(Box<dyn Context>),
    Running(Box<dyn Pending>),
    /// It went down with whatever ran it.
    Gone,
}

impl Engine {
    /// Model `index` of those that are loaded.
    pub(super) fn new(models: &ModelManager, index: usize, lane: &Lane) -> Result<Self, InferenceError> {
        let missing = || InferenceError::Run { model: index.to_string(), reason: "it is not loaded".to_owned() };
        let model = models.model(index).ok_or_else(missing)?;
        let misfit = |reason: String| InferenceError::Head { model: model.model.name.clone(), reason };
        let kind = if model.model.task == Task::Reid {
            let embedder = Embedder::new(&model.model, model.io()).map_err(|error| misfit(error.to_string()))?;
            let input = Box::new(CropInput::new(&model.model, &embedder)?);
            Kind::Crops { embedder: Box::new(embedder), input, count: 0 }
        } else {
            let decoder = Decoder::new(&model.model, model.io()).map_err(|error| misfit(error.to_string()))?;
            let input = Box::new(FrameInput::new(&model.model, &decoder));
            Kind::Frames { decoder: Box::new(decoder), input, mapping: None }
        };
        let context = models.create_pipeline_contexts(lane, &model, 1)?.free.pop_front();
        Ok(Self { model, kind, state: context.map_or(State::Gone, State::Idle) })
    }

    /// False where it looks at crops.
    pub(super) fn finds_boxes(&self) -> bool {
        matches!(self.kind, Kind::Frames { .. })
    }

    /// Most crops in a run.
    pub(super) fn max_batch(&self) -> usize {
        match &self.state {
            State::Idle(context) => context.max_batch(),
            State::Running(_) | State::Gone => 1,
        }
    }

    /// Sets out with a frame, or with boxes of it, a power of two of them, where the model looks at crops.
    pub(super) fn begin(&mut self, frame: &FrameRef<'_>, boxes: &[BBox]) -> Result<(), InferenceError> {
        let State::Idle(context) = &mut self.state else { return Err(self.failed("its context is gone")) };
        match &mut self.kind {
            Kind::Frames { input, mapping, .. } => *mapping = Some(input.fill(context.as_mut(), frame)?),
            Kind::Crops { input, count, .. } => {
                *count = boxes.len();
                input.fill(context.as_mut(), frame, boxes)?;
            }
        }
        self.state = match std::mem::replace(&mut self.state, State::Gone) {
            State::Idle(context) => State::Running(context.submit()),
            other => other,
        };
        Ok(())
    }

    /// Waits for the answer.
    pub(super) fn wait(&mut self) -> Result<(), InferenceError> {
        let State::Running(pending) = std::mem::replace(&mut self.state, State::Gone) else {
            return Err(self.failed("it was not started"));
        };
        let (context, result) = pending.wait()?;
        self.state = State::Idle(context);
        result
    }

    /// What it found in the frame.
    pub(super) fn found(&mut self, found: &mut Found) -> Result<(), InferenceError> {
        let (State::Idle(context), model) = (&self.state, &self.model) else { return Err(self.failed("no answer")) };
        let outputs = outputs(context.as_ref(), model);
        let Kind::Frames { decoder, mapping: Some(mapping), .. } = &mut self.kind else {
            return Err(self.failed("it finds no boxes"));
        };
        let decoded = decoder.decode(&outputs, mapping, found);
        decoded.map_err(|error| self.failed(&error.to_string()))
    }

    /// The embeddings of the crops, in order.
    pub(super) fn embeddings(&mut self, out: &mut Embeddings) -> Result<(), InferenceError> {
        let (State::Idle(context), model) = (&self.state, &self.model) else { return Err(self.failed("no answer")) };
        let outputs = outputs(context.as_ref(), model);
        let Kind::Crops { embedder, count, .. } = &mut self.kind else {
            return Err(self.failed("it gives no embeddings"));
        };
        let read = embedder.read(&outputs, *count, out);
        read.map_err(|error| self.failed(&error.to_string()))
    }

    /// Names of its outputs in the model's order.
    pub(super) fn output_names(&self) -> impl Iterator<Item = &str> {
        self.model.io().outputs.iter().map(|spec| spec.name.as_str())
    }

    /// The values of an output of floats.
    pub(super) fn floats(&self, name: &str) -> Option<&[f32]> {
        let State::Idle(context) = &self.state else { return None };
        let index = self.output_names().position(|other| other == name)?;
        match context.output(index).ok()?.data {
            TensorData::F32(values) => Some(values),
            _ => None,
        }
    }

    fn failed(&self, reason: &str) -> InferenceError {
        InferenceError::Run { model: self.model.model.name.clone(), reason: reason.to_owned() }
    }
}

/// All outputs of the last run. One of a type that no head reads stays empty; the head looks at those it named.
fn outputs<'a>(context: &'a dyn Context, model: &LoadedModel) -> Vec<TensorRef<'a>> {
    let empty = TensorRef { shape: &[], data: TensorData::F32(&[]) };
    (0..model.io().outputs.len()).map(|index| context.output(index).unwrap_or(empty)).collect()
}
