//! `ITensor`; it belongs to its network.

use std::ffi::{CString, c_char, c_void};
use std::sync::Mutex;

use gpu_sim::onnx;
use gpu_sim::report::lock;
use sim_nvinfer_abi::{Dims, Interface, method, methods, text};

use crate::library::misuse;

/// An input or output of a network.
pub(super) struct Tensor {
    name: Mutex<CString>,
    dtype: i32,
    shape: Vec<i64>,
    input: bool,
}

impl Tensor {
    pub(super) fn new(tensor: &onnx::Tensor, input: bool) -> Self {
        let name = Mutex::new(CString::new(tensor.name.as_str()).unwrap_or_default());
        Self { name, dtype: tensor.dtype, shape: tensor.shape.clone(), input }
    }
}

impl Interface for Tensor {
    const CLASS: &'static str = "VTensor";
    const INTERFACE: &'static str = "ITensor";
    const OWNED: bool = true;

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "setName" => set_name,
            "getName" => get_name,
            "setDimensions" => set_dimensions,
            "getDimensions" => get_dimensions,
            "getType" => get_type,
            "isNetworkInput" => is_input,
            "isNetworkOutput" => is_output,
            "getLocation" => zero,
            "setAllowedFormats" => ignore,
            "getAllowedFormats" => linear,
            "isShapeTensor" => no,
            "isExecutionTensor" => yes,
            "getDimensionName" => no_name,
        }
    }
}

extern "C" fn ignore(_: *const c_void) {}

extern "C" fn zero(_: *const c_void) -> i32 {
    0
}

extern "C" fn linear(_: *const c_void) -> u32 {
    1
}

extern "C" fn no(_: *const c_void) -> bool {
    false
}

extern "C" fn yes(_: *const c_void) -> bool {
    true
}

extern "C" fn no_name(_: *const c_void, _: i32) -> *const c_char {
    std::ptr::null()
}

extern "C" fn set_name(this: *const c_void, name: *const c_char) {
    // SAFETY: TensorRT asks its callers for NUL-terminated names.
    *lock(&method::<Tensor>(this).name) = CString::new(unsafe { text(name) }).unwrap_or_default();
}

extern "C" fn get_name(this: *const c_void) -> *const c_char {
    lock(&method::<Tensor>(this).name).as_ptr()
}

extern "C" fn set_dimensions(_: *const c_void, _: *const Dims) {
    misuse("unsupported", "ITensor::setDimensions: the simulator builds networks as they were parsed");
}

extern "C" fn get_dimensions(this: *const c_void) -> Dims {
    Dims::new(&method::<Tensor>(this).shape)
}

extern "C" fn get_type(this: *const c_void) -> i32 {
    method::<Tensor>(this).dtype
}

extern "C" fn is_input(this: *const c_void) -> bool {
    method::<Tensor>(this).input
}

extern "C" fn is_output(this: *const c_void) -> bool {
    !method::<Tensor>(this).input
}
