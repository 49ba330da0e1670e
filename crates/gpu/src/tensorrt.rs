//! Streams and device memory as the TensorRT binding takes them, so that a
//! [`BoundContext`](tensorrt_rs::BoundContext) of them executes in safe code.
//!
//! An engine lives on the device that was current when it was deserialised. A process that opens several devices must
//! itself see to it that streams and buffers are that device's: neither crate can tell.

use std::ffi::c_void;
use std::ptr;

use crate::{BoundTensor, CudaError, DeviceBuffer, DeviceTensor, Element, SharedTensor, Stream};

// SAFETY: the handle lives as long as a clone of the stream does. `synchronize` is the driver's
// `cuStreamSynchronize`, which succeeds once all work put in before is done, and `is_idle` its `cuStreamQuery`.
unsafe impl tensorrt_rs::Stream for Stream {
    type Error = CudaError;

    fn raw(&self) -> *mut c_void {
        Self::raw(self)
    }

    fn synchronize(&self) -> Result<(), CudaError> {
        Self::synchronize(self)
    }

    fn is_finished(&self) -> Result<bool, CudaError> {
        self.is_idle()
    }
}

// SAFETY: address and length are those of one allocation, which the buffer owns and frees when it drops; views of it
// that write are borrowed from `&mut`, and the host never reaches its content but by copies in its stream.
unsafe impl<T: Element> tensorrt_rs::DeviceBuffer for DeviceBuffer<T> {
    fn device_ptr(&self) -> *mut c_void {
        pointer(Self::device_ptr(self))
    }

    fn byte_len(&self) -> usize {
        self.len() * size_of::<T>()
    }

    fn stream(&self) -> Option<*mut c_void> {
        Some(Self::stream(self).raw())
    }
}

// SAFETY: that of the buffer inside.
unsafe impl tensorrt_rs::DeviceBuffer for DeviceTensor {
    fn device_ptr(&self) -> *mut c_void {
        pointer(Self::device_ptr(self))
    }

    fn byte_len(&self) -> usize {
        Self::byte_len(self)
    }

    fn stream(&self) -> Option<*mut c_void> {
        Some(Self::stream(self).raw())
    }
}

// SAFETY: that of the buffer inside, which lives as long as a clone of this does; all clones name its stream, to which
// it belongs for life, and none lends its content to the host.
unsafe impl tensorrt_rs::DeviceBuffer for SharedTensor {
    fn device_ptr(&self) -> *mut c_void {
        pointer(Self::device_ptr(self))
    }

    fn byte_len(&self) -> usize {
        Self::byte_len(self)
    }

    fn stream(&self) -> Option<*mut c_void> {
        Some(Self::stream(self).raw())
    }

    fn is_shared(&self) -> bool {
        true
    }
}

// SAFETY: that of the tensor inside.
unsafe impl tensorrt_rs::DeviceBuffer for BoundTensor {
    fn device_ptr(&self) -> *mut c_void {
        pointer(Self::device_ptr(self))
    }

    fn byte_len(&self) -> usize {
        Self::byte_len(self)
    }

    fn stream(&self) -> Option<*mut c_void> {
        Some(Self::stream(self).raw())
    }

    fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }
}

/// An address of the device, not one of this process: there is nothing to derive it from.
fn pointer(address: u64) -> *mut c_void {
    ptr::without_provenance_mut(usize::try_from(address).unwrap_or(0))
}
