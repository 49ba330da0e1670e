//! What is measured on: device, libraries, models.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::config::{Backend, Config};
use crate::inference::{self, InferenceError, ModelManager};

/// What a simulated device's name begins with.
const SIMULATED: &str = "Simulated GPU";
/// TensorRT's libraries, as the daemon looks for them.
const TENSORRT: [&str; 2] = ["libnvinfer.so.10", "libnvinfer.so.11"];

/// Keeps the device open from the first mode to the last: its context must not end in between, since libraries that
/// use it stay in the process.
pub(in crate::cli) struct OpenDevice {
    device: Option<gpu::Device>,
}

impl OpenDevice {
    /// Opens the device, where a model runs on one, before anything else may touch it.
    pub(in crate::cli) fn open(config: &Config) -> Result<Self, InferenceError> {
        let on_gpu = config.models.iter().any(|model| model.backend != Backend::OnnxruntimeCpu);
        let open = || gpu::Driver::load().and_then(|driver| driver.open(0));
        let device = on_gpu.then(open).transpose();
        Ok(Self { device: device.map_err(|error| InferenceError::Gpu { reason: error.to_string() })? })
    }

    /// Whether a model runs on a GPU.
    pub(in crate::cli) fn has_device(&self) -> bool {
        self.device.is_some()
    }

    /// What is measured on, once models are loaded.
    pub(in crate::cli) fn about(&self, config: &Config, models: &ModelManager) -> About {
        let loaded: Vec<_> = (0..config.models.len()).filter_map(|index| models.model(index)).collect();
        let of = |backend: fn(Backend) -> bool| config.models.iter().any(|model| backend(model.backend));
        let onnxruntime = of(|backend| backend != Backend::Tensorrt).then(|| onnxruntime(config)).flatten();
        let device = self.device.as_ref().map(gpu::Device::info);
        About {
            watchkeeper: env!("CARGO_PKG_VERSION"),
            simulated: device.is_some_and(|info| info.name.starts_with(SIMULATED)),
            device: device.map(DeviceFacts::new),
            tensorrt: of(|backend| backend == Backend::Tensorrt).then(|| tensorrt(config)).flatten(),
            onnxruntime,
            models: loaded
                .iter()
                .map(|loaded| ModelFacts {
                    name: loaded.model.name.clone(),
                    task: loaded.model.task.name(),
                    provider: loaded.provider(),
                    sha256: loaded.sha256.clone(),
                    engine_copies: loaded.model.engine_copies,
                })
                .collect(),
        }
    }
}

fn tensorrt(config: &Config) -> Option<String> {
    let usual = TENSORRT.map(Path::new);
    let places = config.runtime.tensorrt_library.as_deref().map_or_else(|| usual.to_vec(), |path| vec![path]);
    let library = places.into_iter().find_map(|path| tensorrt_rs::Library::load(path).ok())?;
    let build = library.build().map(|build| format!(".{build}")).unwrap_or_default();
    Some(format!("{}{build}", library.version()))
}

/// The one that is loaded already.
fn onnxruntime(config: &Config) -> Option<String> {
    let runtime = inference::load_onnxruntime(config.runtime.onnxruntime_library.as_deref()).ok()?;
    process::library::onnxruntime_version(runtime.path()).ok()
}

/// What was measured on.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct About {
    /// Version of this program.
    watchkeeper: &'static str,
    /// Times and sizes are not those of a GPU.
    pub(in crate::cli) simulated: bool,
    /// `None` where all models run on the CPU.
    device: Option<DeviceFacts>,
    tensorrt: Option<String>,
    onnxruntime: Option<String>,
    models: Vec<ModelFacts>,
}

#[derive(Clone, Debug, Serialize)]
struct DeviceFacts {
    name: String,
    uuid: String,
    compute_capability: String,
    memory_bytes: usize,
    integrated: bool,
    driver_cuda: String,
}

#[derive(Clone, Debug, Serialize)]
struct ModelFacts {
    name: String,
    task: &'static str,
    provider: &'static str,
    sha256: String,
    engine_copies: usize,
}

impl DeviceFacts {
    fn new(info: &gpu::DeviceInfo) -> Self {
        let dotted = |(major, minor): (u32, u32)| format!("{major}.{minor}");
        Self {
            name: info.name.clone(),
            uuid: info.uuid.clone(),
            compute_capability: dotted(info.compute_capability),
            memory_bytes: info.total_memory,
            integrated: info.integrated,
            driver_cuda: dotted(info.driver),
        }
    }
}

impl About {
    /// As lines.
    pub(in crate::cli) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        match &self.device {
            Some(device) => {
                let DeviceFacts { name, compute_capability, memory_bytes, driver_cuda, .. } = device;
                let mb = memory_bytes >> 20;
                writeln!(
                    out,
                    "device      {name}, compute capability {compute_capability}, {mb} MB, driver for CUDA {driver_cuda}"
                )?;
            }
            None => writeln!(out, "device      none: all models run on the CPU")?,
        }
        if self.simulated {
            writeln!(out, "            simulated: times and sizes are not those of a GPU")?;
        }
        let versions = [("TensorRT", &self.tensorrt), ("ONNX Runtime", &self.onnxruntime)];
        let versions = versions.into_iter().filter_map(|(name, version)| Some(format!("{name} {}", version.as_ref()?)));
        writeln!(out, "libraries   {}, watchkeeper {}", versions.collect::<Vec<_>>().join(", "), self.watchkeeper)?;
        for ModelFacts { name, task, provider, sha256, engine_copies } in &self.models {
            let copies = if *engine_copies > 1 { format!(", {engine_copies} copies") } else { String::new() };
            writeln!(out, "model       {name} ({task}), {provider}, sha256 {sha256}{copies}")?;
        }
        Ok(())
    }
}
