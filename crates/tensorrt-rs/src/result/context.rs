//! `IExecutionContext`. For all functions see the safety section of [`crate::result`]; no two calls on one
//! context may overlap, whatever they are.
#![allow(clippy::missing_safety_doc, reason = "told once, for the whole floor")]

use std::ffi::{CStr, c_char, c_void};

use super::{accepted, call, failure, shape, string};
use crate::Error;
use crate::sys::slots::RawStream;
use crate::sys::slots::context as slot;
use crate::sys::slots::context::Context;
use crate::sys::{Dims, Handle, Version};

/// `setName`, for profilers.
pub unsafe fn set_name(version: Version, context: Handle<Context>, name: &CStr) -> Result<(), Error> {
    call!(version, context, slot::SET_NAME, name.as_ptr());
    Ok(())
}

/// `getName`.
pub unsafe fn name(version: Version, context: Handle<Context>) -> Result<String, Error> {
    let name = call!(version, context, slot::GET_NAME,);
    // SAFETY: the method answers null or a NUL-terminated string that the context owns.
    Ok(unsafe { string(name) }.unwrap_or_default())
}

/// `getOptimizationProfile`; -1 where none is selected.
pub unsafe fn optimization_profile(version: Version, context: Handle<Context>) -> Result<i32, Error> {
    Ok(call!(version, context, slot::GET_OPTIMIZATION_PROFILE,))
}

/// `allInputDimensionsSpecified`.
pub unsafe fn all_input_dimensions_specified(version: Version, context: Handle<Context>) -> Result<bool, Error> {
    Ok(call!(version, context, slot::ALL_INPUT_DIMENSIONS_SPECIFIED,) != 0)
}

/// `setOptimizationProfileAsync`: selects a profile; later work must be ordered behind `stream`.
pub unsafe fn set_optimization_profile(
    version: Version,
    context: Handle<Context>,
    profile: i32,
    stream: RawStream,
) -> Result<(), Error> {
    let answer = call!(version, context, slot::SET_OPTIMIZATION_PROFILE_ASYNC, profile, stream);
    accepted(&slot::SET_OPTIMIZATION_PROFILE_ASYNC, answer, || format!("refused profile {profile}"))
}

/// `setInputShape`.
///
/// # Errors
/// False: no such input, or a shape outside the profile.
pub unsafe fn set_input_shape(
    version: Version,
    context: Handle<Context>,
    name: &CStr,
    dims: &Dims,
) -> Result<(), Error> {
    let answer = call!(version, context, slot::SET_INPUT_SHAPE, name.as_ptr(), dims);
    accepted(&slot::SET_INPUT_SHAPE, answer, || format!("refused {dims} for tensor {name:?}"))
}

/// `getTensorShape`, for the input shapes set.
pub unsafe fn tensor_shape(version: Version, context: Handle<Context>, name: &CStr) -> Result<Dims, Error> {
    shape(&slot::GET_TENSOR_SHAPE, call!(version, context, slot::GET_TENSOR_SHAPE, name.as_ptr()), name)
}

/// `getTensorStrides`, in elements.
pub unsafe fn tensor_strides(version: Version, context: Handle<Context>, name: &CStr) -> Result<Dims, Error> {
    shape(&slot::GET_TENSOR_STRIDES, call!(version, context, slot::GET_TENSOR_STRIDES, name.as_ptr()), name)
}

/// `setTensorAddress`.
pub unsafe fn set_tensor_address(
    version: Version,
    context: Handle<Context>,
    name: &CStr,
    address: *mut c_void,
) -> Result<(), Error> {
    let answer = call!(version, context, slot::SET_TENSOR_ADDRESS, name.as_ptr(), address);
    accepted(&slot::SET_TENSOR_ADDRESS, answer, || format!("refused an address for tensor {name:?}"))
}

/// `getTensorAddress`; null where none is set.
pub unsafe fn tensor_address(version: Version, context: Handle<Context>, name: &CStr) -> Result<*const c_void, Error> {
    Ok(call!(version, context, slot::GET_TENSOR_ADDRESS, name.as_ptr()))
}

/// `inferShapes`: computes the outputs' shapes.
///
/// # Errors
/// Where inputs lack a shape, naming one of them, or TensorRT cannot compute them.
pub unsafe fn infer_shapes(version: Version, context: Handle<Context>) -> Result<(), Error> {
    let mut missing: [*const c_char; 1] = [std::ptr::null()];
    let count = call!(version, context, slot::INFER_SHAPES, 1, missing.as_mut_ptr());
    if count == 0 {
        return Ok(());
    }
    // SAFETY: TensorRT left null or wrote a NUL-terminated name that the engine owns.
    let what = match unsafe { string(missing[0]) } {
        Some(name) if count > 0 => format!("lacks the shape or address of {count} inputs, {name:?} among them"),
        _ => format!("could not compute the output shapes (answered {count})"),
    };
    Err(failure(slot::INFER_SHAPES.row(), what))
}

/// `getMaxOutputSize`: most bytes that an output can have, for the input shapes set.
pub unsafe fn max_output_size(version: Version, context: Handle<Context>, name: &CStr) -> Result<u64, Error> {
    let size = call!(version, context, slot::GET_MAX_OUTPUT_SIZE, name.as_ptr());
    let unknown = |_| failure(slot::GET_MAX_OUTPUT_SIZE.row(), format!("knows no bound for tensor {name:?}"));
    u64::try_from(size).map_err(unknown)
}

/// `enqueueV3`: queues one execution. Context and memory are in use until `stream` has done it.
///
/// # Errors
/// False: the log says why. Part of the work may be queued all the same.
pub unsafe fn enqueue(version: Version, context: Handle<Context>, stream: RawStream) -> Result<(), Error> {
    let answer = call!(version, context, slot::ENQUEUE_V3, stream);
    accepted(&slot::ENQUEUE_V3, answer, || "queued nothing, or not all".to_owned())
}

/// `updateDeviceMemorySizeForShapes`: bytes of activation memory for the input shapes set; 0 where the
/// execution needs none, and where TensorRT could not tell (the log says so).
pub unsafe fn update_device_memory_size(version: Version, context: Handle<Context>) -> Result<u64, Error> {
    Ok(call!(version, context, slot::UPDATE_DEVICE_MEMORY_SIZE,) as u64)
}

/// `setDeviceMemoryV2`: activation memory of a user-managed context; from 10.1.
pub unsafe fn set_device_memory(
    version: Version,
    context: Handle<Context>,
    memory: *mut c_void,
    size: i64,
) -> Result<(), Error> {
    call!(version, context, slot::SET_DEVICE_MEMORY_V2, memory, size);
    Ok(())
}
