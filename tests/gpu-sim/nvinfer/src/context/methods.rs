//! The methods of `IExecutionContext`.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sim_nvinfer_abi::{ErrorCode, Interface, method, methods, text};

use super::shapes::{get_shape, get_strides, infer_shapes, most_output, scratch_for_shapes, set_shape};
use super::{Context, Strategy};
use crate::device::{Block, Owner};
use crate::engine::ALIGNMENT;
use crate::enqueue;
use crate::library::misuse;

impl Interface for Context {
    const CLASS: &'static str = "VExecutionContext";
    const INTERFACE: &'static str = "IExecutionContext";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "getPImpl" => get_interface,
            "setDebugSync" => ignore,
            "getDebugSync" => no,
            "setProfiler" => ignore,
            "getProfiler" => null,
            "setName" => set_name,
            "getName" => get_name,
            "setDeviceMemory" => set_memory,
            "setDeviceMemoryV2" => set_memory_with_size,
            "getOptimizationProfile" => get_profile,
            "allInputDimensionsSpecified" => all_shapes,
            "allInputShapesSpecified" => all_shapes,
            "setErrorRecorder" => set_recorder,
            "getErrorRecorder" => get_recorder,
            "executeV2" => execute,
            "setOptimizationProfileAsync" => set_profile,
            "setEnqueueEmitsProfile" => ignore,
            "getEnqueueEmitsProfile" => no,
            "setInputShape" => set_shape,
            "getTensorShape" => get_shape,
            "getTensorStrides" => get_strides,
            "setTensorAddress" => set_address,
            "getTensorAddress" => get_address,
            "setInputTensorAddress" => set_address,
            "setOutputTensorAddress" => set_address,
            "getOutputTensorAddress" => get_address,
            "inferShapes" => infer_shapes,
            "getMaxOutputSize" => most_output,
            "enqueueV3" => enqueue_v3,
            "setPersistentCacheLimit" => ignore,
            "getPersistentCacheLimit" => zero,
            "setNvtxVerbosity" => yes,
            "getNvtxVerbosity" => zero,
            "setAuxStreams" => ignore,
            "getDebugListener" => null,
            "updateDeviceMemorySizeForShapes" => scratch_for_shapes,
        }
    }

    fn destroyed(self: Arc<Self>) {
        self.engine.contexts.fetch_sub(1, Ordering::AcqRel);
        let mut state = self.enter("~IExecutionContext");
        state.prune();
        let flights = std::mem::take(&mut state.flights);
        if !flights.is_empty() {
            let words =
                format!("a context of {:?} was destroyed while {} executions ran", self.engine.name(), flights.len());
            misuse("destroyed-in-flight", &words);
            for flight in flights {
                flight.wait();
                self.engine.device.wait(flight.stream);
            }
        }
    }
}

extern "C" fn get_interface(this: *const c_void) -> *const c_void {
    (this as usize - 2 * size_of::<usize>()) as *const c_void
}

extern "C" fn ignore(_: *const c_void) {}

extern "C" fn no(_: *const c_void) -> bool {
    false
}

extern "C" fn yes(_: *const c_void) -> bool {
    true
}

extern "C" fn zero(_: *const c_void) -> usize {
    0
}

extern "C" fn null(_: *const c_void) -> *const c_void {
    std::ptr::null()
}

extern "C" fn set_name(this: *const c_void, name: *const c_char) {
    // SAFETY: TensorRT asks its callers for NUL-terminated names.
    let name = CString::new(unsafe { text(name) }).unwrap_or_default();
    method::<Context>(this).enter("setName").name = name;
}

extern "C" fn get_name(this: *const c_void) -> *const c_char {
    method::<Context>(this).enter("getName").name.as_ptr()
}

extern "C" fn set_memory(this: *const c_void, address: usize) {
    let context = method::<Context>(this);
    let size = context.engine.scratch_of_all();
    give(&context, "setDeviceMemory", address, size);
}

extern "C" fn set_memory_with_size(this: *const c_void, address: usize, size: i64) {
    give(&method::<Context>(this), "setDeviceMemoryV2", address, usize::try_from(size).unwrap_or(0));
}

fn give(context: &Context, call: &str, address: usize, size: usize) {
    let call_name = format!("IExecutionContext::{call}");
    if context.strategy != Strategy::UserManaged {
        let words = "the context has its own memory; only kUSER_MANAGED contexts take the caller's";
        misuse("scratch-not-wanted", words);
        context.sink.usage(&call_name, words);
        return;
    }
    if !address.is_multiple_of(ALIGNMENT) {
        let words = format!("scratch memory at {address:#x} is not aligned to {ALIGNMENT} bytes");
        misuse("misaligned", &words);
        context.sink.usage(&call_name, &words);
        return;
    }
    context.enter(call).user = (address, size);
}

