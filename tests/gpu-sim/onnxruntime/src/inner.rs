//! The real library.

use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort_sys::{ORT_API_VERSION, OrtApi, OrtApiBase, OrtErrorCode, OrtStatusPtr};

use crate::LIBRARY;

struct Base(&'static OrtApiBase);

fn base() -> Option<&'static OrtApiBase> {
    static BASE: OnceLock<Option<Base>> = OnceLock::new();
    BASE.get_or_init(find).as_ref().map(|base| base.0)
}

/// The real table, of the version that this build knows.
pub(crate) fn api() -> Option<&'static OrtApi> {
    // SAFETY: the real library's own function; the table lives as long as the process, for the library is never closed.
    unsafe { ((base()?.GetApi)(ORT_API_VERSION)).as_ref() }
}

pub(crate) fn version() -> *const c_char {
    // SAFETY: as above; it answers with a constant.
    base().map_or(c"0.0.0".as_ptr(), |base| unsafe { (base.GetVersionString)() })
}

/// A failure, as ONNX Runtime reports one.
pub(crate) fn failure(words: &str) -> OrtStatusPtr {
    let words = CString::new(words).unwrap_or_default();
    match api() {
        // SAFETY: the words live through the call, which copies them.
        Some(api) => unsafe { (api.CreateStatus)(OrtErrorCode::ORT_FAIL, words.as_ptr()) },
        None => success(),
    }
}

pub(crate) fn success() -> OrtStatusPtr {
    OrtStatusPtr(std::ptr::null_mut())
}

/// `ORT_DYLIB_PATH`, the project's `.deps`, or where packages have it.
fn find() -> Option<Base> {
    const NAME: &str = "libonnxruntime.so";
    let mut places = Vec::new();
    match std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        Some(path) => places.push(PathBuf::from(path)),
        None => {
            let starts = [std::env::current_exe(), std::env::current_dir(), Ok(env!("CARGO_MANIFEST_DIR").into())];
            for start in starts.iter().flatten() {
                places.extend(start.ancestors().map(|dir| dir.join(".deps/onnxruntime").join(NAME)));
            }
            places.push(Path::new("/usr/lib/watchkeeper").join(NAME));
        }
    }
    let found = places.into_iter().find(|path| path.exists());
    let base = found.as_deref().and_then(open);
    if base.is_none() {
        eprintln!("[simulated] {LIBRARY}: no ONNX Runtime to compute with; set ORT_DYLIB_PATH ({found:?})");
    }
    base
}

fn open(path: &Path) -> Option<Base> {
    let path = CString::new(path.as_os_str().as_encoded_bytes()).ok()?;
    // SAFETY: loading ONNX Runtime, as the program under test would have done; it is never closed.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        return None;
    }
    // SAFETY: the handle is open and the name NUL-terminated.
    let entry = unsafe { libc::dlsym(library, c"OrtGetApiBase".as_ptr()) };
    if entry.is_null() {
        return None;
    }
    // SAFETY: ONNX Runtime declares its entry point so.
    let entry: unsafe extern "C" fn() -> *const OrtApiBase = unsafe { std::mem::transmute(entry) };
    // SAFETY: it takes nothing and answers with a table that lives as long as the library.
    unsafe { entry().as_ref() }.map(Base)
}
