//! What one model takes.

use gpu::Usage;

use super::{Buffer, pictures};
use crate::config::{Model, Task};
use crate::inference::artefact::{Element, Memory, Tensor};
use crate::inference::device::{InputKey, filter_memory};
use crate::types::tensor::{ElementType, ModelIo, TensorSpec};

/// An output that the device looks through itself, a table of `f32[1, 4 + classes + extras, boxes]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Which of the model's outputs.
    pub output: usize,
    /// Scores of a box.
    pub classes: usize,
}

/// What an engine and each context of it take.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelNeed {
    /// Name in the configuration.
    pub name: String,
    /// Most pictures in a run.
    pub batch: usize,
    /// Bytes of all copies of its engine.
    pub weights: u64,
    /// Bytes that a context needs while it executes.
    pub activations: u64,
    /// Bytes that a context has besides.
    pub context: u64,
    /// Inputs and outputs of a context, on both sides.
    pub tensors: Usage,
    /// What it takes to look through its output on the device.
    pub candidates: Usage,
    /// Prepared pictures, which other models of the camera may want alike.
    pub(super) pictures: Vec<InputKey>,
    /// The device prepares its frames or crops.
    pub(super) frames: bool,
}

impl ModelNeed {
    /// Of an engine that takes `memory`, used as `model` says.
    #[must_use]
    pub fn new(model: &Model, memory: &Memory, filter: Option<Filter>) -> Self {
        let whole_frames = model.task != Task::Reid;
        let asked = if whole_frames { 1 } else { model.max_batch };
        let open = memory.tensors.iter().filter_map(|tensor| tensor.most);
        let batch = pictures(open.map(|most| usize::try_from(most).unwrap_or(usize::MAX)), asked);
        let frames = (whole_frames && batch == 1).then_some(&model.input);
        let buffer = |tensor: &Tensor| {
            let len = sizes(tensor, batch).iter().product();
            Buffer::new(tensor.input, tensor.element.into(), &tensor.shape, len, frames)
        };
        let buffers: Vec<Buffer> = memory.tensors.iter().map(buffer).collect();
        let filtered = filter.filter(|_| batch == 1).and_then(|filter| {
            let output = memory.tensors.iter().filter(|tensor| !tensor.input).nth(filter.output)?;
            (output.element == Element::F32).then(|| filter_memory(&sizes(output, 1), filter.classes))
        });
        Self {
            name: model.name.clone(),
            batch,
            weights: memory.engine * model.engine_copies.max(1) as u64,
            activations: memory.activations,
            context: memory.context,
            tensors: buffers.iter().map(Buffer::memory).sum(),
            candidates: filtered.unwrap_or_default(),
            pictures: buffers.iter().filter_map(|buffer| buffer.shared).collect(),
            frames: buffers.iter().any(|buffer| !buffer.host),
        }
    }
}

fn sizes(tensor: &Tensor, batch: usize) -> Vec<usize> {
    let size = |dim: &i64| usize::try_from(*dim).unwrap_or(batch);
    tensor.shape.iter().map(size).collect()
}

/// Inputs and outputs as heads see them.
#[must_use]
pub fn io(memory: &Memory) -> ModelIo {
    let spec = |tensor: &Tensor| TensorSpec {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        element: match tensor.element {
            Element::F32 | Element::F16 => ElementType::F32,
            Element::I64 => ElementType::I64,
            Element::I32 => ElementType::I32,
            Element::U8 => ElementType::U8,
            Element::Bool => ElementType::Bool,
        },
    };
    let of = |input: bool| memory.tensors.iter().filter(|tensor| tensor.input == input).map(spec).collect();
    ModelIo { inputs: of(true), outputs: of(false) }
}
