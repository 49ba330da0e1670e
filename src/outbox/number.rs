//! `seq`: grows by one per device without a gap, over restarts too.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::OutboxError;

/// The next number, kept in `state_dir/seq`.
#[derive(Debug)]
pub struct Numbers {
    path: PathBuf,
    file: File,
    next: u64,
    written: u64,
    failing: bool,
}

impl Numbers {
    /// Opens or begins the number file; creates the folder.
    ///
    /// # Errors
    /// Where the folder cannot be made or written, another daemon uses it, or the file is not a number.
    pub fn open(state_dir: &Path) -> Result<Self, OutboxError> {
        let state = |reason: String| OutboxError::State { path: state_dir.display().to_string(), reason };
        std::fs::create_dir_all(state_dir)
            .map_err(|error| state(format!("{error}; create it, or name another folder with runtime.state_dir")))?;
        let path = state_dir.join("seq");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| state(format!("seq: {error}")))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(state("in use by another watchkeeper; give each its own runtime.state_dir".to_owned()));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(state(format!("seq cannot be locked: {error}"))),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| state(format!("seq: {error}")))?;
        let last = match text.trim() {
            "" => 0,
            digits => digits
                .parse::<u64>()
                .map_err(|_| state(format!("seq holds {digits:?}, not a number; write the last seq into it")))?,
        };
        Ok(Self { path, file, next: last + 1, written: last, failing: false })
    }

    /// The next number. It is on disk before it is given away, so that no number is given twice.
    pub fn take(&mut self) -> u64 {
        let seq = self.next;
        self.next += 1;
        self.write();
        seq
    }

    /// Makes the numbers taken so far survive a power cut.
    pub fn sync(&mut self) {
        if self.written + 1 != self.next {
            self.write();
        }
        let _ = self.file.sync_data();
    }

    fn write(&mut self) {
        let last = self.next - 1;
        // Fixed width: a shorter number never leaves digits of a longer one behind.
        let line = format!("{last:020}\n");
        let result = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(line.as_bytes()));
        match result {
            Ok(()) => {
                self.written = last;
                self.failing = false;
            }
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::error!(path = %self.path.display(), "the event number cannot be kept: {error}; free disk space");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_after_a_restart_without_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let mut numbers = Numbers::open(dir.path()).unwrap();
        assert_eq!((numbers.take(), numbers.take()), (1, 2));
        drop(numbers);
        assert_eq!(Numbers::open(dir.path()).unwrap().take(), 3);
    }

    #[test]
    fn two_daemons_do_not_share_a_state_folder() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Numbers::open(dir.path()).unwrap();
        let error = Numbers::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("in use by another watchkeeper"), "{error}");
    }

    #[test]
    fn a_damaged_number_is_refused_and_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("seq"), "12x4").unwrap();
        let error = Numbers::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("seq holds \"12x4\", not a number"), "{error}");
        assert_eq!(std::fs::read_to_string(dir.path().join("seq")).unwrap(), "12x4");
    }
}
