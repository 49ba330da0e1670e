//! One model: its files looked at, its engine loaded.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::artefact::Manifest;
use super::backends::Backends;
use super::certificate::{self, Certificate};
use super::manager::{Fits, LoadedModel, precision};
use super::onnxruntime::{OrtDeviceEngine, OrtEngine};
use super::prove::describe;
use super::tensorrt::TrtEngine;
use super::{Engine, InferenceError, contract, file};
use crate::config::{Backend, Model};
use crate::telemetry::metrics::{Metrics, ModelMetrics};

/// The file that is loaded.
pub(super) fn file_of(model: &Model) -> &Path {
    match model.backend {
        Backend::Tensorrt => &model.plan,
        Backend::OnnxruntimeCpu | Backend::OnnxruntimeCuda | Backend::OnnxruntimeTensorrt => &model.onnx,
    }
}

/// These models' indices by the size of their files.
pub(super) fn largest_first(models: &[Arc<Model>], indices: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let size = |index: &usize| std::fs::metadata(file_of(&models[*index])).map_or(0, |meta| meta.len());
    let mut order: Vec<usize> = indices.into_iter().collect();
    order.sort_by_key(|index| std::cmp::Reverse(size(index)));
    order
}

/// Holds the model's files against `model.toml` and the plan's manifest, loads its engine, and asks whether it fits its head.
///
/// # Errors
/// The first of these that fails.
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
