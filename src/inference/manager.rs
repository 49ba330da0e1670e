//! The one owner of all engines.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::onnxruntime::{OrtEngine, Workers};
use super::{Context, Engine, InferenceError, library};
use crate::config::{Backend, Config, Model, Task};
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
        if !models.is_empty() {
            let runtime = library::load(config.runtime.onnxruntime_library.as_deref())?;
            tracing::info!(path = %runtime.path().display(), build = runtime.build_info(), "ONNX Runtime loaded");
            let workers = Workers::start(config.runtime.inference_workers)
                .map_err(|error| InferenceError::Library { tried: format!("  no thread for inference: {error}") })?;
            for index in largest_first(&config.models) {
                let model = &config.models[index];
                let loaded = load_one(model, &runtime, config.runtime.threads_per_inference, &workers, metrics, fits)?;
                models[index] = Some(Arc::new(loaded));
            }
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

fn largest_first(models: &[Arc<Model>]) -> Vec<usize> {
    let size = |index: &usize| std::fs::metadata(&models[*index].onnx).map_or(0, |meta| meta.len());
    let mut order: Vec<usize> = (0..models.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(size(index)));
    order
}

fn load_one(
    model: &Arc<Model>,
    runtime: &onnxruntime::Runtime,
    threads: usize,
    workers: &Arc<Workers>,
    metrics: &Metrics,
    fits: Fits<'_>,
) -> Result<LoadedModel, InferenceError> {
    let sha256 = sha256(&model.onnx).map_err(|error| InferenceError::File {
        model: model.name.clone(),
        path: model.onnx.clone(),
        reason: error.to_string(),
    })?;
    if let Some(manifest) = &model.manifest
        && manifest.sha256.as_ref().is_some_and(|promised| *promised != sha256)
    {
        let reason = format!(
            "sha256 is {sha256}, and {} promises another; take both from the same place, or correct it",
            manifest.path.display()
        );
        return Err(InferenceError::File { model: model.name.clone(), path: model.onnx.clone(), reason });
    }
    let began = Instant::now();
    let counters = metrics.model(ModelMetrics {
        name: model.name.clone(),
        sha256: sha256.clone(),
        provider: "cpu".to_owned(),
        precision: model.precision.map(|precision| precision.name().to_owned()).unwrap_or_default(),
        ..ModelMetrics::default()
    });
    let engine: Box<dyn Engine> = match model.backend {
        Backend::OnnxruntimeCpu => {
            Box::new(OrtEngine::open(runtime, model, threads, Arc::clone(workers), Arc::clone(&counters))?)
        }
    };
    let load_ms = began.elapsed().as_millis();
    // Before the first run: a model that does not fit may well not run either, and this says why.
    fits(model, engine.io()).map_err(|reason| InferenceError::Head { model: model.name.clone(), reason })?;
    let began = Instant::now();
    let context = engine.create_context(1)?;
    let (context, result) = context.submit().wait()?;
    result?;
    drop(context);
    tracing::info!(
        model = %model.name,
        file = %model.onnx.display(),
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

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
