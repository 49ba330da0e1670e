//! Model files: digests, and plans mapped into memory for as long as they are being loaded.

use std::fs::File;
use std::io;
use std::path::Path;

use process::MappedFile;

use super::{InferenceError, artefact};

/// A plan in memory. Dropped, its pages go back to the system: the engine does not need them, and on a Jetson they
/// would take room from it.
pub(super) struct PlanFile {
    map: MappedFile,
    sha256: String,
    dla_core: Option<u32>,
}

impl PlanFile {
    pub(super) fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }

    /// The file, to be mapped again with [`reopen_plan`].
    pub(super) fn keep(&self, model: &str, path: &Path) -> Result<File, InferenceError> {
        self.map.file().map_err(|error| unreadable(model, path, &error))
    }

    /// Hexadecimal.
    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The accelerator that it was built for, by its manifest.
    pub(super) fn dla_core(&self) -> Option<u32> {
        self.dla_core
    }
}

/// Maps a plan and takes its digest. A manifest that cannot be read is told of by whoever checks it.
pub(super) fn open_plan(model: &str, path: &Path) -> Result<PlanFile, InferenceError> {
    File::open(path).and_then(mapped).map_err(|error| unreadable(model, path, &error))
}

/// Maps a plan that was opened before; its path is for errors, and may lead to another one by now.
pub(super) fn reopen_plan(model: &str, path: &Path, file: &File) -> Result<PlanFile, InferenceError> {
    file.try_clone().and_then(mapped).map_err(|error| unreadable(model, path, &error))
}

fn mapped(file: File) -> io::Result<PlanFile> {
    let map = MappedFile::of(file)?;
    let sha256 = artefact::sha256_of_bytes(map.bytes());
    let manifest = artefact::Manifest::read(path).ok().flatten();
    Ok(PlanFile { map, sha256, dla_core: manifest.and_then(|manifest| manifest.options.dla_core) })
}

/// Digest of a file, hexadecimal.
pub(super) fn digest(model: &str, path: &Path) -> Result<String, InferenceError> {
    artefact::sha256_of_file(path).map_err(|error| unreadable(model, path, &error))
}

fn unreadable(model: &str, path: &Path, error: &io::Error) -> InferenceError {
    InferenceError::File { model: model.to_owned(), path: path.to_owned(), reason: error.to_string() }
}
