//! `state_dir/seq`: which numbers may have been given, whatever befalls the data base; and the lock of the folder.
//!
//! The data base knows the last number itself. This file is for the day when the data base is gone, damaged or an old
//! copy: no number is ever given twice. It holds one number. With `reserved` behind it: numbers up to this one may have
//! been given (written ahead, a thousand at a time, so that it is seldom written), by the run of the daemon that the third
//! word tells, as does the data base's `user_version`. Alone: this one was the last, as at the end of a daemon that was
//! asked to end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{OutboxError, passes};

/// Numbers reserved at once.
const AHEAD: u64 = 1000;
/// The file may be ahead of the data base by so many: those of a commit that came to nothing are reserved, too.
const WINDOW: u64 = AHEAD + super::writer::BATCH as u64;
const RESERVED: &str = "reserved";
/// A lock that somebody has is waited for so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// The file, locked as long as this lives.
#[derive(Debug)]
pub(super) struct Numbers {
    file: File,
    found: Found,
    /// Numbers up to this one may be given.
    bound: u64,
    /// Which run of the daemon this is.
    run: u32,
}

/// What an earlier daemon left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Last(u64),
    /// By the run of that number, where it is known.
    Reserved(u64, Option<u32>),
}

/// What the data base looks like at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The last number in it.
    pub last: u64,
    /// The run that wrote it last.
    pub run: u32,
    /// Its log lay beside it.
    pub log: bool,
}

/// Locks it. Who has it may just be ending, and so may be a process that somebody begins at this moment: between fork
/// and exec it holds everything that is open.
fn lock(file: &File) -> Result<(), std::fs::TryLockError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(PATIENCE / 50),
            answer => return answer,
        }
    }
}

impl Numbers {
    /// Opens or begins the file; creates the folder.
    ///
    /// # Errors
    /// Where the folder cannot be made or written, another daemon uses it, or the file is not a number.
    pub fn open(state_dir: &Path) -> Result<Self, OutboxError> {
        let state =
            |reason: String, passes: bool| OutboxError::State { path: state_dir.display().to_string(), reason, passes };
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
            .mode(0o600)
            .open(state_dir.join("seq"))
            .map_err(seq)?;
        match lock(&file) {
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
        Ok(Self { file, found, bound: 0, run: 0 })
    }

    /// The last number that may have been given to anything: where a new data base begins.
    pub fn bound(&self) -> u64 {
        match self.found {
            Found::Nothing => 0,
            Found::Last(number) | Found::Reserved(number, _) => number,
        }
    }

    /// True where a data base was here before.
    pub fn had_any(&self) -> bool {
        self.bound() > 0
    }

    /// How many numbers after the last one in the data base were given, too, and must not be given again.
    pub fn gone(&self, seen: Seen) -> u64 {
        match self.found {
            Found::Last(bound) => bound.saturating_sub(seen.last),
            Found::Reserved(bound, run) => {
                // More than is ever reserved ahead, of an earlier run, or without the log that a daemon that was killed
                // leaves: it is an old copy.
                let old = bound > seen.last + WINDOW || run.is_some_and(|run| seen.run < run) || !seen.log;
                if old { bound.saturating_sub(seen.last) } else { 0 }
            }
            Found::Nothing => 0,
        }
    }

    /// Begins a run; answers its number, which the data base must know before any number is reserved.
    pub fn begin_run(&mut self, seen: Seen) -> u32 {
        let before = match self.found {
            Found::Reserved(_, Some(run)) => run.max(seen.run),
            _ => seen.run,
        };
        // SQLite keeps it in 32 bits with a sign.
        self.run = before.saturating_add(1).min(i32::MAX as u32);
        self.run
    }

    /// Before numbers up to `last` are given away.
    ///
    /// # Errors
    /// The file cannot be written: then they must not be given.
    pub fn reserve(&mut self, last: u64) -> io::Result<()> {
        if last <= self.bound {
            return Ok(());
        }
        write(&self.file, last + AHEAD, &format!("{RESERVED} {:010}", self.run))?;
        self.bound = last + AHEAD;
        Ok(())
    }

    /// `last` was the last number, and there will be no more.
    pub fn settle(&mut self, last: u64) {
        if let Err(error) = write(&self.file, last, "") {
            tracing::warn!("the last event number cannot be kept in the file seq: {error}");
        }
    }

    /// For whoever must leave while the writer is stuck.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn last_word(&self) -> io::Result<LastWord> {
        Ok(LastWord(self.file.try_clone()?))
    }
}

