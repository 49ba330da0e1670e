//! What is too old or too much is deleted, the oldest first, over all cameras.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{block, files, view};
use crate::config::TrackLog;

/// An open file that nothing was written to for so long is as any other: its camera is off line.
const IDLE: Duration = Duration::from_secs(3600);

/// A file of the log.
#[derive(Debug)]
struct Kept {
    /// When it was written last.
    written: SystemTime,
    path: PathBuf,
    bytes: u64,
}

/// Deletes what the config does not let be kept; `open` are being written, unless it is long since. Says how many bytes are left, and how many
/// files were deleted.
pub(super) fn apply(root: &Path, config: &TrackLog, open: &BTreeSet<PathBuf>, now: SystemTime) -> (u64, u64) {
    let folders = files::folders(root);
    let mut kept: Vec<Kept> = folders.iter().flat_map(|folder| list(folder)).collect();
    kept.sort_by(|a, b| (a.written, &a.path).cmp(&(b.written, &b.path)));
    let mut bytes: u64 = kept.iter().map(|file| file.bytes).sum();
    let mut deleted = 0;
    for file in kept {
        let age = now.duration_since(file.written).unwrap_or_default();
        let in_use = age <= IDLE && open.contains(&file.path);
        if (age > config.keep || bytes > config.max_bytes) && !in_use {
            match std::fs::remove_file(&file.path) {
                Ok(()) => {
                    bytes -= file.bytes;
                    deleted += 1;
                }
                Err(error) => tracing::warn!("{}: cannot be deleted: {error}", file.path.display()),
            }
        }
    }
    for folder in &folders {
        forget_view(folder, config, now);
    }
    (bytes, deleted)
}

/// A picture is not kept for longer than tracks are, and a folder not without either.
fn forget_view(folder: &Path, config: &TrackLog, now: SystemTime) {
    let path = view::in_folder(folder);
    let written = std::fs::metadata(&path).and_then(|meta| meta.modified());
    if written.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > config.keep)) {
        let _ = std::fs::remove_file(&path);
    }
    // Refused where there is something in it.
    let _ = std::fs::remove_dir(folder);
}

fn list(folder: &Path) -> Vec<Kept> {
    let Ok(logs) = files::logs(folder) else { return Vec::new() };
    let kept = logs.into_iter().filter_map(|path| {
        let meta = std::fs::metadata(&path).ok()?;
        Some(Kept { written: meta.modified().ok()?, bytes: meta.len(), path })
    });
    kept.collect()
}

/// Cuts off what a process that was killed left half written: at the end of each camera's newest file.
pub(super) fn cut_torn_tails(root: &Path) {
    for folder in files::folders(root) {
        let newest = list(&folder).into_iter().max_by(|a, b| (a.written, &a.path).cmp(&(b.written, &b.path)));
        if let Some(newest) = newest {
            cut(&newest);
        }
    }
}

fn cut(file: &Kept) {
    let Ok(bytes) = std::fs::read(&file.path) else { return };
    let whole = block::whole_length(&bytes);
    // More whole blocks behind the damage: a bad spot of the disk, and no torn tail.
    let empty = whole <= block::FILE_HEADER;
    if (whole == bytes.len() && !empty) || has_block_behind(&bytes, whole) {
        return;
    }
    let done = if empty {
        std::fs::remove_file(&file.path)
    } else {
        let open = std::fs::OpenOptions::new().write(true).open(&file.path);
        // Its time stays: it is as old as it was.
        open.and_then(|open| open.set_len(whole as u64).and_then(|()| open.set_modified(file.written)))
    };
    match done {
        Ok(()) => tracing::info!("{}: cut off {} bytes half written", file.path.display(), bytes.len() - whole),
        Err(error) => tracing::warn!("{}: a half-written end cannot be cut off: {error}", file.path.display()),
    }
}

fn has_block_behind(bytes: &[u8], at: usize) -> bool {
    let mut at = at;
    while let Some(found) = block::next_magic(bytes, at) {
        if block::Block::at_front(&bytes[found..]).is_some() {
            return true;
        }
        at = found + 1;
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_camera_that_is_off_line_goes_by_age_though_it_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let day = Duration::from_secs(86_400);
        let config = TrackLog { keep: 7 * day, max_bytes: u64::MAX };
        let now = SystemTime::now();
        let file = |camera: &str, age: Duration| {
            let path = dir.path().join(camera).join("20260101T000000Z.wktl");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, [0; 10]).unwrap();
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(now - age).unwrap();
            path
        };
        let (off, on) = (file("gate", 8 * day), file("yard", Duration::from_secs(60)));
        let open = BTreeSet::from([off.clone(), on.clone()]);
        assert_eq!(apply(dir.path(), &config, &open, now), (10, 1));
        assert!(!off.exists() && on.exists());
        let none = TrackLog { max_bytes: 0, ..config };
        assert_eq!(apply(dir.path(), &none, &open, now), (10, 0), "it is being written");
    }
}
