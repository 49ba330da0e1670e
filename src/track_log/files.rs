//! Where the log of which camera is.

use std::io;
use std::path::{Path, PathBuf};

use crate::types::time::Timestamp;

/// How names of log files end.
const EXTENSION: &str = "wktl";

/// The folder of a camera's log.
#[must_use]
pub fn folder(state_dir: &Path, camera: &str) -> PathBuf {
    root(state_dir).join(camera)
}

/// Cameras with a log, in order of name.
#[must_use]
pub fn cameras(state_dir: &Path) -> Vec<String> {
    let names = folders(&root(state_dir)).into_iter().filter(|folder| logs(folder).is_ok_and(|logs| !logs.is_empty()));
    let mut names: Vec<String> = names.filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

/// The folder of all cameras' logs.
pub(super) fn root(state_dir: &Path) -> PathBuf {
    state_dir.join("tracks")
}

/// Folders of cameras; empty where there is nothing.
pub(super) fn folders(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect()
}

/// Log files in a folder, in no order; none where there is no folder.
pub(super) fn logs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut logs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            logs.push(path);
        }
    }
    Ok(logs)
}

/// Name of a file whose first block begins then; `more` of that name are there already.
pub(super) fn name(start: Timestamp, more: u32) -> String {
    let time = jiff::Timestamp::from_microsecond(start.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let time = time.strftime("%Y%m%dT%H%M%SZ");
    if more == 0 { format!("{time}.{EXTENSION}") } else { format!("{time}-{more}.{EXTENSION}") }
}
