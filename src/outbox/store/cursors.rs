//! How far each sink is.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{number, unsigned};
use crate::types::time::Timestamp;

/// The cursor of a sink that is not in the configuration is kept for so long: somebody may be at work on it.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn save(transaction: &Transaction<'_>, cursors: &[(String, u64)], now: Timestamp) -> rusqlite::Result<()> {
    let mut save = transaction.prepare_cached("INSERT OR REPLACE INTO cursors (sink, seq, seen_us) VALUES (?,?,?)")?;
    for (sink, seq) in cursors {
        save.execute(params![sink, number(*seq), now.0])?;
    }
    Ok(())
}

pub(super) fn begin(
    transaction: &Transaction<'_>,
    sinks: &[String],
    last: u64,
    now: Timestamp,
) -> rusqlite::Result<Vec<u64>> {
    let mut read = transaction.prepare("SELECT seq FROM cursors WHERE sink = ?")?;
    let mut write = transaction.prepare("INSERT OR REPLACE INTO cursors (sink, seq, seen_us) VALUES (?,?,?)")?;
    let mut begin = |sink: &String| {
        let known: Option<u64> = read.query_row([sink], |row| unsigned(row, 0)).optional()?;
        // One beyond the last event is of a data base that is gone.
        let cursor = known.unwrap_or(last).min(last);
        write.execute(params![sink, number(cursor), now.0])?;
        Ok(cursor)
    };
    sinks.iter().map(&mut begin).collect()
}

pub(super) fn forget(connection: &Connection, sinks: &[String], now: Timestamp) -> rusqlite::Result<Vec<String>> {
    let before = now.0.saturating_sub(i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX));
    let mut old = connection.prepare("SELECT sink FROM cursors WHERE seen_us < ?")?;
    let old = old.query_map([before], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let gone: Vec<String> = old.into_iter().filter(|sink| !sinks.contains(sink)).collect();
    for sink in &gone {
        connection.execute("DELETE FROM cursors WHERE sink = ?", [sink])?;
    }
    Ok(gone)
}
