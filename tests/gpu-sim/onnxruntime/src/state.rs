//! What is known of ONNX Runtime's objects that have to do with a GPU, by address.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use gpu_sim::report::lock;

/// What a session was asked to run on.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The first provider registered, by ONNX Runtime's name.
    pub provider: &'static str,
    pub stream: usize,
    pub cache: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Running {
    pub asked: Asked,
    /// A run is under way.
    pub busy: bool,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Session options: what was registered, and whether the CPU is forbidden.
    pub options: BTreeMap<usize, Asked>,
    pub no_fallback: BTreeSet<usize>,
    pub sessions: BTreeMap<usize, Running>,
    /// Memory infos that say device memory.
    pub device_infos: BTreeSet<usize>,
    /// Tensors over device memory: address and bytes.
    pub device_values: BTreeMap<usize, (usize, usize)>,
}

pub(crate) fn state() -> MutexGuard<'static, State> {
    static STATE: Mutex<State> = Mutex::new(State {
        options: BTreeMap::new(),
        no_fallback: BTreeSet::new(),
        sessions: BTreeMap::new(),
        device_infos: BTreeSet::new(),
        device_values: BTreeMap::new(),
    });
    lock(&STATE)
}
