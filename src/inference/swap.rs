//! Another engine for a model: loaded and proven beside the one that serves, then in its place.
//!
//! A [`Candidate`] is such an engine. Whoever has contexts of the old one changes over by itself, and then
//! [`ModelManager::promote`] makes the candidate the model's engine. Dropped before, it is gone, and nothing has changed.

use std::sync::{Arc, PoisonError, RwLockReadGuard};

use serde::Serialize;

use super::load::{file_of, largest_first, load_one};
use super::manager::Proofs;
use super::prove::prove;
use super::{Check, ContractReport, InferenceError, LoadedModel, ModelManager, contract, file};
use crate::config::{Backend, Config, Model};
use crate::telemetry::metrics::{Metrics, ModelMetrics};
use crate::types::time::Timestamp;

/// An engine that serves.
pub(super) struct Serving {
    pub(super) loaded: Arc<LoadedModel>,
    metrics: Arc<ModelMetrics>,
    since: Timestamp,
}

impl Serving {
    /// An engine whose counters are the latest of its model in `metrics`.
    pub(super) fn new(loaded: Arc<LoadedModel>, metrics: &Metrics) -> Self {
        let counters = metrics.models().into_iter().rfind(|counters| counters.name == loaded.model.name);
        Self { loaded, metrics: counters.unwrap_or_default(), since: Timestamp::now() }
    }
}

/// What is known of a model and its engine.
#[derive(Clone, Debug, Serialize)]
pub struct ModelStatus {
    /// Name in the configuration.
    pub name: String,
    /// What it is for.
    pub task: &'static str,
    /// Digest of the plan, or of the model file where no plan is used: `sha256:` and 64 hexadecimal digits.
    pub engine: String,
    /// Digest of the model file.
    pub onnx: String,
    /// What runs it.
    pub provider: &'static str,
    /// Arithmetic; `None`: as the model file has it.
    pub precision: Option<String>,
    /// Contexts alive.
    pub contexts: u64,
    /// When it began to serve, RFC 3339 UTC.
    pub since: String,
}

/// A loaded and proven engine that does not serve yet.
pub struct Candidate {
    /// The model's index in the configuration.
    pub index: usize,
    /// The engine.
    pub loaded: Arc<LoadedModel>,
    metrics: Arc<ModelMetrics>,
    checks: Vec<Check>,
}

impl Candidate {
    /// Its counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<ModelMetrics> {
        &self.metrics
    }
}

/// An engine that served until now.
pub struct Retired {
    /// The engine.
    pub loaded: Arc<LoadedModel>,
    /// Its counters.
    pub metrics: Arc<ModelMetrics>,
}

impl ModelManager {
    pub(super) fn serving(&self) -> RwLockReadGuard<'_, Vec<Serving>> {
        self.serving.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All models, in the configuration's order.
    #[must_use]
    pub fn status(&self) -> Vec<ModelStatus> {
        let status = |serving: &Serving| {
            let model = &serving.loaded.model;
            ModelStatus {
                name: model.name.clone(),
                task: model.task.name(),
                engine: format!("sha256:{}", serving.loaded.sha256),
                onnx: format!("sha256:{}", serving.loaded.onnx_sha256),
                provider: serving.loaded.provider(),
                precision: serving.loaded.precision().map(str::to_owned),
                contexts: serving.metrics.contexts.get(),
                since: serving.since.to_string(),
            }
        };
        self.serving().iter().map(status).collect()
    }

    /// Do the model's files, where its paths lead now, hold anything else than what was loaded?
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn has_other_files(&self, loaded: &LoadedModel, model: &Model) -> Result<bool, InferenceError> {
        if file::digest(&model.name, &model.onnx)? != loaded.onnx_sha256 {
            return Ok(true);
        }
        Ok(model.backend == Backend::Tensorrt && file::digest(&model.name, file_of(model))? != loaded.sha256)
    }

    /// Loads the models at the indices `changed` of `config` beside the engines that serve, the largest file first, and
    /// has each prove itself as at the start. `go_on` is asked before each.
    ///
    /// # Errors
    /// As [`ModelManager::load_with`], for the first that fails; none is left then.
    pub fn load_beside(
        &self,
        config: &Config,
        changed: &[usize],
        proofs: &Proofs<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Vec<Candidate>, InferenceError> {
        let order = largest_first(&config.models, changed.iter().copied());
        let mut report = ContractReport::new(config);
        let candidates: Result<Vec<_>, _> = order
            .into_iter()
            .take_while(|_| go_on())
            .map(|index| self.load_proven(config, index, proofs, &mut report))
            .collect();
        candidates.map_err(|error| {
            // What it took of the memory that all share, nobody needs.
            self.trim();
            report.fail(error)
        })
    }

    fn load_proven(
        &self,
        config: &Config,
        index: usize,
        proofs: &Proofs<'_>,
        report: &mut ContractReport,
    ) -> Result<Candidate, InferenceError> {
        let _one_at_a_time = self.lifecycle.lock().unwrap_or_else(PoisonError::into_inner);
        let model = &config.models[index];
        report.begin(&contract::engine(&model.name));
        self.admissions.beside(model)?;
        // Counted where nobody looks until it has proven itself.
        let aside = Metrics::default();
        let mut backends = self.opened.backends(config, &self.health, report);
        let loaded = Arc::new(load_one(model, &mut backends, &aside, proofs.fits)?);
        prove(&loaded, self.opened.gpu.as_ref(), proofs.prepare, report)?;
        let names = [contract::engine(&model.name), contract::golden(&model.name)];
        let checks = names.iter().filter_map(|name| report.check(name).cloned()).collect();
        let metrics = aside.models().pop().unwrap_or_default();
        Ok(Candidate { index, loaded, metrics, checks })
    }

    /// Makes candidates the engines of their models, and their checks part of the contract. Hands back the engines that
    /// served until now, each of which ends with the last context of it.
    pub fn promote(&self, candidates: Vec<Candidate>) -> Vec<Retired> {
        let mut retired = Vec::new();
        {
            let mut contract = self.contract.lock().unwrap_or_else(PoisonError::into_inner);
            let mut serving = self.serving.write().unwrap_or_else(PoisonError::into_inner);
            for Candidate { index, loaded, metrics, checks } in candidates {
                checks.into_iter().for_each(|check| contract.set(check));
                let Some(place) = serving.get_mut(index) else { continue };
                let before = std::mem::replace(place, Serving { loaded, metrics, since: Timestamp::now() });
                retired.push(Retired { loaded: before.loaded, metrics: before.metrics });
            }
        }
        self.trim();
        retired
    }

    /// Gives up shared memory that only engines needed which do not serve.
    pub fn trim(&self) {
        if let Some(tensorrt) = &self.opened.tensorrt {
            let needed = self.serving().iter().map(|serving| serving.loaded.engine.activation_bytes()).max();
            tensorrt.trim_scratch(needed.unwrap_or(0));
        }
    }
}
