//! `IPluginRegistry`: there are no plugins.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use sim_nvinfer_abi::{Interface, Object, method, methods};

use crate::library::current;

struct Registry {
    parent: AtomicBool,
}

/// The library's one registry.
pub(crate) fn get() -> *mut c_void {
    static REGISTRY: OnceLock<usize> = OnceLock::new();
    let registry = REGISTRY.get_or_init(|| {
        let data = Arc::new(Registry { parent: AtomicBool::new(true) });
        Object::bare(Object::create(current(), data)) as usize
    });
    *registry as *mut c_void
}

impl Interface for Registry {
    const CLASS: &'static str = "IPluginRegistry";
    const INTERFACE: &'static str = "IPluginRegistry";
    const OWNED: bool = true;

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "isParentSearchEnabled" => is_parent_enabled,
            "setParentSearchEnabled" => enable_parent,
            "getAllCreators" => creators,
            "getCreator" => null,
            "getErrorRecorder" => null,
        }
    }
}

extern "C" fn is_parent_enabled(this: *const c_void) -> bool {
    method::<Registry>(this).parent.load(Ordering::Relaxed)
}

extern "C" fn enable_parent(this: *const c_void, enabled: bool) {
    method::<Registry>(this).parent.store(enabled, Ordering::Relaxed);
}

extern "C" fn creators(_: *const c_void, count: *mut i32) -> *const c_void {
    if !count.is_null() {
        // SAFETY: it is not null, and TensorRT's callers pass a writable count.
        unsafe { count.write(0) };
    }
    std::ptr::null()
}

extern "C" fn null(_: *const c_void) -> *const c_void {
    std::ptr::null()
}
