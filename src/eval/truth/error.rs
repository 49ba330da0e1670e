//! What is wrong with a file of truth or predictions, and where.

use std::io;
use std::path::{Path, PathBuf};

/// A file that cannot be used: `file:line: what is wrong; what to do`.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else than expected.
    #[error("{}{}: {message}", path.display(), line.map_or(String::new(), |line| format!(":{line}")))]
    Content {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: Option<usize>,
        /// What, and what to do.
        message: String,
    },
}

impl ReadError {
    pub(in crate::eval) fn at(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), line: Some(line), message: message.into() }
    }

    pub(in crate::eval) fn whole(path: &Path, message: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), line: None, message: message.into() }
    }

    /// JSON that cannot be read; `line` is that of its first byte.
    pub(super) fn json(path: &Path, line: usize, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        Self::at(path, line + error.line().saturating_sub(1), format!("{what} (column {})", error.column()))
    }
}

pub(in crate::eval) fn read_text(path: &Path) -> Result<String, ReadError> {
    std::fs::read_to_string(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })
}

/// Entries of a folder, sorted by name.
pub(in crate::eval) fn entries(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}
