//! The one owner of all engines.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use crossbeam_channel::Receiver;

use super::admission::Admissions;
use super::artefact::{Manifest, Memory};
use super::budget::{Filter, ModelNeed};
use super::certificate::{self, Certificate};
use super::contract::{self, Check, ContractReport, Outcome};
use super::device::Gpu;
use super::golden::{self, Prepare, Recording};
use super::health::Health;
use super::onnxruntime::{OrtDeviceEngine, OrtEngine, Workers};
use super::prove::{describe, first_run, prove};
use super::swap::Serving;
use super::tensorrt::build::{self, Examined};
use super::tensorrt::{TensorRt, TrtEngine};
use super::{Context, Engine, InferenceError, Lane, Notice, SerialMode, file, library};
use crate::config::{Backend, Concurrency, Config, Model, Policy, Precision, Task};
use crate::telemetry::metrics::{Metrics, ModelMetrics, gauge};
use crate::types::tensor::ModelIo;

/// A loaded model.
pub struct LoadedModel {
    /// What the config says of it.
    pub model: Arc<Model>,
    /// Digest of the model file, hexadecimal.
    pub sha256: String,
    pub(super) onnx_sha256: String,
    /// What is known of its plan; `None`: nothing, or there is no plan.
    pub manifest: Option<Manifest>,
    /// What is worth a warning about it.
    pub(super) remarks: Vec<String>,
    /// What of its outputs the device looks through itself.
    pub(super) filter: Option<Filter>,
    pub(super) engine: Box<dyn Engine>,
}

impl LoadedModel {
    /// What the model takes and gives.
    #[must_use]
    pub fn io(&self) -> &ModelIo {
        self.engine.io()
    }

    /// Its arithmetic: what its plan was built with, else what the configuration asks for; `None`: as the model file has it.
    #[must_use]
    pub fn precision(&self) -> Option<&str> {
        precision(&self.model, self.manifest.as_ref())
    }

    /// What runs it: `cpu`, `cuda`, `tensorrt`.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        self.engine.provider()
    }

    /// What its engine takes of the device, as measured here; `None` where nobody knows: on the CPU and with ONNX Runtime.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        self.engine.memory()
    }

    /// What it takes of the device as it is used; `None` as for [`LoadedModel::memory`].
    #[must_use]
    pub fn need(&self) -> Option<ModelNeed> {
        Some(ModelNeed::new(&self.model, &self.memory()?, self.filter))
    }
}

/// Contexts of one camera for one model: as many as it may have frames in flight.
pub struct PipelineContexts {
    /// Free contexts.
    pub free: VecDeque<Box<dyn Context>>,
}

/// Says whether whoever reads a model's outputs can, and if not, why and what to do. Where he can, which of them he has the
/// device look through.
pub type Fits<'a> = &'a dyn Fn(&Model, &ModelIo) -> Result<Option<Filter>, String>;

/// What the manager has others do while it loads: they know heads, pictures and decoders, which inference does not.
#[derive(Clone, Copy)]
pub struct Proofs<'a> {
    /// Does a model fit its head?
    pub fits: Fits<'a>,
    /// The check `decoder`, made as soon as the device is open; the first that may touch GStreamer. Under `gpu-only` a
    /// failed one ends the load. `None`: not asked.
    pub decoder: Option<&'a dyn Fn(Policy) -> Check>,
    /// Puts the golden picture into a model. `None`: there is no golden inference.
    pub prepare: Option<Prepare<'a>>,
    /// Bytes that a hardware decoder holds for pictures of a camera's size, about. `None`: it is not asked.
    pub surfaces: Option<&'a dyn Fn((u32, u32)) -> u64>,
}

/// All engines of the process, each deserialised once.
pub struct ModelManager {
    // In this order dropped: engines before the device.
    pub(super) serving: RwLock<Vec<Serving>>,
    pub(super) opened: Opened,
    gpu: Option<Arc<Gpu>>,
    pub(super) health: Arc<Health>,
    pub(super) contract: Mutex<ContractReport>,
    pub(super) admissions: Admissions,
    /// Loading engines and creating contexts is serialised, in parallel mode too.
    pub(super) lifecycle: Mutex<()>,
}

static SHARED: OnceLock<Arc<ModelManager>> = OnceLock::new();