/// See [`Numbers::last_word`].
#[derive(Debug)]
pub(super) struct LastWord(File);

impl LastWord {
    /// Numbers up to `last` are taken: the next start tells which of them are missing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn settle(&self, last: u64) -> io::Result<()> {
        write(&self.0, last, "")
    }
}

fn write(file: &File, number: u64, word: &str) -> io::Result<()> {
    // Fixed width: it is overwritten in place, which needs no space on the disk.
    let line = format!("{number:020} {word:19}\n");
    file.write_all_at(line.as_bytes(), 0)?;
    file.sync_data()
}

fn found(text: &str) -> Option<Found> {
    let mut words = text.split_whitespace();
    let Some(number) = words.next() else { return Some(Found::Nothing) };
    let number = number.parse().ok()?;
    let found = match (words.next(), words.next()) {
        (None, _) => Found::Last(number),
        (Some(RESERVED), None) => Found::Reserved(number, None),
        (Some(RESERVED), Some(run)) => Found::Reserved(number, Some(run.parse().ok()?)),
        _ => return None,
    };
    words.next().is_none().then_some(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seen(last: u64) -> Seen {
        Seen { last, run: 7, log: true }
    }

    fn again(dir: &Path) -> Numbers {
        Numbers::open(dir).unwrap()
    }

    #[test]
    fn numbers_go_on_where_the_data_base_says() {
        let dir = tempfile::tempdir().unwrap();
        let mut numbers = again(dir.path());
        assert_eq!((numbers.bound(), numbers.gone(seen(0))), (0, 0));
        numbers.reserve(5).unwrap();
        drop(numbers);
        assert_eq!(again(dir.path()).gone(seen(5)), 0);
        // A commit of many that came to nothing.
        let mut numbers = again(dir.path());
        numbers.reserve(1005 + super::super::writer::BATCH as u64).unwrap();
        drop(numbers);
        assert_eq!(again(dir.path()).gone(seen(1005)), 0);
    }

    #[test]
    fn a_data_base_that_is_gone_or_an_old_copy_never_makes_a_number_be_given_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut numbers = again(dir.path());
        (1..=5000).for_each(|last| numbers.reserve(last).unwrap());
        drop(numbers);
        let numbers = again(dir.path());
        assert!((5000..6000).contains(&numbers.bound()), "{numbers:?}");
        assert_eq!(200 + numbers.gone(seen(200)), numbers.bound());
        drop(numbers);
        // After an orderly end, nothing is passed over.
        again(dir.path()).settle(5000);
        let numbers = again(dir.path());
        assert_eq!((numbers.bound(), numbers.gone(seen(5000)), numbers.gone(seen(4990))), (5000, 0, 10));
    }

    #[test]
    fn a_copy_of_an_earlier_run_or_without_its_log_is_not_taken_for_what_a_kill_left() {
        let dir = tempfile::tempdir().unwrap();
        let mut numbers = again(dir.path());
        let run = numbers.begin_run(Seen { last: 0, run: 3, log: false });
        numbers.reserve(100).unwrap();
        drop(numbers);
        let numbers = again(dir.path());
        let bound = numbers.bound();
        assert_eq!(numbers.gone(Seen { last: 100, run, log: true }), 0);
        assert_eq!(numbers.gone(Seen { last: 90, run: run - 1, log: true }), bound - 90);
        assert_eq!(numbers.gone(Seen { last: 90, run, log: false }), bound - 90);
        // Killed between the data base's word and the file's.
        assert_eq!(numbers.gone(Seen { last: 100, run: run + 1, log: true }), 0);
    }

    #[test]
    fn who_leaves_while_the_writer_is_stuck_says_which_numbers_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let mut numbers = again(dir.path());
        numbers.reserve(100).unwrap();
        numbers.last_word().unwrap().settle(130).unwrap();
        drop(numbers);
        // What the writer brought to its end after all is none of them.
        let numbers = again(dir.path());
        assert_eq!((numbers.gone(seen(100)), numbers.gone(seen(120))), (30, 10));
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
