//! The one owner of all engines.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::onnxruntime::{OrtEngine, Workers};
use super::tensorrt::{Gpu, TrtEngine};
use super::{Context, Engine, InferenceError, library};
use crate::config::{Backend, Config, Model, Runtime, Task};
use crate::telemetry::metrics::{Metrics, ModelMetrics};
use crate::types::tensor::ModelIo;

/// A loaded model.
pub struct LoadedModel {
    /// What the config says of it.
    pub model: Arc<Model>,
    /// Digest of the model file, hexadecimal.
    pub sha256: String,
    engine: Box<dyn Engine>,
}

impl LoadedModel {
    /// What the model takes and gives.
    #[must_use]
    pub fn io(&self) -> &ModelIo {
        self.engine.io()
    }
}

/// Contexts of one camera for one model: as many as it may have frames in flight.
pub struct PipelineContexts {
    /// Free contexts.
    pub free: VecDeque<Box<dyn Context>>,
}

/// Says whether whoever reads a model's outputs can, and if not, why and what to do.
pub type Fits<'a> = &'a dyn Fn(&Model, &ModelIo) -> Result<(), String>;

/// All engines of the process, each deserialised once.
pub struct ModelManager {
    models: Vec<Arc<LoadedModel>>,
    /// Creating and destroying contexts is serialised, in parallel mode too.
    lifecycle: Mutex<()>,
}

static SHARED: OnceLock<Arc<ModelManager>> = OnceLock::new();

impl ModelManager {
    /// The process's manager; the first call loads it, later ones get the same.
    ///
    /// # Errors
    /// As [`ModelManager::load`].
    pub fn shared(config: &Config, metrics: &Metrics, fits: Fits<'_>) -> Result<Arc<Self>, InferenceError> {
        if let Some(manager) = SHARED.get() {
            return Ok(Arc::clone(manager));
        }
        let manager = Arc::new(Self::load(config, metrics, fits)?);
        Ok(Arc::clone(SHARED.get_or_init(|| manager)))
    }

    /// Loads every model of the config once, the largest file first, and runs each once.
    ///
    /// # Errors
    /// The first model that cannot be loaded, or the library that is not there.
    pub fn load(config: &Config, metrics: &Metrics, fits: Fits<'_>) -> Result<Self, InferenceError> {
        let mut models: Vec<Option<Arc<LoadedModel>>> = config.models.iter().map(|_| None).collect();
        let mut backends = Backends { config, gpu: None, cpu: None };
        for index in largest_first(&config.models) {
            let loaded = load_one(&config.models[index], &mut backends, metrics, fits)?;
            models[index] = Some(Arc::new(loaded));
        }
        Ok(Self { models: models.into_iter().flatten().collect(), lifecycle: Mutex::new(()) })
    }

    /// A model by its index in the config.
    #[must_use]
    pub fn model(&self, index: usize) -> Option<&Arc<LoadedModel>> {
        self.models.get(index)
    }

    /// `depth` contexts of one model for `camera`.
    ///
    /// # Errors
    /// Where the engine refuses.
    pub fn create_pipeline_contexts(
        &self,
        camera: &str,
        model: &LoadedModel,
        depth: usize,
    ) -> Result<PipelineContexts, InferenceError> {
        let _one_at_a_time = self.lifecycle.lock().unwrap_or_else(PoisonError::into_inner);
        let max_batch = if model.model.task == Task::Reid { model.model.max_batch } else { 1 };
        let mut free = VecDeque::with_capacity(depth);
        for number in 1..=depth {
            free.push_back(model.engine.create_context(max_batch)?);
            tracing::info!(camera, model = %model.model.name, number, "context created");
        }
        Ok(PipelineContexts { free })
    }
}

/// What runs models. A library is loaded when the first model needs it, and never otherwise.
struct Backends<'a> {
    config: &'a Config,
    gpu: Option<Arc<Gpu>>,
    cpu: Option<(onnxruntime::Runtime, Arc<Workers>)>,
}

