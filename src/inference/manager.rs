//! The one owner of all engines.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crossbeam_channel::Receiver;

use super::admission::Admissions;
use super::artefact::{Manifest, Memory};
use super::backends::{Backends, Opened};
use super::budget::{Filter, ModelNeed};
use super::contract::{self, Check, ContractReport, Outcome};
use super::device::Gpu;
use super::golden::{self, Prepare, Recording};
use super::health::Health;
use super::load::{largest_first, load_one};
use super::prove::{first_run, prove};
use super::swap::Serving;
use super::tensorrt::build::{self, Examined};
use super::{Context, Engine, InferenceError, Lane, Notice, SerialMode};
use crate::config::{Concurrency, Config, Model, Policy, Precision, Task};
use crate::telemetry::metrics::{Metrics, gauge};
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

    /// Digest of the model file that it is, or was built from, hexadecimal.
    #[must_use]
    pub fn origin_sha256(&self) -> &str {
        if self.onnx_sha256.is_empty() { &self.sha256 } else { &self.onnx_sha256 }
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
        let mut backends = Backends::new(config, &health, report);
        backends.open()?;
        if let Some(decoder) = proofs.decoder {
            let check = decoder(config.runtime.policy);
            if check.outcome == Outcome::Failed {
                return Err(InferenceError::Contract(Box::new(check)));
            }
            backends.report.set(check);
        }
        let mut models: Vec<Option<Arc<LoadedModel>>> = config.models.iter().map(|_| None).collect();
        let order = largest_first(&config.models, 0..config.models.len());
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

pub(super) fn precision<'a>(model: &Model, manifest: Option<&'a Manifest>) -> Option<&'a str> {
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
