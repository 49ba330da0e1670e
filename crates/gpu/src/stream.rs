//! Queues of work.

use std::ffi::{c_uint, c_void};
use std::fmt;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::CudaError;
use crate::event::{self, Event, Timing};
use crate::kernels::Kernel;
use crate::sys::{self, CUstream, call};
use crate::{Device, Error, is_abandoned};

/// A queue of work on a device: what is put in runs in this order, beside the host and beside other streams.
///
/// Memory belongs to one stream at a time (see [`crate::memory`]). Clones are the same stream. When the last one
/// drops, with all memory that belongs to it, the work in it is waited for.
#[derive(Clone)]
pub struct Stream(Arc<Inner>);

struct Inner {
    handle: CUstream,
    /// For handing memory over; under its lock, so that nobody marks anew before the other stream waits.
    handover: Mutex<Event>,
    device: Device,
}

// SAFETY: the driver's functions on streams may be called from any thread.
unsafe impl Send for Inner {}
// SAFETY: as above; the event has a lock.
unsafe impl Sync for Inner {}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.0.handle).finish()
    }
}

impl Stream {
    /// A new stream, without implicit order with the default stream.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn new(device: &Device) -> Result<Self, CudaError> {
        device.bind()?;
        let event = Event::new(device, Timing::Off)?;
        let mut handle = ptr::null_mut();
        // SAFETY: writes one handle, which `Inner` destroys.
        unsafe { call!(device.functions(), cuStreamCreate(&mut handle, sys::STREAM_NON_BLOCKING)) }?;
        Ok(Self(Arc::new(Inner { handle, handover: Mutex::new(event), device: device.clone() })))
    }

    /// Its device.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// The `CUstream` (and `cudaStream_t`), for other libraries. It lives as long as a clone of this does.
    #[must_use]
    pub fn raw(&self) -> *mut c_void {
        self.0.handle.cast()
    }

    /// Waits until all work put in so far is done, and gives the error of what failed of it.
    ///
    /// # Errors
    ///
    /// The driver's; of class [`Sticky`](crate::Class::Sticky) where a kernel went wrong.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        self.device().bind()?;
        // SAFETY: the stream lives.
        unsafe { call!(self.device().functions(), cuStreamSynchronize(self.0.handle)) }
    }

    /// True where all work is done.
    ///
    /// # Errors
    ///
    /// That of the work which failed.
    pub fn is_idle(&self) -> Result<bool, CudaError> {
        self.device().bind()?;
        // SAFETY: the stream lives.
        event::done(unsafe { call!(self.device().functions(), cuStreamQuery(self.0.handle)) })
    }

    /// Lets what is put in from now on wait for `event`, as it was last recorded. The host does not wait.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn wait(&self, event: &Event) -> Result<(), CudaError> {
        self.device().bind()?;
        // SAFETY: both live; the driver keeps what it needs of the event.
        unsafe { call!(self.device().functions(), cuStreamWaitEvent(self.0.handle, event.handle(), 0)) }
    }

    /// Lets what is put into `next` from now on wait for what is in here.
    pub(crate) fn before(&self, next: &Self) -> Result<(), Error> {
        if !self.device().is(next.device()) {
            return Err(Error::argument("stream", "it is on another device than the memory"));
        }
        let event = self.0.handover.lock().unwrap_or_else(PoisonError::into_inner);
        event.record(self)?;
        next.wait(&event)?;
        Ok(())
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn handle(&self) -> CUstream {
        self.0.handle
    }

    /// Runs `kernel` on `threads` threads, in blocks of `block`.
    ///
    /// # Safety
    ///
    /// `arguments` point to values of the types that the kernel has as parameters; the memory that these point to
    /// belongs to this stream or stays until it is done, and is as large as the kernel takes it to be.
    pub(crate) unsafe fn launch(
        &self,
        kernel: Kernel,
        threads: [u32; 3],
        block: [u32; 3],
        arguments: &mut [*mut c_void],
    ) -> Result<(), CudaError> {
        let device = self.device();
        device.bind()?;
        let [gx, gy, gz]: [c_uint; 3] = std::array::from_fn(|axis| threads[axis].div_ceil(block[axis]));
        let [bx, by, bz] = block;
        let function = device.kernel(kernel);
        let (stream, arguments, none) = (self.0.handle, arguments.as_mut_ptr(), ptr::null_mut());
        // SAFETY: the function's module lives as long as the device; the driver copies the arguments before it
        // returns; the rest is the caller's promise.
        unsafe {
            call!(device.functions(), cuLaunchKernel(function, gx, gy, gz, bx, by, bz, 0, stream, arguments, none))
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if is_abandoned() {
            return;
        }
        let functions = self.device.functions();
        let _ = self.device.bind();
        // SAFETY: created once, destroyed once. Errors of a broken context have been told by then, or are told by
        // the next call.
        unsafe {
            let _: c_uint = (functions.cuStreamSynchronize)(self.handle);
            let _: c_uint = (functions.cuStreamDestroy_v2)(self.handle);
        }
    }
}
