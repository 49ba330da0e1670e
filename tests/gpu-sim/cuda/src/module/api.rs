//! Module and launch calls of the driver.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};

use gpu_sim::report::misuse;

use super::{Handle, function, launch, load, unload};
use crate::driver::{LIBRARY, api, put};
use crate::result::Code;
use crate::stream;

api! {
    Context fn cuModuleLoadData(module: *mut Handle, image: *const c_void) {
        // SAFETY: the driver API asks the same of its callers.
        put(module, unsafe { load(image) }?)
    }
}

api! {
    Context fn cuModuleLoadDataEx(
        module: *mut Handle,
        image: *const c_void,
        count: c_uint,
        options: *const c_int,
        values: *const *mut c_void,
    ) {
        // SAFETY: the driver API asks the same of its callers.
        put(module, unsafe { load(image) }?)
    }
}

api! {
    Context fn cuModuleLoad(module: *mut Handle, path: *const c_char) {
        if path.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: it is not null, and the driver API asks for a NUL-terminated path.
        let path = unsafe { CStr::from_ptr(path) }.to_string_lossy();
        let bytes = std::fs::read(path.as_ref()).map_err(|_| Code::FILE_NOT_FOUND)?;
        let text = CString::new(bytes).map_err(|_| Code::INVALID_IMAGE)?;
        // SAFETY: NUL-terminated text that lives through the call.
        put(module, unsafe { load(text.as_ptr().cast()) }?)
    }
}

api! {
    Context fn cuModuleUnload(module: Handle) {
        unload(module)
    }
}

api! {
    Context fn cuModuleGetFunction(out: *mut Handle, module: Handle, name: *const c_char) {
        if name.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: it is not null, and the driver API asks for a NUL-terminated name.
        put(out, function(module, unsafe { CStr::from_ptr(name) })?)
    }
}

api! {
    // Numbers of "CUDA Driver API", enum CUfunction_attribute: 0 is the largest block.
    Context fn cuFuncGetAttribute(value: *mut c_int, attribute: c_int, function: Handle) {
        put(value, if attribute == 0 { 1024 } else { 0 })
    }
}

api! {
    Context fn cuFuncSetAttribute(function: Handle, attribute: c_int, value: c_int) {
        Ok(())
    }
}

api! {
    Context fn cuLaunchKernel(
        function: Handle,
        grid_x: c_uint,
        grid_y: c_uint,
        grid_z: c_uint,
        block_x: c_uint,
        block_y: c_uint,
        block_z: c_uint,
        shared: c_uint,
        on: stream::Handle,
        parameters: *const *const c_void,
        extra: *const *const c_void,
    ) {
        if !extra.is_null() {
            misuse(LIBRARY, "unsupported", "cuLaunchKernel: the simulator takes no extra options");
            return Err(Code::NOT_SUPPORTED);
        }
        // SAFETY: the driver API asks the same of its callers.
        unsafe { launch(function, [grid_x, grid_y, grid_z], [block_x, block_y, block_z], on, parameters) }
    }
}
