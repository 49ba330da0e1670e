//! What TensorRT can be told to do wrong: the section `tensorrt` of the fault document.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use gpu_sim::faults::Section;
use gpu_sim::report::lock;
use serde::Deserialize;

/// The section's keys; README.md explains them to users.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// Name of the engine that `myelin_every`, `slow_ms`, `wrong_outputs` and `fail_enqueue` are about; empty: all.
    pub engine: String,
    /// `createInferRuntime` fails as if CUDA had not initialised.
    pub fail_runtime: bool,
    /// The n-th deserialisation from now on fails; 0: none.
    pub fail_deserialize: u64,
    /// The n-th context creation from now on fails; 0: none.
    pub fail_context: u64,
    /// And so many in a row; 0: that one.
    pub fail_context_times: u64,
    /// An enqueue while another stream's execution is in flight fails with Myelin's error.
    pub myelin_overlap: bool,
    /// Every n-th enqueue of an engine fails with Myelin's error; 0: none.
    pub myelin_every: u64,
    /// A Myelin failure is over with the enqueue that had it; otherwise its engine fails until it is deserialised anew.
    pub myelin_heals: bool,
    /// A Myelin failure is only logged, by the stream's thread, and outputs stay as they were; enqueue succeeds.
    pub myelin_asynchronous: bool,
    /// The n-th enqueue from now on fails; 0: none.
    pub fail_enqueue: u64,
    /// That enqueue and all later ones fail.
    pub fail_enqueue_onwards: bool,
    /// Every execution takes so much longer.
    pub slow_ms: u64,
    /// Outputs are wrong.
    pub wrong_outputs: bool,
    /// A build takes so long, in many steps; a tenth of it where its timing cache knows the model.
    pub build_ms: u64,
    /// The n-th build from now on fails at its end; 0: none.
    pub fail_build: u64,
    /// Deep-learning accelerators of the device.
    pub dla_cores: i32,
}

/// Things that are counted from the last document on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Deserialize,
    Context,
    Enqueue,
    Build,
}

static COUNTS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
static SECTION: OnceLock<Mutex<Section<Faults>>> = OnceLock::new();

fn section() -> &'static Mutex<Section<Faults>> {
    SECTION.get_or_init(|| Mutex::new(Section::from_env("tensorrt")))
}

/// One value out of the faults.
pub(crate) fn fault<T>(read: impl FnOnce(&Faults) -> T) -> T {
    read(&lock(section()).faults)
}

/// Counts one more.
pub(crate) fn next(count: Count) -> u64 {
    COUNTS[count as usize].fetch_add(1, Ordering::AcqRel) + 1
}

/// Takes a document; says whether it asked for a reset.
pub(crate) fn control(document: &str) -> Result<bool, String> {
    let reset = lock(section()).apply(document)?;
    for count in &COUNTS {
        count.store(0, Ordering::Release);
    }
    Ok(reset)
}

impl Faults {
    /// Whether they are about this engine.
    pub(crate) fn concern(&self, engine: &str) -> bool {
        self.engine.is_empty() || self.engine == engine
    }
}
