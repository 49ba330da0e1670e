//! "Call slot n": how a method is found in an object of the loaded version.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::{Major, Object, Version};
use crate::Error;

/// Where a method lies in one major, and since which minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Zero-based place in the vtable.
    pub index: u16,
    /// First minor version that has it.
    pub since: u16,
}

/// One line of the slot tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Class that declares the method, such as `VRuntime`.
    pub interface: &'static str,
    /// The method's name there.
    pub name: &'static str,
    /// Its arguments, without the object, and its answer, in Rust's words; empty where it does not matter.
    pub signature: &'static str,
    /// Its place in 10.x; `None`: not there.
    pub ten: Option<Slot>,
    /// Its place in 11.x; `None`: not there.
    pub eleven: Option<Slot>,
}

impl Row {
    /// The slot in that version.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the version has no such method: reading past the end of an older
    /// vtable would call whatever lies behind it.
    pub fn slot(&self, version: Version) -> Result<usize, Error> {
        let (slot, major) = match version.abi() {
            Some(Major::Ten) => (self.ten, 10),
            Some(Major::Eleven) => (self.eleven, 11),
            None => (None, version.major),
        };
        let unsupported =
            |since| Error::Unsupported { interface: self.interface, method: self.name, since, have: version };
        match slot {
            None => Err(unsupported(None)),
            Some(slot) if version.minor < slot.since => Err(unsupported(Some(Version::new(major, slot.since, 0)))),
            Some(slot) => Ok(usize::from(slot.index)),
        }
    }
}

/// A class of objects that TensorRT implements.
pub trait Interface {
    /// Its public name, such as `IRuntime`.
    const NAME: &'static str;
    /// Whether methods lie behind the second word of the object (`mImpl`), as in all of nvinfer; the ONNX
    /// parser's classes have them in their own vtable.
    const FORWARDS: bool;
    /// Whether creation and destruction take the life-cycle lock ([`crate::lifecycle`]).
    const SERIALISED: bool;
    /// The deleting destructor, in the object's own vtable; `None`: somebody else owns such objects.
    const DESTROY: Option<Row>;
}

/// The deleting destructor of every forwarding interface: the own vtable of such an object holds the
/// destructor pair and nothing else.
pub const DELETE: Option<Row> = Some(Row {
    interface: "INoCopy",
    name: "~INoCopy",
    signature: "()",
    ten: Some(Slot { index: 1, since: 0 }),
    eleven: Some(Slot { index: 1, since: 0 }),
});

/// A live object of interface `I`. Copying the handle copies no ownership.
pub struct Handle<I> {
    pointer: NonNull<Object>,
    interface: PhantomData<fn() -> I>,
}

impl<I> Clone for Handle<I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Handle<I> {}

impl<I: Interface> std::fmt::Debug for Handle<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({:p})", I::NAME, self.pointer)
    }
}

/// Pointers below one page are failures: TensorRT's lean library answers `createInferRuntime` with one
/// where CUDA cannot initialise.
const PAGE: usize = 4096;

impl<I: Interface> Handle<I> {
    /// Takes a pointer that TensorRT returned; `None` for null and for anything inside the first page.
    ///
    /// # Safety
    /// Anything else is a live object of interface `I`.
    #[must_use]
    pub unsafe fn new(pointer: *mut Object) -> Option<Self> {
        (pointer.addr() >= PAGE).then_some(())?;
        Some(Self { pointer: NonNull::new(pointer)?, interface: PhantomData })
    }

    /// The object's address.
    #[must_use]
    pub fn as_ptr(self) -> *mut Object {
        self.pointer.as_ptr()
    }

    /// Runs the deleting destructor.
    ///
    /// # Safety
    /// The object is alive, of that version, owned by the caller, and nothing uses it any more.
    pub unsafe fn destroy(self, version: Version) {
        let Some(slot) = I::DESTROY.and_then(|row| row.slot(version).ok()) else { return };
        // SAFETY: the caller says the object is alive; its first word points to a vtable that has that slot in
        // this version, and a destructor takes the object alone.
        unsafe {
            let vtable = self.as_ptr().cast::<*const *const c_void>().read();
            let delete: unsafe extern "C" fn(*mut Object) = std::mem::transmute(vtable.add(slot).read());
            delete(self.as_ptr());
        }
    }
}

/// A method of interface `I` with the C signature `F`, a function pointer type whose first argument is
/// the object.
pub struct Method<I, F> {
    row: Row,
    signature: PhantomData<fn() -> (I, F)>,
}

impl<I: Interface, F: Copy> Method<I, F> {
    /// Ties a row to its signature.
    ///
    /// # Safety
    /// `F` is the type of a function pointer, with the C signature of that method in every version in
    /// which the row has it.
    #[must_use]
    pub const unsafe fn new(row: Row) -> Self {
        assert!(size_of::<F>() == size_of::<*const c_void>());
        Self { row, signature: PhantomData }
    }

    /// The line of the slot table.
    #[must_use]
    pub const fn row(&self) -> Row {
        self.row
    }

    /// The function to call and the pointer to pass first.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the version lacks the method.
    ///
    /// # Safety
    /// `object` is alive and comes from a library of that version.
    pub unsafe fn of(&self, object: Handle<I>, version: Version) -> Result<(F, *mut Object), Error> {
        let slot = self.row.slot(version)?;
        let mut this = object.as_ptr();
        // SAFETY: the object is alive and of that version, so the second word of a forwarding one is its
        // implementation, whose first word points to a vtable that has this slot. `F` has the size of a
        // pointer (checked above) and the signature of that slot (promised to `new`).
        unsafe {
            if I::FORWARDS {
                this = this.cast::<*mut Object>().add(1).read();
            }
            let vtable = this.cast::<*const *const c_void>().read();
            let entry = vtable.add(slot).read();
            Ok((std::mem::transmute_copy::<*const c_void, F>(&entry), this))
        }
    }
}
