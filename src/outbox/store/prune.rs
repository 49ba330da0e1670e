//! The oldest events go.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::filter::Facts;
use super::super::retention::{Ages, NO_CLOCK};
use super::{Store, number, schema, unsigned};
use crate::types::time::Timestamp;

/// Events deleted between two looks at the clock.
const CHUNK: u32 = 32;
/// Work of one step.
const STEP: Duration = Duration::from_millis(10);
/// Free pages given back to the file system in one step.
const VACUUM_PAGES: u64 = 64;

/// Who says a time so much later than now does not know it, microseconds.
const AHEAD_US: i64 = 60 * 1_000_000;
/// Microseconds.
const DAY: u64 = 86_400 * 1_000_000;

/// An event that went.
pub(in crate::outbox) struct Candidate {
    pub seq: u64,
    event_type: String,
    camera: String,
    rule: String,
    label: String,
    emit: Timestamp,
    bytes: u64,
}

impl Candidate {
    pub fn facts(&self) -> Facts<'_> {
        Facts { event_type: &self.event_type, camera: &self.camera, rule: &self.rule, label: &self.label }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::outbox) struct Pruned {
    /// Events deleted.
    pub events: u64,
    /// There may be more to do.
    pub more: bool,
}

impl Store {
    /// Bytes of the file that are in use.
    ///
    /// # Errors
    /// As SQLite has it.
    pub fn used_bytes(&self) -> rusqlite::Result<u64> {
        used(&self.connection)
    }

    /// One small step: deletes the oldest while nearly `max_bytes` are in use, or they are too old. Each that went is
    /// shown to `gone`.
    ///
    /// # Errors
    /// Then nothing was deleted.
    pub fn prune(&mut self, ages: Ages, max_bytes: u64, mut gone: impl FnMut(&Candidate)) -> rusqlite::Result<Pruned> {
        let mut pruned = Pruned::default();
        if self.is_ripe(ages, max_bytes)? {
            let began = Instant::now();
            let (mut shown, mut oldest) = (Vec::new(), self.oldest);
            self.lazily(|store| {
                let mut head = store.head;
                let transaction = store.connection.transaction()?;
                loop {
                    let chunk = chunk(&transaction)?;
                    let too_many = used(&transaction)? > target(max_bytes);
                    let first = chunk.first().map_or(0, |event| event.seq);
                    if oldest.is_some_and(|(seq, _)| seq < first) {
                        oldest = first_known(&transaction, ages.now, first)?;
                    }
                    let count = if too_many { chunk.len() } else { count_older(&chunk, ages, oldest) };
                    let Some(last) = count.checked_sub(1).map(|at| chunk[at].seq) else { break };
                    transaction.prepare_cached("DELETE FROM events WHERE seq <= ?")?.execute(params![number(last)])?;
                    head.events -= count as u64;
                    head.bytes = head.bytes.saturating_sub(chunk[..count].iter().map(|event| event.bytes).sum());
                    pruned.events += count as u64;
                    shown.extend(chunk.into_iter().take(count));
                    if began.elapsed() >= STEP {
                        pruned.more = true;
                        break;
                    }
                }
                schema::write_head(&transaction, head)?;
                transaction.commit()?;
                store.head = head;
                Ok(())
            })?;
            shown.iter().for_each(&mut gone);
            let last = shown.last().map_or(0, |event: &Candidate| event.seq);
            // None knows its time: that is so until one comes that does, and looking costs a search through all.
            if oldest.is_some_and(|(seq, _)| seq <= last) {
                self.look_at_oldest(ages.now, last + 1)?;
            } else {
                self.oldest = oldest;
            }
        }
        if !pruned.more {
            pruned.more = self.give_back(max_bytes)?;
        }
        Ok(pruned)
    }

    /// Whether a step would delete an event.
    ///
    /// # Errors
    /// As SQLite has it.
    pub fn is_ripe(&mut self, ages: Ages, max_bytes: u64) -> rusqlite::Result<bool> {
        // What was ahead is so no longer, or the clock was set.
        if ages.now.0.abs_diff(self.now.0) > DAY {
            self.look_at_oldest(ages.now, 0)?;
        }
        let old = self.oldest.is_some_and(|(_, oldest)| oldest < ages.cut);
        Ok(self.head.events > 0 && (old || self.used_bytes()? > target(max_bytes)))
    }

    /// Free pages are used again; only where the file is larger than it may be, some go back to the file system.
    fn give_back(&mut self, max_bytes: u64) -> rusqlite::Result<bool> {
        let page = pragma(&self.connection, "page_size")?.max(1);
        let excess = pragma(&self.connection, "page_count")?.saturating_sub(max_bytes / page);
        let free = pragma(&self.connection, "freelist_count")?.min(excess);
        if free <= VACUUM_PAGES {
            return Ok(false);
        }
        self.lazily(|store| {
            // One row comes back for each page.
            let mut vacuum = store.connection.prepare_cached(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
            let mut rows = vacuum.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        })?;
        Ok(true)
    }
}

/// A commit may make it larger before the next step.
fn target(max_bytes: u64) -> u64 {
    max_bytes - max_bytes / 20
}

/// How many of these, from the first on, are too old. One is at least as old as any later one that knows its time;
/// `first` is the first of all that does.
fn count_older(chunk: &[Candidate], ages: Ages, first: Option<(u64, Timestamp)>) -> usize {
    let old = |event: &Candidate| event.emit >= NO_CLOCK && event.emit < ages.cut;
    match chunk.iter().rposition(old) {
        Some(at) => at + 1,
        // It lies behind all of these, which do not know their time.
        None if first.is_some_and(|(seq, emit)| chunk.last().is_some_and(|last| last.seq < seq) && emit < ages.cut) => {
            chunk.len()
        }
        None => 0,
    }
}

/// The first event from `from` on that knows its time.
pub(super) fn first_known(
    connection: &Connection,
    now: Timestamp,
    from: u64,
) -> rusqlite::Result<Option<(u64, Timestamp)>> {
    let sql = "SELECT seq, emit_us FROM events INDEXED BY scan WHERE seq >= ? AND emit_us >= ? AND emit_us <= ? \
               ORDER BY seq LIMIT 1";
    let latest = now.0.saturating_add(AHEAD_US);
    connection
        .prepare_cached(sql)?
        .query_row([number(from), NO_CLOCK.0, latest], |row| Ok((unsigned(row, 0)?, Timestamp(row.get(1)?))))
        .optional()
}

fn chunk(connection: &Connection) -> rusqlite::Result<Vec<Candidate>> {
    let sql = "SELECT seq, type, camera, rule, label, emit_us, octet_length(body) FROM events ORDER BY seq LIMIT ?";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([CHUNK], |row| {
        Ok(Candidate {
            seq: unsigned(row, 0)?,
            event_type: row.get(1)?,
            camera: row.get(2)?,
            rule: row.get(3)?,
            label: row.get(4)?,
            emit: Timestamp(row.get(5)?),
            bytes: unsigned(row, 6)?,
        })
    })?;
    rows.collect()
}

fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let pages = pragma(connection, "page_count")?.saturating_sub(pragma(connection, "freelist_count")?);
    Ok(pages * pragma(connection, "page_size")?)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    connection.prepare_cached(&format!("PRAGMA {name}"))?.query_row([], |row| unsigned(row, 0))
}
