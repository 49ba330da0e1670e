//! An engine's tensors in the daemon's words.

use tensorrt_rs::enums::{DataType, TensorIOMode};
use tensorrt_rs::{Engine, TensorInfo};

use super::bind::Shapes;
use crate::inference::artefact::Tensor;
use crate::inference::budget::pictures;
use crate::types::tensor::{ElementType, TensorSpec};

/// Half precision is the engine's own matter: pictures are prepared in it, outputs widened.
pub(super) fn specs<'a>(tensors: impl Iterator<Item = &'a TensorInfo>) -> Vec<TensorSpec> {
    let spec = |tensor: &TensorInfo| TensorSpec {
        name: tensor.name.clone(),
        shape: tensor.shape.as_slice().to_vec(),
        element: match tensor.data_type {
            DataType::Float | DataType::Half => ElementType::F32,
            DataType::Bf16 => ElementType::Bf16,
            DataType::Int64 => ElementType::I64,
            DataType::Int32 => ElementType::I32,
            DataType::Int8 => ElementType::I8,
            DataType::Uint8 => ElementType::U8,
            DataType::Bool => ElementType::Bool,
            _ => ElementType::Other,
        },
    };
    tensors.map(spec).collect()
}

pub(super) fn gpu_element(element: DataType) -> Option<gpu::ElementType> {
    match element {
        DataType::Float => Some(gpu::ElementType::F32),
        DataType::Half => Some(gpu::ElementType::F16),
        DataType::Int64 => Some(gpu::ElementType::I64),
        DataType::Int32 => Some(gpu::ElementType::I32),
        DataType::Uint8 => Some(gpu::ElementType::U8),
        _ => None,
    }
}

/// The shape of an input with `batch` pictures; other open dimensions are what the profile is tuned for.
pub(super) fn input_shape(tensor: &TensorInfo, batch: usize) -> Vec<i64> {
    let tuned = tensor.ranges.first().map(|range| range.opt);
    let tuned = tuned.as_ref().map_or(&[][..], |dims| dims.as_slice());
    let dims = tensor.shape.as_slice().iter().enumerate();
    dims.map(|(at, &dim)| match dim {
        0.. => dim,
        _ if at == 0 => i64::try_from(batch).unwrap_or(1),
        _ => tuned.get(at).copied().unwrap_or(1),
    })
    .collect()
}

/// What contexts need buffers for, by their largest shapes.
pub(super) fn tensors(engine: &Engine, largest: &Shapes) -> Vec<Tensor> {
    let inputs = largest.inputs.iter().cloned();
    let dimension = |dim: &usize| i64::try_from(*dim).unwrap_or(i64::MAX);
    let outputs = largest.outputs.iter().map(|shape| shape.iter().map(dimension).collect());
    let all = engine.inputs().chain(engine.outputs()).zip(inputs.chain(outputs));
    let tensor = |(tensor, mut shape): (&TensorInfo, Vec<i64>)| {
        let open = tensor.shape.as_slice().first().is_some_and(|dim| *dim < 0);
        if let Some(batch) = shape.first_mut().filter(|_| open) {
            *batch = -1;
        }
        let input = tensor.mode == TensorIOMode::Input;
        let most = tensor.ranges.first().filter(|_| open).and_then(|range| range.max.as_slice().first().copied());
        Some(Tensor {
            name: tensor.name.clone(),
            input,
            element: gpu_element(tensor.data_type)?.into(),
            shape,
            most: most.and_then(|most| u64::try_from(most).ok()),
        })
    };
    all.filter_map(tensor).collect()
}

/// Most pictures in a run, a power of two, no more than `asked`.
pub(super) fn most_pictures<'a>(inputs: impl Iterator<Item = &'a TensorInfo>, asked: usize) -> usize {
    let open = |tensor: &&TensorInfo| tensor.shape.as_slice().first().is_some_and(|dim| *dim < 0);
    let allowed = inputs.filter(open).map(|tensor| {
        let most = tensor.ranges.first().and_then(|range| range.max.as_slice().first().copied());
        usize::try_from(most.unwrap_or(1)).unwrap_or(1)
    });
    pictures(allowed, asked)
}
