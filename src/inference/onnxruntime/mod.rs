//! ONNX Runtime: on the CPU, or on an NVIDIA GPU by its CUDA or TensorRT provider.

mod cpu;
mod device;
mod device_context;
mod turns;

pub(super) use cpu::{OrtEngine, Workers};
pub(super) use device::OrtDeviceEngine;

use onnxruntime::{ElementType as OrtElement, TensorInfo};

use super::InferenceError;
use crate::types::tensor::{ElementType, ModelIo, TensorSpec};

fn io(inputs: &[TensorInfo], outputs: &[TensorInfo]) -> ModelIo {
    let specs = |infos: &[TensorInfo]| infos.iter().map(spec).collect();
    ModelIo { inputs: specs(inputs), outputs: specs(outputs) }
}

fn spec(info: &TensorInfo) -> TensorSpec {
    let element = match info.element {
        Some(OrtElement::Float32) => ElementType::F32,
        Some(OrtElement::Float16) => ElementType::F16,
        Some(OrtElement::Bfloat16) => ElementType::Bf16,
        Some(OrtElement::Float64) => ElementType::F64,
        Some(OrtElement::Int64) => ElementType::I64,
        Some(OrtElement::Int32) => ElementType::I32,
        Some(OrtElement::Int8) => ElementType::I8,
        Some(OrtElement::Uint8) => ElementType::U8,
        Some(OrtElement::Bool) => ElementType::Bool,
        _ => ElementType::Other,
    };
    TensorSpec { name: info.name.clone(), shape: info.shape.clone(), element }
}

/// The shape with `batch` pictures; other open dimensions are 1.
fn fixed(spec: &TensorSpec, batch: usize) -> Vec<i64> {
    let batch = i64::try_from(batch).unwrap_or(1);
    let dims = spec.shape.iter().enumerate();
    dims.map(|(at, &dim)| match dim {
        1.. => dim,
        _ if at == 0 => batch,
        _ => 1,
    })
    .collect()
}

fn run_error(name: &str, error: &dyn std::fmt::Display) -> InferenceError {
    InferenceError::Run { model: name.to_owned(), reason: error.to_string() }
}

fn lost(name: &str) -> InferenceError {
    InferenceError::Run { model: name.to_owned(), reason: "the worker thread is gone".to_owned() }
}