impl ModelManager {
    /// The process's manager; the first call loads it, later ones get the same.
    ///
    /// # Errors
    /// As [`ModelManager::load_with`].
    pub fn shared(
        config: &Config,
        metrics: &Metrics,
        proofs: &Proofs<'_>,
        report: &mut ContractReport,
    ) -> Result<Arc<Self>, InferenceError> {
        if let Some(manager) = SHARED.get() {
            *report = manager.contract();
            return Ok(Arc::clone(manager));
        }
        let manager = Arc::new(Self::load_with(config, metrics, proofs, report)?);
        Ok(Arc::clone(SHARED.get_or_init(|| manager)))
    }

    /// Loads every model of the config once, the largest file first, and then runs each once; asks nobody else.
    ///
    /// # Errors
    /// As [`ModelManager::load_with`].
    pub fn load(config: &Config, metrics: &Metrics, fits: Fits<'_>) -> Result<Self, InferenceError> {
        let proofs = Proofs { fits, decoder: None, prepare: None, surfaces: None };
        Self::load_with(config, metrics, &proofs, &mut ContractReport::new(config))
    }

    /// Loads every model as [`ModelManager::load`] does, the GPU and its libraries first, and makes all checks of the
    /// GPU contract on the way. `report` is filled whatever happens.
    ///
    /// # Errors
    /// The first check that failed: under `gpu-only` [`InferenceError::Contract`] (but for a device that is lost), else
    /// the library that is not there or the model that cannot be loaded.
    pub fn load_with(
        config: &Config,
        metrics: &Metrics,
        proofs: &Proofs<'_>,
        report: &mut ContractReport,
    ) -> Result<Self, InferenceError> {
        *report = ContractReport::new(config);
        Self::load_proving(config, metrics, proofs, report).map_err(|error| report.fail(error))
    }

    fn load_proving(
        config: &Config,
        metrics: &Metrics,
        proofs: &Proofs<'_>,
        report: &mut ContractReport,
    ) -> Result<Self, InferenceError> {
        let serial = config.runtime.concurrency == Concurrency::Serial;
        let health = Arc::new(Health::new(&config.runtime.state_dir, serial));
        let mut backends = Backends {
            config,
            health: Arc::clone(&health),
            report,
            gpu: None,
            tensorrt: None,
            onnxruntime: None,
            workers: None,
        };
        backends.open()?;
        if let Some(decoder) = proofs.decoder {
            let check = decoder(config.runtime.policy);
            if check.outcome == Outcome::Failed {
                return Err(InferenceError::Contract(Box::new(check)));
            }
            backends.report.set(check);
        }
        let mut models: Vec<Option<Arc<LoadedModel>>> = config.models.iter().map(|_| None).collect();
        let order = largest_first(&config.models);
        for &index in &order {
            let loaded = load_one(&config.models[index], &mut backends, metrics, proofs.fits)?;
            models[index] = Some(Arc::new(loaded));
        }
        let opened = backends.opened();
        let (gpu, report) = (backends.gpu, backends.report);
        // On a GPU, the one that needs the most memory for its activations has to come first, too.
        for loaded in order.iter().filter_map(|&index| models[index].as_ref()) {
            report.begin(&contract::engine(&loaded.model.name));
            prove(loaded, gpu.as_ref(), proofs.prepare, report)?;
        }
        if let Some(tensorrt) = &opened.tensorrt {
            // Engines came by the size of their files: the one that needs the most of it may have come later.
            let of = |loaded: &Arc<LoadedModel>| loaded.engine.activation_bytes();
            tensorrt.trim_scratch(models.iter().flatten().map(of).max().unwrap_or(0));
        }
        if let Some(gpu) = &gpu {
            report_device(gpu, metrics);
        }
        let models: Vec<_> = models.into_iter().flatten().collect();
        let admissions = Admissions::new(gpu.as_ref());
        admissions.check(config, &models, proofs.surfaces, report)?;
        let serving = RwLock::new(models.into_iter().map(|loaded| Serving::new(loaded, metrics)).collect());
        let contract = Mutex::new(report.clone());
        Ok(Self { serving, opened, gpu, health, contract, admissions, lifecycle: Mutex::new(()) })
    }

