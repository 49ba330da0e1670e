use super::owned::Owned;
use crate::sys::Handle;
use crate::sys::slots::host_memory;
use crate::{Error, Library, result};

/// Bytes that TensorRT allocated: a plan, a timing cache. Reads as a slice.
pub struct HostMemory {
    object: Owned<host_memory::HostMemory>,
    data: *const u8,
    size: usize,
}

// SAFETY: the bytes belong to no thread and never change.
unsafe impl Send for HostMemory {}
// SAFETY: as above.
unsafe impl Sync for HostMemory {}

impl HostMemory {
    /// # Safety
    /// The object was made by that library and is nobody else's.
    pub(super) unsafe fn new(library: &Library, handle: Handle<host_memory::HostMemory>) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        let object = unsafe { Owned::new(library, handle) };
        // SAFETY: the object is alive, and stays so as long as the slice is used: it is given out by `deref` only.
        let bytes = object.call(|version, memory| unsafe { result::engine::host_memory(version, memory) })?;
        Ok(Self { data: bytes.as_ptr(), size: bytes.len(), object })
    }

    /// The library it comes from.
    #[must_use]
    pub fn library(&self) -> &Library {
        self.object.library()
    }
}

impl std::ops::Deref for HostMemory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: both parts come from the slice that the object, alive as long as `self`, owns.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }
}

impl std::fmt::Debug for HostMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostMemory({} bytes)", self.size)
    }
}
