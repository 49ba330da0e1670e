//! What the libraries export, as functions of the major version.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Once};

use gpu_sim::report::{self, note};
use serde_json::json;
use sim_nvinfer_abi::{Interface, Logger, Object, Severity, Sink, Version, live, version};

use crate::builder::Builder;
use crate::runtime::Runtime;
use crate::{device, faults, network, registry};

/// What a runtime is where CUDA cannot be used: the real library returns such a pointer, not null.
const NO_RUNTIME: usize = 0x228;

static MAJOR: AtomicI32 = AtomicI32::new(10);
static LOGGER: AtomicUsize = AtomicUsize::new(0);

/// The version that this library simulates.
pub(crate) fn current() -> Version {
    version(MAJOR.load(Ordering::Relaxed))
}

/// What the library calls itself in reports.
pub(crate) fn name() -> &'static str {
    if MAJOR.load(Ordering::Relaxed) == 10 { "libnvinfer.so.10" } else { "libnvinfer.so.11" }
}

/// Counts and reports a misuse.
pub(crate) fn misuse(kind: &str, what: &str) {
    report::misuse(name(), kind, what);
}

/// An object for the caller.
pub(crate) fn create<T: Interface>(data: Arc<T>) -> *mut c_void {
    Object::interface(Object::create(current(), data))
}

/// `getInferLibVersion`.
#[must_use]
pub fn library_version(major: i32) -> Version {
    MAJOR.store(major, Ordering::Relaxed);
    version(major)
}

/// `createInferRuntime_INTERNAL`.
///
/// # Safety
/// `logger` is null or a logger of this major version that outlives everything made with it.
pub unsafe fn create_runtime(major: i32, logger: *mut c_void, asked: i32) -> *mut c_void {
    // SAFETY: the caller vouches for it.
    match unsafe { start(major, logger, "createInferRuntime", asked) } {
        Some(sink) => create(Arc::new(Runtime::new(sink))),
        None => NO_RUNTIME as *mut c_void,
    }
}

/// `createInferBuilder_INTERNAL`.
///
/// # Safety
/// As for [`create_runtime`].
pub unsafe fn create_builder(major: i32, logger: *mut c_void, asked: i32) -> *mut c_void {
    // SAFETY: the caller vouches for it.
    match unsafe { start(major, logger, "createInferBuilder", asked) } {
        Some(sink) => create(Arc::new(Builder::new(sink))),
        None => NO_RUNTIME as *mut c_void,
    }
}

/// # Safety
/// As for [`create_runtime`].
unsafe fn start(major: i32, logger: *mut c_void, call: &str, asked: i32) -> Option<Sink> {
    let version = library_version(major);
    // SAFETY: the caller vouches for it.
    let Some(logger) = (unsafe { Logger::new(logger, major) }) else {
        misuse("no-logger", &format!("{call} without a logger"));
        return None;
    };
    report_at_exit();
    if asked / 10_000 != major {
        misuse("wrong-version", &format!("{call} was asked for version {asked}, this is {version}"));
    }
    let device = device::get();
    let failure = match device {
        Ok(_) if faults::fault(|faults| faults.fail_runtime) => Some(999),
        Ok(_) => None,
        Err(code) => Some(code),
    };
    if let Some(code) = failure {
        logger.log(
            Severity::Error,
            &format!(
                "{call}: Error Code 6: API Usage Error (CUDA initialization failure with error: {code} In \
                 checkCudaInstallation)"
            ),
        );
        logger.log(Severity::Error, &format!("{call}: Error Code 1: Cuda Runtime (In catchCudaError: {code})"));
        return None;
    }
    logger.log(Severity::Info, &format!("TensorRT {version}: a simulator, not NVIDIA's; networks run on the CPU"));
    LOGGER.store(logger.object() as usize, Ordering::Release);
    Some(Sink::new(logger))
}

/// `getLogger`: the logger of the last runtime or builder; null before there was one.
#[must_use]
pub fn logger() -> *mut c_void {
    LOGGER.load(Ordering::Acquire) as *mut c_void
}

/// `getPluginRegistry`: usable without a GPU.
#[must_use]
pub fn plugin_registry(major: i32) -> *mut c_void {
    MAJOR.store(major, Ordering::Relaxed);
    registry::get()
}

/// `watchkeeper_sim_control`: takes a fault document. 0, or -1 with a line on stderr.
///
/// # Safety
/// `document` is null or NUL-terminated.
pub unsafe fn control(major: i32, document: *const c_char) -> c_int {
    MAJOR.store(major, Ordering::Relaxed);
    if document.is_null() {
        return -1;
    }
    // SAFETY: it is not null, so the caller vouches for it.
    let document = unsafe { CStr::from_ptr(document) }.to_string_lossy();
    match faults::control(&document) {
        Ok(reset) => {
            if reset {
                report::reset();
            }
            0
        }
        Err(reason) => {
            eprintln!("[simulated] {}: control document: {reason}; nothing was changed", name());
            -1
        }
    }
}

