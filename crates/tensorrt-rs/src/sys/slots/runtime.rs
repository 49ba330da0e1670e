//! `IRuntime`.

use std::ffi::c_void;

use super::{Text, at, interface, since};
use crate::sys::Object;
use crate::sys::method::{DELETE, Interface, Method, Row};

interface! {
    /// Makes engines out of plans.
    Runtime = "IRuntime" in "VRuntime", forwards: true, serialised: true, destroy: DELETE;
    DESERIALIZE_CUDA_ENGINE "deserializeCudaEngine" [at(3), at(3)] (*const c_void, usize) -> *mut Object;
    SET_DLA_CORE "setDLACore" [at(5), at(4)] (i32);
    SET_GPU_ALLOCATOR "setGpuAllocator" [at(8), at(7)] (*mut c_void);
    SET_ERROR_RECORDER "setErrorRecorder" [at(9), at(8)] (*mut c_void);
    GET_ERROR_RECORDER "getErrorRecorder" [at(10), at(9)] () -> *mut c_void;
    GET_LOGGER "getLogger" [at(11), at(10)] () -> *mut c_void;
    SET_MAX_THREADS "setMaxThreads" [at(12), at(11)] (i32) -> u8;
    GET_MAX_THREADS "getMaxThreads" [at(13), at(12)] () -> i32;
    SET_TEMPORARY_DIRECTORY "setTemporaryDirectory" [at(14), at(13)] (Text);
    SET_ENGINE_HOST_CODE_ALLOWED "setEngineHostCodeAllowed" [at(21), at(20)] (bool);
    GET_ENGINE_HOST_CODE_ALLOWED "getEngineHostCodeAllowed" [at(22), at(21)] () -> u8;
    DESERIALIZE_CUDA_ENGINE_V2 "deserializeCudaEngineV2" [since(7, 23), at(22)] (*mut c_void) -> *mut Object;
}
