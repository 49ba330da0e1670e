use std::ffi::CStr;
use std::path::Path;

use libloading::os::unix::{RTLD_LOCAL, RTLD_NOW};

use crate::Error;

/// Loads a library, all its symbols at once and for nobody else.
pub(super) fn open(path: &Path) -> Result<libloading::Library, Error> {
    // SAFETY: loading runs the library's initialisers; which library to trust is the caller's decision, as it
    // is for the loader's own search path.
    let raw = unsafe { libloading::os::unix::Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    raw.map(Into::into).map_err(|error| Error::Open { path: path.to_owned(), reason: error.to_string() })
}

/// An exported function.
///
/// # Safety
/// `F` is its type.
pub(super) unsafe fn symbol<F: Copy>(
    raw: &libloading::Library,
    path: &Path,
    name: &'static str,
    next: &'static str,
) -> Result<F, Error> {
    let terminated = format!("{name}\0");
    let terminated = CStr::from_bytes_until_nul(terminated.as_bytes()).unwrap_or(c"");
    // SAFETY: the caller's promise.
    let found = unsafe { raw.get::<F>(terminated.to_bytes_with_nul()) };
    found.map(|symbol| *symbol).map_err(|_| Error::Symbol { path: path.to_owned(), symbol: name, next })
}
