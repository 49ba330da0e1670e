//! `ITimingCache`: nothing is timed here, but what goes in comes out.

use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use gpu_sim::report::lock;
use sim_nvinfer_abi::{Interface, Object, method, methods};

use crate::host_memory::HostMemory;
use crate::library;

/// A cache's first bytes.
const MAGIC: &[u8] = b"WKSIMTIMING";

struct TimingCache {
    bytes: Mutex<Vec<u8>>,
}

/// A cache for the caller, from bytes that are none or another cache's; null otherwise.
pub(crate) fn create(bytes: &[u8]) -> *mut c_void {
    let bytes = match bytes {
        [] => MAGIC.to_vec(),
        bytes if bytes.starts_with(MAGIC) => bytes.to_vec(),
        _ => return std::ptr::null_mut(),
    };
    library::create(Arc::new(TimingCache { bytes: Mutex::new(bytes) }))
}

impl Interface for TimingCache {
    const CLASS: &'static str = "VTimingCache";
    const INTERFACE: &'static str = "ITimingCache";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! { "serialize" => serialize, "combine" => combine, "reset" => reset }
    }
}

extern "C" fn serialize(this: *const c_void) -> *mut c_void {
    let bytes = lock(&method::<TimingCache>(this).bytes).clone();
    library::create(Arc::new(HostMemory::new(bytes)))
}

extern "C" fn combine(_: *const c_void, other: *const c_void, _ignore_mismatch: bool) -> bool {
    Object::behind::<TimingCache>(other).is_some()
}

extern "C" fn reset(this: *const c_void) -> bool {
    *lock(&method::<TimingCache>(this).bytes) = MAGIC.to_vec();
    true
}
