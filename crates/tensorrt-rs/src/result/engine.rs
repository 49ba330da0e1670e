//! `ICudaEngine`, `IHostMemory` and `IEngineInspector`. For all functions see the safety section of
//! [`crate::result`].
#![allow(clippy::missing_safety_doc, reason = "told once, for the whole floor")]

use std::ffi::{CStr, CString};

use super::{accepted, call, failure, made, shape, string};
use crate::Error;
use crate::sys::enums::{
    AllocationStrategy, DataType, EngineStat, HardwareCompatibility, LayerInformationFormat, ProfileSelector,
    ProfilingVerbosity, TensorFormat, TensorIOMode, TensorLocation,
};
use crate::sys::slots::context::Context;
use crate::sys::slots::engine as slot;
use crate::sys::slots::engine::Engine;
use crate::sys::slots::host_memory::{self, HostMemory};
use crate::sys::slots::inspector::{self, Inspector};
use crate::sys::{Dims, Handle, Version};

/// A plain question to the engine.
macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty => $pass:expr),*) -> $answer:ty = $slot:ident, $read:expr;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`Error::Unsupported`] where the version lacks it.
            pub unsafe fn $name(version: Version, engine: Handle<Engine>, $($argument: $type),*) -> Result<$answer, Error> {
                let read = $read;
                Ok(read(call!(version, engine, slot::$slot, $($pass),*)))
            }
        )*
    };
}

questions! {
    /// `getNbLayers`, after fusion.
    layer_count() -> i32 = GET_NB_LAYERS, |count| count;
    /// `isRefittable`.
    is_refittable() -> bool = IS_REFITTABLE, |answer| answer != 0;
    /// `getNbOptimizationProfiles`, at least 1.
    profile_count() -> i32 = GET_NB_OPTIMIZATION_PROFILES, |count| count;
    /// `getProfilingVerbosity` of the build.
    profiling_verbosity() -> ProfilingVerbosity = GET_PROFILING_VERBOSITY, ProfilingVerbosity::from_raw;
    /// `getTensorDataType`.
    tensor_data_type(name: &CStr => name.as_ptr()) -> DataType = GET_TENSOR_DATA_TYPE, DataType::from_raw;
    /// `getTensorLocation`.
    tensor_location(name: &CStr => name.as_ptr()) -> TensorLocation = GET_TENSOR_LOCATION, TensorLocation::from_raw;
    /// `isShapeInferenceIO`: the tensor's values are shapes.
    is_shape_inference_io(name: &CStr => name.as_ptr()) -> bool = IS_SHAPE_INFERENCE_IO, |answer| answer != 0;
    /// `getTensorIOMode`.
    tensor_io_mode(name: &CStr => name.as_ptr()) -> TensorIOMode = GET_TENSOR_IO_MODE, TensorIOMode::from_raw;
    /// `getNbIOTensors`.
    io_tensor_count() -> i32 = GET_NB_IO_TENSORS, |count| count;
    /// `getHardwareCompatibilityLevel` of the build.
    hardware_compatibility() -> HardwareCompatibility = GET_HARDWARE_COMPATIBILITY_LEVEL, HardwareCompatibility::from_raw;
    /// `getNbAuxStreams`: streams that the engine may use beside the one enqueued on.
    aux_stream_count() -> i32 = GET_NB_AUX_STREAMS, |count| count;
    /// `getTensorBytesPerComponentV2`: bytes, -1 for a layout that is not vectorised.
    bytes_per_component(name: &CStr => name.as_ptr(), profile: i32 => profile) -> i32
        = GET_TENSOR_BYTES_PER_COMPONENT, |bytes| bytes;
    /// `getTensorComponentsPerElementV2`: -1 for a layout that is not vectorised.
    components_per_element(name: &CStr => name.as_ptr(), profile: i32 => profile) -> i32
        = GET_TENSOR_COMPONENTS_PER_ELEMENT, |count| count;
    /// `getTensorFormatV2`.
    tensor_format(name: &CStr => name.as_ptr(), profile: i32 => profile) -> TensorFormat
        = GET_TENSOR_FORMAT, TensorFormat::from_raw;
    /// `getTensorVectorizedDimV2`: -1 where none is.
    vectorized_dim(name: &CStr => name.as_ptr(), profile: i32 => profile) -> i32
        = GET_TENSOR_VECTORIZED_DIM, |dim| dim;
}

