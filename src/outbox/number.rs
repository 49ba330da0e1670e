//! `state_dir/seq`: which numbers may have been given, whatever befalls the data base; and the lock of the folder.
//!
//! The data base knows the last number itself. This file is for the day when the data base is gone, damaged or an old
//! copy: no number is ever given twice. It holds one number. With `reserved` behind it: numbers up to this one may have
//! been given (written ahead, a thousand at a time, so that it is seldom written). Alone: this one was the last, as at
//! the end of a daemon that was asked to end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{OutboxError, passes};

/// Numbers reserved at once.
const AHEAD: u64 = 1000;
/// The file may be ahead of the data base by so many: those of a commit that came to nothing are reserved, too.
const WINDOW: u64 = AHEAD + super::writer::BATCH as u64;
const RESERVED: &str = "reserved";

/// The file, locked as long as this lives.
#[derive(Debug)]
pub(super) struct Numbers {
    file: File,
    found: Found,
    /// Numbers up to this one may be given.
    bound: u64,
}

/// What an earlier daemon left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Last(u64),
    Reserved(u64),
}

impl Numbers {
    /// Opens or begins the file; creates the folder.
    ///
    /// # Errors
    /// Where the folder cannot be made or written, another daemon uses it, or the file is not a number.
    pub fn open(state_dir: &Path) -> Result<Self, OutboxError> {
        let state = |reason: String, passes: bool| OutboxError::State {
            path: state_dir.display().to_string(),
            reason,
            passes,
        };
        let seq = |error: io::Error| state(format!("seq: {error}"), passes(&error));
        std::fs::create_dir_all(state_dir).map_err(|error| {
            let passes = passes(&error);
            state(format!("{error}; create it, or name another folder with runtime.state_dir"), passes)
        })?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(state_dir.join("seq"))
            .map_err(seq)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                // The one before may still be ending.
                let reason = "in use by another watchkeeper; give each its own runtime.state_dir";
                return Err(state(reason.to_owned(), true));
            }
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(state(format!("seq cannot be locked: {error}"), true));
            }
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(seq)?;
        let found = found(text.trim()).ok_or_else(|| {
            state(format!("seq holds {:?}, not a number; write the last seq into it", text.trim()), false)
        })?;
        Ok(Self { file, found, bound: 0 })
    }

    /// The last number that may have been given to anything: where a new data base begins.
    pub fn bound(&self) -> u64 {
        match self.found {
            Found::Nothing => 0,
            Found::Last(number) | Found::Reserved(number) => number,
        }
    }

    /// How many numbers after `last`, the last one in the data base, were given, too, and must not be given again.
    pub fn gone(&self, last: u64) -> u64 {
        match self.found {
            Found::Last(bound) => bound.saturating_sub(last),
            // More than is ever reserved ahead: the data base is an old copy.
            Found::Reserved(bound) if bound > last + WINDOW => bound - last,
            Found::Reserved(_) | Found::Nothing => 0,
        }
    }

    /// Before numbers up to `last` are given away.
    ///
    /// # Errors
    /// The file cannot be written: then they must not be given.
    pub fn reserve(&mut self, last: u64) -> io::Result<()> {
        if last <= self.bound {
            return Ok(());
        }
        self.write(last + AHEAD, RESERVED)?;
        self.bound = last + AHEAD;
        Ok(())
    }

    /// `last` was the last number, and there will be no more.
    pub fn settle(&mut self, last: u64) {
        if let Err(error) = self.write(last, "") {
            tracing::warn!("the last event number cannot be kept in the file seq: {error}");
        }
    }

    fn write(&mut self, number: u64, word: &str) -> io::Result<()> {
        // Fixed width: it is overwritten in place, which needs no space on the disk.
        let line = format!("{number:020} {word:8}\n");
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()
    }
}

fn found(text: &str) -> Option<Found> {
    if text.is_empty() {
        return Some(Found::Nothing);
    }
    match text.split_once(' ') {
        None => text.parse().ok().map(Found::Last),
        Some((number, word)) => (word.trim() == RESERVED).then(|| number.parse().ok().map(Found::Reserved))?,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn again(dir: &Path) -> Numbers {
        Numbers::open(dir).unwrap()
    }

    #[test]
    fn numbers_go_on_where_the_data_base_says() {
        let dir = tempfile::tempdir().unwrap();
        let mut numbers = again(dir.path());
        assert_eq!((numbers.bound(), numbers.gone(0)), (0, 0));
        numbers.reserve(5).unwrap();
        drop(numbers);
        assert_eq!(again(dir.path()).gone(5), 0);
        // A commit of many that came to nothing.
        let mut numbers = again(dir.path());
        numbers.reserve(1005 + super::super::writer::BATCH as u64).unwrap();
        drop(numbers);
        assert_eq!(again(dir.path()).gone(1005), 0);
    }

    #[test]
    fn a_data_base_that_is_gone_or_an_old_copy_never_makes_a_number_be_given_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut numbers = again(dir.path());
        (1..=5000).for_each(|last| numbers.reserve(last).unwrap());
        drop(numbers);
        let numbers = again(dir.path());
        assert!((5000..6000).contains(&numbers.bound()), "{numbers:?}");
        assert_eq!(200 + numbers.gone(200), numbers.bound());
        drop(numbers);
        // After an orderly end, nothing is passed over.
        again(dir.path()).settle(5000);
        let numbers = again(dir.path());
        assert_eq!((numbers.bound(), numbers.gone(5000), numbers.gone(4990)), (5000, 0, 10));
    }

    #[test]
    fn the_number_of_an_earlier_version_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("seq"), "00000000000000000042\n").unwrap();
        assert_eq!(again(dir.path()).bound(), 42);
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
        for damaged in ["12x4", "12 reserv", "x reserved"] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("seq"), damaged).unwrap();
            let error = Numbers::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("seq holds {damaged:?}, not a number")), "{error}");
            assert_eq!(std::fs::read_to_string(dir.path().join("seq")).unwrap(), damaged);
        }
    }
}
