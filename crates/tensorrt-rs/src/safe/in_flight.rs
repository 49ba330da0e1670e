use crate::{BoundContext, DeviceBuffer, Error, Stream, lifecycle};

/// An execution under way. Dropping it waits, like [`InFlight::wait`]; forgetting it leaves the waiting to
/// the context's next use.
#[must_use = "dropping it waits for the execution at once"]
pub struct InFlight<'a, B: DeviceBuffer, S: Stream> {
    bound: &'a mut BoundContext<B, S>,
}

impl<'a, B: DeviceBuffer, S: Stream> InFlight<'a, B, S> {
    pub(super) fn new(bound: &'a mut BoundContext<B, S>) -> Self {
        Self { bound }
    }

    /// A tensor's buffer, for work queued behind the execution, such as copying an output to the host.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such tensor.
    pub fn buffer(&self, name: &str) -> Result<&B, Error> {
        self.bound.buffer(name)
    }

    /// The stream it runs on.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.bound.stream()
    }

    /// Whether it has finished, without waiting.
    ///
    /// # Errors
    /// [`Error::Stream`] where it failed.
    pub fn is_finished(&mut self) -> Result<bool, Error> {
        self.bound.is_finished()
    }

    /// Waits for it.
    ///
    /// # Errors
    /// [`Error::Stream`] where it failed.
    pub fn wait(self) -> Result<(), Error> {
        self.bound.wait()
    }
}

impl<B: DeviceBuffer, S: Stream> Drop for InFlight<'_, B, S> {
    fn drop(&mut self) {
        if lifecycle::is_abandoned() {
            return;
        }
        // Asked for or not, an error stays in the context and comes back from its next use.
        let _ = self.bound.wait();
    }
}

impl<B: DeviceBuffer, S: Stream> std::fmt::Debug for InFlight<'_, B, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("InFlight").field(&self.bound).finish()
    }
}
