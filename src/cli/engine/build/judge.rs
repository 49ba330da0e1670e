//! May the engine be used? Asked when it lies in the store, before anything leads to it.

use std::path::Path;
use std::sync::Arc;

use super::interrupt::Interrupt;
use crate::cli::engine::verify::{self, Data};
use crate::config::{Config, Model};
use crate::inference::artefact::Verified;

/// What a comparison with the model file came to.
pub(super) enum Verdict {
    /// It agrees, so far.
    Agrees(Verified),
    /// It does not, and why it may not be used.
    Refused(Verified, String),
    /// The model file finds too little in the pictures.
    Unproven(String),
}

/// Compares the plan with its model file. `bound` is what the command line asks for.
///
/// # Errors
/// Where either does not run, the pictures cannot be read, or somebody wants the end.
pub(super) fn judge(
    config: &Config,
    model: &Arc<Model>,
    plan: &Path,
    data: &Data,
    bound: Option<f64>,
    interrupt: &Interrupt,
) -> anyhow::Result<Verdict> {
    let verified = match verify::run(config, model, plan, data, &|| Ok(interrupt.check()?))? {
        Ok(verified) => verified,
        Err(few) => return Ok(Verdict::Unproven(few.words(&model.name, data))),
    };
    Ok(match verify::gate(&model.name, &verified, verify::bound(config, bound)) {
        Ok(()) => Verdict::Agrees(verified),
        Err(reason) => Verdict::Refused(verified, reason),
    })
}
