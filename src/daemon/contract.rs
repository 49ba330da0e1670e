//! Where the GPU contract report goes: a file beside the event numbers, and a metric.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::inference::{ContractReport, InferenceError, ModelManager, Outcome};
use crate::pipeline;
use crate::telemetry::metrics::{Metrics, gauge};

/// Loads all models of the process and makes the contract's checks; the report is written whatever comes of it.
///
/// # Errors
/// As [`ModelManager::load_with`].
pub(super) fn load(config: &Config, metrics: &Metrics) -> Result<Arc<ModelManager>, InferenceError> {
    let mut report = ContractReport::new(config);
    let loaded = ModelManager::shared(config, metrics, &pipeline::proofs(), &mut report);
    for check in report.checks.iter().filter(|check| check.outcome == Outcome::Warning) {
        tracing::warn!("GPU contract: {check}");
    }
    write(&report, &config.runtime.state_dir);
    if let Ok(models) = &loaded {
        show(models, metrics);
    }
    loaded
}

/// To `contract.json`.
pub(super) fn write(report: &ContractReport, state_dir: &Path) {
    let path = state_dir.join("contract.json");
    let written = fs::create_dir_all(state_dir).and_then(|()| super::state_file::write(&path, report));
    if let Err(error) = written {
        // Who needs the folder says so, and what to do.
        tracing::warn!(path = %path.display(), "the contract report cannot be written: {error}");
    }
}

/// 1 where a check was passed, with a warning too; 0 where it failed; absent where it was not made.
fn show(models: &Arc<ModelManager>, metrics: &Metrics) {
    let models = Arc::downgrade(models);
    metrics.also(move |out| {
        let Some(report) = models.upgrade().map(|models| models.contract()) else { return };
        let made = report.checks.iter().filter(|check| check.outcome != Outcome::Skipped);
        let values = made.map(|check| (check.name.as_str(), u64::from(check.outcome != Outcome::Failed)));
        gauge(out, "gpu_contract", "check", values);
    });
}
