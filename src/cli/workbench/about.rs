//! What is measured on: device, libraries, models.

use std::io::{self, Write};

use serde::Serialize;

use crate::config::{Backend, Config};
use crate::inference::{self, DeviceFacts, ModelManager};

/// What a simulated device's name begins with.
const SIMULATED: &str = "Simulated GPU";

/// Keeps the device open from the first mode to the last: its context must not end in between, since libraries that
/// use it stay in the process.
pub(in crate::cli) struct OpenDevice(gpu::Device);

impl OpenDevice {
    /// The device that `models` run on, where they do.
    pub(in crate::cli) fn of(models: &ModelManager) -> Option<Self> {
        models.contract().device.as_ref()?;
        gpu::Driver::load().and_then(|driver| driver.open(0)).ok().map(Self)
    }

    /// Bytes of its memory in use, whoever uses them.
    pub(in crate::cli) fn used(&self) -> Option<u64> {
        let (free, total) = self.0.free_memory().ok()?;
        u64::try_from(total.saturating_sub(free)).ok()
    }
}

/// What was measured on.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct About {
    /// Version of this program.
    watchkeeper: &'static str,
    /// Times and sizes are not those of a GPU.
    simulated: bool,
    /// `None` where all models run on the CPU.
    device: Option<DeviceFacts>,
    tensorrt: Option<String>,
    onnxruntime: Option<String>,
    models: Vec<ModelFacts>,
}

#[derive(Clone, Debug, Serialize)]
struct ModelFacts {
    name: String,
    task: &'static str,
    provider: &'static str,
    sha256: String,
    engine_copies: usize,
}

impl About {
    pub(in crate::cli) fn new(config: &Config, models: &ModelManager) -> Self {
        let contract = models.contract();
        let loaded = (0..config.models.len()).filter_map(|index| models.model(index));
        let facts = loaded.map(|loaded| ModelFacts {
            name: loaded.model.name.clone(),
            task: loaded.model.task.name(),
            provider: loaded.provider(),
            sha256: loaded.sha256.clone(),
            engine_copies: loaded.model.engine_copies,
        });
        Self {
            watchkeeper: env!("CARGO_PKG_VERSION"),
            simulated: contract.device.as_ref().is_some_and(|device| device.name.starts_with(SIMULATED)),
            device: contract.device.clone(),
            tensorrt: contract.tensorrt.clone(),
            onnxruntime: onnxruntime(config),
            models: facts.collect(),
        }
    }

    /// Whether a model runs on a GPU.
    pub(in crate::cli) fn has_device(&self) -> bool {
        self.device.is_some()
    }

    /// As lines.
    pub(in crate::cli) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        match &self.device {
            Some(DeviceFacts { name, compute_capability, memory_bytes, driver_cuda, .. }) => writeln!(
                out,
                "device      {name}, compute capability {compute_capability}, {} MB, driver for CUDA {driver_cuda}",
                memory_bytes >> 20
            )?,
            None => writeln!(out, "device      none: all models run on the CPU")?,
        }
        if self.simulated {
            writeln!(out, "            simulated: times and sizes are not those of a GPU")?;
        }
        let versions = [("TensorRT", &self.tensorrt), ("ONNX Runtime", &self.onnxruntime)];
        let versions =
            versions.into_iter().filter_map(|(name, version)| Some(format!("{name} {}, ", version.as_ref()?)));
        writeln!(out, "libraries   {}watchkeeper {}", versions.collect::<String>(), self.watchkeeper)?;
        for ModelFacts { name, task, provider, sha256, engine_copies } in &self.models {
            let copies = if *engine_copies > 1 { format!(", {engine_copies} copies") } else { String::new() };
            writeln!(out, "model       {name} ({task}), {provider}, sha256 {sha256}{copies}")?;
        }
        Ok(())
    }
}

/// The version of the one that is loaded; `None` where no model needs it.
fn onnxruntime(config: &Config) -> Option<String> {
    config.models.iter().find(|model| model.backend != Backend::Tensorrt)?;
    let runtime = inference::load_onnxruntime(config.runtime.onnxruntime_library.as_deref()).ok()?;
    process::library::onnxruntime_version(runtime.path()).ok()
}