extern "C" fn get_profile(this: *const c_void) -> i32 {
    method::<Context>(this).enter("getOptimizationProfile").profile
}

extern "C" fn all_shapes(this: *const c_void) -> bool {
    method::<Context>(this).enter("allInputDimensionsSpecified").all_shapes().is_some()
}

extern "C" fn set_recorder(this: *const c_void, recorder: *mut c_void) {
    // SAFETY: TensorRT asks its callers for null or a live recorder.
    unsafe { method::<Context>(this).sink.set_recorder(recorder) };
}

extern "C" fn get_recorder(this: *const c_void) -> *mut c_void {
    method::<Context>(this).sink.recorder()
}

extern "C" fn execute(this: *const c_void, bindings: *const usize) -> bool {
    let context = method::<Context>(this);
    let mut state = context.enter("executeV2");
    // SAFETY: TensorRT asks its callers for one address per tensor.
    let given = unsafe { std::slice::from_raw_parts(bindings, context.engine.tensors.len()) };
    let before = std::mem::replace(&mut state.addresses, given.to_vec());
    let flight = enqueue::enqueue(&context, &mut state, "executeV2", 0);
    state.addresses = before;
    flight.is_some_and(|flight| {
        context.engine.device.wait(0);
        flight.wait()
    })
}

extern "C" fn enqueue_v3(this: *const c_void, stream: usize) -> bool {
    let context = method::<Context>(this);
    let mut state = context.enter("enqueueV3");
    enqueue::enqueue(&context, &mut state, "enqueueV3", stream).is_some()
}

extern "C" fn set_profile(this: *const c_void, profile: i32, stream: usize) -> bool {
    const CALL: &str = "IExecutionContext::setOptimizationProfileAsync";
    let context = method::<Context>(this);
    let mut state = context.enter("setOptimizationProfileAsync");
    let Some(size) = context.engine.scratch_of_profile(profile) else {
        let words = format!("Parameter check failed, condition: profileIndex in range. There is no profile {profile}.");
        context.sink.usage(CALL, &words);
        return false;
    };
    state.prune();
    if !state.flights.is_empty() {
        misuse("profile-in-flight", "setOptimizationProfileAsync while an execution of the context runs");
        context.sink.usage(CALL, "the context is executing; synchronise its stream first");
        return false;
    }
    if context.strategy == Strategy::OnProfileChange && profile != state.profile {
        state.scratch = None;
        state.scratch = Block::take(context.engine.device, context.engine.allocator.clone(), size, Owner::Scratch);
        if state.scratch.is_none() {
            let words = format!("OutOfMemory (Requested size was {size} bytes.)");
            context.sink.error(CALL, ErrorCode::FailedAllocation, &words);
            return false;
        }
    }
    state.profile = profile;
    for (input, io) in context.engine.inputs().iter().enumerate() {
        if io.tensor.shape.contains(&-1) {
            state.shapes[input] = None;
        }
    }
    // It copies something on the stream, as the real one does.
    context.engine.device.enqueue(stream, &[], Box::new(|_| {})).is_ok()
}

/// The tensor of a name; an unknown one is logged as TensorRT does.
pub(super) fn lookup(context: &Context, call: &str, name: *const c_char) -> Option<usize> {
    // SAFETY: TensorRT asks its callers for NUL-terminated names.
    let found = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
    let index = found.and_then(|name| context.engine.find(name));
    if index.is_none() {
        let name = found.unwrap_or_default().to_string_lossy();
        let words = format!("Given invalid tensor name: {name}. Get valid tensor names with getIOTensorName()");
        context.sink.usage(&format!("IExecutionContext::{call}"), &words);
    }
    index
}

extern "C" fn set_address(this: *const c_void, name: *const c_char, address: usize) -> bool {
    let context = method::<Context>(this);
    let mut state = context.enter("setTensorAddress");
    let Some(tensor) = lookup(&context, "setTensorAddress", name) else {
        return false;
    };
    if !address.is_multiple_of(ALIGNMENT) {
        let label = &context.engine.tensors[tensor].tensor.name;
        let words = format!("address {address:#x} of tensor {label} is not aligned to {ALIGNMENT} bytes");
        misuse("misaligned", &words);
        context.sink.usage("IExecutionContext::setTensorAddress", &words);
        return false;
    }
    state.addresses[tensor] = address;
    true
}

extern "C" fn get_address(this: *const c_void, name: *const c_char) -> usize {
    let context = method::<Context>(this);
    let state = context.enter("getTensorAddress");
    lookup(&context, "getTensorAddress", name).map_or(0, |tensor| state.addresses[tensor])
}
