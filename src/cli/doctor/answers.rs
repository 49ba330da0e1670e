//! What libraries say when they are loaded. Runs in a process of its own, which may die of it.

use std::io::Write as _;
use std::path::Path;

use gpu::{Driver, OpenError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::cli::Exit;
use crate::config::Policy;
use crate::inference::{self, ContractReport, InferenceError, ModelManager};
use crate::telemetry::metrics::Metrics;
use crate::{pipeline, source};

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Question {
    /// [`Cuda`].
    Cuda,
    /// Does GPU 0 compute? [`String`]: its name.
    Proof,
    /// [`TensorRt`], of a library.
    Tensorrt,
    /// cuDNN's number, of a library.
    Cudnn,
    /// The CUDA runtime's number, of a library.
    CudaRuntime,
    /// [`OnnxRuntime`], of a library or the usual places.
    Onnxruntime,
    /// [`GStreamer`].
    Gstreamer,
    /// [`ContractReport`], of a configuration.
    Contract,
}

/// Of the driver's library.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cuda {
    /// False where there is no such library.
    pub(super) there: bool,
    /// CUDA version of the driver.
    pub(super) version: Option<(u32, u32)>,
    pub(super) devices: Vec<Gpu>,
    /// Why it does not work, with what to do.
    pub(super) error: Option<String>,
}

/// A device, without touching it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Gpu {
    pub(super) name: String,
    pub(super) compute_capability: (u32, u32),
    pub(super) memory_mb: usize,
    /// Host and device share their memory.
    pub(super) integrated: bool,
}

/// Of `libnvinfer`, `libnvinfer_lean` or `libnvinfer_dispatch`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TensorRt {
    pub(super) version: String,
    pub(super) build: Option<i32>,
    /// Can it build plans?
    pub(super) builder: bool,
}

/// Of `libonnxruntime`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OnnxRuntime {
    pub(super) path: String,
    pub(super) version: Option<String>,
    /// ONNX Runtime's own words about its build.
    pub(super) build: String,
    /// What it was built for: `CPU`, `CUDA`, `Tensorrt`.
    pub(super) providers: Vec<String>,
}

/// Of GStreamer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GStreamer {
    pub(super) version: String,
    /// What each codec is decoded with.
    pub(super) decoders: Vec<Decoder>,
}

/// A codec's decoder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Decoder {
    pub(super) codec: String,
    /// Under `policy = "any"`: element with its plugin, and whether it is hardware.
    pub(super) any: Result<(String, bool), String>,
    /// Under `policy = "gpu-only"`: the same, once it has opened its device.
    pub(super) gpu_only: Result<String, String>,
}

/// What the line with the answer begins with: libraries write to standard output as they like.
const MARK: &str = "@watchkeeper-answer ";

/// Answers on standard output, and ends the process.
pub(super) fn answer(question: Question, about: Option<&Path>) -> anyhow::Result<Exit> {
    let named = || about.ok_or_else(|| anyhow::anyhow!("--about is missing"));
    match question {
        Question::Cuda => say(&Ok(cuda())),
        Question::Proof => say(&proof()),
        Question::Tensorrt => say(&tensorrt(named()?)),
        Question::Cudnn => say(&process::library::cudnn_version(named()?).map_err(|error| error.to_string())),
        Question::CudaRuntime => {
            say(&process::library::cuda_runtime_version(named()?).map_err(|error| error.to_string()))
        }
        Question::Onnxruntime => say(&onnxruntime(about)),
        Question::Gstreamer => say(&gstreamer()),
        Question::Contract => say(&contract(named()?)),
    }
}

fn say<T: Serialize>(answer: &Result<T, String>) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{MARK}{}", serde_json::to_string(answer)?)?;
    out.flush()?;
    // What libraries do at a normal end is not what was asked.
    process::exit_now(0)
}

