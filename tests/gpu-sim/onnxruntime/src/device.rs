//! The simulated libcuda, found by its name as the real providers find the real one.

use std::ffi::{c_int, c_uint};
use std::sync::OnceLock;

/// Functions of libcuda.
struct Device {
    count: unsafe extern "C" fn(*mut c_int) -> c_uint,
    view: unsafe extern "C" fn(usize, usize, *mut usize) -> c_uint,
    wait: unsafe extern "C" fn(usize) -> c_uint,
}

/// Why there is none, in the words of ONNX Runtime's providers.
pub(crate) fn check() -> Result<(), String> {
    let words =
        |code: c_uint, name: &str| format!("CUDA failure {code}: {name} ; GPU=-1 ; expr=cudaGetDeviceCount(&n);");
    let device = get().ok_or_else(|| {
        "Failed to load library libonnxruntime_providers_cuda.so with error: libcuda.so.1: cannot open shared object file: \
         No such file or directory"
            .to_owned()
    })?;
    let mut count = 0;
    // SAFETY: `count` takes the answer.
    match unsafe { (device.count)(&raw mut count) } {
        0 if count > 0 => Ok(()),
        0 | 100 => Err(words(100, "no CUDA-capable device is detected")),
        code => Err(words(code, "initialization error")),
    }
}

/// Where the bytes of a device address are; `None` unless all of them are in one live allocation.
pub(crate) fn view(address: usize, size: usize) -> Option<*mut u8> {
    let mut view = 0;
    // SAFETY: `view` takes the answer.
    unsafe { (get()?.view)(address, size, &raw mut view) };
    (view != 0).then_some(view as *mut u8)
}

/// Waits for what a stream was given so far; an error's number where it is none or has failed.
pub(crate) fn wait(stream: usize) -> Result<(), c_uint> {
    // SAFETY: no memory changes hands.
    match get().map_or(35, |device| unsafe { (device.wait)(stream) }) {
        0 => Ok(()),
        code => Err(code),
    }
}

fn get() -> Option<&'static Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    DEVICE.get_or_init(find).as_ref()
}

#[allow(clippy::missing_transmute_annotations, reason = "the fields say the types")]
fn find() -> Option<Device> {
    // SAFETY: a library that is already loaded under this SONAME is only found again; a new one runs its initialisers, as
    // it would for any program that uses CUDA.
    let library = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        return None;
    }
    let symbol = |name: &std::ffi::CStr| {
        // SAFETY: the handle is open and the name NUL-terminated.
        let found = unsafe { libc::dlsym(library, name.as_ptr()) };
        if found.is_null() {
            eprintln!("[simulated] libcuda.so.1 has no {name:?}: not the simulated one; use both or neither");
            return None;
        }
        Some(found)
    };
    // SAFETY: the simulated libcuda declares them with the types of these fields.
    unsafe {
        Some(Device {
            count: std::mem::transmute(symbol(c"cuDeviceGetCount")?),
            view: std::mem::transmute(symbol(c"watchkeeper_sim_view")?),
            wait: std::mem::transmute(symbol(c"watchkeeper_sim_wait")?),
        })
    }
}
