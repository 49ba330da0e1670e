//! What ONNX Runtime can be told to do wrong: the section `onnxruntime` of the fault document.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use gpu_sim::faults::Section;
use gpu_sim::report::lock;
use serde::Deserialize;

/// The section's keys; README.md explains them to users.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// A library that the providers do not find.
    pub missing: String,
    /// The first so many nodes of a model are left for the CPU.
    pub cpu_nodes: u64,
    /// They are left for it even where that was forbidden.
    pub ignore_no_fallback: bool,
    /// TensorRT takes no node: all of them run on CUDA.
    pub tensorrt_takes_nothing: bool,
    /// The n-th run on a device fails; 0: none.
    pub fail_run: u64,
    /// Runs on a device take so much longer.
    pub slow_ms: u64,
}

static RUNS: AtomicU64 = AtomicU64::new(0);

fn section() -> &'static Mutex<Section<Faults>> {
    static SECTION: OnceLock<Mutex<Section<Faults>>> = OnceLock::new();
    SECTION.get_or_init(|| Mutex::new(Section::from_env("onnxruntime")))
}

/// One value out of the faults.
pub(crate) fn fault<T>(read: impl FnOnce(&Faults) -> T) -> T {
    read(&lock(section()).faults)
}

/// Counts one run on a device more.
pub(crate) fn next_run() -> u64 {
    RUNS.fetch_add(1, Ordering::AcqRel) + 1
}

/// Takes a document; says whether it asked for a reset.
pub(crate) fn control(document: &str) -> Result<bool, String> {
    let reset = lock(section()).apply(document)?;
    RUNS.store(0, Ordering::Release);
    Ok(reset)
}
