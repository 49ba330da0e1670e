use std::rc::Rc;

use super::owned::Owned;
use crate::sys::Handle;
use crate::sys::slots::timing_cache;
use crate::{Builder, Error, HostMemory, result};

/// Kernel timings kept from build to build. A clone is the same cache.
#[derive(Clone, Debug)]
pub struct TimingCache {
    object: Rc<Owned<timing_cache::TimingCache>>,
    _builder: Builder,
}

impl TimingCache {
    pub(super) fn new(builder: &Builder, object: Rc<Owned<timing_cache::TimingCache>>) -> Self {
        Self { object, _builder: builder.clone() }
    }

    pub(super) fn handle(&self) -> Handle<timing_cache::TimingCache> {
        self.object.handle()
    }

    /// Its bytes, to be kept for the next build.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words.
    pub fn serialize(&self) -> Result<HostMemory, Error> {
        // SAFETY: the cache is alive and stays on this thread.
        let memory =
            self.object.call(|version, cache| unsafe { result::builder::serialize_timing_cache(version, cache) })?;
        // SAFETY: just made by this library, nobody else's.
        unsafe { HostMemory::new(self.object.library(), memory) }
    }

    /// Adds the timings of another cache; with `ignore_mismatch` also those of another device.
    ///
    /// # Errors
    /// [`Error::Call`] where they do not fit.
    pub fn combine(&mut self, other: &Self, ignore_mismatch: bool) -> Result<(), Error> {
        // SAFETY: both caches are alive and stay on this thread.
        self.object.call(|version, cache| unsafe {
            result::builder::combine_timing_caches(version, cache, other.object.handle(), ignore_mismatch)
        })
    }

    /// Empties it.
    ///
    /// # Errors
    /// [`Error::Call`] where TensorRT refuses.
    pub fn reset(&mut self) -> Result<(), Error> {
        // SAFETY: the cache is alive and stays on this thread.
        self.object.call(|version, cache| unsafe { result::builder::reset_timing_cache(version, cache) })
    }
}
