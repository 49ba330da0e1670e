//! What vendors' libraries say of their own version.
//!
//! Each call loads the library and leaves it loaded. A broken installation can end the process in the middle of it
//! (cuDNN 9 aborts where one of its parts is missing), so ask in a process that may die.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Why a library does not tell its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LibraryError {
    /// The loader refuses it.
    Open {
        /// Library asked for.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// It lacks the function that would tell, or the function fails.
    Silent {
        /// Library asked.
        path: PathBuf,
        /// The function.
        function: &'static str,
    },
}

impl fmt::Display for LibraryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The loader's words mostly begin with the path.
            Self::Open { path, reason } if reason.contains(&*path.to_string_lossy()) => f.write_str(reason),
            Self::Open { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::Silent { path, function } => write!(f, "{}: {function} does not answer", path.display()),
        }
    }
}

impl std::error::Error for LibraryError {}

/// cuDNN's number: 8907 is 8.9.7, 90300 is 9.3.0.
///
/// # Errors
/// Where the library does not load or is not cuDNN.
pub fn cudnn_version(path: &Path) -> Result<usize, LibraryError> {
    let function = "cudnnGetVersion";
    let found = open(path)?.function(function)?;
    // SAFETY: the type is that of the function in cuDNN's reference, the same in all versions.
    let version = unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> usize>(found) };
    // SAFETY: it takes nothing, and may be called without a device.
    Ok(unsafe { version() })
}

/// Number of the CUDA runtime: 12060 is 12.6.
///
/// # Errors
/// Where the library does not load or is not the CUDA runtime.
pub fn cuda_runtime_version(path: &Path) -> Result<i32, LibraryError> {
    let function = "cudaRuntimeGetVersion";
    let found = open(path)?.function(function)?;
    // SAFETY: the type is that of the function in CUDA's reference, the same in all versions.
    let version = unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_int) -> c_int>(found) };
    let mut number = 0;
    // SAFETY: it writes one integer, and may be called without a device.
    match unsafe { version(&raw mut number) } {
        0 => Ok(number),
        _ => Err(LibraryError::Silent { path: path.to_owned(), function }),
    }
}

/// ONNX Runtime's version, such as `1.22.0`.
///
/// # Errors
/// Where the library does not load or is not ONNX Runtime.
pub fn onnxruntime_version(path: &Path) -> Result<String, LibraryError> {
    /// The first thing that the library hands out; its layout never changed.
    #[repr(C)]
    struct Base {
        api: *const c_void,
        version: Option<unsafe extern "C" fn() -> *const c_char>,
    }
    let function = "OrtGetApiBase";
    let silent = || LibraryError::Silent { path: path.to_owned(), function };
    let found = open(path)?.function(function)?;
    // SAFETY: the type is that of the function in ONNX Runtime's C API.
    let base = unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *const Base>(found) };
    // SAFETY: it takes nothing and answers a static structure.
    let base = unsafe { base().as_ref() }.ok_or_else(silent)?;
    // SAFETY: it takes nothing and answers a static text.
    let text = unsafe { base.version.ok_or_else(silent)?() };
    if text.is_null() {
        return Err(silent());
    }
    // SAFETY: a text that ends with a NUL and is never freed.
    Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Version of the C library this process runs on, such as `2.36`; `None` where it is not glibc.
#[must_use]
pub fn glibc_version() -> Option<String> {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it takes nothing and answers a static text that ends with a NUL.
        let text = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
        Some(text.to_string_lossy().into_owned())
    }
    #[cfg(not(target_env = "gnu"))]
    None
}

/// A library that stays loaded: vendors' libraries keep threads and data that do not survive an unload.
struct Loaded<'a> {
    handle: *mut c_void,
    path: &'a Path,
}

fn open(path: &Path) -> Result<Loaded<'_>, LibraryError> {
    let refused = |reason: String| LibraryError::Open { path: path.to_owned(), reason };
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| refused("a NUL in its name".to_owned()))?;
    // SAFETY: the name ends with a NUL. Loading runs the library's initialisers; which library to trust is the
    // caller's decision, as it is for the loader's own search path.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if !handle.is_null() {
        return Ok(Loaded { handle, path });
    }
    // SAFETY: it takes nothing; the text is the calling thread's until its next call of the loader.
    let words = unsafe { libc::dlerror() };
    if words.is_null() {
        return Err(refused("the loader refuses it and does not say why".to_owned()));
    }
    // SAFETY: as above; it ends with a NUL.
    Err(refused(unsafe { CStr::from_ptr(words) }.to_string_lossy().into_owned()))
}

impl Loaded<'_> {
    /// Address of an exported function, never null.
    fn function(&self, name: &'static str) -> Result<*mut c_void, LibraryError> {
        let silent = || LibraryError::Silent { path: self.path.to_owned(), function: name };
        let text = CString::new(name).map_err(|_| silent())?;
        // SAFETY: the handle is of a library that stays loaded, the name ends with a NUL.
        let found = unsafe { libc::dlsym(self.handle, text.as_ptr()) };
        if found.is_null() { Err(silent()) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_named_once() {
        let path = Path::new("/nowhere/libcudnn.so.9");
        let error = cudnn_version(path).map_err(|error| error.to_string());
        assert_eq!(error.as_ref().map_err(|error| error.matches("libcudnn.so.9").count()), Err(1), "{error:?}");
    }

    #[test]
    fn a_library_that_is_something_else_is_not_called() {
        // The C library has none of these functions.
        let path = Path::new("libc.so.6");
        let silent = |function| LibraryError::Silent { path: path.to_owned(), function };
        assert_eq!(cudnn_version(path), Err(silent("cudnnGetVersion")));
        assert_eq!(cuda_runtime_version(path), Err(silent("cudaRuntimeGetVersion")));
        assert_eq!(onnxruntime_version(path), Err(silent("OrtGetApiBase")));
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn the_c_library_tells_its_version() {
        assert!(glibc_version().is_some_and(|version| version.starts_with("2.")));
    }
}
