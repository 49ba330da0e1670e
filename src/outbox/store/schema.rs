//! The tables.
//!
//! `scan` is an index in which every column lies that is asked about, in order of `seq`: it is written at its right
//! end and pruned at its left, which costs a writer least, and a page of it holds some eighty events, so that a
//! search through a million of them reads some fifty megabytes and no body.

use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use rusqlite::{Connection, Transaction, params};

use super::super::OutboxError;
use super::{FILE, Head, number, unsigned};

const VERSION: i64 = 1;

/// A damaged file is searched for at the start for so long at most.
const LOOK: Duration = Duration::from_secs(1);

const TABLES: &str = "
    CREATE TABLE meta (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        version INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        events INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    );
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        emit_us INTEGER NOT NULL,
        type TEXT NOT NULL,
        camera TEXT NOT NULL,
        rule TEXT NOT NULL,
        label TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX scan ON events (seq, emit_us, type, camera, rule, label);
    CREATE TABLE cursors (
        sink TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        seen_us INTEGER NOT NULL
    ) WITHOUT ROWID;
";

/// Why a data base is not opened.
#[derive(Debug)]
pub(in crate::outbox) enum Refused {
    /// It is another's.
    Version(String),
    /// SQLite says no.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Refused {
    /// What it says to people.
    pub fn into_error(self, state_dir: &Path) -> OutboxError {
        match self {
            Self::Version(reason) => {
                OutboxError::State { path: state_dir.display().to_string(), reason, passes: false }
            }
            Self::Sqlite(error) => OutboxError::of_store(state_dir, &error),
        }
    }
}

/// True where nothing was ever written.
pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_master", [], |row| row.get(0))
}

/// Makes the tables where there are none, and refuses those of others.
pub(super) fn begin(connection: &mut Connection, begin: u64) -> Result<Head, Refused> {
    if is_empty(connection)? {
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT INTO meta VALUES (1, ?, ?, 0, 0)", params![VERSION, number(begin)])?;
        transaction.commit()?;
    } else {
        look(connection)?;
    }
    read_head(connection)
}

/// Reads what the data base holds, if it is one of ours.
pub(in crate::outbox) fn read_head(connection: &Connection) -> Result<Head, Refused> {
    let ours = "SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'events', 'cursors')";
    if connection.query_row(ours, [], |row| row.get::<_, i64>(0))? != 3 {
        let text = format!("{FILE} is a data base, but not of events; move it away");
        return Err(Refused::Version(text));
    }
    let version: i64 = connection.query_row("SELECT version FROM meta", [], |row| row.get(0))?;
    if version != VERSION {
        return Err(Refused::Version(format!(
            "{FILE} was written by a newer watchkeeper (version {version} of its tables; this one knows {VERSION}); \
             install that one, or name another folder with runtime.state_dir"
        )));
    }
    let sql = "SELECT max(last_seq, (SELECT coalesce(max(seq), 0) FROM events)), events, bytes FROM meta";
    Ok(connection.query_row(sql, [], |row| {
        Ok(Head { last: unsigned(row, 0)?, events: unsigned(row, 1)?, bytes: unsigned(row, 2)? })
    })?)
}

pub(super) fn write_head(transaction: &Transaction<'_>, head: Head) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE meta SET last_seq = ?, events = ?, bytes = ?")?.execute(params![
        number(head.last),
        number(head.events),
        number(head.bytes)
    ])?;
    Ok(())
}

/// Searches for damage, as far as that goes in a moment.
fn look(connection: &Connection) -> Result<(), Refused> {
    let (done, waiting) = bounded::<()>(0);
    let handle = connection.get_interrupt_handle();
    let watch = std::thread::Builder::new().name("quick check".to_owned()).spawn(move || {
        if waiting.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            handle.interrupt();
        }
    });
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    drop(done);
    if let Ok(watch) = watch {
        let _ = watch.join();
    }
    match found {
        Ok(word) if word == "ok" => Ok(()),
        Ok(damage) => {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            Err(Refused::Sqlite(rusqlite::Error::SqliteFailure(code, Some(damage))))
        }
        // So large that it takes longer.
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
