//! What the GPU must prove before a daemon under `policy = "gpu-only"` opens a camera.

use super::check::{Check, Outcome};
use super::facts::Facts;
use crate::config::{Config, Policy};

/// The checks; none where the policy asks nothing of a GPU.
pub(super) fn checks(config: &Config, facts: &Facts) -> Vec<Check> {
    if config.runtime.policy != Policy::GpuOnly {
        return Vec::new();
    }
    let Some(cuda) = &facts.cuda else { return Vec::new() };
    let driver = match cuda {
        Err(error) => Err(error.clone()),
        Ok(cuda) => match (&cuda.error, cuda.devices.first()) {
            (Some(error), _) => Err(error.clone()),
            (None, None) => Err("the driver starts but finds no GPU".to_owned()),
            (None, Some(gpu)) => Ok(gpu.name.clone()),
        },
    };
    let proof = facts.proof.clone().unwrap_or_else(|| Err("not asked: the driver does not start".to_owned()));
    let asked = facts.proof.is_some();
    let line = |name: &str, answer: Result<String, String>, good: &str| match answer {
        Ok(gpu) => Check::ok(name, format!("{gpu} {good}")),
        Err(error) => super::versions::failed_with_advice(name, &error),
    };
    let mut checks = vec![line("driver", driver, "is there"), line("device", proof, "computes")];
    if !asked {
        checks[1].outcome = Outcome::Skipped;
    }
    checks
}