/// `getName` of the engine.
pub unsafe fn name(version: Version, engine: Handle<Engine>) -> Result<String, Error> {
    let name = call!(version, engine, slot::GET_NAME,);
    // SAFETY: the method answers null or a NUL-terminated string that the engine owns.
    Ok(unsafe { string(name) }.unwrap_or_default())
}

/// `serialize`: the plan again.
pub unsafe fn serialize(version: Version, engine: Handle<Engine>) -> Result<Handle<HostMemory>, Error> {
    let memory = call!(version, engine, slot::SERIALIZE,);
    // SAFETY: the method returns an `IHostMemory*`.
    unsafe { made(&slot::SERIALIZE, memory, || "gave no plan".to_owned()) }
}

/// `createExecutionContext`.
///
/// # Errors
/// Null: mostly device memory.
pub unsafe fn create_context(
    version: Version,
    engine: Handle<Engine>,
    strategy: AllocationStrategy,
) -> Result<Handle<Context>, Error> {
    let context = call!(version, engine, slot::CREATE_EXECUTION_CONTEXT, strategy.raw());
    let what = || format!("made no context ({} memory)", strategy.name());
    // SAFETY: the method returns an `IExecutionContext*`.
    unsafe { made(&slot::CREATE_EXECUTION_CONTEXT, context, what) }
}

/// `createEngineInspector`.
pub unsafe fn create_inspector(version: Version, engine: Handle<Engine>) -> Result<Handle<Inspector>, Error> {
    let inspector = call!(version, engine, slot::CREATE_ENGINE_INSPECTOR,);
    // SAFETY: the method returns an `IEngineInspector*`.
    unsafe { made(&slot::CREATE_ENGINE_INSPECTOR, inspector, || "made no inspector".to_owned()) }
}

/// `getIOTensorName` of tensor `index`.
pub unsafe fn io_tensor_name(version: Version, engine: Handle<Engine>, index: i32) -> Result<CString, Error> {
    let name = call!(version, engine, slot::GET_IO_TENSOR_NAME, index);
    if name.is_null() {
        return Err(failure(slot::GET_IO_TENSOR_NAME.row(), format!("knows no tensor {index}")));
    }
    // SAFETY: the method answers a NUL-terminated string that the engine owns.
    Ok(unsafe { CStr::from_ptr(name) }.to_owned())
}

/// `getTensorShape`, -1 for open dimensions.
pub unsafe fn tensor_shape(version: Version, engine: Handle<Engine>, name: &CStr) -> Result<Dims, Error> {
    shape(&slot::GET_TENSOR_SHAPE, call!(version, engine, slot::GET_TENSOR_SHAPE, name.as_ptr()), name)
}

/// `getProfileShape`: the smallest, best or largest shape of an input in a profile.
pub unsafe fn profile_shape(
    version: Version,
    engine: Handle<Engine>,
    name: &CStr,
    profile: i32,
    which: ProfileSelector,
) -> Result<Dims, Error> {
    let dims = call!(version, engine, slot::GET_PROFILE_SHAPE, name.as_ptr(), profile, which.raw());
    shape(&slot::GET_PROFILE_SHAPE, dims, name)
}

/// `getTensorFormatDescV2`: the layout in words.
pub unsafe fn tensor_format_desc(
    version: Version,
    engine: Handle<Engine>,
    name: &CStr,
    profile: i32,
) -> Result<String, Error> {
    let words = call!(version, engine, slot::GET_TENSOR_FORMAT_DESC, name.as_ptr(), profile);
    // SAFETY: the method answers null or a NUL-terminated string that the engine owns.
    Ok(unsafe { string(words) }.unwrap_or_default())
}