    /// What the model answers about the golden picture, to be recorded.
    ///
    /// # Errors
    /// Where it gives no answer, or none that can be one.
    pub fn record(&self, loaded: &LoadedModel, prepare: Prepare<'_>) -> Result<Recording, InferenceError> {
        let answers = first_run(loaded, self.gpu.as_ref(), Some(prepare))?;
        golden::record(&loaded.model, &loaded.onnx_sha256, loaded.provider(), &answers)
    }

    /// What a model's engine answers, takes and costs, for its manifest.
    ///
    /// # Errors
    /// Where it gives no answer, or none that can be one.
    pub fn examine(&self, loaded: &LoadedModel, prepare: Prepare<'_>) -> Result<Examined, InferenceError> {
        build::examine(loaded, self.gpu.as_ref(), prepare)
    }

    /// What was proven when the models were loaded.
    #[must_use]
    pub fn contract(&self) -> ContractReport {
        self.contract.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A model by its index in the config, with the engine that serves.
    #[must_use]
    pub fn model(&self, index: usize) -> Option<Arc<LoadedModel>> {
        self.serving().get(index).map(|serving| Arc::clone(&serving.loaded))
    }

    /// What all contexts of one camera share.
    ///
    /// # Errors
    /// Where the device refuses.
    pub fn lane(&self, camera: &str) -> Result<Lane, InferenceError> {
        lane(camera, self.gpu.as_ref())
    }

    /// `depth` contexts of one model for a camera.
    ///
    /// # Errors
    /// Where the engine refuses.
    pub fn create_pipeline_contexts(
        &self,
        lane: &Lane,
        model: &LoadedModel,
        depth: usize,
    ) -> Result<PipelineContexts, InferenceError> {
        let _one_at_a_time = self.lifecycle.lock().unwrap_or_else(PoisonError::into_inner);
        let max_batch = max_batch(&model.model);
        let mut free = VecDeque::with_capacity(depth);
        for number in 1..=depth {
            free.push_back(model.engine.create_context(lane, max_batch)?);
            tracing::info!(camera = &**lane.camera(), model = %model.model.name, number, "context created");
        }
        Ok(PipelineContexts { free })
    }

    /// What the whole process has to know of inference, as it happens.
    #[must_use]
    pub fn notices(&self) -> &Receiver<Notice> {
        self.health.notices()
    }

    /// Why the device is lost, where it is.
    #[must_use]
    pub fn device_lost(&self) -> Option<&str> {
        self.health.lost()
    }

    /// Is it one execution at a time?
    #[must_use]
    pub fn serial_mode(&self) -> SerialMode {
        self.health.serial_mode()
    }

    /// One execution at a time, or parallel again; an operator's word. False where nothing changes: it is so already,
    /// there is no GPU, or `runtime.concurrency = "serial"` leaves no choice.
    pub fn set_serial_mode(&self, serial: bool, reason: &str) -> bool {
        self.gpu.as_ref().is_some_and(|gpu| gpu.set_serial(serial, reason))
    }

    /// Goes on in the mode in which an earlier process ended; nothing where there is no GPU.
    pub fn resume_serial_mode(&self, mode: SerialMode) {
        if let Some(gpu) = &self.gpu {
            gpu.resume_serial(mode);
        }
    }

    /// Bytes on the device (and of the host, locked for it) by owner: `engine <model>`, `camera <id>`, `activations`.
    #[must_use]
    pub fn device_memory(&self) -> Vec<(String, u64)> {
        self.gpu.as_deref().map(memory).unwrap_or_default()
    }
}

fn precision<'a>(model: &Model, manifest: Option<&'a Manifest>) -> Option<&'a str> {
    manifest.map(|manifest| manifest.options.precision.as_str()).or(model.precision.map(Precision::name))
}

/// Most pictures in one run of a model.
pub(super) fn max_batch(model: &Model) -> usize {
    if model.task == Task::Reid { model.max_batch } else { 1 }
}

pub(super) fn lane(camera: &str, gpu: Option<&Arc<Gpu>>) -> Result<Lane, InferenceError> {
    Lane::new(camera, gpu).map_err(|error| InferenceError::Gpu { reason: error.to_string() })
}

fn memory(gpu: &Gpu) -> Vec<(String, u64)> {
    let bytes = |usage: gpu::Usage| (usage.device + usage.pinned + usage.mapped) as u64;
    gpu.device.memory().into_iter().map(|(owner, usage)| (owner, bytes(usage))).collect()
}

