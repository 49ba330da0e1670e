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

    /// The file, to be mapped again when it is needed again.
    pub(super) fn keep(&self, model: &str, path: &Path) -> Result<KeptPlan, InferenceError> {
        let file = self.map.file().map_err(|error| unreadable(model, path, &error))?;
        Ok(KeptPlan { file, dla_core: self.dla_core })
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

/// A plan's file, open, with nothing of it in memory: it is there also when its path leads elsewhere.
pub(super) struct KeptPlan {
    file: File,
    dla_core: Option<u32>,
}

impl KeptPlan {
    /// Maps it again; the path is for errors.
    pub(super) fn open(&self, model: &str, path: &Path) -> Result<PlanFile, InferenceError> {
        self.file
            .try_clone()
            .and_then(|file| mapped(file, self.dla_core))
            .map_err(|error| unreadable(model, path, &error))
    }
}

/// Maps a plan and takes its digest. A manifest that cannot be read is told of by whoever checks it.
pub(super) fn open_plan(model: &str, path: &Path) -> Result<PlanFile, InferenceError> {
    let manifest = artefact::Manifest::read(path).ok().flatten();
    let dla_core = manifest.and_then(|manifest| manifest.options.dla_core);
    File::open(path).and_then(|file| mapped(file, dla_core)).map_err(|error| unreadable(model, path, &error))
}

fn mapped(file: File, dla_core: Option<u32>) -> io::Result<PlanFile> {
    let map = MappedFile::of(file)?;
    let sha256 = artefact::sha256_of_bytes(map.bytes());
    Ok(PlanFile { map, sha256, dla_core })
}

/// Digest of a file, hexadecimal.
pub(super) fn digest(model: &str, path: &Path) -> Result<String, InferenceError> {
    artefact::sha256_of_file(path).map_err(|error| unreadable(model, path, &error))
}

fn unreadable(model: &str, path: &Path, error: &io::Error) -> InferenceError {
    InferenceError::File { model: model.to_owned(), path: path.to_owned(), reason: error.to_string() }
}
