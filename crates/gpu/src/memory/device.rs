use std::ffi::c_uint;
use std::fmt;
use std::marker::PhantomData;

use super::{DeviceView, DeviceViewMut, Element, bytes_of, let_go, refused};
use crate::error::Error;
use crate::ledger::{Held, Kind, Owner};
use crate::stream::Stream;
use crate::sys::{CUdeviceptr, call};

/// `len` elements on the device, all zero at first.
///
/// Not from a pool: what it takes is taken from the device when it is made, and given back when it drops.
pub struct DeviceBuffer<T: Element> {
    address: CUdeviceptr,
    len: usize,
    held: Option<Held>,
    stream: Stream,
    elements: PhantomData<T>,
}

impl<T: Element> fmt::Debug for DeviceBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl<T: Element> DeviceBuffer<T> {
    /// Takes memory for `owner` and gives it to `stream`.
    ///
    /// # Errors
    ///
    /// [`Error::Allocate`]; [`Error::Argument`] where `len` is 0.
    pub fn new(stream: &Stream, owner: &Owner, len: usize) -> Result<Self, Error> {
        let bytes = bytes_of::<T>(len)?;
        stream.device().bind()?;
        let mut address = 0;
        // SAFETY: writes one address, which the drop frees.
        unsafe { call!(stream.device().functions(), cuMemAlloc_v2(&mut address, bytes)) }
            .map_err(|source| refused(stream, owner, Kind::Device, bytes, source))?;
        let held = Some(owner.hold(Kind::Device, bytes));
        let mut buffer = Self { address, len, held, stream: stream.clone(), elements: PhantomData };
        stream.fill(buffer.view_mut(), 0)?;
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

    /// All elements, to read.
    #[must_use]
    pub fn view(&self) -> DeviceView<'_, T> {
        DeviceView::new(self.address, self.len, &self.stream)
    }

    /// All elements, to write.
    #[must_use]
    pub fn view_mut(&mut self) -> DeviceViewMut<'_, T> {
        DeviceViewMut::new(self.address, self.len, &self.stream)
    }

    /// All elements, to write, for memory that several have: who lends it so never lends it to the host and never
    /// gives it to another stream.
    pub(crate) fn shared_mut(&self) -> DeviceViewMut<'_, T> {
        DeviceViewMut::new(self.address, self.len, &self.stream)
    }

    /// Gives it to another stream of the device, which waits for this one's work so far. The host does not wait.
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

impl<T: Element> Drop for DeviceBuffer<T> {
    fn drop(&mut self) {
        let_go("device", &mut self.held, || {
            // `cuMemFree` waits for the device in practice, but is not documented to.
            self.stream.synchronize()?;
            // SAFETY: allocated once, freed once; its stream is done with it.
            let _: c_uint = unsafe { (self.stream.device().functions().cuMemFree_v2)(self.address) };
            Ok(())
        });
    }
}
