//! The oldest events go.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::super::filter::Facts;
use super::super::retention::NO_CLOCK;
use super::{Store, number, schema, unsigned};
use crate::types::time::Timestamp;

/// Events deleted between two looks at the clock.
const CHUNK: u32 = 32;
/// Work of one step.
const STEP: Duration = Duration::from_millis(10);
/// Free pages given back to the file system in one step.
const VACUUM_PAGES: u64 = 64;

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

    /// One small step: deletes the oldest while nearly `max_bytes` are in use, or they are from before `cut`. Each
    /// that went is shown to `gone`.
    ///
    /// # Errors
    /// Then nothing was deleted.
    pub fn prune(
        &mut self,
        cut: Timestamp,
        max_bytes: u64,
        mut gone: impl FnMut(&Candidate),
    ) -> rusqlite::Result<Pruned> {
        // A commit may make it larger before the next step.
        let target = max_bytes - max_bytes / 20;
        let mut pruned = Pruned::default();
        let old = self.oldest.is_some_and(|oldest| oldest < cut);
        if self.head.events > 0 && (old || self.used_bytes()? > target) {
            let began = Instant::now();
            let mut shown = Vec::new();
            self.lazily(|store| {
                let mut head = store.head;
                let transaction = store.connection.transaction()?;
                loop {
                    let chunk = oldest(&transaction)?;
                    let too_many = used(&transaction)? > target;
                    let count = if too_many { chunk.len() } else { count_older(&chunk, cut, store.oldest) };
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
            self.look_at_oldest()?;
        }
        if !pruned.more {
            pruned.more = self.give_back(max_bytes)?;
        }
        Ok(pruned)
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

/// How many of these, from the first on, are from before `cut`. One that does not know its time is as old as the next
/// that does; `first` is the first of all that does.
fn count_older(chunk: &[Candidate], cut: Timestamp, first: Option<Timestamp>) -> usize {
    let known = |event: &&Candidate| event.emit >= NO_CLOCK;
    let next = |at: usize| chunk[at..].iter().find(known).map(|event| event.emit);
    let none_knows = !chunk.iter().any(|event| known(&event));
    let emit = |at: usize| next(at).or(first.filter(|_| none_knows));
    (0..chunk.len()).take_while(|at| emit(*at).is_some_and(|emit| emit < cut)).count()
}

fn oldest(connection: &Connection) -> rusqlite::Result<Vec<Candidate>> {
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
