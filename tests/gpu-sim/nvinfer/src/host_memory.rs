//! `IHostMemory`: bytes handed to the caller.

use std::ffi::c_void;

use sim_nvinfer_abi::{Interface, method, methods};

/// Bytes, such as those of a plan.
pub(crate) struct HostMemory {
    bytes: Vec<u8>,
}

impl HostMemory {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

impl Interface for HostMemory {
    const CLASS: &'static str = "VHostMemory";
    const INTERFACE: &'static str = "IHostMemory";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! { "data" => data, "size" => size, "type" => element }
    }
}

extern "C" fn data(this: *const c_void) -> *const u8 {
    method::<HostMemory>(this).bytes.as_ptr()
}

extern "C" fn size(this: *const c_void) -> usize {
    method::<HostMemory>(this).bytes.len()
}

/// int8, as the real one says of plans.
extern "C" fn element(_: *const c_void) -> i32 {
    2
}
