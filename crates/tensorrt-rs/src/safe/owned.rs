use crate::lifecycle;
use crate::sys::{Handle, Interface, Version};
use crate::{Error, Library};

/// A TensorRT object and the duty to end it. Whatever the object needs must be dropped after it.
#[derive(Debug)]
pub(crate) struct Owned<I: Interface> {
    handle: Handle<I>,
    library: Library,
}

impl<I: Interface> Owned<I> {
    /// # Safety
    /// The object is alive, comes from that library, and nobody else ends it.
    pub unsafe fn new(library: &Library, handle: Handle<I>) -> Self {
        Self { handle, library: library.clone() }
    }

    /// The object. Its methods may be called as long as `self` lives.
    pub fn handle(&self) -> Handle<I> {
        self.handle
    }

    pub fn version(&self) -> Version {
        self.library.version()
    }

    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Calls into TensorRT; a failure gets the words TensorRT said about it.
    pub fn call<T>(&self, call: impl FnOnce(Version, Handle<I>) -> Result<T, Error>) -> Result<T, Error> {
        self.library.quoting(|| call(self.version(), self.handle))
    }
}

impl<I: Interface> Drop for Owned<I> {
    fn drop(&mut self) {
        // Before the lock: whoever has it may never come back from a broken device.
        if lifecycle::is_abandoned() {
            return;
        }
        let _lock = I::SERIALISED.then(lifecycle::lock);
        // SAFETY: the object is this owner's, alive until now, and dropping means that nobody uses it any more:
        // objects made from it hold it by `Arc` or `Rc`.
        unsafe { self.handle.destroy(self.library.version()) };
    }
}
