//! What is in a plan, as TensorRT tells it.

mod layers;

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

pub use layers::{Layer, Layers, Placement};

use super::artefact::{Manifest, Memory, Mismatch, Platform};
use super::contract::ContractReport;
use super::device::Gpu;
use super::health::Health;
use super::tensorrt::{self, TensorRt};
use super::{InferenceError, file};
use crate::config::{Concurrency, Policy};

/// What TensorRT tells of a plan, and what was measured of it on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Digest of the file, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// This machine.
    pub platform: Platform,
    /// The name given when it was built.
    pub name: String,
    /// Inputs, then outputs.
    pub tensors: Vec<TensorFacts>,
    /// Bytes of activations of a context, by profile.
    pub activations_by_profile: Vec<u64>,
    /// What it took here.
    pub memory: Memory,
    /// Bytes of its weights as TensorRT tells them, from 10.14.
    pub weights_bytes: Option<u64>,
    /// Streams that it may use beside the one it is given.
    pub aux_streams: i32,
    /// Its weights can be replaced.
    pub refittable: bool,
    /// On which other devices it may run, by TensorRT's name.
    pub hardware_compatibility: &'static str,
    /// Layers after fusion.
    pub layers: Layers,
}

/// An input or output.
#[derive(Clone, Debug, Serialize)]
pub struct TensorFacts {
    /// Its name.
    pub name: String,
    /// The engine takes it; else it gives it.
    pub input: bool,
    /// TensorRT's name for the type of its elements.
    #[serde(rename = "type")]
    pub element: &'static str,
    /// Dimensions, -1 where they are open.
    pub shape: Vec<i64>,
    /// In whose memory it lies, by TensorRT's name.
    pub location: &'static str,
    /// How it lies there, in TensorRT's words.
    pub format: String,
    /// Shapes by profile; of inputs only.
    pub profiles: Vec<super::artefact::Range>,
}

/// A plan, its manifest, and this machine.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// This machine.
    pub platform: Platform,
    /// What forbids the plan here, by its manifest: it was not loaded then.
    pub mismatches: Vec<Mismatch>,
    /// What is worth a warning, by its manifest.
    pub remarks: Vec<Mismatch>,
    /// What TensorRT tells of it.
    pub inspection: Option<Inspection>,
}

/// Loads a plan on this machine's device, unless its manifest forbids that, makes a context of it, and asks both.
///
/// `onnx_sha256`: of the model file that it should be of. `library`: TensorRT's, where it is not at one of its usual places.
///
/// # Errors
/// [`InferenceError::Gpu`] where there is no device or no TensorRT, [`InferenceError::File`] where the plan cannot be read,
/// [`InferenceError::Plan`] where TensorRT cannot load it.
pub fn inspect(
    plan: &Path,
    manifest: Option<&Manifest>,
    onnx_sha256: Option<&str>,
    library: Option<&Path>,
) -> Result<Inspected, InferenceError> {
    let name = plan.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let file = file::open_plan(&name, plan)?;
    let mut report = ContractReport::bare(Policy::Any);
    let health = Arc::new(Health::new(Path::new(""), false));
    let gpu = Gpu::open(Concurrency::Parallel, &health, &mut report)?;
    let trt = TensorRt::open(library, &gpu, &mut report)?;
    let platform = trt.platform().clone();
    let (mut mismatches, mut remarks) = (Vec::new(), Vec::new());
    if let Some(manifest) = manifest {
        let onnx = onnx_sha256.unwrap_or(&manifest.onnx.sha256);
        (mismatches, remarks) = (manifest.mismatches(&platform, onnx, file.sha256()), manifest.remarks(&platform));
    }
    let unusable = |reason: String| {
        gpu.unless_lost_now(InferenceError::Plan { model: name.clone(), path: plan.to_owned(), reason })
    };
    let inspect = || tensorrt::inspect(&trt, &name, &file).map_err(unusable);
    let inspection = mismatches.is_empty().then(inspect).transpose()?;
    Ok(Inspected { platform, mismatches, remarks, inspection })
}
