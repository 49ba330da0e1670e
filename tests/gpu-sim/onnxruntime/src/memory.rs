//! Device memory in tensors.

use std::ffi::{CStr, c_char, c_int, c_void};

use gpu_sim::report::misuse;
use ort_sys::{ONNXTensorElementDataType, OrtAllocatorType, OrtApi, OrtMemType, OrtMemoryInfo, OrtStatusPtr, OrtValue};

use crate::inner::{api, failure, success};
use crate::state::state;
use crate::{LIBRARY, device};

pub(crate) fn replace(table: &mut OrtApi) {
    table.CreateMemoryInfo = create_info;
    table.ReleaseMemoryInfo = release_info;
    table.CreateTensorWithDataAsOrtValue = create_tensor;
    table.ReleaseValue = release_value;
}

unsafe extern "system" fn create_info(
    name: *const c_char,
    kind: OrtAllocatorType,
    id: c_int,
    memory: OrtMemType,
    out: *mut *mut OrtMemoryInfo,
) -> OrtStatusPtr {
    let Some(api) = api() else { return success() };
    // SAFETY: the caller vouches for NUL-terminated text, as for the real function.
    let cuda = unsafe { CStr::from_ptr(name) } == c"Cuda";
    if cuda && id != 0 {
        return failure(&format!("there is no device {id}"));
    }
    let name = if cuda { c"Cpu".as_ptr() } else { name };
    // SAFETY: the caller's arguments, passed on.
    let status = unsafe { (api.CreateMemoryInfo)(name, kind, id, memory, out) };
    if cuda && status.0.is_null() {
        // SAFETY: the call succeeded, so it wrote there.
        state().device_infos.insert(unsafe { *out } as usize);
    }
    status
}

unsafe extern "system" fn release_info(info: *mut OrtMemoryInfo) {
    state().device_infos.remove(&(info as usize));
    if let Some(api) = api() {
        // SAFETY: the caller's arguments, passed on.
        unsafe { (api.ReleaseMemoryInfo)(info) };
    }
}

unsafe extern "system" fn create_tensor(
    info: *const OrtMemoryInfo,
    data: *mut c_void,
    length: usize,
    shape: *const i64,
    dims: usize,
    element: ONNXTensorElementDataType,
    out: *mut *mut OrtValue,
) -> OrtStatusPtr {
    let Some(api) = api() else { return success() };
    let on_device = state().device_infos.contains(&(info as usize));
    let mut bytes = data;
    if on_device {
        let Some(view) = device::view(data as usize, length) else {
            misuse(LIBRARY, "bad-address", &format!("{length} bytes at {data:?} are no live device memory"));
            return failure(&format!("{data:?} is no memory of the device"));
        };
        bytes = view.cast();
    }
    // SAFETY: the caller's arguments, passed on; for device memory with the place of its bytes.
    let status = unsafe { (api.CreateTensorWithDataAsOrtValue)(info, bytes, length, shape, dims, element, out) };
    if on_device && status.0.is_null() {
        // SAFETY: the call succeeded, so it wrote there.
        state().device_values.insert(unsafe { *out } as usize, (data as usize, length));
    }
    status
}

unsafe extern "system" fn release_value(value: *mut OrtValue) {
    state().device_values.remove(&(value as usize));
    if let Some(api) = api() {
        // SAFETY: the caller's arguments, passed on.
        unsafe { (api.ReleaseValue)(value) };
    }
}
