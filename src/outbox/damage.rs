//! A data base that is damaged gives way to a new one; it is kept for whoever can still read it.

use std::io;
use std::path::{Path, PathBuf};

use super::OutboxError;
use super::number::Numbers;
use super::store::{FILE, Refused, Store};
use crate::types::time::Timestamp;

/// So many are kept: a disk that fails again and again would be full of them.
const KEPT: usize = 2;

/// Why nothing is known of events before some number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The data base was damaged, and lies there now.
    Corrupt(String),
    /// It was not there.
    Missing,
}

/// Opens the data base, or begins one where it is damaged or gone; then it says so.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(super) fn open(state_dir: &Path, numbers: &Numbers, max_bytes: u64) -> Result<(Store, Option<Lost>), OutboxError> {
    let mut lost = None;
    // Where no number was ever given, it is no data base of ours.
    let ours = numbers.had_any();
    if ours && marker(state_dir).exists() {
        lost = Some(Lost::Corrupt(set_aside(state_dir)?));
    }
    let there = std::fs::metadata(state_dir.join(FILE)).is_ok_and(|meta| meta.len() > 0);
    let opened = match Store::open(state_dir, numbers.bound(), max_bytes) {
        Err(Refused::Sqlite(error)) if ours && is_damage(&error) => {
            tracing::error!("{FILE}: {error}");
            lost = Some(Lost::Corrupt(set_aside(state_dir)?));
            Store::open(state_dir, numbers.bound(), max_bytes)
        }
        opened => opened,
    };
    let store = opened.map_err(|refused| refused.into_error(state_dir))?;
    if ours && !there && lost.is_none() {
        lost = Some(Lost::Missing);
    }
    Ok((store, lost))
}

/// True where the file is to blame, and no attempt will succeed.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// The next start shall not go on with this data base: what is wrong with it may not be found in a moment.
pub(super) fn mark(state_dir: &Path) {
    if let Err(error) = std::fs::write(marker(state_dir), "") {
        tracing::warn!("{FILE} is damaged, and that cannot be kept for the next start: {error}");
    }
}

fn marker(state_dir: &Path) -> PathBuf {
    state_dir.join("events.db-damaged")
}

/// Renames it and what belongs to it; answers its name.
fn set_aside(state_dir: &Path) -> Result<String, OutboxError> {
    let refuse = |error: io::Error| OutboxError::State {
        path: state_dir.display().to_string(),
        reason: format!("{FILE} is damaged and cannot be moved away: {error}"),
        passes: true,
    };
    let prefix = format!("{FILE}.corrupt-");
    let of_before = |name: &str| name.starts_with(&prefix) && !name.ends_with("-wal");
    let mut before: Vec<String> = std::fs::read_dir(state_dir)
        .map_err(refuse)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| of_before(name))
        .collect();
    before.sort();
    for old in &before[..(before.len() + 1).saturating_sub(KEPT)] {
        let _ = std::fs::remove_file(state_dir.join(old));
        let _ = std::fs::remove_file(state_dir.join(format!("{old}-wal")));
    }
    let name = format!("{prefix}{}", Timestamp::now().to_string().replace([':', '-'], ""));
    // The log first: without its data base it is nothing to the next start.
    for end in ["-wal", ""] {
        match std::fs::rename(state_dir.join(format!("{FILE}{end}")), state_dir.join(format!("{name}{end}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refuse(error)),
            _ => {}
        }
    }
    for rest in [state_dir.join(format!("{FILE}-shm")), marker(state_dir)] {
        match std::fs::remove_file(rest) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refuse(error)),
            _ => {}
        }
    }
    Ok(name)
}
