//! What went wrong, in words, and the exit code that it means.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::cli::Exit;

#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(super) struct Failed {
    pub exit: Exit,
    words: String,
}

impl Failed {
    /// Something on the command line is not there.
    pub fn usage(words: String) -> Self {
        Self { exit: Exit::Usage, words }
    }

    /// A file, here or there, is not what it should be.
    pub fn data(words: String) -> Self {
        Self { exit: Exit::Data, words }
    }

    /// The same command may do it later.
    pub fn later(words: String) -> Self {
        Self { exit: Exit::TryAgain, words }
    }

    /// A file or folder here refused.
    pub fn at(path: &Path, error: &io::Error) -> Self {
        let path = path.display();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::later(format!(
                "{path}: {error}; make room and give the same command again (what has come is kept), or name another \
                 disk: --folder DIR"
            )),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::data(format!(
                "{path}: cannot be written: {error}; name a folder that you may write to: --folder DIR"
            )),
            _ => Self::data(format!("{path}: {error}")),
        }
    }
}
