//! `ITimingCache`: nothing is timed here, but it notes which models were built with it, and on what.

use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use gpu_sim::report::lock;
use sha2::{Digest, Sha256};
use sim_nvinfer_abi::{Interface, Object, method, methods};

use crate::device;
use crate::host_memory::HostMemory;
use crate::library::{self, current};

/// A cache's first bytes; then a line with TensorRT's version and the compute capability, and one for each model.
const MAGIC: &[u8] = b"WKSIMTIMING\n";

pub(crate) struct TimingCache {
    /// The first line.
    of: String,
    models: Mutex<Vec<String>>,
}

/// A cache for the caller, from bytes that are none or another cache's; null otherwise.
pub(crate) fn create(bytes: &[u8]) -> *mut c_void {
    let here = format!("{} {}", current(), device::get().map(device::Device::capability).unwrap_or_default());
    let (of, models) = match bytes {
        [] => (here, Vec::new()),
        bytes => {
            let text = bytes.strip_prefix(MAGIC).and_then(|rest| std::str::from_utf8(rest).ok());
            let Some(text) = text.filter(|text| text.ends_with('\n')) else { return std::ptr::null_mut() };
            let mut lines = text.lines().map(str::to_owned);
            (lines.next().unwrap_or_default(), lines.collect())
        }
    };
    library::create(Arc::new(TimingCache { of, models: Mutex::new(models) }))
}

impl TimingCache {
    /// Is it of this TensorRT on this device?
    pub(crate) fn fits(&self) -> bool {
        self.of == format!("{} {}", current(), device::get().map(device::Device::capability).unwrap_or_default())
    }

    /// Was the model built with it before?
    pub(crate) fn knows(&self, model: &[u8]) -> bool {
        lock(&self.models).contains(&digest(model))
    }

    /// The model was built with it.
    pub(crate) fn learn(&self, model: &[u8]) {
        if !self.knows(model) {
            lock(&self.models).push(digest(model));
        }
    }
}

fn digest(model: &[u8]) -> String {
    Sha256::digest(model).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Interface for TimingCache {
    const CLASS: &'static str = "VTimingCache";
    const INTERFACE: &'static str = "ITimingCache";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! { "serialize" => serialize, "combine" => combine, "reset" => reset }
    }
}

extern "C" fn serialize(this: *const c_void) -> *mut c_void {
    let cache = method::<TimingCache>(this);
    let mut bytes = MAGIC.to_vec();
    for line in std::iter::once(&cache.of).chain(lock(&cache.models).iter()) {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    library::create(Arc::new(HostMemory::new(bytes)))
}

extern "C" fn combine(this: *const c_void, other: *const c_void, ignore_mismatch: bool) -> bool {
    let (cache, Some(other)) = (method::<TimingCache>(this), Object::behind::<TimingCache>(other)) else {
        return false;
    };
    if cache.of != other.of && !ignore_mismatch {
        return false;
    }
    let more = lock(&other.models).clone();
    lock(&cache.models).extend(more);
    true
}

extern "C" fn reset(this: *const c_void) -> bool {
    lock(&method::<TimingCache>(this).models).clear();
    true
}
