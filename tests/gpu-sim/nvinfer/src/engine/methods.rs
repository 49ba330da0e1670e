//! The methods of `ICudaEngine`.

use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sim_nvinfer_abi::{Dims, Interface, Object, method, methods};

use super::Engine;
use crate::config::{RuntimeConfig, SerializationConfig};
use crate::context::{Context, Strategy};
use crate::host_memory::HostMemory;
use crate::inspector::Inspector;
use crate::library::{create, misuse};

impl Interface for Engine {
    const CLASS: &'static str = "VCudaEngine";
    const INTERFACE: &'static str = "ICudaEngine";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "getPImpl" => get_interface,
            "getNbLayers" => layers,
            "serialize" => serialize,
            "createExecutionContext" => create_context,
            "createExecutionContextWithoutDeviceMemory" => create_bare_context,
            "createExecutionContextWithRuntimeConfig" => create_configured_context,
            "createRuntimeConfig" => create_config,
            "createSerializationConfig" => create_serialization_config,
            "serializeWithConfig" => serialize_with_config,
            "getDeviceMemorySize" => scratch,
            "getDeviceMemorySizeV2" => scratch,
            "getDeviceMemorySizeForProfile" => scratch_of_profile,
            "getDeviceMemorySizeForProfileV2" => scratch_of_profile,
            "isRefittable" => no,
            "getName" => name,
            "getNbOptimizationProfiles" => profiles,
            "getEngineCapability" => zero,
            "setErrorRecorder" => set_recorder,
            "getErrorRecorder" => get_recorder,
            "hasImplicitBatchDimension" => no,
            "getTacticSources" => zero,
            "getProfilingVerbosity" => verbosity,
            "createEngineInspector" => create_inspector,
            "getTensorShape" => tensor_shape,
            "getTensorDataType" => tensor_type,
            "getTensorLocation" => tensor_location,
            "isShapeInferenceIO" => is_shape_tensor,
            "getTensorIOMode" => tensor_mode,
            "getTensorBytesPerComponent" => bytes_per_component,
            "getTensorBytesPerComponentV2" => bytes_per_component,
            "getTensorComponentsPerElement" => components_per_element,
            "getTensorComponentsPerElementV2" => components_per_element,
            "getTensorFormat" => tensor_format,
            "getTensorFormatV2" => tensor_format,
            "getTensorFormatDesc" => tensor_format_words,
            "getTensorFormatDescV2" => tensor_format_words,
            "getTensorVectorizedDim" => vectorised_dimension,
            "getTensorVectorizedDimV2" => vectorised_dimension,
            "getProfileShape" => profile_shape,
            "getNbIOTensors" => tensors,
            "getIOTensorName" => tensor_name,
            "getHardwareCompatibilityLevel" => zero,
            "getNbAuxStreams" => zero,
            "getStreamableWeightsSize" => zero_bytes,
            "getWeightStreamingBudgetV2" => zero_bytes,
            "getWeightStreamingAutomaticBudget" => zero_bytes,
            "getWeightStreamingScratchMemorySize" => zero_bytes,
            "isDebugTensor" => is_shape_tensor,
            "getEngineStat" => weights_size,
            "getAliasedInputTensor" => no_alias,
        }
    }

    fn destroyed(self: Arc<Self>) {
        self.siblings.fetch_sub(1, Ordering::AcqRel);
        let left = self.contexts.load(Ordering::Acquire);
        if left > 0 {
            let words = format!("engine {:?} was destroyed before its {left} contexts", self.name());
            misuse("destroyed-before-children", &words);
        }
    }
}

extern "C" fn get_interface(this: *const c_void) -> *const c_void {
    (this as usize - 2 * size_of::<usize>()) as *const c_void
}

extern "C" fn zero(_: *const c_void) -> i32 {
    0
}

/// Names of layers, or all of them.
extern "C" fn verbosity(this: *const c_void) -> i32 {
    if method::<Engine>(this).header.names_only { 0 } else { 2 }
}

extern "C" fn zero_bytes(_: *const c_void) -> i64 {
    0
}

extern "C" fn no(_: *const c_void) -> bool {
    false
}

extern "C" fn layers(_: *const c_void) -> i32 {
    1
}

extern "C" fn serialize(this: *const c_void) -> *mut c_void {
    create(Arc::new(HostMemory::new(method::<Engine>(this).bytes.clone())))
}

extern "C" fn serialize_with_config(this: *const c_void, _config: *mut c_void) -> *mut c_void {
    serialize(this)
}

fn new_context(this: *const c_void, strategy: Strategy) -> *mut c_void {
    match Context::new(method::<Engine>(this), strategy) {
        Some(context) => {
            let context = Arc::new(context);
            create(context)
        }
        None => std::ptr::null_mut(),
    }
}

extern "C" fn create_context(this: *const c_void, strategy: i32) -> *mut c_void {
    new_context(this, Strategy::from_number(strategy))
}

extern "C" fn create_bare_context(this: *const c_void) -> *mut c_void {
    new_context(this, Strategy::UserManaged)
}

extern "C" fn create_configured_context(this: *const c_void, config: *const c_void) -> *mut c_void {
    let config = Object::behind::<RuntimeConfig>(config);
    new_context(this, config.map_or(Strategy::Static, |config| config.strategy()))
}

