//! What is kept: not longer than asked, and not more.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::place::id_of;

/// The files there are, oldest first, and how much they take.
#[derive(Debug, Default)]
pub(super) struct Kept {
    files: VecDeque<File>,
    bytes: u64,
}

#[derive(Debug)]
struct File {
    /// Milliseconds since 1970, of its id.
    ms: u64,
    bytes: u64,
    path: PathBuf,
}

impl Kept {
    /// What lies in the folder. Files that are none of ours are left alone.
    pub(super) fn scan(dir: &Path) -> Self {
        let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
        let mut files: Vec<File> = Vec::new();
        for day in entries(dir).filter(|day| day.file_type().is_ok_and(|kind| kind.is_dir())) {
            for file in entries(&day.path()) {
                if file.path().extension().is_some_and(|ending| ending == "part") {
                    // A crash left it half-written.
                    let _ = fs::remove_file(file.path());
                }
                let Some(id) = file.file_name().to_str().and_then(id_of) else { continue };
                let Ok(meta) = file.metadata() else { continue };
                files.push(File { ms: id.timestamp_ms(), bytes: meta.len(), path: file.path() });
            }
        }
        files.sort_by(|a, b| (a.ms, &a.path).cmp(&(b.ms, &b.path)));
        Self { bytes: files.iter().map(|file| file.bytes).sum(), files: files.into() }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A file was written; ids come nearly in order of time.
    pub(super) fn add(&mut self, ms: u64, bytes: u64, path: PathBuf) {
        self.bytes += bytes;
        self.files.push_back(File { ms, bytes, path });
    }

    /// Deletes what is too old or too much, at most `most` files; answers how many.
    pub(super) fn prune(&mut self, now_ms: u64, keep: Duration, max_bytes: u64, most: usize) -> u64 {
        let oldest = now_ms.saturating_sub(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
        let mut deleted = 0;
        while let Some(first) = self.files.front()
            && (first.ms < oldest || self.bytes > max_bytes)
            && deleted < most as u64
        {
            let Some(file) = self.files.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(file.bytes);
            // What cannot be deleted (it is gone, the disk is read-only) is not tried for ever.
            let _ = fs::remove_file(&file.path);
            if let Some(day) = file.path.parent() {
                // Fails unless it was the last of its day.
                let _ = fs::remove_dir(day);
            }
            deleted += 1;
        }
        deleted
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::media::{Kind, path};
    use ulid::Ulid;

    #[test]
    fn the_oldest_goes_by_age_and_by_size_and_strangers_stay() {
        let dir = tempfile::tempdir().unwrap();
        let day = 86_400_000;
        let ids: Vec<Ulid> = (0..10).map(|n| Ulid::from_parts(100 * day + n * day / 2, n.into())).collect();
        for id in &ids {
            let at = path(dir.path(), *id, Kind::Snapshot);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, [0; 100]).unwrap();
        }
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        let mut kept = Kept::scan(dir.path());
        assert_eq!(kept.bytes(), 1000);
        let there = || ids.iter().filter(|id| path(dir.path(), **id, Kind::Snapshot).exists()).count();
        assert_eq!(kept.prune(105 * day, Duration::from_secs(3 * 86_400), u64::MAX, 100), 4);
        assert_eq!(there(), 6);
        assert_eq!(kept.prune(105 * day, Duration::from_secs(300 * 86_400), 350, 2), 2, "in small steps");
        assert_eq!(kept.prune(105 * day, Duration::from_secs(300 * 86_400), 350, 100), 1);
        assert_eq!((there(), kept.bytes()), (3, 300));
        assert!(path(dir.path(), ids[9], Kind::Snapshot).exists() && dir.path().join("notes.txt").exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "empty days go");
    }
}
