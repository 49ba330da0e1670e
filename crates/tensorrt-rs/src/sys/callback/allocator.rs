use std::ffi::{CStr, c_void};

use super::{Callback, Kind, Rtti, shielded, state, versioned};
use crate::sys::slots::RawStream;

/// Gives TensorRT its device memory; called from any of its threads.
///
/// # Safety
/// What `allocate` and `allocate_async` answer is null or device memory of at least `size` bytes at that
/// alignment (a power of two, or 0 for any), which nothing else uses until it is given back.
pub unsafe trait GpuAllocator: Send + Sync {
    /// Device memory, null where there is none. `flags` is TensorRT's `AllocatorFlags` (bit 0: may be resized).
    fn allocate(&self, size: u64, alignment: u64, flags: u32) -> *mut c_void;

    /// Takes memory back; false where it is not this allocator's.
    ///
    /// # Safety
    /// `memory` came from this allocator, was not given back yet, and nothing uses it any more.
    unsafe fn deallocate(&self, memory: *mut c_void) -> bool;

    /// Device memory for work on `stream`; by default like [`GpuAllocator::allocate`], which is stricter.
    fn allocate_async(&self, size: u64, alignment: u64, flags: u32, _stream: RawStream) -> *mut c_void {
        self.allocate(size, alignment, flags)
    }

    /// Takes memory back once `stream` has come this far.
    ///
    /// By default like [`GpuAllocator::deallocate`]. That is right where giving back waits for the device, as
    /// `cuMemFree` does; an allocator that reuses memory at once must order it behind `stream`.
    ///
    /// # Safety
    /// As for [`GpuAllocator::deallocate`], except that work queued on `stream` may still use the memory.
    unsafe fn deallocate_async(&self, memory: *mut c_void, _stream: RawStream) -> bool {
        // SAFETY: the caller's promise, with what is said above about `stream`.
        unsafe { self.deallocate(memory) }
    }
}

// SAFETY: the promise is kept by the allocator shared.
unsafe impl<T: GpuAllocator + ?Sized> GpuAllocator for std::sync::Arc<T> {
    fn allocate(&self, size: u64, alignment: u64, flags: u32) -> *mut c_void {
        (**self).allocate(size, alignment, flags)
    }

    unsafe fn deallocate(&self, memory: *mut c_void) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (**self).deallocate(memory) }
    }

    fn allocate_async(&self, size: u64, alignment: u64, flags: u32, stream: RawStream) -> *mut c_void {
        (**self).allocate_async(size, alignment, flags, stream)
    }

    unsafe fn deallocate_async(&self, memory: *mut c_void, stream: RawStream) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (**self).deallocate_async(memory, stream) }
    }
}

struct Allocator;

impl Kind for Allocator {
    const KIND: &'static CStr = c"IGpuAllocator";
}

/// An `IGpuAllocator` (and its asynchronous kin); the same slots in 10.x and 11.x.
pub fn gpu_allocator<T: GpuAllocator>(rtti: Rtti, allocator: T) -> Callback<T> {
    let own: [*const c_void; 5] = [
        allocate::<T> as _,
        reallocate as _,
        deallocate::<T> as _,
        allocate_async::<T> as _,
        deallocate_async::<T> as _,
    ];
    Callback::new(rtti, &[&versioned::<Allocator>()[..], &own].concat(), allocator)
}

/// Calls into the allocator behind `this`.
fn with<T: GpuAllocator, R>(this: *mut c_void, fallback: R, body: impl FnOnce(&T) -> R) -> R {
    // SAFETY: TensorRT passes the allocator it was given, which outlives the objects made with it.
    shielded(fallback, || body(unsafe { state::<T>(this) }))
}

extern "C" fn allocate<T: GpuAllocator>(this: *mut c_void, size: u64, alignment: u64, flags: u32) -> *mut c_void {
    with::<T, _>(this, std::ptr::null_mut(), |allocator| allocator.allocate(size, alignment, flags))
}

/// "Cannot be resized": TensorRT then allocates anew.
extern "C" fn reallocate(_this: *mut c_void, _memory: *mut c_void, _alignment: u64, _size: u64) -> *mut c_void {
    std::ptr::null_mut()
}

extern "C" fn deallocate<T: GpuAllocator>(this: *mut c_void, memory: *mut c_void) -> bool {
    // SAFETY: TensorRT gives back what this allocator gave it, once, when it uses it no more.
    with::<T, _>(this, false, |allocator| memory.is_null() || unsafe { allocator.deallocate(memory) })
}

extern "C" fn allocate_async<T: GpuAllocator>(
    this: *mut c_void,
    size: u64,
    alignment: u64,
    flags: u32,
    stream: RawStream,
) -> *mut c_void {
    with::<T, _>(this, std::ptr::null_mut(), |allocator| allocator.allocate_async(size, alignment, flags, stream))
}

extern "C" fn deallocate_async<T: GpuAllocator>(this: *mut c_void, memory: *mut c_void, stream: RawStream) -> bool {
    // SAFETY: as in `deallocate`, in the order of `stream`.
    with::<T, _>(this, false, |allocator| memory.is_null() || unsafe { allocator.deallocate_async(memory, stream) })
}
