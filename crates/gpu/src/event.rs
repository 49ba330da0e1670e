//! Marks in streams.

use std::ffi::c_uint;
use std::fmt;
use std::ptr;

use crate::error::CudaError;
use crate::stream::Stream;
use crate::sys::{self, CUevent, call};
use crate::{Device, is_abandoned};

/// Does an event note when it was passed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// No: cheaper.
    Off,
    /// Yes, for [`Event::since`].
    On,
}

/// A mark in a stream.
///
/// Any number of threads may use one at the same time, also while another one records it: a camera's thread that puts
/// work in, say, and one that waits for it. Whoever asks or waits means the mark as it was last recorded when he
/// began; a record that comes meanwhile does not prolong the wait.
pub struct Event {
    handle: CUevent,
    device: Device,
}

// SAFETY: the driver's functions on events may be called from any thread.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.handle).finish()
    }
}

impl Event {
    /// A new event; it counts as passed until it is recorded.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn new(device: &Device, timing: Timing) -> Result<Self, CudaError> {
        device.bind()?;
        let timing = if timing == Timing::On { 0 } else { sys::EVENT_DISABLE_TIMING };
        let mut handle = ptr::null_mut();
        // SAFETY: writes one handle, which the drop destroys.
        unsafe { call!(device.functions(), cuEventCreate(&mut handle, sys::EVENT_BLOCKING_SYNC | timing)) }?;
        Ok(Self { handle, device: device.clone() })
    }

    pub(crate) fn handle(&self) -> CUevent {
        self.handle
    }

    /// Marks the place behind all work put into `stream` so far; an earlier mark is forgotten.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn record(&self, stream: &Stream) -> Result<(), CudaError> {
        self.device.bind()?;
        // SAFETY: both live.
        unsafe { call!(self.device.functions(), cuEventRecord(self.handle, stream.handle())) }
    }

    /// True where the stream is past the mark.
    ///
    /// # Errors
    ///
    /// That of the work which failed.
    pub fn is_passed(&self) -> Result<bool, CudaError> {
        self.device.bind()?;
        // SAFETY: the event lives.
        done(unsafe { call!(self.device.functions(), cuEventQuery(self.handle)) })
    }

    /// Waits until the stream is past the mark.
    ///
    /// # Errors
    ///
    /// That of the work which failed.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        self.device.bind()?;
        // SAFETY: the event lives.
        unsafe { call!(self.device.functions(), cuEventSynchronize(self.handle)) }
    }

    /// Milliseconds on the device from `earlier`'s mark to this one, both with timing and both passed.
    ///
    /// # Errors
    ///
    /// The driver's, of class [`NotReady`](crate::Class::NotReady) before both are passed.
    pub fn since(&self, earlier: &Self) -> Result<f32, CudaError> {
        self.device.bind()?;
        let mut milliseconds = 0.0;
        let functions = self.device.functions();
        // SAFETY: both live; writes one number.
        unsafe { call!(functions, cuEventElapsedTime(&mut milliseconds, earlier.handle, self.handle)) }?;
        Ok(milliseconds)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if is_abandoned() {
            return;
        }
        let _ = self.device.bind();
        // SAFETY: created once, destroyed once; the driver waits for a mark not passed yet by itself.
        let _: c_uint = unsafe { (self.device.functions().cuEventDestroy_v2)(self.handle) };
    }
}

/// Not ready is an answer, no error.
pub(crate) fn done(result: Result<(), CudaError>) -> Result<bool, CudaError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.code == sys::NOT_READY => Ok(false),
        Err(error) => Err(error),
    }
}