/// `watchkeeper_sim_statistics`: writes the counters as JSON, with a NUL, and returns the length without it; nothing is
/// written where `room` is not enough.
///
/// # Safety
/// `out` has `room` writable bytes, or `room` is 0.
pub unsafe fn statistics(out: *mut c_char, room: usize) -> usize {
    let text = json!({ "objects": live(), "misuse": report::counts() }).to_string();
    if room > text.len() {
        // SAFETY: the caller vouches for `room` bytes, which are enough for the text and its NUL.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), out, text.len());
            out.add(text.len()).write(0);
        }
    }
    text.len()
}

/// `watchkeeper_sim_network`: how the simulated parser hands a model to a network. 0, or -1 where it does not fit.
///
/// # Safety
/// `network` is an `INetworkDefinition*` of this library, and `model` has `size` bytes.
pub unsafe fn fill_network(network: *mut c_void, model: *const u8, size: usize) -> c_int {
    // SAFETY: the caller vouches for the range.
    let model = unsafe { std::slice::from_raw_parts(model, size) };
    if network::set_model(network, model) { 0 } else { -1 }
}

fn report_at_exit() {
    extern "C" fn summary() {
        let objects = live();
        note(name(), "exit", json!({ "objects": objects, "misuse": report::counts() }));
        for (class, count) in objects {
            // What belongs to others goes with them; the registry is never destroyed.
            if !matches!(class, "IPluginRegistry" | "VTensor" | "VOptimizationProfile") {
                eprintln!("[simulated] {}: left at exit: {count} {class}", name());
                note(name(), "leak", json!({ "kind": class, "count": count }));
            }
        }
    }
    static ONCE: Once = Once::new();
    // SAFETY: TensorRT is not to be closed after objects were made, and this is called when the first one is.
    ONCE.call_once(|| unsafe {
        libc::atexit(summary);
    });
}

/// Exports the library's functions for one major version.
#[macro_export]
macro_rules! export {
    ($major:literal) => {
        use ::std::ffi::{c_char, c_int, c_void};

        #[unsafe(no_mangle)]
        unsafe extern "C" fn createInferRuntime_INTERNAL(logger: *mut c_void, version: i32) -> *mut c_void {
            // SAFETY: TensorRT asks the same of its callers.
            unsafe { $crate::create_runtime($major, logger, version) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn createInferBuilder_INTERNAL(logger: *mut c_void, version: i32) -> *mut c_void {
            // SAFETY: TensorRT asks the same of its callers.
            unsafe { $crate::create_builder($major, logger, version) }
        }

        #[unsafe(no_mangle)]
        extern "C" fn getInferLibVersion() -> i32 {
            $crate::library_version($major).number()
        }

        #[unsafe(no_mangle)]
        extern "C" fn getInferLibMajorVersion() -> i32 {
            $major
        }

        #[unsafe(no_mangle)]
        extern "C" fn getInferLibMinorVersion() -> i32 {
            $crate::library_version($major).minor
        }

        #[unsafe(no_mangle)]
        extern "C" fn getInferLibPatchVersion() -> i32 {
            $crate::library_version($major).patch
        }

        #[unsafe(no_mangle)]
        extern "C" fn getInferLibBuildVersion() -> i32 {
            0
        }

        #[unsafe(no_mangle)]
        extern "C" fn getLogger() -> *mut c_void {
            $crate::logger()
        }

        #[unsafe(no_mangle)]
        extern "C" fn getPluginRegistry() -> *mut c_void {
            $crate::plugin_registry($major)
        }

        #[unsafe(no_mangle)]
        extern "C" fn getBuilderPluginRegistry(_capability: i32) -> *mut c_void {
            $crate::plugin_registry($major)
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn watchkeeper_sim_control(document: *const c_char) -> c_int {
            // SAFETY: README.md asks for NUL-terminated text.
            unsafe { $crate::control($major, document) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn watchkeeper_sim_statistics(out: *mut c_char, room: usize) -> usize {
            // SAFETY: README.md asks for `room` bytes.
            unsafe { $crate::statistics(out, room) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn watchkeeper_sim_network(network: *mut c_void, model: *const u8, size: usize) -> c_int {
            // SAFETY: the simulated parser passes its caller's network and bytes.
            unsafe { $crate::fill_network(network, model, size) }
        }
    };
}
