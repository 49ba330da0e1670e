//! Blue and green: new engines are loaded beside the old ones, cameras move over one by one, and then the old ones go. Where
//! anything fails on the way, all cameras go back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::config::Config;
use crate::inference::{Candidate, ModelManager, Retired};
use crate::pipeline::{self, EngineFor, Handover, Proof, Setback};
use crate::telemetry::metrics::Metrics;

/// A camera that is stuck keeps its context; nobody waits for it for longer.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// What a change of engines needs.
pub(super) struct Swap<'a> {
    pub(super) models: &'a ModelManager,
    pub(super) metrics: &'a Metrics,
    pub(super) cameras: &'a [Arc<Handover>],
    /// False: the daemon ends.
    pub(super) go_on: &'a dyn Fn() -> bool,
}

/// A model that was changed over.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Change {
    name: String,
    /// `sha256:` and the digest of the engine.
    before: String,
    now: String,
}

/// Why models were not changed over.
pub(super) enum Failure {
    /// A new engine cannot be loaded, or does not prove itself; no camera has met it.
    Refused(String),
    /// A camera cannot work with it, and all work with the old one again.
    Back(String),
    /// The daemon ends.
    Interrupted,
}

impl Swap<'_> {
    /// Changes over the models at the indices `changed` of `config`.
    pub(super) fn run(&self, config: &Config, changed: &[usize]) -> Result<Vec<Change>, Failure> {
        let began = Instant::now();
        let loaded = self.models.load_beside(config, changed, &pipeline::proofs(), self.go_on);
        let candidates = loaded
            .map_err(|error| if (self.go_on)() { Failure::Refused(error.to_string()) } else { Failure::Interrupted })?;
        if !(self.go_on)() {
            return Err(Failure::Interrupted);
        }
        let new: Vec<EngineFor> = candidates.iter().map(|new| (new.index, Arc::clone(&new.loaded))).collect();
        let old: Vec<EngineFor> =
            new.iter().filter_map(|(index, _)| Some((*index, self.models.model(*index)?))).collect();
        candidates.iter().for_each(|new| self.metrics.join(new.metrics()));
        let moved = self.move_over(&new).map_err(|setback| self.move_back(setback, &old, &new));
        match moved {
            Ok(()) => {
                drop(new);
                let changes = self.finish(candidates, old);
                tracing::info!(took_ms = began.elapsed().as_millis(), "engines changed over");
                Ok(changes)
            }
            Err(failure) => {
                drop(new);
                for candidate in candidates {
                    self.metrics.leave(candidate.metrics());
                    tracing::info!(model = %candidate.loaded.model.name, "new engine dropped");
                }
                self.models.trim();
                Err(failure)
            }
        }
    }

    fn move_over(&self, new: &[EngineFor]) -> Result<(), Setback> {
        for camera in self.cameras.iter().filter(|camera| camera.concerns(new)) {
            match camera.move_to(self.models, new, self.go_on)? {
                Proof::Answered => tracing::info!(camera = camera.id(), "the new engine has answered"),
                Proof::NotAsked => tracing::info!(
                    camera = camera.id(),
                    "the new engine has nothing to answer: the camera gives no frames now, or none with a subject for it, or had no answers before"
                ),
            }
        }
        // What nobody waited for may have come since.
        let failed = self.cameras.iter().filter(|camera| camera.uses(new)).find_map(|camera| camera.failure());
        failed.map_or(Ok(()), |reason| Err(Setback::Failed(reason)))
    }

    /// Every camera that has met the new engines gets the old ones again.
    fn move_back(&self, setback: Setback, old: &[EngineFor], new: &[EngineFor]) -> Failure {
        if matches!(setback, Setback::Interrupted) || !(self.go_on)() {
            return Failure::Interrupted;
        }
        tracing::warn!("cameras go back to the old engine: {setback}");
        let mut told = setback.to_string();
        for camera in self.cameras.iter().filter(|camera| camera.uses(new)) {
            let left = match camera.move_back(self.models, old, self.go_on) {
                Ok(()) => {
                    tracing::info!(camera = camera.id(), "back to the old engine");
                    continue;
                }
                Err(Setback::Interrupted) => return Failure::Interrupted,
                Err(Setback::Contexts(error)) => {
                    format!("camera {:?} goes on with the new engine until the next reload: {error}", camera.id())
                }
                Err(Setback::Failed(reason)) => reason,
            };
            tracing::error!("{left}");
            told = format!("{told}; {left}");
        }
        Failure::Back(told)
    }

    /// The new engines serve; the old ones end with their last context.
    fn finish(&self, candidates: Vec<Candidate>, old: Vec<EngineFor>) -> Vec<Change> {
        let now: Vec<_> = candidates.iter().map(|new| (new.loaded.sha256.clone(), Arc::clone(new.metrics()))).collect();
        let retired = self.models.promote(candidates);
        drop(old);
        let mut changes = Vec::new();
        for (Retired { loaded, metrics }, (sha256, counters)) in retired.into_iter().zip(now) {
            let began = Instant::now();
            let in_use = || Arc::strong_count(&loaded) > 1 || metrics.contexts.get() > 0;
            while in_use() && began.elapsed() < GONE_WITHIN && (self.go_on)() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let (name, contexts, left) = (loaded.model.name.clone(), metrics.contexts.get(), in_use());
            changes.push(Change {
                before: format!("sha256:{}", loaded.sha256),
                now: format!("sha256:{sha256}"),
                name: name.clone(),
            });
            drop(loaded);
            self.metrics.replace(&metrics, &counters);
            if left {
                tracing::warn!(model = %name, contexts, "the old engine ends with its last context, which is still in use");
            } else {
                tracing::info!(model = %name, sha256 = sha256.get(..12), "the new engine serves, the old one is dropped");
            }
        }
        changes
    }
}
