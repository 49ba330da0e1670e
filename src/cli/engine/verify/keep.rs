//! The result into the plan's manifest.

use super::super::stores;
use crate::config::Model;
use crate::inference::artefact::{Manifest, Store, Verified};

/// Writes the result into the manifest of the plan of this digest. Says where it lies, or why it is not kept.
///
/// # Errors
/// Where the store cannot be written.
pub(super) fn keep(model: &Model, sha256: &str, verified: &Verified) -> anyhow::Result<Result<String, String>> {
    let store = Store::of(&model.plan);
    let plan = store.staged(sha256).plan;
    let build = format!("`watchkeeper engine build {}` makes one that has it", model.name);
    if !plan.exists() {
        return Ok(Err(format!("{} was built elsewhere and has no manifest; {build}", model.plan.display())));
    }
    let told = || {
        eprintln!("{}: somebody builds or changes engines there; waiting", store.folder().display());
        true
    };
    let lock = store.lock(told).map_err(|error| stores::unusable(&store, &error))?;
    // Read under the lock: somebody else may have written it meanwhile.
    let manifest = match Manifest::read(&plan) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Ok(Err(format!("{} has no manifest; {build}", plan.display()))),
        Err(error) => return Ok(Err(format!("the manifest of {} cannot be read: {error}; {build}", plan.display()))),
    };
    let manifest = Manifest { verified: Some(verified.clone()), ..manifest };
    store.update(&lock, sha256, &manifest).map_err(|error| stores::unusable(&store, &error))?;
    Ok(Ok(format!("kept in {}", plan.with_extension("json").display())))
}