/// The answer in what a process wrote.
pub(super) fn read<T: DeserializeOwned>(output: &str) -> Option<Result<T, String>> {
    let line = output.lines().rev().find_map(|line| line.strip_prefix(MARK))?;
    serde_json::from_str(line).ok()
}

fn cuda() -> Cuda {
    let driver = match Driver::load() {
        Ok(driver) => driver,
        Err(error) => {
            let version = match error {
                OpenError::Old { found } => u32::try_from(found).ok().map(|found| (found / 1000, found % 1000 / 10)),
                _ => None,
            };
            let there = !matches!(error, OpenError::Library { .. });
            return Cuda { there, version, devices: Vec::new(), error: Some(error.to_string()) };
        }
    };
    let (devices, error) = match driver.devices() {
        Ok(devices) => (devices, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let devices = devices.into_iter().map(|info| Gpu {
        name: info.name,
        compute_capability: info.compute_capability,
        memory_mb: info.total_memory >> 20,
        integrated: info.integrated,
    });
    Cuda { there: true, version: Some(driver.version()), devices: devices.collect(), error }
}

fn proof() -> Result<String, String> {
    let device = Driver::load().and_then(|driver| driver.open(0)).map_err(|error| error.to_string())?;
    Ok(device.info().name.clone())
}

fn tensorrt(library: &Path) -> Result<TensorRt, String> {
    let library = tensorrt_rs::Library::load(library).map_err(|error| error.to_string())?;
    let version = library.version().to_string();
    Ok(TensorRt { version, build: library.build(), builder: library.has_builder() })
}

fn onnxruntime(library: Option<&Path>) -> Result<OnnxRuntime, String> {
    let runtime = inference::load_onnxruntime(library).map_err(|error| match error {
        InferenceError::Library { tried } => tried.lines().map(str::trim).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    })?;
    let version = process::library::onnxruntime_version(runtime.path()).ok();
    let path = runtime.path().display().to_string();
    let providers = runtime.providers();
    let providers = providers.iter().map(|name| name.trim_end_matches("ExecutionProvider").to_owned()).collect();
    Ok(OnnxRuntime { path, version, build: runtime.build_info().to_owned(), providers })
}

fn gstreamer() -> Result<GStreamer, String> {
    source::init().map_err(|error| format!("{error:#}"))?;
    let (major, minor, micro, _) = gst::version();
    let decoders = source::prove_decoders(Policy::Any).into_iter().zip(source::prove_decoders(Policy::GpuOnly));
    let decoders = decoders.map(|(any, gpu_only)| Decoder {
        codec: any.codec.to_owned(),
        any: any.decoder.map(|identity| (identity.to_string(), identity.hardware)),
        gpu_only: gpu_only.decoder.map(|identity| identity.to_string()),
    });
    Ok(GStreamer { version: format!("{major}.{minor}.{micro}"), decoders: decoders.collect() })
}

/// As the daemon's start makes it, models and all; what failed is in the report.
fn contract(config: &Path) -> Result<ContractReport, String> {
    let config = crate::config::load(config).map_err(|problems| problems.to_string())?.config;
    let mut report = ContractReport::new(&config);
    let loaded = ModelManager::load_with(&config, &Metrics::default(), &pipeline::proofs(), &mut report);
    // No end of engines: the process ends here.
    std::mem::forget(loaded);
    Ok(report)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_among_what_libraries_say() {
        let noise = "Opening in BLOCKING MODE\nNvMMLiteOpen : Block : BlockType = 261 ";
        let output = format!("{noise}\n{MARK}{{\"Ok\":90300}}\n{noise}");
        assert_eq!(read::<usize>(&output), Some(Ok(90300)));
        assert_eq!(read::<usize>(&format!("{MARK}{{\"Err\":\"no\"}}\n")), Some(Err("no".to_owned())));
        for output in [noise, "", &format!("{MARK}{{\"Ok\":"), &format!("{MARK}{{\"Ok\":\"text\"}}")] {
            assert_eq!(read::<usize>(output), None, "{output}");
        }
    }
}
