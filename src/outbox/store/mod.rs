//! The data base: `state_dir/events.db`, SQLite in WAL mode, one writer.
//!
//! A commit is on disk when it returns (`synchronous=FULL`): SQLite has flushed the log (`events.db-wal`), not only
//! written it. Pages move from the log into the data base about every four megabytes, in a commit.

mod cursors;
mod prune;
mod schema;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, Transaction, params};

pub(super) use prune::Pruned;
pub(super) use schema::{Refused, read_head};

use super::retention::{BELIEVED_AFTER, NO_CLOCK};
use super::sinks::Stored;
use crate::types::time::Timestamp;

/// The file in the state folder.
pub(super) const FILE: &str = "events.db";
/// Somebody else may hold the data base for so long before it is a failure.
const BUSY: Duration = Duration::from_millis(500);
/// The log is cut to so many bytes after it was longer.
const LOG_BYTES: u32 = 16 << 20;

/// An event as it is kept: what consumers get, and what is asked about.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub stored: Stored,
    pub emit: Timestamp,
    pub rule: String,
    pub label: String,
}

/// What the data base holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The last number given, to an event or to a lost one.
    pub last: u64,
    /// Events in it.
    pub events: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// The writer's connection.
pub(super) struct Store {
    connection: Connection,
    head: Head,
    /// The oldest event that knows its time, and that time; `None`: there is none.
    oldest: Option<(u64, Timestamp)>,
    /// Who says a later time does not know it, as of the last look for the oldest.
    now: Timestamp,
    /// Commits need not be on disk when they return.
    lazy: bool,
}

