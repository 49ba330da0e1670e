//! Streams and device memory as the TensorRT binding takes them, so that a
//! [`BoundContext`](tensorrt_rs::BoundContext) of them executes in safe code.
//!
//! An engine lives on the device that was current when it was deserialised. A process that opens several devices must
//! itself see to it that streams and buffers are that device's: neither crate can tell.

use std::ffi::c_void;
use std::ptr;

use crate::{CudaError, DeviceBuffer, DeviceTensor, Element, Stream};

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
        // An address of the device, not one of this process: there is nothing to derive it from.
        ptr::without_provenance_mut(usize::try_from(Self::device_ptr(self)).unwrap_or(0))
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
        ptr::without_provenance_mut(usize::try_from(self.address()).unwrap_or(0))
    }

    fn byte_len(&self) -> usize {
        self.bytes()
    }

    fn stream(&self) -> Option<*mut c_void> {
        Some(self.owner_stream().raw())
    }
}
