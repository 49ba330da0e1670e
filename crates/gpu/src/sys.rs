//! The driver's functions, found in `libcuda.so.1` at run time.
//!
//! Types, constants and layouts are cudarc's. Its functions are not used: they panic where the library or a
//! function is missing, they try `libcuda.so` (a toolkit's stub, perhaps, or another driver than the one that
//! TensorRT opens) before `libcuda.so.1`, and they return a closed enum, so that an error of a newer driver
//! would be undefined behaviour. Every function here is in drivers since CUDA 11.4.

use std::ffi::{c_char, c_int, c_uchar, c_uint, c_void};
use std::path::Path;

pub(crate) use cudarc::driver::sys::{
    CUcontext, CUdevice, CUdevice_attribute as Attribute, CUdeviceptr, CUevent, CUfunction, CUjit_option as JitOption,
    CUmodule, CUstream, CUuuid,
};
use libloading::Library;

/// `CUDA_SUCCESS`.
pub(crate) const SUCCESS: c_uint = 0;
/// `CUDA_ERROR_NOT_READY`.
pub(crate) const NOT_READY: c_uint = 600;
/// `CU_STREAM_NON_BLOCKING`: no implicit order with the default stream.
pub(crate) const STREAM_NON_BLOCKING: c_uint = 1;
/// `CU_EVENT_BLOCKING_SYNC`: a waiting thread sleeps.
pub(crate) const EVENT_BLOCKING_SYNC: c_uint = 1;
/// `CU_EVENT_DISABLE_TIMING`.
pub(crate) const EVENT_DISABLE_TIMING: c_uint = 2;
/// `CU_MEMHOSTALLOC_PORTABLE`: pinned for every context.
pub(crate) const HOST_PORTABLE: c_uint = 1;
/// `CU_MEMHOSTALLOC_DEVICEMAP`: has an address on the device.
pub(crate) const HOST_DEVICE_MAP: c_uint = 2;
/// `CU_CTX_SCHED_BLOCKING_SYNC`: a thread that waits for a stream sleeps.
pub(crate) const CONTEXT_BLOCKING_SYNC: c_uint = 4;

macro_rules! functions {
    ($($name:ident($($argument:ty),*);)*) => {
        /// The functions by their names in the library.
        #[allow(non_snake_case)]
        pub(crate) struct Functions {
            $(pub $name: unsafe extern "C" fn($($argument),*) -> c_uint,)*
        }

        /// Their names.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

        impl Functions {
            /// Finds them all, or names one that is missing.
            fn find(library: &Library) -> Result<Self, &'static str> {
                $(
                    // SAFETY: the type is the one that NVIDIA's "CUDA Driver API" reference gives for this name;
                    // `Functions` is kept only together with its library, which is never closed.
                    #[allow(non_snake_case)]
                    let $name = *unsafe {
                        library.get::<unsafe extern "C" fn($($argument),*) -> c_uint>(stringify!($name))
                    }
                    .map_err(|_| stringify!($name))?;
                )*
                Ok(Self { $($name,)* })
            }
        }
    };
}

functions! {
    cuInit(c_uint);
    cuDriverGetVersion(*mut c_int);
    cuGetErrorName(c_uint, *mut *const c_char);
    cuGetErrorString(c_uint, *mut *const c_char);
    cuDeviceGetCount(*mut c_int);
    cuDeviceGet(*mut CUdevice, c_int);
    cuDeviceGetName(*mut c_char, c_int, CUdevice);
    cuDeviceGetUuid_v2(*mut CUuuid, CUdevice);
    cuDeviceGetAttribute(*mut c_int, Attribute, CUdevice);
    cuDeviceTotalMem_v2(*mut usize, CUdevice);
    cuDevicePrimaryCtxSetFlags_v2(CUdevice, c_uint);
    cuDevicePrimaryCtxRetain(*mut CUcontext, CUdevice);
    cuDevicePrimaryCtxRelease_v2(CUdevice);
    cuCtxSetCurrent(CUcontext);
    cuMemGetInfo_v2(*mut usize, *mut usize);
    cuMemAlloc_v2(*mut CUdeviceptr, usize);
    cuMemFree_v2(CUdeviceptr);
    cuMemHostAlloc(*mut *mut c_void, usize, c_uint);
    cuMemHostGetDevicePointer_v2(*mut CUdeviceptr, *mut c_void, c_uint);
    cuMemFreeHost(*mut c_void);
    cuMemcpyHtoDAsync_v2(CUdeviceptr, *const c_void, usize, CUstream);
    cuMemcpyDtoHAsync_v2(*mut c_void, CUdeviceptr, usize, CUstream);
    cuMemcpyDtoDAsync_v2(CUdeviceptr, CUdeviceptr, usize, CUstream);
    cuMemsetD8Async(CUdeviceptr, c_uchar, usize, CUstream);
    cuStreamCreate(*mut CUstream, c_uint);
    cuStreamDestroy_v2(CUstream);
    cuStreamSynchronize(CUstream);
    cuStreamQuery(CUstream);
    cuStreamWaitEvent(CUstream, CUevent, c_uint);
    cuEventCreate(*mut CUevent, c_uint);
    cuEventDestroy_v2(CUevent);
    cuEventRecord(CUevent, CUstream);
    cuEventQuery(CUevent);
    cuEventSynchronize(CUevent);
    cuEventElapsedTime(*mut f32, CUevent, CUevent);
    cuModuleLoadDataEx(*mut CUmodule, *const c_void, c_uint, *mut JitOption, *mut *mut c_void);
    cuModuleUnload(CUmodule);
    cuModuleGetFunction(*mut CUfunction, CUmodule, *const c_char);
    cuLaunchKernel(
        CUfunction, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, CUstream, *mut *mut c_void,
        *mut *mut c_void
    );
}

/// Why a library cannot be used.
pub(crate) enum Refused {
    /// The loader's words.
    Open(String),
    /// A function that it lacks.
    Lacks(&'static str),
}

/// Opens a library for the rest of the process's life.
pub(crate) fn load(path: &Path) -> Result<&'static Functions, Refused> {
    // SAFETY: initialisers of the driver library run; it is the one that every CUDA program opens.
    let library = unsafe { Library::new(path) }.map_err(|error| {
        Refused::Open(std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string))
    })?;
    let functions = Functions::find(&library).map_err(Refused::Lacks)?;
    // Threads of the driver may outlive everything here, and so must its code.
    std::mem::forget(library);
    Ok(Box::leak(Box::new(functions)))
}

/// Calls a function and makes an error of what is not success: `call!(functions, cuInit(0))`, in an `unsafe` block.
macro_rules! call {
    ($functions:expr, $name:ident($($argument:expr),* $(,)?)) => {{
        let functions: &'static $crate::sys::Functions = $functions;
        $crate::error::check(functions, stringify!($name), (functions.$name)($($argument),*))
    }};
}
pub(crate) use call;
