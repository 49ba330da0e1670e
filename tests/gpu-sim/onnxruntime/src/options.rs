//! Providers and their options.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};

use ort_sys::{OrtApi, OrtCUDAProviderOptionsV2, OrtSessionOptions, OrtStatusPtr, OrtTensorRTProviderOptionsV2};

use crate::device;
use crate::faults::fault;
use crate::inner::{api, failure, success};
use crate::state::{Asked, state};

const CUDA: &str = "CUDAExecutionProvider";
const TENSORRT: &str = "TensorrtExecutionProvider";

/// Options of either provider, as written.
type Options = BTreeMap<String, String>;

const CUDA_KEYS: [&str; 6] = [
    "device_id",
    "has_user_compute_stream",
    "user_compute_stream",
    "arena_extend_strategy",
    "cudnn_conv_algo_search",
    "use_tf32",
];
const TENSORRT_KEYS: [&str; 11] = [
    "device_id",
    "has_user_compute_stream",
    "user_compute_stream",
    "trt_fp16_enable",
    "trt_engine_cache_enable",
    "trt_engine_cache_path",
    "trt_timing_cache_enable",
    "trt_timing_cache_path",
    "trt_profile_min_shapes",
    "trt_profile_opt_shapes",
    "trt_profile_max_shapes",
];

pub(crate) fn replace(table: &mut OrtApi) {
    table.GetAvailableProviders = available;
    table.ReleaseAvailableProviders = release_available;
    table.AddSessionConfigEntry = add_entry;
    table.ReleaseSessionOptions = release_options;
    table.CreateCUDAProviderOptions = create_cuda;
    table.UpdateCUDAProviderOptions = update_cuda;
    table.ReleaseCUDAProviderOptions = release_cuda;
    table.SessionOptionsAppendExecutionProvider_CUDA_V2 = append_cuda;
    table.CreateTensorRTProviderOptions = create_tensorrt;
    table.UpdateTensorRTProviderOptions = update_tensorrt;
    table.ReleaseTensorRTProviderOptions = release_tensorrt;
    table.SessionOptionsAppendExecutionProvider_TensorRT_V2 = append_tensorrt;
}

struct Names([*mut c_char; 3]);

// SAFETY: pointers to constants, never written through.
unsafe impl Sync for Names {}

static NAMES: Names = Names([
    c"TensorrtExecutionProvider".as_ptr().cast_mut(),
    c"CUDAExecutionProvider".as_ptr().cast_mut(),
    c"CPUExecutionProvider".as_ptr().cast_mut(),
]);

unsafe extern "system" fn available(names: *mut *mut *mut c_char, count: *mut c_int) -> OrtStatusPtr {
    // SAFETY: the caller vouches for both, as for the real function; the list is a constant.
    unsafe {
        *names = NAMES.0.as_ptr().cast_mut();
        *count = 3;
    }
    success()
}

unsafe extern "system" fn release_available(_: *mut *mut c_char, _: c_int) -> OrtStatusPtr {
    success()
}

unsafe extern "system" fn add_entry(
    options: *mut OrtSessionOptions,
    key: *const c_char,
    value: *const c_char,
) -> OrtStatusPtr {
    // SAFETY: the caller vouches for NUL-terminated text, as for the real function.
    let (name, set) = unsafe { (CStr::from_ptr(key), CStr::from_ptr(value)) };
    if name == c"session.disable_cpu_ep_fallback" {
        // The real session has no other provider than the CPU's.
        if set == c"1" {
            state().no_fallback.insert(options as usize);
        }
        return success();
    }
    // SAFETY: the caller's arguments, passed on.
    api().map_or_else(success, |api| unsafe { (api.AddSessionConfigEntry)(options, key, value) })
}

unsafe extern "system" fn release_options(options: *mut OrtSessionOptions) {
    let mut state = state();
    state.options.remove(&(options as usize));
    state.no_fallback.remove(&(options as usize));
    drop(state);
    if let Some(api) = api() {
        // SAFETY: the caller's arguments, passed on.
        unsafe { (api.ReleaseSessionOptions)(options) };
    }
}

/// # Safety
/// Both arrays have `count` NUL-terminated texts.
unsafe fn update(
    options: &mut Options,
    known: &[&str],
    keys: *const *const c_char,
    values: *const *const c_char,
    count: usize,
) -> OrtStatusPtr {
    for index in 0..count {
        // SAFETY: the caller's promise.
        let text =
            |list: *const *const c_char| unsafe { CStr::from_ptr(*list.add(index)) }.to_string_lossy().into_owned();
        let (key, value) = (text(keys), text(values));
        if !known.contains(&key.as_str()) {
            return failure(&format!("Unknown provider option: \"{key}\"."));
        }
        options.insert(key, value);
    }
    success()
}

/// Notes what a session is to run on, or says why it cannot.
fn append(session: *mut OrtSessionOptions, provider: &'static str, options: &Options) -> OrtStatusPtr {
    let missing = fault(|faults| faults.missing.clone());
    if !missing.is_empty() {
        let file = if provider == CUDA { "cuda" } else { "tensorrt" };
        return failure(&format!(
            "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& \
             onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library \
             /opt/onnxruntime/libonnxruntime_providers_{file}.so with error: {missing}: cannot open shared object file: No \
             such file or directory\n"
        ));
    }
    if let Err(words) = device::check() {
        return failure(&words);
    }
    let stream = options.get("user_compute_stream").and_then(|stream| stream.parse().ok()).unwrap_or(0);
    if device::wait(stream).is_err() {
        return failure(&format!("user_compute_stream {stream:#x} is no stream of the device"));
    }
    let mut state = state();
    let asked = state.options.entry(session as usize).or_insert(Asked { provider, stream, cache: None });
    if asked.stream != stream {
        return failure("the providers of one session have different streams");
    }
    asked.cache = asked.cache.take().or_else(|| options.get("trt_engine_cache_path").cloned());
    success()
}

macro_rules! provider {
    ($type:ty, $name:expr, $keys:expr, $create:ident, $update:ident, $release:ident, $append:ident) => {
        unsafe extern "system" fn $create(out: *mut *mut $type) -> OrtStatusPtr {
            // SAFETY: the caller vouches for it, as for the real function.
            unsafe { *out = Box::into_raw(Box::new(Options::new())).cast() };
            success()
        }

        unsafe extern "system" fn $update(
            options: *mut $type,
            keys: *const *const c_char,
            values: *const *const c_char,
            count: usize,
        ) -> OrtStatusPtr {
            // SAFETY: made by the function above and not released yet; the rest is the caller's promise.
            unsafe { update(&mut *options.cast::<Options>(), &$keys, keys, values, count) }
        }

        unsafe extern "system" fn $release(options: *mut $type) {
            if !options.is_null() {
                // SAFETY: made by the function above, released once.
                drop(unsafe { Box::from_raw(options.cast::<Options>()) });
            }
        }

        unsafe extern "system" fn $append(session: *mut OrtSessionOptions, options: *const $type) -> OrtStatusPtr {
            // SAFETY: made by the function above and not released yet.
            append(session, $name, unsafe { &*options.cast::<Options>() })
        }
    };
}

provider!(OrtCUDAProviderOptionsV2, CUDA, CUDA_KEYS, create_cuda, update_cuda, release_cuda, append_cuda);
provider!(
    OrtTensorRTProviderOptionsV2,
    TENSORRT,
    TENSORRT_KEYS,
    create_tensorrt,
    update_tensorrt,
    release_tensorrt,
    append_tensorrt
);
