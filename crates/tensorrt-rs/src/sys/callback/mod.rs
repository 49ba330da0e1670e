//! Objects that the caller implements and TensorRT calls: an object with a hand-made vtable.
//!
//! The vtable has what the Itanium C++ ABI puts there: the offset to the top of the object (0), the type
//! information, the slots. Type information is a pair of words that libstdc++ takes for a class without
//! bases, so that a `dynamic_cast` on the object answers null; with none it would crash.

mod allocator;
mod error_recorder;
mod logger;
mod progress;
mod stream_reader;

pub use allocator::{GpuAllocator, gpu_allocator};
pub use error_recorder::{Recorder, error_recorder};
pub use logger::{LogSink, logger};
pub use progress::{Progress, progress_monitor};
pub use stream_reader::{StreamReader, stream_reader};

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// Type information for our objects, made for one loaded library; lives as long as the process.
#[derive(Clone, Copy, Debug)]
pub struct Rtti(*const c_void);

// SAFETY: it points to two words that are written once, before anybody sees the pointer, and never freed.
unsafe impl Send for Rtti {}
// SAFETY: as above.
unsafe impl Sync for Rtti {}

impl Rtti {
    /// No type information, as in C++ compiled without it.
    pub const NONE: Self = Self(std::ptr::null());

    /// Type information as the library's own libstdc++ understands it; [`Rtti::NONE`] where it has none.
    #[must_use]
    pub fn of(library: &libloading::Library) -> Self {
        /// A mangled name: the length, then the identifier.
        const NAME: &CStr = c"20tensorrt_rs_Callback";
        // SAFETY: only the symbol's address is used, not what lies there.
        let class = unsafe { library.get::<*const c_void>(b"_ZTVN10__cxxabiv117__class_type_infoE\0") };
        let Ok(vtable) = class.map(|symbol| *symbol) else { return Self::NONE };
        // A vtable's address point lies two words behind its symbol. Leaked: objects may refer to it until the
        // process ends, and there is one per library.
        let words: &'static [*const c_void; 2] =
            Box::leak(Box::new([vtable.cast::<*const c_void>().wrapping_add(2).cast(), NAME.as_ptr().cast()]));
        Self(words.as_ptr().cast())
    }
}

#[repr(C)]
struct Layout<T> {
    /// Points to the third word of the vtable: the first slot.
    vptr: *const *const c_void,
    state: T,
    /// Only owned here: it is reached through `vptr`.
    _vtable: Box<[*const c_void]>,
}

/// An object with a vtable of ours, at a fixed address until dropped.
///
/// Whoever drops it promises that TensorRT uses it no more; the owners in [`crate::safe`] do so by holding
/// it until the TensorRT objects that know it are destroyed.
#[derive(Debug)]
pub struct Callback<T> {
    object: NonNull<Layout<T>>,
}

// SAFETY: the object is owned and its vtable never changes; the state itself may be sent.
unsafe impl<T: Send> Send for Callback<T> {}
// SAFETY: sharing gives shared access to the state only.
unsafe impl<T: Sync> Sync for Callback<T> {}

impl<T> Callback<T> {
    fn new(rtti: Rtti, slots: &[*const c_void], state: T) -> Self {
        let mut vtable = vec![std::ptr::null(), rtti.0];
        vtable.extend_from_slice(slots);
        let vtable = vtable.into_boxed_slice();
        let layout = Layout { vptr: vtable.as_ptr().wrapping_add(2), state, _vtable: vtable };
        Self { object: NonNull::from(Box::leak(Box::new(layout))) }
    }

    /// What to pass to TensorRT.
    #[must_use]
    pub fn as_ptr(&self) -> *mut c_void {
        self.object.as_ptr().cast()
    }

    /// The state behind the object.
    #[must_use]
    pub fn state(&self) -> &T {
        // SAFETY: the object lives as long as `self`, and its state is only ever shared.
        unsafe { &self.object.as_ref().state }
    }
}

impl<T> Drop for Callback<T> {
    fn drop(&mut self) {
        // TensorRT's objects live on then, and so must what they call.
        if crate::lifecycle::is_abandoned() {
            return;
        }
        // SAFETY: `object` came out of a box in `new` and is freed here only.
        drop(unsafe { Box::from_raw(self.object.as_ptr()) });
    }
}

/// The state of the object that TensorRT passed back as `this`.
///
/// # Safety
/// `this` is the address of a live `Callback<T>`'s object.
unsafe fn state<'a, T>(this: *mut c_void) -> &'a T {
    // SAFETY: the caller's promise; the state is only ever shared.
    unsafe { &(*this.cast::<Layout<T>>()).state }
}

/// Runs `body`; a panic in it ends here, for C++ frames cannot be unwound.
fn shielded<R>(fallback: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        // Dropping the payload could panic again, and so could dropping that one's.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(again);
        }
        fallback
    })
}

/// A string of TensorRT's; `None` for null.
///
/// # Safety
/// `text` is null or NUL-terminated, and stays so for as long as the answer is used.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// Kind and version of a caller's interface, returned by value in two registers.
#[repr(C)]
struct InterfaceInfo {
    kind: *const c_char,
    major: i32,
    minor: i32,
}

/// A type that says which interface it stands for.
trait Kind {
    const KIND: &'static CStr;
}

/// The four slots in front of every versioned interface: language (C++ is 0), kind, destructor pair.
fn versioned<K: Kind>() -> [*const c_void; 4] {
    [api_language as *const c_void, interface_info::<K> as *const c_void, no_delete as _, no_delete as _]
}

extern "C" fn api_language(_this: *mut c_void) -> i32 {
    0
}

extern "C" fn interface_info<K: Kind>(_this: *mut c_void) -> InterfaceInfo {
    InterfaceInfo { kind: K::KIND.as_ptr(), major: 1, minor: 0 }
}

/// The destructor pair: the object is Rust's to drop.
extern "C" fn no_delete(_this: *mut c_void) {}
