use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use tensorrt_rs::Stream;

use crate::Error;

/// The CUDA stream that a session works on. Clones are the same stream, which lives as long as one of them.
#[derive(Clone)]
pub struct ComputeStream(Arc<dyn Queue>);

trait Queue: Send + Sync {
    fn raw(&self) -> *mut c_void;
    fn wait(&self) -> Result<(), Error>;
}

impl<S: Stream + Send + Sync> Queue for S {
    fn raw(&self) -> *mut c_void {
        Stream::raw(self)
    }

    fn wait(&self) -> Result<(), Error> {
        self.synchronize().map_err(|error| Error::stream(&error))
    }
}

impl ComputeStream {
    /// Takes a stream of the device that the session will be on. It should be one that nothing else works on: a run
    /// waits for all that is queued there.
    pub fn new(stream: impl Stream + Send + Sync + 'static) -> Self {
        Self(Arc::new(stream))
    }

    /// The `CUstream`.
    pub(crate) fn raw(&self) -> *mut c_void {
        self.0.raw()
    }

    /// Waits for all work queued so far.
    pub(crate) fn wait(&self) -> Result<(), Error> {
        self.0.wait()
    }
}

impl fmt::Debug for ComputeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ComputeStream").field(&self.raw()).finish()
    }
}
