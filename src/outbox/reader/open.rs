//! A connection that only reads.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::OutboxError;
use super::super::store::{FILE, Refused, read_head};

const BUSY: Duration = Duration::from_secs(2);

pub(super) fn connection(state_dir: &Path) -> Result<Connection, OutboxError> {
    let refuse = |reason: String| OutboxError::State { path: state_dir.display().to_string(), reason, passes: false };
    let path = state_dir.join(FILE);
    if !path.exists() {
        return Err(refuse(format!("{FILE} is not there: no watchkeeper has run with this folder yet")));
    }
    let opened = open(&path, false).or_else(|refused| match refused {
        // Nobody is at work on it, and this is a folder that we may not write to: SQLite wants to put its shared memory
        // there. Without a log beside it, the file is complete by itself.
        Refused::Sqlite(error) if is_about_access(&error) && !log_of(&path).exists() => open(&path, true),
        refused => Err(refused),
    });
    opened.map_err(|refused| match refused {
        Refused::Sqlite(error) if is_about_access(&error) => {
            refuse(format!("{FILE} cannot be read ({error}); run this as the user that the daemon runs as"))
        }
        refused => refused.into_error(state_dir),
    })
}

fn open(path: &Path, alone: bool) -> Result<Connection, Refused> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if alone {
        let name = percent_encoding::percent_encode(path.as_os_str().as_encoded_bytes(), PLAIN);
        Connection::open_with_flags(format!("file:{name}?immutable=1"), flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(32);
    // The first read: it finds out whether there is anything to be read.
    read_head(&connection)?;
    Ok(connection)
}

/// What stands for itself in a file URI.
const PLAIN: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

fn is_about_access(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure)
    )
}

fn log_of(path: &Path) -> std::path::PathBuf {
    path.with_extension("db-wal")
}
