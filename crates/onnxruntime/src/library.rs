use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Mutex;

use ort::environment::Environment;

/// Why the library could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not there, or the loader refuses it.
    #[error("{path}: {reason}")]
    Open {
        /// Path tried.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// It is older than this build can use.
    #[error("{path}: {reason}")]
    Version {
        /// Path tried.
        path: PathBuf,
        /// Versions wanted and found.
        reason: String,
    },
}

/// The loaded library and its environment. One per process.
#[derive(Clone, Debug)]
pub struct Runtime {
    environment: Environment,
    path: PathBuf,
}

static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Loads `path` (an absolute path to `libonnxruntime.so`). Later calls answer with the library
    /// already loaded, whatever their path: a process has one.
    ///
    /// # Errors
    /// [`LoadError`] names the path and why.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let mut loaded = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(runtime) = loaded.as_ref() {
            return Ok(runtime.clone());
        }
        let open = |reason: String| LoadError::Open { path: path.to_owned(), reason };
        let builder = ort::init_from(path).map_err(|error| match error {
            ort::LoadDynamicError::BadVersion { version_str, .. } => LoadError::Version {
                path: path.to_owned(),
                reason: format!("is ONNX Runtime {version_str}, this program needs 1.17 or newer"),
            },
            ort::LoadDynamicError::Dlopen { error, .. } => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                open(format!("{error}{cause}"))
            }
            ort::LoadDynamicError::MissingApi { .. } => open("exports no OrtGetApiBase: not ONNX Runtime".to_owned()),
            other => open(other.to_string()),
        })?;
        let environment =
            builder.with_name("watchkeeper").with_telemetry(false).build().map_err(|error| open(error.to_string()))?;
        // Its warnings are about graph rewriting; errors come back as errors.
        environment.set_log_level(ort::logging::LogLevel::Error);
        let runtime = Self { environment, path: path.to_owned() };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// Where the library was loaded from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// ONNX Runtime's own build string, version included.
    #[must_use]
    pub fn build_info(&self) -> &'static str {
        ort::info()
    }

    /// Providers that this build of the library has, by ONNX Runtime's names, such as `CUDAExecutionProvider`. Whether
    /// one can be used shows when a session asks for it.
    #[must_use]
    pub fn providers(&self) -> Vec<String> {
        let (mut names, mut count) = (ptr::null_mut(), 0);
        // SAFETY: both are written by the call; the environment that `self` has keeps the library loaded.
        let status = unsafe { (ort::api().GetAvailableProviders)(&mut names, &mut count) };
        // SAFETY: `status` is what ONNX Runtime just returned, and it is released by this call only.
        if unsafe { ort::Error::result_from_status(status) }.is_err() || names.is_null() {
            return Vec::new();
        }
        let list = (0..usize::try_from(count).unwrap_or(0))
            // SAFETY: the call gave `count` strings that end with a NUL, which live until they are released below.
            .map(|index| unsafe { CStr::from_ptr(*names.add(index)) }.to_string_lossy().into_owned())
            .collect();
        // SAFETY: the list that the call gave, released once. It fails for a null list only.
        let status = unsafe { (ort::api().ReleaseAvailableProviders)(names, count) };
        // SAFETY: as above.
        let _ = unsafe { ort::Error::result_from_status(status) };
        list
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}