fn report_device(gpu: &Arc<Gpu>, metrics: &Metrics) {
    let gpu = Arc::downgrade(gpu);
    metrics.also(move |out| {
        let Some(gpu) = gpu.upgrade() else { return };
        gauge(out, "serial_mode", "", [("", u64::from(gpu.gate.is_serial()))]);
        let memory = memory(&gpu);
        gauge(out, "device_memory_bytes", "owner", memory.iter().map(|(owner, bytes)| (owner.as_str(), *bytes)));
    });
}

/// What runs models. A library is loaded where a model needs it, and never otherwise.
pub(super) struct Backends<'a> {
    pub(super) config: &'a Config,
    pub(super) health: Arc<Health>,
    pub(super) report: &'a mut ContractReport,
    gpu: Option<Arc<Gpu>>,
    tensorrt: Option<Arc<TensorRt>>,
    onnxruntime: Option<onnxruntime::Runtime>,
    workers: Option<Arc<Workers>>,
}

impl Backends<'_> {
    /// The device and what computes on it, before any other library may touch CUDA.
    fn open(&mut self) -> Result<(), InferenceError> {
        if contract::on_gpu(self.config) {
            self.gpu()?;
        }
        if self.config.models.iter().any(|model| model.backend == Backend::Tensorrt) {
            self.tensorrt()?;
        }
        if contract::onnxruntime_on_gpu(self.config) {
            self.report.begin(contract::ONNXRUNTIME);
            let runtime = self.onnxruntime()?;
            self.report
                .passed(contract::ONNXRUNTIME, &format!("{}: {}", runtime.path().display(), runtime.build_info()));
        }
        Ok(())
    }

    /// What is open, for engines that are loaded later.
    fn opened(&self) -> Opened {
        Opened {
            gpu: self.gpu.clone(),
            tensorrt: self.tensorrt.clone(),
            onnxruntime: self.onnxruntime.clone(),
            workers: self.workers.clone(),
        }
    }

    fn gpu(&mut self) -> Result<Arc<Gpu>, InferenceError> {
        let gpu = match self.gpu.take() {
            Some(gpu) => gpu,
            None => Gpu::open(self.config.runtime.concurrency, &self.health, self.report)?,
        };
        Ok(Arc::clone(self.gpu.insert(gpu)))
    }

    fn tensorrt(&mut self) -> Result<Arc<TensorRt>, InferenceError> {
        let tensorrt = match self.tensorrt.take() {
            Some(tensorrt) => tensorrt,
            None => {
                let gpu = self.gpu()?;
                TensorRt::open(self.config.runtime.tensorrt_library.as_deref(), &gpu, self.report)?
            }
        };
        Ok(Arc::clone(self.tensorrt.insert(tensorrt)))
    }

    fn onnxruntime(&mut self) -> Result<onnxruntime::Runtime, InferenceError> {
        if let Some(runtime) = &self.onnxruntime {
            return Ok(runtime.clone());
        }
        let runtime = library::load(self.config.runtime.onnxruntime_library.as_deref())?;
        tracing::info!(path = %runtime.path().display(), build = runtime.build_info(), "ONNX Runtime loaded");
        Ok(self.onnxruntime.insert(runtime).clone())
    }

    /// Threads for inference on the CPU.
    fn workers(&mut self) -> Result<Arc<Workers>, InferenceError> {
        let workers = match self.workers.take() {
            Some(workers) => workers,
            None => Workers::start(self.config.runtime.inference_workers)
                .map_err(|error| InferenceError::Library { tried: format!("  no thread for inference: {error}") })?,
        };
        Ok(Arc::clone(self.workers.insert(workers)))
    }
}

/// Devices and libraries that a manager has open.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) tensorrt: Option<Arc<TensorRt>>,
    onnxruntime: Option<onnxruntime::Runtime>,
    workers: Option<Arc<Workers>>,
    pub(super) gpu: Option<Arc<Gpu>>,
}

impl Opened {
    /// To load further engines with.
    pub(super) fn backends<'a>(
        &self,
        config: &'a Config,
        health: &Arc<Health>,
        report: &'a mut ContractReport,
    ) -> Backends<'a> {
        let Self { gpu, tensorrt, onnxruntime, workers } = self.clone();
        Backends { config, health: Arc::clone(health), report, gpu, tensorrt, onnxruntime, workers }
    }
}

