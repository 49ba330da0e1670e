use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::device::DeviceBuffer;
use crate::Error;
use crate::safe::context::TENSOR_ALIGNMENT;

/// One block of activation memory that user-managed contexts share, of one engine or of several.
///
/// They may share it because they never execute at the same time: an execution takes the block before it is
/// queued and gives it back when its stream has finished, and the next one waits for that.
#[derive(Clone)]
pub struct Scratch {
    shared: Arc<Shared>,
}

struct Shared {
    buffer: Box<dyn DeviceBuffer + Send + Sync>,
    taken: Mutex<bool>,
    free: Condvar,
}

impl Scratch {
    /// Shares `buffer`.
    ///
    /// # Errors
    /// [`Error::Argument`] where it is not aligned to [`TENSOR_ALIGNMENT`], or is another value's memory too.
    pub fn new(buffer: impl DeviceBuffer + Send + Sync + 'static) -> Result<Self, Error> {
        // Contexts of any stream take turns with it, and somebody else's work would not wait for its turn.
        if buffer.is_shared() {
            return Err(Error::argument("activation memory must be nobody else's, and this is a shared buffer"));
        }
        if !buffer.device_ptr().addr().is_multiple_of(TENSOR_ALIGNMENT) {
            let address = buffer.device_ptr();
            return Err(Error::argument(format!(
                "activation memory at {address:p}: TensorRT needs it aligned to {TENSOR_ALIGNMENT} bytes"
            )));
        }
        let shared = Shared { buffer: Box::new(buffer), taken: Mutex::new(false), free: Condvar::new() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Its bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.shared.buffer.byte_len()
    }

    pub(super) fn buffer(&self) -> &dyn DeviceBuffer {
        &*self.shared.buffer
    }

    /// Waits until nobody executes with it.
    pub(super) fn take(&self) -> Lease {
        let mut taken = self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken {
            taken = self.shared.free.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken = true;
        Lease(self.clone())
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scratch({} bytes)", self.byte_len())
    }
}

/// The right to execute with the block; forgotten, the block is never used again.
#[derive(Debug)]
pub(super) struct Lease(Scratch);

impl Drop for Lease {
    fn drop(&mut self) {
        *self.0.shared.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.shared.free.notify_one();
    }
}
