//! Engines as artefacts: plans with a birth certificate, in a store where none is overwritten.
//!
//! ```text
//! engines/detection.plan -> store/3f9c...e1.plan      what the configuration names: a link, swapped as a whole
//! engines/store/3f9c...e1.plan                        the plan, named by its SHA-256
//! engines/store/3f9c...e1.json                        its manifest: what it was made of, on what, how good it is
//! engines/store/3f9c...e1.log                         what TensorRT said while building it
//! engines/store/detection.plan.history                which plans the link led to, the newest last
//! engines/store/lock                                  held by whoever changes any of this
//! ```
//!
//! A plan that was built elsewhere and lies there as a plain file works, too; it has no manifest until it is built here.

mod check;
mod manifest;
mod platform;
mod store;

pub use check::{Mismatch, Shown};
pub use manifest::{
    Calibration, Element, LabelledAccuracy, Log, Manifest, Memory, ModelFile, Options, Placement, PlanFile, Range,
    Speed, Tensor, Timings, Verified,
};
pub use platform::{GpuModel, Platform};
pub use store::{Entry, Lock, Staged, Store};

use std::path::Path;

use sha2::{Digest, Sha256};

/// SHA-256, hexadecimal, lower case.
#[must_use]
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    hexadecimal(Sha256::digest(bytes).as_slice())
}

/// SHA-256 of a file, hexadecimal, lower case.
///
/// # Errors
/// Where it cannot be read.
pub fn sha256_of_file(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(hexadecimal(hasher.finalize().as_slice()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
