use std::path::PathBuf;

use crate::ComputeStream;

/// Where and how a session runs on an NVIDIA GPU.
#[derive(Clone, Debug)]
pub struct DeviceOptions {
    /// What runs the model.
    pub provider: Provider,
    /// The device, counted as CUDA does.
    pub ordinal: u32,
    /// The stream of that device on which all of the model is computed.
    pub stream: ComputeStream,
}

/// What runs a model on an NVIDIA GPU.
#[derive(Clone, Debug)]
pub enum Provider {
    /// ONNX Runtime's own kernels, with cuDNN and cuBLAS, in 32-bit floats as the model has them: without TF32.
    Cuda,
    /// TensorRT inside ONNX Runtime; what it does not take runs on [`Provider::Cuda`].
    Tensorrt(Tensorrt),
}

/// How TensorRT builds its engines.
#[derive(Clone, Debug, Default)]
pub struct Tensorrt {
    /// Layers may compute in 16-bit floats.
    pub fp16: bool,
    /// Folder that keeps engines and timings, so that only the first start builds them; made where it is not there.
    ///
    /// ONNX Runtime finds an engine there by the graph's names and the device, not by the weights: give each model file
    /// a folder of its own.
    pub cache: Option<PathBuf>,
    /// Sizes of inputs with open dimensions; all such inputs or none. Without them an engine is built for the first
    /// size that runs, and again for each that lies outside of those before.
    pub ranges: Vec<ShapeRange>,
}

/// Smallest, commonest and largest shape of an input.
#[derive(Clone, Debug)]
pub struct ShapeRange {
    /// Name in the model.
    pub input: String,
    /// Smallest.
    pub min: Vec<i64>,
    /// The one that the engine is tuned for.
    pub opt: Vec<i64>,
    /// Largest.
    pub max: Vec<i64>,
}

impl Provider {
    /// As people say it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cuda => "CUDA",
            Self::Tensorrt(_) => "TensorRT",
        }
    }

    /// As ONNX Runtime calls it.
    pub(crate) const fn id(&self) -> &'static str {
        match self {
            Self::Cuda => CUDA,
            Self::Tensorrt(_) => TENSORRT,
        }
    }
}

pub(crate) const CUDA: &str = "CUDAExecutionProvider";
pub(crate) const TENSORRT: &str = "TensorrtExecutionProvider";
