use std::fmt;
use std::ptr::NonNull;
use std::slice;

use super::{DeviceView, DeviceViewMut, Element, let_go, pinned};
use crate::error::{CudaError, Error};
use crate::ledger::{Held, Kind, Owner};
use crate::stream::Stream;
use crate::sys::{self, CUdeviceptr, call};

/// `len` elements, all zero at first, that host and device see at the same place: where both share their memory
/// ([`DeviceInfo::integrated`](crate::DeviceInfo::integrated)), nothing has to be copied.
pub struct MappedBuffer<T: Element> {
    base: NonNull<T>,
    address: CUdeviceptr,
    len: usize,
    held: Option<Held>,
    stream: Stream,
}

// SAFETY: plain memory, owned; elements are `Send`.
unsafe impl<T: Element> Send for MappedBuffer<T> {}
// SAFETY: through `&` the host only reads it, when the stream is done; elements are `Sync`.
unsafe impl<T: Element> Sync for MappedBuffer<T> {}

impl<T: Element> fmt::Debug for MappedBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} mapped elements at {:?} and {:#x}", self.len, self.base, self.address)
    }
}

impl<T: Element> MappedBuffer<T> {
    /// Takes memory for `owner` and gives it to `stream`.
    ///
    /// # Errors
    ///
    /// [`Error::Allocate`]; [`Error::Argument`] where `len` is 0; the driver's where it cannot map.
    pub fn new(stream: &Stream, owner: &Owner, len: usize) -> Result<Self, Error> {
        let flags = sys::HOST_PORTABLE | sys::HOST_DEVICE_MAP;
        let base: NonNull<T> = pinned::allocate(stream, owner, len, Kind::Mapped, flags)?;
        let held = Some(owner.hold(Kind::Mapped, len * size_of::<T>()));
        let mut buffer = Self { base, address: 0, len, held, stream: stream.clone() };
        let (address, base) = (&mut buffer.address, base.as_ptr().cast());
        // SAFETY: the memory was allocated with the flag that this wants; writes one address.
        unsafe { call!(stream.device().functions(), cuMemHostGetDevicePointer_v2(address, base, 0)) }?;
        Ok(buffer)
    }

    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// False: there is no empty buffer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address on the device, for other libraries; work on it belongs into [`Self::stream`].
    #[must_use]
    pub fn device_ptr(&self) -> u64 {
        self.address
    }

    /// The stream it belongs to.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// All elements, for the device to read.
    #[must_use]
    pub fn view(&self) -> DeviceView<'_, T> {
        DeviceView::new(self.address, self.len, &self.stream)
    }

    /// All elements, for the device to write.
    #[must_use]
    pub fn view_mut(&mut self) -> DeviceViewMut<'_, T> {
        DeviceViewMut::new(self.address, self.len, &self.stream)
    }

    /// The elements; waits for the stream.
    ///
    /// # Errors
    ///
    /// That of the work which failed; the elements are then not to be had.
    pub fn read(&mut self) -> Result<&[T], CudaError> {
        self.write().map(|elements| &*elements)
    }

    /// The elements, to write; waits for the stream.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`].
    pub fn write(&mut self) -> Result<&mut [T], CudaError> {
        self.stream.synchronize()?;
        // SAFETY: allocated with this length and initialised. The stream is done, and no work on it begins while
        // the answer is borrowed: views, without which there is none, borrow the buffer too.
        Ok(unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.len) })
    }

    /// The elements, to write, without waiting.
    ///
    /// # Safety
    ///
    /// No work that reads or writes them is in the stream or still running.
    pub(crate) unsafe fn write_unawaited(&mut self) -> &mut [T] {
        // SAFETY: as in `write`; that nothing works on them is the caller's promise.
        unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.len) }
    }

    /// Gives it to another stream of the device, which waits for this one's work so far.
    ///
    /// # Errors
    ///
    /// Where the stream is another device's; the driver's. It then stays where it is.
    pub fn hand_over(&mut self, to: &Stream) -> Result<(), Error> {
        if !self.stream.is(to) {
            self.stream.before(to)?;
            self.stream = to.clone();
        }
        Ok(())
    }
}

impl<T: Element> Drop for MappedBuffer<T> {
    fn drop(&mut self) {
        let_go("mapped", &mut self.held, || {
            self.stream.synchronize()?;
            pinned::free(&self.stream, self.base);
            Ok(())
        });
    }
}
