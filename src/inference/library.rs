//! Where `libonnxruntime.so` is.

use std::path::{Path, PathBuf};

use onnxruntime::Runtime;

use super::InferenceError;

const NAME: &str = "libonnxruntime.so";

/// Loads the library the config names, or else the first of the usual places that has one.
///
/// # Errors
/// [`InferenceError::Library`] with each place and why not.
pub fn load(configured: Option<&Path>) -> Result<Runtime, InferenceError> {
    let candidates = match configured {
        Some(path) => vec![path.to_owned()],
        None => usual_places(),
    };
    let mut tried = Vec::new();
    for path in candidates {
        // A bare name goes to the system's loader.
        if path.is_absolute() && !path.exists() {
            tried.push(format!("  {}: no such file", path.display()));
            continue;
        }
        match Runtime::load(&path) {
            Ok(runtime) => return Ok(runtime),
            Err(error) => tried.push(format!("  {error}")),
        }
        // A file that is there and does not load is what the user has to know; no other takes its place.
        if path.is_absolute() {
            break;
        }
    }
    Err(InferenceError::Library { tried: tried.join("\n") })
}

/// `ORT_DYLIB_PATH`; the project folder the program was built in; the package's folder; the system.
fn usual_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        places.push(PathBuf::from(path));
        return places;
    }
    let exe = std::env::current_exe().ok();
    let beside =
        exe.iter().flat_map(|exe| exe.ancestors().skip(1).take(5)).map(|dir| dir.join(".deps/onnxruntime").join(NAME));
    places.extend(beside.filter(|path| path.exists()).take(1));
    places.push(PathBuf::from("/usr/lib/watchkeeper").join(NAME));
    places.push(PathBuf::from(NAME));
    places
}