/// The file that is loaded.
pub(super) fn file_of(model: &Model) -> &Path {
    match model.backend {
        Backend::Tensorrt => &model.plan,
        Backend::OnnxruntimeCpu | Backend::OnnxruntimeCuda | Backend::OnnxruntimeTensorrt => &model.onnx,
    }
}

fn largest_first(models: &[Arc<Model>]) -> Vec<usize> {
    let size = |index: &usize| std::fs::metadata(file_of(&models[*index])).map_or(0, |meta| meta.len());
    let mut order: Vec<usize> = (0..models.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(size(index)));
    order
}

pub(super) fn load_one(
    model: &Arc<Model>,
    backends: &mut Backends<'_>,
    metrics: &Metrics,
    fits: Fits<'_>,
) -> Result<LoadedModel, InferenceError> {
    backends.report.begin(&contract::engine(&model.name));
    let of_onnx = file::digest(&model.name, &model.onnx)?;
    if let Some(manifest) = &model.manifest
        && manifest.sha256.as_ref().is_some_and(|promised| *promised != of_onnx)
    {
        let reason = format!(
            "sha256 is {of_onnx}, and {} promises another; take both from the same place, or correct it",
            manifest.path.display()
        );
        return Err(InferenceError::File { model: model.name.clone(), path: model.onnx.clone(), reason });
    }
    let began = Instant::now();
    let counters = |sha256: &str, provider: &str, manifest: Option<&Manifest>| {
        metrics.model(ModelMetrics {
            name: model.name.clone(),
            sha256: sha256.to_owned(),
            provider: provider.to_owned(),
            precision: precision(model, manifest).unwrap_or_default().to_owned(),
            ..ModelMetrics::default()
        })
    };
    let mut certificate = Certificate { manifest: None, remarks: Vec::new() };
    let (sha256, engine): (String, Box<dyn Engine>) = match model.backend {
        Backend::Tensorrt => {
            // A build may swap the link meanwhile: plan and manifest must be of one file.
            let path = std::fs::canonicalize(&model.plan).unwrap_or_else(|_| model.plan.clone());
            let plan = file::open_plan(&model.name, &path)?;
            let tensorrt = backends.tensorrt()?;
            certificate =
                certificate::check(model, &path, backends.config, tensorrt.platform(), &of_onnx, plan.sha256())?;
            let counters = counters(plan.sha256(), "tensorrt", certificate.manifest.as_ref());
            let engine = TrtEngine::open(&tensorrt, model, &plan, counters)?;
            (plan.sha256().to_owned(), Box::new(engine))
        }
        Backend::OnnxruntimeCpu => {
            let threads = backends.config.runtime.threads_per_inference;
            let counters = counters(&of_onnx, "cpu", None);
            let (runtime, workers) = (backends.onnxruntime()?, backends.workers()?);
            let engine = OrtEngine::open(&runtime, model, threads, workers, counters)?;
            (of_onnx.clone(), Box::new(engine))
        }
        Backend::OnnxruntimeCuda | Backend::OnnxruntimeTensorrt => {
            let counters = counters(&of_onnx, OrtDeviceEngine::provider_of(model), None);
            // The device first: what half-initialises CUDA behind its back breaks it.
            let (gpu, runtime) = (backends.gpu()?, backends.onnxruntime()?);
            let state_dir = &backends.config.runtime.state_dir;
            let engine = OrtDeviceEngine::open(&gpu, &runtime, model, &of_onnx, state_dir, counters)?;
            (of_onnx.clone(), Box::new(engine))
        }
    };
    // Before the first run: a model that does not fit may well not run either, and this says why.
    let filter =
        fits(model, engine.io()).map_err(|reason| InferenceError::Head { model: model.name.clone(), reason })?;
    tracing::info!(
        model = %model.name,
        file = %file_of(model).display(),
        sha256 = &sha256[..12],
        provider = engine.provider(),
        io = %describe(engine.io()),
        copies = model.engine_copies,
        load_ms = began.elapsed().as_millis(),
        "engine loaded"
    );
    let Certificate { manifest, remarks } = certificate;
    Ok(LoadedModel { model: Arc::clone(model), sha256, onnx_sha256: of_onnx, manifest, remarks, filter, engine })
}
