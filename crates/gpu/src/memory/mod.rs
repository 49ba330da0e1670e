//! Memory, and copies between its kinds.
//!
//! All memory belongs to one [`Stream`], and all work on it is put into that stream: so device memory needs no
//! bookkeeping, and goes when the stream is done with it. Work for another stream is refused with
//! [`Error::Stream`]; `hand_over` passes memory on, and the new stream then waits for the old
//! one's work. What the host reads and writes is guarded by the memory itself: [`PinnedBuffer`] waits for the last
//! copy from or to it, [`MappedBuffer`], which kernels touch too, for all of its stream. Forgetting a value or an
//! early return can therefore leak memory, but not let a running copy and the host meet; and what the host has in
//! hand cannot be copied at the same time:
//!
//! ```compile_fail,E0502
//! # fn f(stream: gpu::Stream, mut host: gpu::PinnedBuffer<u8>, memory: gpu::DeviceBuffer<u8>) -> Result<(), gpu::Error> {
//! let bytes = host.read()?;
//! stream.download(memory.view(), &mut host, 0)?;
//! println!("{}", bytes[0]);
//! # Ok(())
//! # }
//! ```

mod device;
mod mapped;
mod pinned;
mod view;

pub use device::DeviceBuffer;
pub use mapped::MappedBuffer;
pub use pinned::PinnedBuffer;
pub use view::{DeviceView, DeviceViewMut};

use std::ops::Range;

use crate::error::{CudaError, Error};
use crate::is_abandoned;
use crate::ledger::{Held, Kind, Owner};
use crate::stream::Stream;
use crate::sys::call;

/// Plain numbers, any bytes of which are a value.
pub trait Element: sealed::Sealed + Copy + Default + Send + Sync + 'static {}

mod sealed {
    /// # Safety
    ///
    /// Any bytes are a value, and there is no padding.
    pub unsafe trait Sealed {}
}

macro_rules! elements {
    ($($name:ty),*) => {
        $(
            // SAFETY: a number of the machine.
            unsafe impl sealed::Sealed for $name {}
            impl Element for $name {}
        )*
    };
}

elements!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);

/// Bytes of `len` elements of a new buffer.
fn bytes_of<T: Element>(len: usize) -> Result<usize, Error> {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if bytes > 0 && bytes <= isize::MAX as usize => Ok(bytes),
        _ => Err(Error::argument("buffer", format!("{len} elements are no size for one"))),
    }
}

/// A failed allocation in words that help.
fn refused(stream: &Stream, owner: &Owner, kind: Kind, bytes: usize, source: CudaError) -> Error {
    let (free, total) = stream.device().free_memory().unwrap_or_default();
    Error::Allocate { owner: owner.label().to_owned(), kind, bytes, free, total, source }
}

/// What a buffer does when it drops: frees its memory, or keeps it and counts it on, and says so where it cannot
/// know that the stream is done.
fn let_go(what: &str, held: &mut Option<Held>, free: impl FnOnce() -> Result<(), CudaError>) {
    let kept = if is_abandoned() {
        held.take()
    } else if let Err(error) = free() {
        let owner = held.as_ref().map(|held| held.owner().label());
        tracing::error!(owner, %error, "{what} memory is kept: it may still be in use");
        held.take()
    } else {
        None
    };
    std::mem::forget(kept);
}

fn check_range(what: &'static str, range: &Range<usize>, len: usize) -> Result<(), Error> {
    if range.start <= range.end && range.end <= len {
        Ok(())
    } else {
        Err(Error::argument(what, format!("elements {}..{} of {len}", range.start, range.end)))
    }
}

fn check_lengths(from: usize, to: usize) -> Result<(), Error> {
    if from == to { Ok(()) } else { Err(Error::argument("copy", format!("{from} elements to a place for {to}"))) }
}

impl Stream {
    /// Copies elements `from` of host memory to the device.
    ///
    /// # Errors
    ///
    /// Where lengths differ or memory is another stream's; the driver's.
    pub fn upload<T: Element>(
        &self,
        host: &mut PinnedBuffer<T>,
        from: Range<usize>,
        to: DeviceViewMut<'_, T>,
    ) -> Result<(), Error> {
        check_range("upload", &from, host.len())?;
        check_lengths(from.len(), to.len())?;
        to.check("device memory", self)?;
        host.during_copy(self, |base| {
            let (source, bytes) = (base.wrapping_add(from.start).cast_const().cast(), to.bytes());
            // SAFETY: both ranges were checked; the host's stays and is not written until the copy is done, as
            // `during_copy` sees to; the device's belongs to this stream.
            unsafe {
                call!(self.device().functions(), cuMemcpyHtoDAsync_v2(to.address(), source, bytes, self.handle()))
            }
        })
    }

    /// Copies to the host, to its elements from `to` on.
    ///
    /// # Errors
    ///
    /// Where there are not as many or memory is another stream's; the driver's.
    pub fn download<T: Element>(
        &self,
        from: DeviceView<'_, T>,
        host: &mut PinnedBuffer<T>,
        to: usize,
    ) -> Result<(), Error> {
        check_range("download", &(to..to.saturating_add(from.len())), host.len())?;
        from.check("device memory", self)?;
        host.during_copy(self, |base| {
            let (target, bytes) = (base.wrapping_add(to).cast(), from.bytes());
            // SAFETY: as in `upload`; nobody else reads or writes the host's range, by `&mut` and `during_copy`.
            unsafe {
                call!(self.device().functions(), cuMemcpyDtoHAsync_v2(target, from.address(), bytes, self.handle()))
            }
        })
    }

    /// Copies within the device.
    ///
    /// # Errors
    ///
    /// Where lengths differ or memory is another stream's; the driver's.
    pub fn copy<T: Element>(&self, from: DeviceView<'_, T>, to: DeviceViewMut<'_, T>) -> Result<(), Error> {
        check_lengths(from.len(), to.len())?;
        from.check("source", self)?;
        to.check("destination", self)?;
        self.device().bind()?;
        // SAFETY: both ranges are live, as long as the copy and this stream's.
        unsafe {
            call!(
                self.device().functions(),
                cuMemcpyDtoDAsync_v2(to.address(), from.address(), to.bytes(), self.handle())
            )
        }?;
        Ok(())
    }

    /// Sets every byte to `byte`.
    ///
    /// # Errors
    ///
    /// Where the memory is another stream's; the driver's.
    pub fn fill<T: Element>(&self, to: DeviceViewMut<'_, T>, byte: u8) -> Result<(), Error> {
        to.check("device memory", self)?;
        self.device().bind()?;
        // SAFETY: the range is live and this stream's.
        unsafe { call!(self.device().functions(), cuMemsetD8Async(to.address(), byte, to.bytes(), self.handle())) }?;
        Ok(())
    }
}
