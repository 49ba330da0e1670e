//! What is kept: not longer than asked, and not more.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::place;

/// A file whose id is further ahead of the clock was written while the clock was wrong, milliseconds.
const AHEAD: u64 = 86_400_000;

/// Milliseconds since 1970 of its id, and where it lies.
type Key = (u64, PathBuf);

/// The files there are, and how much they take.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Their bytes.
    files: BTreeMap<Key, u64>,
    /// Those from the future: their bytes, and when they were noticed. How old they are nobody knows: they go first
    /// where there is too much, and are otherwise kept from then on.
    ahead: BTreeMap<Key, (u64, u64)>,
    bytes: u64,
}

impl Kept {
    /// What lies in the folder. Files that are none of ours are left alone; `begun` is since when files may have been
    /// begun that are half-written now.
    pub(super) fn scan(dir: &Path, begun: SystemTime) -> Self {
        let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
        let mut kept = Self::default();
        for day in entries(dir).filter(|day| day.file_type().is_ok_and(|kind| kind.is_dir())) {
            for file in entries(&day.path()) {
                let Some((id, whole)) = file.file_name().to_str().and_then(place::parse) else { continue };
                // A copy that somebody put elsewhere is not ours.
                if day.file_name().to_str() != Some(&place::day(id)) {
                    continue;
                }
                let Ok(meta) = file.metadata() else { continue };
                if whole {
                    kept.add(id.timestamp_ms(), meta.len(), file.path());
                } else if meta.modified().is_ok_and(|at| at < begun) {
                    // A crash left it half-written.
                    let _ = fs::remove_file(file.path());
                }
            }
        }
        kept
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A file was written.
    pub(super) fn add(&mut self, ms: u64, bytes: u64, path: PathBuf) {
        let before = self.files.insert((ms, path), bytes);
        self.bytes = self.bytes.saturating_sub(before.unwrap_or(0)) + bytes;
    }

    /// Deletes what is too old or too much, at most `most` files; answers how many.
    pub(super) fn prune(&mut self, now_ms: u64, keep: Duration, max_bytes: u64, most: usize) -> u64 {
        self.sort_out(now_ms);
        let oldest = now_ms.saturating_sub(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
        let mut deleted = 0;
        while deleted < most as u64 {
            let much = self.bytes > max_bytes;
            let too_old = self.files.first_key_value().is_some_and(|((ms, _), _)| *ms < oldest);
            let (path, bytes) = if much && let Some(((_, path), (bytes, _))) = self.ahead.pop_first() {
                (path, bytes)
            } else if (much || too_old)
                && let Some(((_, path), bytes)) = self.files.pop_first()
            {
                (path, bytes)
            } else if let Some(key) = self.ahead.iter().find(|(_, (_, noticed))| *noticed < oldest).map(|(key, _)| key)
            {
                let key = key.clone();
                let (bytes, _) = self.ahead.remove(&key).unwrap_or_default();
                (key.1, bytes)
            } else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(bytes);
            // What cannot be deleted (it is gone, the disk is read-only) is not tried for ever.
            let _ = fs::remove_file(&path);
            if let Some(day) = path.parent() {
                // Fails unless it was the last of its day.
                let _ = fs::remove_dir(day);
            }
            deleted += 1;
        }
        deleted
    }

    /// Whatever the clock says now: which files are from the future?
    fn sort_out(&mut self, now_ms: u64) {
        let limit = (now_ms.saturating_add(AHEAD), PathBuf::new());
        let still = self.ahead.split_off(&limit);
        for (key, (bytes, _)) in std::mem::replace(&mut self.ahead, still) {
            self.files.insert(key, bytes);
        }
        for (_, noticed) in self.ahead.values_mut() {
            *noticed = now_ms.min(*noticed);
        }
        self.ahead.extend(self.files.split_off(&limit).into_iter().map(|(key, bytes)| (key, (bytes, now_ms))));
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
        let mut kept = Kept::scan(dir.path(), SystemTime::now());
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

    fn put(dir: &Path, ms: u64) -> PathBuf {
        let at = path(dir, Ulid::from_parts(ms, 1), Kind::Snapshot);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, [0; 100]).unwrap();
        at
    }

    #[test]
    fn half_written_files_of_ours_go_and_those_of_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let whole = put(dir.path(), 100 * 86_400_000);
        let (name, day) = (whole.file_name().unwrap().to_str().unwrap(), whole.parent().unwrap());
        let ulid = &name[..26];
        let ours = ["snapshot", "crop", "clip", "clip.data"].map(|kind| day.join(format!("{ulid}-{kind}.part")));
        let elsewhere = dir.path().join("copies");
        fs::create_dir(&elsewhere).unwrap();
        let others = [
            day.join("film.part"),
            day.join(format!("{ulid}-notes.part")),
            day.join(format!("{ulid}.part")),
            elsewhere.join("download.part"),
            elsewhere.join(format!("{ulid}-snapshot.part")),
            elsewhere.join(name),
        ];
        ours.iter().chain(&others).for_each(|path| fs::write(path, "x").unwrap());
        Kept::scan(dir.path(), SystemTime::now() - Duration::from_secs(600));
        assert!(ours.iter().all(|path| path.exists()), "they are being written");
        let mut kept = Kept::scan(dir.path(), SystemTime::now() + Duration::from_secs(1));
        assert!(!ours.iter().any(|path| path.exists()));
        assert_eq!(kept.prune(u64::MAX / 2, Duration::ZERO, 0, 100), 1);
        assert!(!whole.exists());
        for other in others {
            assert!(other.exists(), "{}", other.display());
        }
    }

    #[test]
    fn files_of_a_clock_that_ran_ahead_hold_nothing_up_and_are_not_kept_for_years() {
        let (dir, day) = (tempfile::tempdir().unwrap(), 86_400_000);
        let (keep, now) = (Duration::from_secs(3 * 86_400), 1000 * day);
        let mut kept = Kept::default();
        let add = |kept: &mut Kept, ms| {
            let at = put(dir.path(), ms);
            kept.add(ms, 100, at.clone());
            at
        };
        let ahead = [5000, 5001, 5002].map(|n| add(&mut kept, n * day));
        assert_eq!(kept.prune(now, keep, u64::MAX, 100), 0);
        let real = [1000, 1001, 1002].map(|n| add(&mut kept, n * day + 1));
        assert_eq!(kept.prune(now + 2 * day, keep, 500, 100), 1, "too much");
        assert!(!ahead[0].exists() && real[0].exists(), "the age of that is known");
        assert_eq!(kept.prune(now + 3 * day, keep, 500, 100), 0);
        assert_eq!(kept.prune(now + 3 * day + day / 2, keep, 500, 100), 3, "too old, and noticed too long ago");
        assert_eq!((ahead.iter().filter(|path| path.exists()).count(), real[0].exists()), (0, false));
        assert_eq!((kept.bytes(), real[1].exists()), (200, true));
        // A clock that begins in 1970 and is set right makes nothing older than it is.
        assert_eq!(kept.prune(0, keep, u64::MAX, 100), 0);
        assert_eq!(kept.prune(now + 3 * day, keep, u64::MAX, 100), 0);
    }

    #[test]
    fn a_file_that_was_found_and_is_told_of_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = put(dir.path(), 100 * 86_400_000);
        let mut kept = Kept::scan(dir.path(), SystemTime::now());
        kept.add(100 * 86_400_000, 100, at);
        assert_eq!(kept.bytes(), 100);
    }
}
