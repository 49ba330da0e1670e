//! Calls that exist, so that their users load, and answer "not supported".

use std::ffi::{CStr, c_char, c_int, c_void};

use gpu_sim::report::misuse;

use crate::driver::{LIBRARY, api, put};
use crate::result::Code;

macro_rules! unsupported {
    ($($name:ident)*) => {$(
        api! {
            // No parameters are looked at, so their number does not matter to the C calling convention.
            Init fn $name() {
                misuse(LIBRARY, "unsupported", concat!(stringify!($name), " is not simulated"));
                Err(Code::NOT_SUPPORTED)
            }
        }
    )*};
}

unsupported! {
    cuMemAllocManaged cuMemAllocAsync cuMemFreeAsync cuMemAllocFromPoolAsync cuDeviceGetDefaultMemPool cuDeviceGetMemPool
    cuMemHostRegister_v2 cuMemHostUnregister cuMemcpy2D_v2 cuMemcpy2DAsync_v2 cuMemcpy3D_v2 cuMemcpy3DAsync_v2
    cuMemcpyPeer cuMemcpyPeerAsync cuMemPrefetchAsync cuMemAdvise
    cuArrayCreate_v2 cuArrayDestroy cuTexObjectCreate cuTexObjectDestroy
    cuCtxCreate_v2 cuCtxCreate_v3 cuCtxDestroy_v2
    cuStreamBeginCapture_v2 cuStreamEndCapture cuGraphInstantiateWithFlags cuGraphLaunch cuGraphDestroy
    cuGraphExecDestroy cuGraphicsEGLRegisterImage cuGraphicsUnregisterResource cuGraphicsResourceGetMappedEglFrame
    cuStreamAddCallback cuLaunchCooperativeKernel cuModuleGetGlobal_v2 cuModuleLoadFatBinary
}

fn find(symbol: *const c_char) -> Option<*mut c_void> {
    // SAFETY: the caller passes NUL-terminated text; `info` is written by dladdr, whose answer is checked.
    unsafe {
        let name = CStr::from_ptr(symbol).to_str().ok()?;
        let mut info: libc::Dl_info = std::mem::zeroed();
        let own = inside as *const c_void;
        if libc::dladdr(own, &raw mut info) == 0 {
            return None;
        }
        let library = libc::dlopen(info.dli_fname, libc::RTLD_NOW | libc::RTLD_NOLOAD);
        if library.is_null() {
            return None;
        }
        // The newest variant, as the header's macros choose it.
        ["_v3", "_v2", ""].iter().find_map(|variant| {
            let name = std::ffi::CString::new(format!("{name}{variant}")).ok()?;
            let found = libc::dlsym(library, name.as_ptr());
            (!found.is_null()).then_some(found)
        })
    }
}

/// An address inside this library.
extern "C" fn inside() {}

api! {
    Nothing fn cuGetProcAddress(symbol: *const c_char, address: *mut *mut c_void, version: c_int, flags: u64) {
        put(address, find(symbol).unwrap_or(std::ptr::null_mut()))?;
        find(symbol).map(|_| ()).ok_or(Code::NOT_FOUND)
    }
}

api! {
    Nothing fn cuGetProcAddress_v2(
        symbol: *const c_char,
        address: *mut *mut c_void,
        version: c_int,
        flags: u64,
        status: *mut c_int,
    ) {
        let found = find(symbol);
        put(address, found.unwrap_or(std::ptr::null_mut()))?;
        if !status.is_null() {
            // 0 found, 1 no such symbol.
            put(status, c_int::from(found.is_none()))?;
        }
        found.map(|_| ()).ok_or(Code::NOT_FOUND)
    }
}