extern "C" fn create_config(_: *const c_void) -> *mut c_void {
    create(Arc::new(RuntimeConfig::default()))
}

extern "C" fn create_serialization_config(_: *const c_void) -> *mut c_void {
    create(Arc::new(SerializationConfig::default()))
}

extern "C" fn create_inspector(this: *const c_void) -> *mut c_void {
    create(Arc::new(Inspector::new(&method::<Engine>(this))))
}

extern "C" fn scratch(this: *const c_void) -> i64 {
    method::<Engine>(this).scratch_of_all() as i64
}

extern "C" fn scratch_of_profile(this: *const c_void, profile: i32) -> i64 {
    let engine = method::<Engine>(this);
    match engine.scratch_of_profile(profile) {
        Some(size) => size as i64,
        None => {
            let words =
                format!("Parameter check failed, condition: profileIndex in range. There is no profile {profile}.");
            engine.sink.usage("ICudaEngine::getDeviceMemorySizeForProfileV2", &words);
            0
        }
    }
}

extern "C" fn name(this: *const c_void) -> *const c_char {
    method::<Engine>(this).name.as_ptr()
}

extern "C" fn profiles(this: *const c_void) -> i32 {
    method::<Engine>(this).header.profiles.len() as i32
}

extern "C" fn set_recorder(this: *const c_void, recorder: *mut c_void) {
    // SAFETY: TensorRT asks its callers for null or a live recorder.
    unsafe { method::<Engine>(this).sink.set_recorder(recorder) };
}

extern "C" fn get_recorder(this: *const c_void) -> *mut c_void {
    method::<Engine>(this).sink.recorder()
}

/// The tensor of a name; an unknown one is logged as TensorRT does.
fn lookup(engine: &Engine, call: &str, name: *const c_char) -> Option<usize> {
    // SAFETY: TensorRT asks its callers for NUL-terminated names.
    let found = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
    let index = found.and_then(|name| engine.find(name));
    if index.is_none() {
        let words = format!(
            "Given invalid tensor name: {}. Get valid tensor names with getIOTensorName()",
            found.unwrap_or_default().to_string_lossy()
        );
        engine.sink.usage(&format!("ICudaEngine::{call}"), &words);
    }
    index
}

extern "C" fn tensor_shape(this: *const c_void, name: *const c_char) -> Dims {
    let engine = method::<Engine>(this);
    lookup(&engine, "getTensorShape", name).map_or(Dims::NONE, |index| Dims::new(&engine.tensors[index].tensor.shape))
}

extern "C" fn tensor_type(this: *const c_void, name: *const c_char) -> i32 {
    let engine = method::<Engine>(this);
    lookup(&engine, "getTensorDataType", name).map_or(0, |index| engine.tensors[index].tensor.dtype)
}

extern "C" fn tensor_location(this: *const c_void, name: *const c_char) -> i32 {
    lookup(&method::<Engine>(this), "getTensorLocation", name);
    0
}

extern "C" fn is_shape_tensor(_: *const c_void, _: *const c_char) -> bool {
    false
}

extern "C" fn tensor_mode(this: *const c_void, name: *const c_char) -> i32 {
    let engine = method::<Engine>(this);
    // 0 none, 1 input, 2 output.
    lookup(&engine, "getTensorIOMode", name).map_or(0, |index| if engine.tensors[index].input { 1 } else { 2 })
}

/// -1 where the format is not vectorised, which it never is here; the variants' last parameter does not matter.
extern "C" fn bytes_per_component(_: *const c_void, _: *const c_char, _profile: i32) -> i32 {
    -1
}

extern "C" fn components_per_element(_: *const c_void, _: *const c_char, _profile: i32) -> i32 {
    -1
}

extern "C" fn tensor_format(_: *const c_void, _: *const c_char, _profile: i32) -> i32 {
    0
}

extern "C" fn tensor_format_words(_: *const c_void, _: *const c_char, _profile: i32) -> *const c_char {
    c"Row major linear (simulated)".as_ptr()
}

extern "C" fn vectorised_dimension(_: *const c_void, _: *const c_char, _profile: i32) -> i32 {
    -1
}

extern "C" fn profile_shape(this: *const c_void, name: *const c_char, profile: i32, select: i32) -> Dims {
    let engine = method::<Engine>(this);
    let Some(range) = lookup(&engine, "getProfileShape", name).and_then(|index| engine.range(profile, index)) else {
        return Dims::NONE;
    };
    match select {
        0 => Dims::new(&range.min),
        1 => Dims::new(&range.opt),
        2 => Dims::new(&range.max),
        _ => Dims::NONE,
    }
}

extern "C" fn tensors(this: *const c_void) -> i32 {
    method::<Engine>(this).tensors.len() as i32
}

extern "C" fn tensor_name(this: *const c_void, index: i32) -> *const c_char {
    let engine = method::<Engine>(this);
    let found = usize::try_from(index).ok().and_then(|index| engine.tensors.get(index));
    found.map_or(std::ptr::null(), |io| io.name.as_ptr())
}

extern "C" fn weights_size(this: *const c_void, _which: i32) -> i64 {
    method::<Engine>(this).bytes.len() as i64
}

extern "C" fn no_alias(_: *const c_void, _: *const c_char) -> *const c_char {
    std::ptr::null()
}
