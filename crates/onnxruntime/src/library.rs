use std::path::{Path, PathBuf};
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

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}
