use std::ffi::{CStr, c_void};
use std::sync::{Mutex, PoisonError};

use super::{Callback, Kind, Rtti, shielded, state, versioned};
use crate::sys::enums::SeekPosition;
use crate::sys::slots::RawStream;

/// Feeds a plan to TensorRT piece by piece.
///
/// # Safety
/// `read` writes as many bytes as it answers.
pub unsafe trait StreamReader: Send {
    /// Copies up to `size` bytes of the plan to `target` and answers how many; 0 at the end, negative for an
    /// error that ends the load.
    ///
    /// # Safety
    /// `target` has room for `size` bytes and may be **device** memory: ask `cuPointerGetAttribute`. The
    /// copy is finished, or ordered before later work on `stream`, when the call returns.
    unsafe fn read(&mut self, target: *mut c_void, size: u64, stream: RawStream) -> i64;

    /// Moves to `offset` bytes from `position`; false where that is outside the plan.
    fn seek(&mut self, offset: i64, position: SeekPosition) -> bool;
}

struct Reader;

impl Kind for Reader {
    const KIND: &'static CStr = c"IStreamReaderV2";
}

/// An `IStreamReaderV2` (10.7 and later); the same slots in 10.x and 11.x.
pub fn stream_reader<T: StreamReader>(rtti: Rtti, reader: T) -> Callback<Mutex<T>> {
    let own: [*const c_void; 2] = [read::<T> as _, seek::<T> as _];
    Callback::new(rtti, &[&versioned::<Reader>()[..], &own].concat(), Mutex::new(reader))
}

/// Calls into the reader behind `this`.
fn with<T: StreamReader, R>(this: *mut c_void, fallback: R, body: impl FnOnce(&mut T) -> R) -> R {
    shielded(fallback, || {
        // SAFETY: TensorRT passes the reader it was given, which outlives the load.
        let reader = unsafe { state::<Mutex<T>>(this) };
        body(&mut reader.lock().unwrap_or_else(PoisonError::into_inner))
    })
}

extern "C" fn read<T: StreamReader>(this: *mut c_void, target: *mut c_void, size: i64, stream: RawStream) -> i64 {
    let Ok(size) = u64::try_from(size) else { return -1 };
    // SAFETY: TensorRT passes memory of `size` bytes.
    with::<T, _>(this, -1, |reader| unsafe { reader.read(target, size, stream) })
}

extern "C" fn seek<T: StreamReader>(this: *mut c_void, offset: i64, position: i32) -> bool {
    with::<T, _>(this, false, |reader| reader.seek(offset, SeekPosition::from_raw(position)))
}
