use std::fmt::Write;
use std::path::PathBuf;

use crate::sys::Version;

/// What went wrong, with TensorRT's own words where it said something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The library is not there, or the loader refuses it.
    #[error("{}: {reason}", path.display())]
    Open {
        /// Path tried.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// The library lacks an entry point: it is another library, or a smaller one.
    #[error("{} has no {symbol}: {next}", path.display())]
    Symbol {
        /// The library.
        path: PathBuf,
        /// What it lacks.
        symbol: &'static str,
        /// What to do.
        next: &'static str,
    },
    /// A TensorRT whose vtables this crate does not know.
    #[error("{} is TensorRT {found}; this program knows 10.x and 11.x: install one of them", path.display())]
    Version {
        /// The library.
        path: PathBuf,
        /// Its version, or its number where that is none.
        found: String,
    },
    /// The library answers otherwise than the slot table of its version says.
    #[error(
        "{} says it is TensorRT {version}, but {what}: its interface is not the one known for that version, \
         so it is not used"
    , path.display())]
    Table {
        /// The library.
        path: PathBuf,
        /// The version it claims.
        version: Version,
        /// What did not fit.
        what: String,
    },
    /// The loaded version has no such method or flag.
    #[error("{interface}::{method} {}, the loaded library is {have}", came(*since))]
    Unsupported {
        /// Class or enum.
        interface: &'static str,
        /// Method or flag.
        method: &'static str,
        /// First version of that major that has it; `None`: no version of the major.
        since: Option<Version>,
        /// Version loaded.
        have: Version,
    },
    /// TensorRT refused a call.
    #[error("{interface}::{method} {what}{}", quoted(vendor))]
    Call {
        /// Class.
        interface: &'static str,
        /// Method.
        method: &'static str,
        /// How the failure showed, and what was asked for.
        what: String,
        /// The lines TensorRT logged meanwhile, warnings and worse, oldest first.
        vendor: Vec<String>,
    },
    /// A tensor, shape or buffer is not what the caller takes it for.
    #[error("tensor {name:?} {what}")]
    Tensor {
        /// Name in the engine.
        name: String,
        /// What does not fit.
        what: String,
    },
    /// An argument cannot be passed on.
    #[error("{0}")]
    Argument(String),
    /// The work was queued, and the stream ended in an error.
    #[error("the stream of the execution failed: {source}{}", quoted(vendor))]
    Stream {
        /// The stream's error.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// The lines TensorRT logged since the work was queued, oldest first.
        vendor: Vec<String>,
    },
    /// An earlier failure left the execution in an unknown state.
    #[error("the execution context failed before and cannot be used again: drop it and make a new one")]
    Poisoned,
    /// The ONNX parser refused a model.
    #[error("the ONNX parser refused the model: {}{}", listed(errors), quoted(vendor))]
    Onnx {
        /// Its error list.
        errors: Vec<crate::OnnxError>,
        /// The lines TensorRT logged meanwhile, oldest first.
        vendor: Vec<String>,
    },
}

impl Error {
    pub(crate) fn argument(what: impl Into<String>) -> Self {
        Self::Argument(what.into())
    }

    pub(crate) fn tensor(name: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Tensor { name: name.into(), what: what.into() }
    }

    /// What TensorRT said, oldest line first; empty where it said nothing.
    #[must_use]
    pub fn vendor_lines(&self) -> &[String] {
        match self {
            Self::Call { vendor, .. } | Self::Stream { vendor, .. } | Self::Onnx { vendor, .. } => vendor,
            _ => &[],
        }
    }
}

/// True where an execution failed inside Myelin, TensorRT's graph compiler, as in "Myelin (...) Called with
/// an already loaded binary graph".
///
/// After such a failure neither the context nor its engine can be trusted: drop both and load the engine
/// again. It comes from concurrent use of one context, and on TensorRT 10.3 for Jetson also without any
/// concurrency. Running out of memory inside Myelin is not such a failure, and neither is a build that
/// fails there.
#[must_use]
pub fn is_myelin_failure(error: &Error) -> bool {
    if let Error::Call { interface: "VBuilder", .. } | Error::Onnx { .. } = error {
        return false;
    }
    error.vendor_lines().iter().any(|line| is_myelin_line(line))
}

/// True where a line of TensorRT's log tells of such a failure; see [`is_myelin_failure`].
#[must_use]
pub fn is_myelin_line(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let memory = line.contains("out of memory") || line.contains("outofmemory");
    line.contains("already loaded binary graph") || (line.contains("myelin") && !memory)
}

fn came(since: Option<Version>) -> String {
    match since {
        Some(version) => format!("came with TensorRT {}.{}", version.major, version.minor),
        None => "is not in this major version of TensorRT".to_owned(),
    }
}

fn quoted(vendor: &[String]) -> String {
    if vendor.is_empty() { String::new() } else { format!("; TensorRT says: {}", vendor.join(" / ")) }
}

fn listed(errors: &[crate::OnnxError]) -> String {
    let mut list = String::new();
    for error in errors {
        let comma = if list.is_empty() { "" } else { "; " };
        // Writing to a string cannot fail.
        let _ = write!(list, "{comma}{error}");
    }
    if list.is_empty() { "it names no error".to_owned() } else { list }
}