/// Why a commit failed.
#[derive(Debug)]
pub(super) enum CommitError {
    /// The event at this place has an id that another one has already.
    DuplicateId(usize),
    /// The disk is full, the file system is read-only, somebody else holds the data base ...
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for CommitError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

impl Store {
    /// Opens or begins the data base; a new one goes on after the number `begin`. Its file shall have `max_bytes`.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn open(state_dir: &Path, begin: u64, max_bytes: u64) -> Result<Self, Refused> {
        let path = state_dir.join(FILE);
        // SQLite gives its log the same mode. An empty file is an empty data base.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                tracing::debug!("{FILE} cannot be made: {error}");
            }
            _ => {}
        }
        let mut store = Self::open_file(&path, begin, max_bytes)?;
        store.look_at_oldest(Timestamp::now(), 0)?;
        Ok(store)
    }

    /// True where the log of a daemon lies in the folder that is at work, or was killed.
    pub fn has_log(state_dir: &Path) -> bool {
        state_dir.join(format!("{FILE}-wal")).exists()
    }

    /// The number of the run that wrote it last; 0: of none.
    ///
    /// # Errors
    /// As SQLite has it.
    pub fn run(&self) -> rusqlite::Result<u32> {
        self.connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i32>(0)).map(i32::unsigned_abs)
    }

    /// This run writes it now.
    ///
    /// # Errors
    /// As SQLite has it.
    pub fn begin_run(&self, run: u32) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "user_version", run)
    }

    fn open_file(path: &Path, begin: u64, max_bytes: u64) -> Result<Self, Refused> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(32);
        if schema::is_empty(&connection)? {
            // Only before the first page is written.
            connection.execute_batch("PRAGMA auto_vacuum=INCREMENTAL")?;
        }
        let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(Refused::Version(format!(
                "{FILE}: this file system bears no write-ahead log ({mode}); choose a folder on a local disk"
            )));
        }
        // A small data base wants a small log beside it.
        let pages = (max_bytes / 4096 / 20).clamp(64, 1000);
        connection.execute_batch(&format!(
            "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint={pages}; PRAGMA journal_size_limit={LOG_BYTES};
             PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY"
        ))?;
        let head = schema::begin(&mut connection, begin)?;
        Ok(Self { connection, head, oldest: None, now: NO_CLOCK, lazy: false })
    }

    /// What it holds.
    pub fn head(&self) -> Head {
        self.head
    }

    /// When the oldest event was numbered that knows its time.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.oldest.map(|(_, emit)| emit)
    }

    /// When the last event was numbered that knows its time, or rather an hour before that: times that only the events
    /// of less than an hour know may be those of a clock that was wrong, where the one before is far from them.
    ///
    /// # Errors
    /// As SQLite has it.
    pub fn newest(&self) -> rusqlite::Result<Option<Timestamp>> {
        let before = |end: i64| {
            let sql = "SELECT emit_us FROM events INDEXED BY scan WHERE emit_us >= ? AND emit_us <= ? \
                       ORDER BY seq DESC LIMIT 1";
            self.connection.query_row(sql, [NO_CLOCK.0, end], |row| row.get::<_, i64>(0)).optional()
        };
        let Some(last) = before(i64::MAX)? else { return Ok(None) };
        let hour = i64::try_from(BELIEVED_AFTER.as_micros()).unwrap_or(i64::MAX);
        Ok(Some(Timestamp(before(last - hour)?.unwrap_or(last))))
    }

    /// Makes events durable, and the cursors of sinks with them; the last number given is then `last`.
    ///
    /// # Errors
    /// Then nothing of it is in the data base.
    pub fn commit(&mut self, entries: &[Entry], last: u64, cursors: &[(String, u64)]) -> Result<(), CommitError> {
        self.diligently()?;
        let mut head = self.head;
        head.last = last;
        let transaction = self.connection.transaction()?;
        insert(&transaction, entries, &mut head)?;
        schema::write_head(&transaction, head)?;
        cursors::save(&transaction, cursors, Timestamp::now())?;
        transaction.commit()?;
        self.head = head;
        self.oldest = self.oldest.or_else(|| {
            let times = entries.iter().map(|entry| (entry.stored.seq, entry.emit));
            times.into_iter().find(|(_, emit)| *emit >= NO_CLOCK)
        });
        Ok(())
    }

    /// Saves cursors by themselves. Where a power cut takes them back, events are delivered twice.
    pub fn save_cursors(&mut self, cursors: &[(String, u64)]) -> rusqlite::Result<()> {
        self.lazily(|store| {
            let transaction = store.connection.transaction()?;
            cursors::save(&transaction, cursors, Timestamp::now())?;
            transaction.commit()
        })
    }

    /// The cursors of these sinks; one that is new begins after the last event. False where the disk is full, and they
    /// are still to be saved: events wait in memory then, which is better than no daemon.
    ///
    /// # Errors
    /// As SQLite has it.
    pub fn begin_cursors(&mut self, sinks: &[String]) -> rusqlite::Result<(Vec<u64>, bool)> {
        let transaction = self.connection.transaction()?;
        let cursors = cursors::begin(&transaction, sinks, self.head.last, Timestamp::now())?;
        match transaction.commit() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => Ok((cursors, false)),
            result => result.map(|()| (cursors, true)),
        }
    }

    /// Forgets sinks that are none of these and have not been for long; answers whom.
    ///
    /// # Errors
    /// As SQLite has it.
    pub fn forget_cursors(&mut self, sinks: &[String]) -> rusqlite::Result<Vec<String>> {
        cursors::forget(&self.connection, sinks, Timestamp::now())
    }

    /// Bytes of the log beside the file. It grows while somebody reads for long: what he reads cannot be moved.
    pub fn log_bytes(&self) -> u64 {
        let path = self.connection.path().map(|path| format!("{path}-wal"));
        path.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |meta| meta.len())
    }

    /// Begins the log anew, if nobody reads what is in it; false: somebody does.
    ///
    /// # Errors
    /// As SQLite has it.
    pub fn restart_log(&self) -> rusqlite::Result<bool> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0))
            .map(|busy| busy == 0)
    }

    /// What need not be on disk when it returns: it is there at the latest with the next commit.
    fn lazily<T>(&mut self, work: impl FnOnce(&mut Self) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.lazy = true;
        self.connection.execute_batch("PRAGMA synchronous=NORMAL")?;
        let result = work(self);
        // Should it fail, the next commit sees to it.
        let _ = self.diligently();
        result
    }

    fn diligently(&mut self) -> rusqlite::Result<()> {
        if self.lazy {
            self.connection.execute_batch("PRAGMA synchronous=FULL")?;
            self.lazy = false;
        }
        Ok(())
    }

    /// Searches for the oldest from `from` on.
    fn look_at_oldest(&mut self, now: Timestamp, from: u64) -> rusqlite::Result<()> {
        self.oldest = prune::first_known(&self.connection, now, from)?;
        self.now = now;
        Ok(())
    }
}

fn insert(transaction: &Transaction<'_>, entries: &[Entry], head: &mut Head) -> Result<(), CommitError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (seq, id, emit_us, type, camera, rule, label, body) VALUES (?,?,?,?,?,?,?,?)",
    )?;
    for (at, Entry { stored, emit, rule, label }) in entries.iter().enumerate() {
        let row = params![
            number(stored.seq),
            stored.id,
            emit.0,
            stored.event_type,
            stored.camera,
            rule,
            label,
            &*stored.body
        ];
        match insert.execute(row) {
            Ok(_) => {}
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                return Err(CommitError::DuplicateId(at));
            }
            Err(error) => return Err(error.into()),
        }
        head.events += 1;
        head.bytes += stored.body.len() as u64;
    }
    Ok(())
}

/// SQLite's integers are signed.
pub(super) fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// See [`number`].
pub(super) fn unsigned(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}

/// As people read it: what happened, and what to do.
pub(super) fn advice(error: &rusqlite::Error) -> String {
    let what_to_do = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "; the file is damaged: a daemon that starts moves it away and begins another one, if the file seq says where \
             event numbers go on"
        }
        Some(ErrorCode::DiskFull) => "; free disk space",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "; another program holds it: end that",
        Some(ErrorCode::ReadOnly) => "; make it writable",
        _ => "",
    };
    format!("{FILE}: {}{what_to_do}", text(error))
}

/// SQLite's own words, without the ones of the library around it.
fn text(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(text)) if text.is_empty() => code.to_string(),
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}
