use std::ffi::c_uint;
use std::fmt;
use std::ptr::{self, NonNull};
use std::slice;

use super::{Element, bytes_of, let_go, refused};
use crate::error::{CudaError, Error};
use crate::event::{Event, Timing};
use crate::ledger::{Held, Kind, Owner};
use crate::stream::Stream;
use crate::sys::{self, call};

/// `len` elements of the host, all zero at first, page-locked: copies from and to them run beside the host.
pub struct PinnedBuffer<T: Element> {
    base: NonNull<T>,
    len: usize,
    copied: Event,
    last: LastCopy,
    held: Option<Held>,
    stream: Stream,
}

/// How to know that the last copy is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastCopy {
    None,
    Event,
    /// The event could not be recorded behind it.
    Stream,
}

// SAFETY: plain memory, owned; elements are `Send`.
unsafe impl<T: Element> Send for PinnedBuffer<T> {}
// SAFETY: through `&` it is only read; elements are `Sync`.
unsafe impl<T: Element> Sync for PinnedBuffer<T> {}

impl<T: Element> fmt::Debug for PinnedBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pinned elements at {:?}", self.len, self.base)
    }
}

impl<T: Element> PinnedBuffer<T> {
    /// Takes memory for `owner` and gives it to `stream`.
    ///
    /// # Errors
    ///
    /// [`Error::Allocate`]; [`Error::Argument`] where `len` is 0.
    pub fn new(stream: &Stream, owner: &Owner, len: usize) -> Result<Self, Error> {
        let copied = Event::new(stream.device(), Timing::Off)?;
        let base = allocate(stream, owner, len, Kind::Pinned, sys::HOST_PORTABLE)?;
        let held = Some(owner.hold(Kind::Pinned, len * size_of::<T>()));
        Ok(Self { base, len, copied, last: LastCopy::None, held, stream: stream.clone() })
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

    /// The stream it belongs to.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// True where [`Self::read`] and [`Self::write`] would not wait.
    ///
    /// # Errors
    ///
    /// That of the work which failed.
    pub fn is_ready(&self) -> Result<bool, CudaError> {
        match self.last {
            LastCopy::None => Ok(true),
            LastCopy::Event => self.copied.is_passed(),
            LastCopy::Stream => self.stream.is_idle(),
        }
    }

    /// The elements, after the last copy from or to them; waits for it.
    ///
    /// # Errors
    ///
    /// That of the work which failed; the elements are then not to be had.
    pub fn read(&self) -> Result<&[T], CudaError> {
        self.wait()?;
        // SAFETY: allocated with this length and initialised; no copy is running, and none begins while the answer
        // is borrowed, because copies take the buffer as `&mut`.
        Ok(unsafe { slice::from_raw_parts(self.base.as_ptr(), self.len) })
    }

    /// The elements, to write; waits for the last copy from or to them.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`].
    pub fn write(&mut self) -> Result<&mut [T], CudaError> {
        self.wait()?;
        self.last = LastCopy::None;
        // SAFETY: as in `read`, and borrowed for this caller alone.
        Ok(unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.len) })
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

    /// Has `copy` put a copy from or to the elements into `stream`, and remembers it.
    pub(super) fn during_copy(
        &mut self,
        stream: &Stream,
        copy: impl FnOnce(*mut T) -> Result<(), CudaError>,
    ) -> Result<(), Error> {
        if !self.stream.is(stream) {
            return Err(Error::Stream { what: "pinned memory" });
        }
        stream.device().bind()?;
        // Until the event stands behind it, and also where the copy may have begun and failed.
        self.last = LastCopy::Stream;
        copy(self.base.as_ptr())?;
        self.copied.record(stream)?;
        self.last = LastCopy::Event;
        Ok(())
    }

    fn wait(&self) -> Result<(), CudaError> {
        match self.last {
            LastCopy::None => Ok(()),
            LastCopy::Event => self.copied.synchronize(),
            LastCopy::Stream => self.stream.synchronize(),
        }
    }
}

impl<T: Element> Drop for PinnedBuffer<T> {
    fn drop(&mut self) {
        let mut held = self.held.take();
        let_go("pinned", &mut held, || {
            self.wait()?;
            free(&self.stream, self.base);
            Ok(())
        });
    }
}

/// Page-locked memory, all zero.
pub(super) fn allocate<T: Element>(
    stream: &Stream,
    owner: &Owner,
    len: usize,
    kind: Kind,
    flags: c_uint,
) -> Result<NonNull<T>, Error> {
    let bytes = bytes_of::<T>(len)?;
    stream.device().bind()?;
    let mut base = ptr::null_mut();
    // SAFETY: writes one address.
    unsafe { call!(stream.device().functions(), cuMemHostAlloc(&mut base, bytes, flags)) }
        .map_err(|source| refused(stream, owner, kind, bytes, source))?;
    let base = NonNull::new(base.cast::<T>())
        .filter(|base| base.is_aligned())
        .ok_or_else(|| Error::argument("buffer", "the driver gave an address that is none"))?;
    // SAFETY: that many bytes were just allocated; page-locked memory is not necessarily new to the process.
    unsafe { ptr::write_bytes(base.as_ptr(), 0, len) };
    Ok(base)
}

/// Frees what [`allocate`] gave and nobody uses any more.
pub(super) fn free<T: Element>(stream: &Stream, base: NonNull<T>) {
    let _ = stream.device().bind();
    // SAFETY: from `cuMemHostAlloc`, freed once.
    let _: c_uint = unsafe { (stream.device().functions().cuMemFreeHost)(base.as_ptr().cast()) };
}