/// `getDeviceMemorySizeV2`: bytes of activation memory that a context needs, for its largest profile.
pub unsafe fn device_memory_size(version: Version, engine: Handle<Engine>) -> Result<u64, Error> {
    bytes(&slot::GET_DEVICE_MEMORY_SIZE, call!(version, engine, slot::GET_DEVICE_MEMORY_SIZE,))
}

/// `getDeviceMemorySizeForProfileV2`.
pub unsafe fn device_memory_size_for_profile(
    version: Version,
    engine: Handle<Engine>,
    profile: i32,
) -> Result<u64, Error> {
    let size = call!(version, engine, slot::GET_DEVICE_MEMORY_SIZE_FOR_PROFILE, profile);
    bytes(&slot::GET_DEVICE_MEMORY_SIZE_FOR_PROFILE, size)
}

/// `getEngineStat`; from 10.14.
pub unsafe fn stat(version: Version, engine: Handle<Engine>, which: EngineStat) -> Result<u64, Error> {
    bytes(&slot::GET_ENGINE_STAT, call!(version, engine, slot::GET_ENGINE_STAT, which.raw()))
}

fn bytes<F: Copy>(method: &crate::sys::Method<Engine, F>, answer: i64) -> Result<u64, Error> {
    u64::try_from(answer).map_err(|_| failure(method.row(), format!("answered {answer}")))
}

/// `data` and `size`: the bytes, which live as long as the object.
pub unsafe fn host_memory<'a>(version: Version, memory: Handle<HostMemory>) -> Result<&'a [u8], Error> {
    let data = call!(version, memory, host_memory::DATA,);
    let size = call!(version, memory, host_memory::SIZE,);
    if data.is_null() || size == 0 {
        return Ok(&[]);
    }
    // SAFETY: the object owns `size` bytes there and never changes them; the caller keeps it alive.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), size) })
}

/// `type` of the elements.
pub unsafe fn host_memory_type(version: Version, memory: Handle<HostMemory>) -> Result<DataType, Error> {
    Ok(DataType::from_raw(call!(version, memory, host_memory::TYPE,)))
}

/// `setExecutionContext`: tell shapes of that context; `None`: of the engine alone.
pub unsafe fn inspect_context(
    version: Version,
    inspector: Handle<Inspector>,
    context: Option<Handle<Context>>,
) -> Result<(), Error> {
    let context = context.map_or(std::ptr::null_mut(), Handle::as_ptr);
    let answer = call!(version, inspector, inspector::SET_EXECUTION_CONTEXT, context);
    accepted(&inspector::SET_EXECUTION_CONTEXT, answer, || "refused the context".to_owned())
}

/// `getLayerInformation` of layer `index`.
pub unsafe fn layer_information(
    version: Version,
    inspector: Handle<Inspector>,
    index: i32,
    format: LayerInformationFormat,
) -> Result<String, Error> {
    let words = call!(version, inspector, inspector::GET_LAYER_INFORMATION, index, format.raw());
    // SAFETY: the method answers null or a NUL-terminated string, valid until the inspector's next call.
    let words = unsafe { string(words) };
    words.ok_or_else(|| failure(inspector::GET_LAYER_INFORMATION.row(), format!("knows no layer {index}")))
}

/// `getEngineInformation`.
pub unsafe fn engine_information(
    version: Version,
    inspector: Handle<Inspector>,
    format: LayerInformationFormat,
) -> Result<String, Error> {
    let words = call!(version, inspector, inspector::GET_ENGINE_INFORMATION, format.raw());
    // SAFETY: as above.
    let words = unsafe { string(words) };
    words.ok_or_else(|| failure(inspector::GET_ENGINE_INFORMATION.row(), "said nothing"))
}
