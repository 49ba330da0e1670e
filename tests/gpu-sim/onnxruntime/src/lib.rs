//! A `libonnxruntime.so` whose CUDA and TensorRT providers are simulated.
//!
//! It loads the real library and hands out that one's C API with some functions replaced. Sessions that ask for a
//! provider on the GPU run on the CPU, with device memory and streams of the simulated libcuda; the profiler then names
//! the provider asked for. So what a program does with options, device memory, streams and threads can be tested, and
//! what the real providers compute cannot.
#![allow(non_snake_case, reason = "the names are ONNX Runtime's")]

mod device;
mod faults;
mod inner;
mod memory;
mod options;
mod session;
mod sim;
mod state;

use std::ffi::c_char;
use std::sync::OnceLock;

use ort_sys::{ORT_API_VERSION, OrtApi, OrtApiBase};

/// In log lines and reports.
const LIBRARY: &str = "libonnxruntime.so";

struct Table(OrtApi);

/// The C API's table, with our functions in it; `None` where there is no real library.
fn table() -> Option<&'static OrtApi> {
    static TABLE: OnceLock<Option<Table>> = OnceLock::new();
    let make = || {
        let real = inner::api()?;
        // SAFETY: a table of function pointers, which the real library never changes or frees.
        let mut api = unsafe { std::ptr::from_ref(real).read() };
        options::replace(&mut api);
        session::replace(&mut api);
        memory::replace(&mut api);
        eprintln!("[simulated] {LIBRARY}: CUDA and TensorRT providers are simulated; models run on the CPU");
        Some(Table(api))
    };
    TABLE.get_or_init(make).as_ref().map(|table| &table.0)
}

unsafe extern "system" fn get_api(version: u32) -> *const OrtApi {
    // The layout of other versions is not known here.
    let api = if version == ORT_API_VERSION { table() } else { None };
    api.map_or(std::ptr::null(), std::ptr::from_ref)
}

unsafe extern "system" fn get_version() -> *const c_char {
    inner::version()
}

/// ONNX Runtime's only entry point.
#[unsafe(no_mangle)]
extern "C" fn OrtGetApiBase() -> *const OrtApiBase {
    static BASE: OrtApiBase = OrtApiBase { GetApi: get_api, GetVersionString: get_version };
    &raw const BASE
}
