//! Every method that this crate uses, once: typed, its slot looked up for the loaded version, its failure
//! values turned into errors.
//!
//! All functions take the version of the library that made the object, and raw handles. They are `unsafe`
//! for one common reason, told here once:
//!
//! # Safety
//! Every handle passed is a live object of a library of the version passed. Pointers are what the function's
//! name and TensorRT's documentation of the method ask for, and live as long as told there. Calls on one
//! object do not overlap unless "How TensorRT Works" (Threading) lists them as safe.
//!
//! Failures that a method can only tell by null, false, a negative number or a pointer into the first page
//! become [`Error::Call`], without TensorRT's words; those are added one floor up.

pub mod builder;
pub mod context;
pub mod engine;
pub mod network;
pub mod onnx;
pub mod runtime;

use std::ffi::{CStr, c_char};

use crate::Error;
use crate::sys::{Dims, Handle, Interface, Method, Object, Row};

/// Calls a method: `call!(version, object, METHOD(arguments))`.
macro_rules! call {
    ($version:expr, $object:expr, $method:expr, $($argument:expr),* $(,)?) => {{
        // SAFETY: the object is alive and of that version (see the module's text), so the function found is the
        // method, and the arguments are of its types and alive by the same promise.
        unsafe {
            let (function, this) = $method.of($object, $version)?;
            function(this, $($argument),*)
        }
    }};
}
use call;

fn failure(row: Row, what: impl Into<String>) -> Error {
    Error::Call { interface: row.interface, method: row.name, what: what.into(), vendor: Vec::new() }
}

/// A new object, or why there is none.
///
/// # Safety
/// `pointer` is what a method of signature "returns `I*`" answered.
unsafe fn made<O, F: Copy, I: Interface>(
    method: &Method<O, F>,
    pointer: *mut Object,
    what: impl FnOnce() -> String,
) -> Result<Handle<I>, Error>
where
    O: Interface,
{
    // SAFETY: the caller's promise.
    unsafe { Handle::new(pointer) }.ok_or_else(|| failure(method.row(), what()))
}

fn accepted<O: Interface, F: Copy>(
    method: &Method<O, F>,
    answer: u8,
    what: impl FnOnce() -> String,
) -> Result<(), Error> {
    if answer == 0 { Err(failure(method.row(), what())) } else { Ok(()) }
}

fn shape<O: Interface, F: Copy>(method: &Method<O, F>, dims: Dims, name: &CStr) -> Result<Dims, Error> {
    if dims.is_valid() {
        return Ok(dims);
    }
    Err(failure(method.row(), format!("knows no shape for tensor {name:?} (wrong name, or shapes not set yet)")))
}

/// A string of TensorRT's, copied.
///
/// # Safety
/// `text` is null or NUL-terminated.
unsafe fn string(text: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
