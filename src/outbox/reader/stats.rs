//! How much of what is kept.

use std::collections::BTreeMap;

use super::super::filter::Filter;
use super::{Order, ReadError, Reader, STRETCH, number, unsigned};
use crate::types::time::Timestamp;

/// How many events of one type from one camera are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Type.
    pub event_type: String,
    /// Camera id; empty: about the device.
    pub camera: String,
    /// Events.
    pub events: u64,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The last number given, be its event kept or not.
    pub last_seq: u64,
    /// Events kept.
    pub events: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Bytes of the file that are in use.
    pub file_bytes: u64,
    /// Number and time of the oldest and of the newest.
    pub ends: Option<[(u64, Timestamp); 2]>,
}

/// How far a sink is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its id.
    pub sink: String,
    /// All up to this number was delivered, or is not for it.
    pub seq: u64,
    /// When it was last at work.
    pub seen: Timestamp,
}

impl Reader {
    /// How much is kept: quickly, whatever it is.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn stats(&self) -> Result<Stats, ReadError> {
        let one = |sql: &str| self.connection.query_row(sql, [], |row| unsigned(row, 0));
        let mut stats = self.connection.query_row("SELECT last_seq, events, bytes FROM meta", [], |row| {
            let (last_seq, events, body_bytes) = (unsigned(row, 0)?, unsigned(row, 1)?, unsigned(row, 2)?);
            Ok(Stats { last_seq, events, body_bytes, ..Stats::default() })
        })?;
        let pages = one("PRAGMA page_count")?.saturating_sub(one("PRAGMA freelist_count")?);
        stats.file_bytes = pages * one("PRAGMA page_size")?;
        if let Some((first, last)) = self.ends()? {
            let time = |seq: u64| {
                let sql = "SELECT emit_us FROM events WHERE seq = ?";
                self.connection.query_row(sql, [number(seq)], |row| Ok((seq, Timestamp(row.get(0)?))))
            };
            stats.ends = Some([time(first)?, time(last)?]);
        }
        Ok(stats)
    }

    /// How many of each type and camera, in that order. It reads the whole index: about a second for millions.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn tallies(&self) -> Result<Vec<Tally>, ReadError> {
        let Some((mut from, last)) = self.ends()? else { return Ok(Vec::new()) };
        let mut counts = BTreeMap::<(String, String), u64>::new();
        let mut select = self.connection.prepare_cached(
            "SELECT type, camera, count(*) FROM events INDEXED BY scan WHERE seq BETWEEN ? AND ? GROUP BY type, camera",
        )?;
        while let Some(next) = self.next_kept((from, last), Order::OldestFirst)? {
            from = next;
            let to = from.saturating_add(STRETCH - 1);
            let mut rows = select.query([number(from), number(to)])?;
            while let Some(row) = rows.next()? {
                *counts.entry((row.get(0)?, row.get(1)?)).or_default() += unsigned(row, 2)?;
            }
            from = to.saturating_add(1);
        }
        Ok(counts.into_iter().map(|((event_type, camera), events)| Tally { event_type, camera, events }).collect())
    }

    /// How far each sink is, those that are gone included.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn cursors(&self) -> Result<Vec<Cursor>, ReadError> {
        let mut select = self.connection.prepare_cached("SELECT sink, seq, seen_us FROM cursors ORDER BY sink")?;
        let rows = select.query_map([], |row| {
            Ok(Cursor { sink: row.get(0)?, seq: unsigned(row, 1)?, seen: Timestamp(row.get(2)?) })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many events after `seq` are kept that a filter takes.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn waiting(&self, seq: u64, filter: &Filter) -> Result<u64, ReadError> {
        self.count(seq, u64::MAX, filter)
    }
}
