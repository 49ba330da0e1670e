//! The simulator's libraries as a program meets them: opened by path, called through C and vtables.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::too_many_arguments, reason = "calls by slot and by CUDA's signatures")]

pub mod camera;
pub mod cuda;
pub mod rig;
pub mod tensorrt;

use std::ffi::{CString, c_char, c_int};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libloading::Library;
use serde_json::Value;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The libraries have one state per process, so tests take turns; faults of the one before are forgotten.
pub fn turn() -> MutexGuard<'static, ()> {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    control(library("libcuda.so.1"), r#"{"cuda":{"reset":true}}"#);
    turn
}

/// A library of the simulator, opened once and never closed.
pub fn library(name: &'static str) -> &'static Library {
    static OPEN: Mutex<Vec<(&'static str, &'static Library)>> = Mutex::new(Vec::new());
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        gpu_sim::stage::stage(folder.path()).expect("the libraries are built");
        folder
    });
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, library)) = open.iter().find(|(known, _)| *known == name) {
        return library;
    }
    let library = Box::leak(Box::new(load(&folder.path().join(name))));
    open.push((name, library));
    library
}

fn load(path: &Path) -> Library {
    // SAFETY: the simulator's own library, whose initialisers do nothing.
    unsafe { Library::new(path) }.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Asks a library for faults.
pub fn control(library: &Library, document: &str) {
    let text = CString::new(document).expect("no NUL");
    // SAFETY: the function has this type in every library of the simulator.
    let answer = unsafe {
        let control: libloading::Symbol<unsafe extern "C" fn(*const c_char) -> c_int> =
            library.get(b"watchkeeper_sim_control\0").expect("a control function");
        control(text.as_ptr())
    };
    assert_eq!(answer, 0, "{document}");
}

/// A library's counters.
pub fn statistics(library: &Library) -> Value {
    let mut room = vec![0_u8; 1 << 16];
    // SAFETY: the function has this type in every library of the simulator, and writes no more than it is told.
    let length = unsafe {
        let statistics: libloading::Symbol<unsafe extern "C" fn(*mut c_char, usize) -> usize> =
            library.get(b"watchkeeper_sim_statistics\0").expect("a statistics function");
        statistics(room.as_mut_ptr().cast(), room.len())
    };
    serde_json::from_slice(&room[..length]).expect("JSON")
}

/// How often a kind of misuse was counted.
pub fn misuse(library: &Library, kind: &str) -> u64 {
    statistics(library)["misuse"][kind].as_u64().unwrap_or(0)
}
