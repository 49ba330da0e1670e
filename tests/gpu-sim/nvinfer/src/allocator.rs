//! A caller's `IGpuAllocator`.

use std::ffi::c_void;

/// Called through slots 4 (`allocate`) and 6 (`deallocate`), which every version has.
pub(crate) struct Allocator {
    object: usize,
}

impl Allocator {
    /// # Safety
    /// `object` is null or an allocator that is thread-safe and outlives all that is made with it.
    pub(crate) unsafe fn new(object: *mut c_void) -> Option<Self> {
        (!object.is_null()).then_some(Self { object: object as usize })
    }

    fn entry(&self, slot: usize) -> *const c_void {
        // SAFETY: `new`'s caller vouches for the object; the slots used here exist.
        unsafe { (*(self.object as *const *const *const c_void)).add(slot).read() }
    }

    pub(crate) fn allocate(&self, size: usize) -> Option<usize> {
        type Allocate = unsafe extern "C" fn(*mut c_void, u64, u64, u32) -> *mut c_void;
        // SAFETY: slot 4 has this type.
        let address = unsafe {
            let allocate: Allocate = std::mem::transmute(self.entry(4));
            allocate(self.object as *mut c_void, size as u64, 256, 0)
        };
        (!address.is_null()).then_some(address as usize)
    }

    pub(crate) fn deallocate(&self, address: usize) {
        type Deallocate = unsafe extern "C" fn(*mut c_void, *mut c_void) -> u8;
        // SAFETY: slot 6 has this type; the address came from `allocate`.
        unsafe {
            let deallocate: Deallocate = std::mem::transmute(self.entry(6));
            deallocate(self.object as *mut c_void, address as *mut c_void);
        }
    }
}
