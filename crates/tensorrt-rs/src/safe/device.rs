use std::error::Error;
use std::ffi::c_void;
use std::sync::Arc;

use crate::sys::slots::RawStream;

/// Device memory, as whoever drives CUDA owns it.
///
/// # Safety
/// For as long as the value lives, wherever it is moved, `device_ptr` is the start of `byte_len` bytes of
/// memory that the engine's device may read and write, and both answers stay the same. Through `&self` its content is
/// reached by work queued on streams only, never by the host: a buffer of unified or mapped memory gives its bytes to
/// the host through `&mut self`.
///
/// No other value has the same memory, unless `is_shared` answers true. Then every value that has it answers so, all
/// of them name one `stream` for as long as they live, so that whatever they are used for happens one after the other,
/// and the host reaches the content through none of them.
pub unsafe trait DeviceBuffer {
    /// Where it starts, on the device.
    fn device_ptr(&self) -> *mut c_void;
    /// How long it is.
    fn byte_len(&self) -> usize;
    /// The only stream that work on it is queued on; `None` where it belongs to none. A [`crate::BoundContext`]
    /// executes on no other.
    fn stream(&self) -> Option<RawStream> {
        None
    }
    /// Whether other values may have the same memory.
    fn is_shared(&self) -> bool {
        false
    }
}

/// A CUDA stream, as whoever drives CUDA owns it.
///
/// # Safety
/// `raw` is a stream of the engine's device for as long as the value lives. `synchronize` answers `Ok`, and
/// `is_finished` answers `Ok(true)`, only when all work queued on it before is finished.
pub unsafe trait Stream {
    /// What CUDA says when the stream failed.
    type Error: Error + Send + Sync + 'static;

    /// The `CUstream`.
    fn raw(&self) -> RawStream;

    /// Waits for all work queued before.
    ///
    /// # Errors
    /// CUDA's error: of this call, or of earlier work.
    fn synchronize(&self) -> Result<(), Self::Error>;

    /// Whether all work queued before is finished.
    ///
    /// # Errors
    /// As for [`Stream::synchronize`].
    fn is_finished(&self) -> Result<bool, Self::Error>;
}

// SAFETY: the promise is kept by the stream shared.
unsafe impl<S: Stream + ?Sized> Stream for Arc<S> {
    type Error = S::Error;

    fn raw(&self) -> RawStream {
        (**self).raw()
    }

    fn synchronize(&self) -> Result<(), Self::Error> {
        (**self).synchronize()
    }

    fn is_finished(&self) -> Result<bool, Self::Error> {
        (**self).is_finished()
    }
}

// SAFETY: the promise is kept by the buffer boxed.
unsafe impl<B: DeviceBuffer + ?Sized> DeviceBuffer for Box<B> {
    fn device_ptr(&self) -> *mut c_void {
        (**self).device_ptr()
    }

    fn byte_len(&self) -> usize {
        (**self).byte_len()
    }

    fn stream(&self) -> Option<RawStream> {
        (**self).stream()
    }

    fn is_shared(&self) -> bool {
        (**self).is_shared()
    }
}
