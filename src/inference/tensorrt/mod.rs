//! TensorRT on an NVIDIA GPU: one engine per model; a context, buffers and its turn on the stream for each camera.

mod bind;
pub mod build;
mod context;
mod engine;
mod inspect;
mod io;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gpu::{DeviceBuffer, Stream};
use tensorrt_rs::{Library, Runtime, RuntimeOptions, Scratch};

use bind::Broken;
pub(super) use engine::TrtEngine;
pub(super) use inspect::inspect;

use super::InferenceError;
use super::artefact::Platform;
use super::contract::{self, ContractReport};
use super::device::{Gpu, refused};
use crate::config::Concurrency;

/// Where TensorRT is looked for, in the loader's usual places.
const LIBRARIES: [&str; 2] = ["libnvinfer.so.10", "libnvinfer.so.11"];

/// TensorRT on the device, once per process.
pub(super) struct TensorRt {
    /// Before the device: fields drop in this order.
    runtime: Arc<Runtime>,
    /// Runtimes of deep-learning accelerators: a plan does not choose one, its runtime does.
    accelerated: Mutex<BTreeMap<u32, Arc<Runtime>>>,
    /// Blocks of activation memory that contexts share in serial mode, each larger than those before it: one, but while
    /// a larger engine takes the place of another.
    scratch: Mutex<Vec<Scratch>>,
    gpu: Arc<Gpu>,
    platform: Platform,
    /// In use on the device before any engine was loaded; `None` where the host's memory is in it.
    process_bytes: Option<u64>,
}

impl TensorRt {
    /// Loads the library the config names, or else the first of the usual ones that is there.
    ///
    /// # Errors
    /// Where none is, or it makes no runtime.
    pub(super) fn open(
        library: Option<&Path>,
        gpu: &Arc<Gpu>,
        report: &mut ContractReport,
    ) -> Result<Arc<Self>, InferenceError> {
        report.begin(contract::TENSORRT);
        let library = load(library)?;
        let version = version(&library);
        tracing::info!(path = %library.path().display(), %version, "TensorRT loaded");
        gpu.device.bind().map_err(|error| refused(&error))?;
        report.tensorrt = Some(version.clone());
        let runtime = Runtime::new(&library, &RuntimeOptions::default()).map_err(|error| refused(&error))?;
        report.passed(contract::TENSORRT, &format!("{version} of {}", library.path().display()));
        let platform = Platform::here(gpu.device.info(), &version);
        let (free, total) = gpu.device.free_memory().map_err(|error| refused(&error))?;
        let process_bytes = (!platform.gpu.integrated).then_some(total.saturating_sub(free) as u64);
        Ok(Arc::new(Self {
            runtime,
            accelerated: Mutex::default(),
            scratch: Mutex::default(),
            gpu: Arc::clone(gpu),
            platform,
            process_bytes,
        }))
    }

    /// What loads engines of this accelerator, or of the GPU.
    fn runtime(&self, dla_core: Option<u32>) -> Result<Arc<Runtime>, tensorrt_rs::Error> {
        let Some(core) = dla_core else { return Ok(Arc::clone(&self.runtime)) };
        let mut runtimes = self.accelerated.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtimes.get(&core) {
            return Ok(Arc::clone(runtime));
        }
        let options = RuntimeOptions { dla_core: i32::try_from(core).ok(), ..RuntimeOptions::default() };
        let runtime = Runtime::new(self.runtime.library(), &options)?;
        runtimes.insert(core, Arc::clone(&runtime));
        Ok(runtime)
    }

    /// What plans must have been built for.
    pub(super) fn platform(&self) -> &Platform {
        &self.platform
    }

    /// With `concurrency = "serial"`: a block that contexts share, of at least `bytes`. Contexts that have a smaller one
    /// keep it; the largest engine asks first, so there is one in the end.
    fn scratch(&self, bytes: u64) -> Result<Option<Scratch>, Broken> {
        if self.gpu.gate.configured() != Concurrency::Serial {
            return Ok(None);
        }
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(1);
        let mut blocks = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scratch) = blocks.iter().find(|scratch| scratch.byte_len() >= bytes) {
            return Ok(Some(scratch.clone()));
        }
        let stream = Stream::new(&self.gpu.device).map_err(gpu::Error::from)?;
        let owner = self.gpu.device.owner("activations");
        let buffer = DeviceBuffer::<u8>::new(&stream, &owner, bytes)?;
        // Its first bytes are written by its own stream, which nobody else waits for.
        stream.synchronize().map_err(gpu::Error::from)?;
        tracing::info!(mb = bytes >> 20, bytes, "activation memory shared by all contexts");
        let scratch = Scratch::new(buffer)?;
        blocks.push(scratch.clone());
        Ok(Some(scratch))
    }

    /// From now on the largest engine needs so many bytes of activation memory: of the shared blocks the smallest that
    /// holds them is kept, and any other ends with the last context of it.
    pub(super) fn trim_scratch(&self, bytes: u64) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(1);
        let mut blocks = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = blocks.iter().filter(|scratch| scratch.byte_len() >= bytes);
        let kept = enough.min_by_key(|scratch| scratch.byte_len()).cloned();
        if kept.is_some() {
            self.gpu.bind_to_end();
            *blocks = Vec::from_iter(kept);
        }
    }
}

/// What plans must have been built for on this machine, without taking its device into use; `None` where it has none, or no
/// TensorRT.
#[must_use]
pub fn this_machine(library: Option<&Path>) -> Option<Platform> {
    let device = gpu::Driver::load().and_then(|driver| driver.devices()).ok()?.into_iter().next()?;
    Some(Platform::here(&device, &version(&load(library).ok()?)))
}

/// With the build number, on which plans depend too.
fn version(library: &Library) -> String {
    library.build().map_or_else(|| library.version().to_string(), |build| format!("{}.{build}", library.version()))
}

fn load(configured: Option<&Path>) -> Result<Library, InferenceError> {
    let candidates: Vec<&Path> = configured.map_or_else(|| LIBRARIES.map(Path::new).to_vec(), |path| vec![path]);
    let mut tried = Vec::new();
    for path in candidates {
        match Library::load(path) {
            Ok(library) => return Ok(library),
            Err(error) => tried.push(error.to_string()),
        }
    }
    let reason = format!(
        "TensorRT cannot be loaded: {}; install TensorRT 10 or 11 (JetPack: nvidia-tensorrt), or name the file with \
         runtime.tensorrt_library",
        tried.join("; ")
    );
    Err(InferenceError::Gpu { reason })
}
