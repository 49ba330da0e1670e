use std::ffi::{CStr, c_char, c_void};

use super::{Callback, Kind, Rtti, shielded, state, text, versioned};

/// Keeps the errors of the TensorRT objects it is attached to; called from any of their threads.
pub trait Recorder: Send + Sync {
    /// Errors kept.
    fn count(&self) -> i32;
    /// TensorRT's number of error `index`.
    fn code(&self, index: i32) -> i32;
    /// Text of error `index`, NUL-terminated and alive until [`Recorder::clear`]; null: no such error.
    fn description(&self, index: i32) -> *const c_char;
    /// True where errors were lost because there were too many.
    fn overflowed(&self) -> bool;
    /// Forgets all errors.
    fn clear(&self);
    /// Takes an error; true ends the call that failed.
    fn report(&self, code: i32, description: &CStr) -> bool;
    /// Counts references (+1 or -1) and answers how many there are.
    fn reference(&self, change: i32) -> i32;
}

struct ErrorRecorder;

impl Kind for ErrorRecorder {
    const KIND: &'static CStr = c"IErrorRecorder";
}

/// An `IErrorRecorder`; the same slots in 10.x and 11.x.
pub fn error_recorder<T: Recorder>(rtti: Rtti, recorder: T) -> Callback<T> {
    let own: [*const c_void; 8] = [
        count::<T> as _,
        code::<T> as _,
        description::<T> as _,
        overflowed::<T> as _,
        clear::<T> as _,
        report::<T> as _,
        increment::<T> as _,
        decrement::<T> as _,
    ];
    Callback::new(rtti, &[&versioned::<ErrorRecorder>()[..], &own].concat(), recorder)
}

/// Calls into the recorder behind `this`.
fn with<T: Recorder, R>(this: *mut c_void, fallback: R, body: impl FnOnce(&T) -> R) -> R {
    // SAFETY: TensorRT passes the recorder it was given, which outlives the objects it is attached to.
    shielded(fallback, || body(unsafe { state::<T>(this) }))
}

extern "C" fn count<T: Recorder>(this: *mut c_void) -> i32 {
    with::<T, _>(this, 0, Recorder::count)
}

extern "C" fn code<T: Recorder>(this: *mut c_void, index: i32) -> i32 {
    with::<T, _>(this, 0, |recorder| recorder.code(index))
}

extern "C" fn description<T: Recorder>(this: *mut c_void, index: i32) -> *const c_char {
    with::<T, _>(this, std::ptr::null(), |recorder| recorder.description(index))
}

extern "C" fn overflowed<T: Recorder>(this: *mut c_void) -> bool {
    with::<T, _>(this, false, Recorder::overflowed)
}

extern "C" fn clear<T: Recorder>(this: *mut c_void) {
    with::<T, _>(this, (), Recorder::clear);
}

extern "C" fn report<T: Recorder>(this: *mut c_void, code: i32, description: *const c_char) -> bool {
    with::<T, _>(this, true, |recorder| {
        // SAFETY: TensorRT passes a NUL-terminated text that lives through the call.
        recorder.report(code, unsafe { text(description) }.unwrap_or(c""))
    })
}

extern "C" fn increment<T: Recorder>(this: *mut c_void) -> i32 {
    with::<T, _>(this, 0, |recorder| recorder.reference(1))
}

extern "C" fn decrement<T: Recorder>(this: *mut c_void) -> i32 {
    with::<T, _>(this, 0, |recorder| recorder.reference(-1))
}
