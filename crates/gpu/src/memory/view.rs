use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use super::{Element, check_range};
use crate::error::Error;
use crate::stream::Stream;
use crate::sys::CUdeviceptr;

/// Elements on the device, to read.
#[derive(Clone, Copy)]
pub struct DeviceView<'a, T> {
    address: CUdeviceptr,
    len: usize,
    /// `None`: of memory that is not ours.
    stream: Option<&'a Stream>,
    elements: PhantomData<&'a [T]>,
}

/// Elements on the device, to write.
pub struct DeviceViewMut<'a, T>(DeviceView<'a, T>);

impl<T> fmt::Debug for DeviceView<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} elements at {:#x}", self.len, self.address)
    }
}

impl<T> fmt::Debug for DeviceViewMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a, T: Element> DeviceView<'a, T> {
    pub(super) fn new(address: CUdeviceptr, len: usize, stream: &'a Stream) -> Self {
        Self { address, len, stream: Some(stream), elements: PhantomData }
    }

    /// Memory of another library: a decoder's surface, an engine's output.
    ///
    /// # Safety
    ///
    /// `address` is that of `len` elements on the device whose streams it is used with, aligned for them. They
    /// stay, and nobody else writes them, until those streams are done with the work they were used in.
    #[must_use]
    pub unsafe fn from_raw_parts(address: u64, len: usize) -> Self {
        Self { address, len, stream: None, elements: PhantomData }
    }

    /// Some of the elements.
    ///
    /// # Errors
    ///
    /// Where there are no such elements.
    pub fn range(self, range: Range<usize>) -> Result<Self, Error> {
        check_range("device memory", &range, self.len)?;
        Ok(Self { address: self.address + (range.start * size_of::<T>()) as u64, len: range.len(), ..self })
    }

    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address on the device.
    #[must_use]
    pub fn device_ptr(&self) -> u64 {
        self.address
    }

    pub(crate) fn address(&self) -> CUdeviceptr {
        self.address
    }

    pub(super) fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }

    /// Is it for work on `stream`?
    pub(crate) fn check(&self, what: &'static str, stream: &Stream) -> Result<(), Error> {
        match self.stream {
            Some(own) if !own.is(stream) => Err(Error::Stream { what }),
            _ => Ok(()),
        }
    }
}

impl<'a, T: Element> DeviceViewMut<'a, T> {
    pub(super) fn new(address: CUdeviceptr, len: usize, stream: &'a Stream) -> Self {
        Self(DeviceView::new(address, len, stream))
    }

    /// Memory of another library.
    ///
    /// # Safety
    ///
    /// As for [`DeviceView::from_raw_parts`], and nobody else reads it either.
    #[must_use]
    pub unsafe fn from_raw_parts(address: u64, len: usize) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { DeviceView::from_raw_parts(address, len) })
    }

    /// Some of the elements.
    ///
    /// # Errors
    ///
    /// Where there are no such elements.
    pub fn range(self, range: Range<usize>) -> Result<Self, Error> {
        self.0.range(range).map(Self)
    }

    /// The same elements, for a part of the time.
    #[must_use]
    pub fn reborrow(&mut self) -> DeviceViewMut<'_, T> {
        DeviceViewMut(self.0)
    }

    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// True without elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Address on the device.
    #[must_use]
    pub fn device_ptr(&self) -> u64 {
        self.0.address
    }

    pub(crate) fn address(&self) -> CUdeviceptr {
        self.0.address
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    pub(crate) fn check(&self, what: &'static str, stream: &Stream) -> Result<(), Error> {
        self.0.check(what, stream)
    }
}