impl Backends<'_> {
    fn open(&mut self, model: &Model, counters: Arc<ModelMetrics>) -> Result<Box<dyn Engine>, InferenceError> {
        let config = &self.config.runtime;
        Ok(match model.backend {
            Backend::Tensorrt => {
                let gpu = match self.gpu.take() {
                    Some(gpu) => gpu,
                    None => Gpu::open(config.tensorrt_library.as_deref(), config.concurrency)?,
                };
                Box::new(TrtEngine::open(self.gpu.insert(gpu), model, counters)?)
            }
            Backend::OnnxruntimeCpu => {
                let cpu = match self.cpu.take() {
                    Some(cpu) => cpu,
                    None => load_cpu(config)?,
                };
                let (runtime, workers) = self.cpu.insert(cpu);
                let threads = config.threads_per_inference;
                Box::new(OrtEngine::open(runtime, model, threads, Arc::clone(workers), counters)?)
            }
        })
    }
}

fn load_cpu(config: &Runtime) -> Result<(onnxruntime::Runtime, Arc<Workers>), InferenceError> {
    let runtime = library::load(config.onnxruntime_library.as_deref())?;
    tracing::info!(path = %runtime.path().display(), build = runtime.build_info(), "ONNX Runtime loaded");
    let workers = Workers::start(config.inference_workers)
        .map_err(|error| InferenceError::Library { tried: format!("  no thread for inference: {error}") })?;
    Ok((runtime, workers))
}

/// The file that is loaded.
fn file(model: &Model) -> &Path {
    match model.backend {
        Backend::Tensorrt => &model.plan,
        Backend::OnnxruntimeCpu => &model.onnx,
    }
}

fn largest_first(models: &[Arc<Model>]) -> Vec<usize> {
    let size = |index: &usize| std::fs::metadata(file(&models[*index])).map_or(0, |meta| meta.len());
    let mut order: Vec<usize> = (0..models.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(size(index)));
    order
}

fn load_one(
    model: &Arc<Model>,
    backends: &mut Backends<'_>,
    metrics: &Metrics,
    fits: Fits<'_>,
) -> Result<LoadedModel, InferenceError> {
    let sha256 = digest(model, &model.onnx)?;
    if let Some(manifest) = &model.manifest
        && manifest.sha256.as_ref().is_some_and(|promised| *promised != sha256)
    {
        let reason = format!(
            "sha256 is {sha256}, and {} promises another; take both from the same place, or correct it",
            manifest.path.display()
        );
        return Err(InferenceError::File { model: model.name.clone(), path: model.onnx.clone(), reason });
    }
    let sha256 = match model.backend {
        Backend::OnnxruntimeCpu => sha256,
        Backend::Tensorrt => digest(model, &model.plan)?,
    };
    let began = Instant::now();
    let counters = metrics.model(ModelMetrics {
        name: model.name.clone(),
        sha256: sha256.clone(),
        provider: match model.backend {
            Backend::Tensorrt => "tensorrt".to_owned(),
            Backend::OnnxruntimeCpu => "cpu".to_owned(),
        },
        precision: model.precision.map(|precision| precision.name().to_owned()).unwrap_or_default(),
        ..ModelMetrics::default()
    });
    let engine = backends.open(model, counters)?;
    let load_ms = began.elapsed().as_millis();
    // Before the first run: a model that does not fit may well not run either, and this says why.
    fits(model, engine.io()).map_err(|reason| InferenceError::Head { model: model.name.clone(), reason })?;
    let began = Instant::now();
    // What a plan cannot do on this device is the plan's fault, not the daemon's.
    let misfit = |error| match (model.backend, error) {
        (Backend::Tensorrt, InferenceError::Run { model: name, reason }) => {
            InferenceError::Plan { model: name, path: model.plan.clone(), reason }
        }
        (_, error) => error,
    };
    let context = engine.create_context(1).map_err(misfit)?;
    let (context, result) = context.submit().wait().map_err(misfit)?;
    result.map_err(misfit)?;
    drop(context);
    tracing::info!(
        model = %model.name,
        file = %file(model).display(),
        sha256 = &sha256[..12],
        provider = engine.provider(),
        io = %describe(engine.io()),
        load_ms,
        warm_up_ms = began.elapsed().as_millis(),
        "engine loaded"
    );
    Ok(LoadedModel { model: Arc::clone(model), sha256, engine })
}

fn describe(io: &ModelIo) -> String {
    let list = |specs: &[crate::types::tensor::TensorSpec]| {
        specs.iter().map(|spec| format!("{} {spec}", spec.name)).collect::<Vec<_>>().join(", ")
    };
    format!("{} -> {}", list(&io.inputs), list(&io.outputs))
}

fn digest(model: &Model, path: &Path) -> Result<String, InferenceError> {
    sha256(path).map_err(|error| InferenceError::File {
        model: model.name.clone(),
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
