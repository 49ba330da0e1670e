//! `IRuntime`. For all functions see the safety section of [`crate::result`].
#![allow(clippy::missing_safety_doc, reason = "told once, for the whole floor")]

use std::ffi::{CStr, c_void};

use super::{accepted, call, made};
use crate::Error;
use crate::sys::slots::engine::Engine;
use crate::sys::slots::runtime as slot;
use crate::sys::slots::runtime::Runtime;
use crate::sys::{Handle, Version};

/// `deserializeCudaEngine`: an engine from a plan in memory, which is not needed afterwards.
///
/// # Errors
/// Null: the plan is damaged, or made for another TensorRT or device; the log says which.
pub unsafe fn deserialize(version: Version, runtime: Handle<Runtime>, plan: &[u8]) -> Result<Handle<Engine>, Error> {
    let engine = call!(version, runtime, slot::DESERIALIZE_CUDA_ENGINE, plan.as_ptr().cast(), plan.len());
    let what = || format!("could not load the plan ({} bytes)", plan.len());
    // SAFETY: the method returns an `ICudaEngine*`.
    unsafe { made(&slot::DESERIALIZE_CUDA_ENGINE, engine, what) }
}

/// `deserializeCudaEngineV2`: an engine from an `IStreamReaderV2`; from 10.7.
///
/// # Errors
/// As for [`deserialize`].
pub unsafe fn deserialize_stream(
    version: Version,
    runtime: Handle<Runtime>,
    reader: *mut c_void,
) -> Result<Handle<Engine>, Error> {
    let engine = call!(version, runtime, slot::DESERIALIZE_CUDA_ENGINE_V2, reader);
    let what = || "could not load the plan from the reader".to_owned();
    // SAFETY: the method returns an `ICudaEngine*`.
    unsafe { made(&slot::DESERIALIZE_CUDA_ENGINE_V2, engine, what) }
}

/// `setDLACore`: the one that engines loaded afterwards run on, as far as they were built for a DLA.
pub unsafe fn set_dla_core(version: Version, runtime: Handle<Runtime>, core: i32) -> Result<(), Error> {
    call!(version, runtime, slot::SET_DLA_CORE, core);
    Ok(())
}

/// `setGpuAllocator`; null restores TensorRT's own.
pub unsafe fn set_gpu_allocator(
    version: Version,
    runtime: Handle<Runtime>,
    allocator: *mut c_void,
) -> Result<(), Error> {
    call!(version, runtime, slot::SET_GPU_ALLOCATOR, allocator);
    Ok(())
}

/// `setErrorRecorder`; handed down to engines and contexts made afterwards.
pub unsafe fn set_error_recorder(
    version: Version,
    runtime: Handle<Runtime>,
    recorder: *mut c_void,
) -> Result<(), Error> {
    call!(version, runtime, slot::SET_ERROR_RECORDER, recorder);
    Ok(())
}

/// `getErrorRecorder`; null where there is none.
pub unsafe fn error_recorder(version: Version, runtime: Handle<Runtime>) -> Result<*mut c_void, Error> {
    Ok(call!(version, runtime, slot::GET_ERROR_RECORDER,))
}

/// `getLogger`: the logger the runtime was made with.
pub unsafe fn logger(version: Version, runtime: Handle<Runtime>) -> Result<*mut c_void, Error> {
    Ok(call!(version, runtime, slot::GET_LOGGER,))
}

/// `setMaxThreads`: threads the runtime may use for loading.
///
/// # Errors
/// False: TensorRT refuses the number.
pub unsafe fn set_max_threads(version: Version, runtime: Handle<Runtime>, threads: i32) -> Result<(), Error> {
    let answer = call!(version, runtime, slot::SET_MAX_THREADS, threads);
    accepted(&slot::SET_MAX_THREADS, answer, || format!("refused {threads}"))
}

/// `getMaxThreads`.
pub unsafe fn max_threads(version: Version, runtime: Handle<Runtime>) -> Result<i32, Error> {
    Ok(call!(version, runtime, slot::GET_MAX_THREADS,))
}

/// `setTemporaryDirectory`: where a version-compatible plan may put its runtime.
pub unsafe fn set_temporary_directory(
    version: Version,
    runtime: Handle<Runtime>,
    directory: &CStr,
) -> Result<(), Error> {
    call!(version, runtime, slot::SET_TEMPORARY_DIRECTORY, directory.as_ptr());
    Ok(())
}

/// `setEngineHostCodeAllowed`: whether plans may bring machine code for the host.
pub unsafe fn set_host_code_allowed(version: Version, runtime: Handle<Runtime>, allowed: bool) -> Result<(), Error> {
    call!(version, runtime, slot::SET_ENGINE_HOST_CODE_ALLOWED, allowed);
    Ok(())
}

/// `getEngineHostCodeAllowed`.
pub unsafe fn host_code_allowed(version: Version, runtime: Handle<Runtime>) -> Result<bool, Error> {
    Ok(call!(version, runtime, slot::GET_ENGINE_HOST_CODE_ALLOWED,) != 0)
}
