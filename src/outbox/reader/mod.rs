//! Reading what is kept, also from another process while the daemon runs, and without disturbing it.
//!
//! A search goes through the index `scan` in stretches of some ten thousand numbers, each a read of its own, so that it
//! holds up neither the writer's log nor its caller: whatever the filter, a page comes back after [`Query::budget`].

mod open;
mod query;
mod stats;

use std::path::Path;
use std::time::Instant;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};

pub use query::{Order, Page, Query};
pub use stats::{Cursor, Stats, Tally};

use super::OutboxError;
use super::damage::is_damage;
use super::filter::Filter;
use super::sinks::Stored;
use super::store::{advice, number, unsigned};
use crate::types::time::Timestamp;

/// Numbers searched in one read.
const STRETCH: u64 = 16_384;

/// A read-only connection.
pub struct Reader {
    connection: Connection,
}

/// Why the outbox cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}", advice(.0))]
pub struct ReadError(#[from] rusqlite::Error);

impl ReadError {
    /// True where the file is to blame.
    pub(super) fn is_damage(&self) -> bool {
        is_damage(&self.0)
    }
}

impl Reader {
    /// Opens the outbox in a state folder.
    ///
    /// # Errors
    /// There is none, it is another version's, or it cannot be read.
    pub fn open(state_dir: &Path) -> Result<Self, OutboxError> {
        Ok(Self { connection: open::connection(state_dir)? })
    }

    /// Numbers of the first and the last event that are kept; `None`: there is none.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn ends(&self) -> Result<Option<(u64, u64)>, ReadError> {
        let end = |sql| self.connection.prepare_cached(sql)?.query_row([], |row| unsigned(row, 0)).optional();
        let first = end("SELECT seq FROM events ORDER BY seq LIMIT 1")?;
        let last = end("SELECT seq FROM events ORDER BY seq DESC LIMIT 1")?;
        Ok(first.zip(last))
    }

    /// A page of events.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn page(&self, query: &Query) -> Result<Page, ReadError> {
        let began = Instant::now();
        let ends = self.ends()?;
        let mut page = Page { events: Vec::new(), reached: query.end_of_nothing(), more: false };
        let Some((mut from, mut to)) = query.bounds(ends) else { return Ok(page) };
        let mut bytes = 0;
        loop {
            // There may be gaps, and wide ones.
            let Some(next) = self.next_kept((from, to), query.order)? else {
                page.reached = match query.order {
                    Order::OldestFirst => to,
                    Order::NewestFirst => from,
                };
                return Ok(page);
            };
            match query.order {
                Order::OldestFirst => from = next,
                Order::NewestFirst => to = next,
            }
            let (low, high) = match query.order {
                Order::OldestFirst => (from, to.min(from.saturating_add(STRETCH - 1))),
                Order::NewestFirst => (from.max(to.saturating_sub(STRETCH - 1)), to),
            };
            let room = query.limit.saturating_sub(page.events.len());
            let full = self.stretch((low, high), query, room, &mut page.events, &mut bytes)?;
            let end = match query.order {
                Order::OldestFirst => high,
                Order::NewestFirst => low,
            };
            page.reached = match page.events.last() {
                Some(last) if full => last.seq,
                _ => end,
            };
            match query.order {
                Order::OldestFirst => from = page.reached.saturating_add(1),
                Order::NewestFirst => to = page.reached.saturating_sub(1),
            }
            if from > to {
                return Ok(page);
            }
            if full || began.elapsed() >= query.budget {
                page.more = true;
                return Ok(page);
            }
        }
    }

    /// The first number between these two that is kept, from the end that is asked for.
    fn next_kept(&self, (from, to): (u64, u64), order: Order) -> rusqlite::Result<Option<u64>> {
        let sql = match order {
            Order::OldestFirst => "SELECT seq FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT 1",
            Order::NewestFirst => "SELECT seq FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 1",
        };
        let mut select = self.connection.prepare_cached(sql)?;
        select.query_row([number(from), number(to)], |row| unsigned(row, 0)).optional()
    }

    /// Reads what fits of some numbers; true where it ended before they did, because the page is full.
    fn stretch(
        &self,
        (low, high): (u64, u64),
        query: &Query,
        room: usize,
        events: &mut Vec<Stored>,
        bytes: &mut usize,
    ) -> Result<bool, ReadError> {
        let mut sql =
            String::from("SELECT seq, id, type, camera, body FROM events INDEXED BY scan WHERE seq BETWEEN ? AND ?");
        let mut values = vec![Value::Integer(number(low)), Value::Integer(number(high))];
        for (bound, condition) in [(query.since, " AND emit_us >= ?"), (query.until, " AND emit_us < ?")] {
            if let Some(Timestamp(us)) = bound {
                sql.push_str(condition);
                values.push(Value::Integer(us));
            }
        }
        query.filter.conditions(&mut sql, &mut values);
        sql.push_str(match query.order {
            Order::OldestFirst => " ORDER BY seq",
            Order::NewestFirst => " ORDER BY seq DESC",
        });
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(values))?;
        let before = events.len();
        while let Some(row) = rows.next()? {
            let event = stored(row)?;
            *bytes += event.body.len();
            events.push(event);
            if events.len() - before >= room || *bytes >= query.max_bytes {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The event of this id; `None`: there is none, or no longer.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn by_id(&self, id: &str) -> Result<Option<Stored>, ReadError> {
        let sql = "SELECT seq, id, type, camera, body FROM events WHERE id = ?";
        Ok(self.connection.prepare_cached(sql)?.query_row([id.to_ascii_uppercase()], stored).optional()?)
    }

    /// The event of this number; `None`: there is none, or no longer.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn by_seq(&self, seq: u64) -> Result<Option<Stored>, ReadError> {
        let sql = "SELECT seq, id, type, camera, body FROM events WHERE seq = ?";
        Ok(self.connection.prepare_cached(sql)?.query_row([number(seq)], stored).optional()?)
    }

    /// How many events after `after`, up to `to`, a filter takes.
    pub(super) fn count(&self, after: u64, to: u64, filter: &Filter) -> Result<u64, ReadError> {
        let mut sql = String::from("SELECT count(*) FROM events INDEXED BY scan WHERE seq > ? AND seq <= ?");
        let mut values = vec![Value::Integer(number(after)), Value::Integer(number(to))];
        filter.conditions(&mut sql, &mut values);
        Ok(self.connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| unsigned(row, 0))?)
    }
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        seq: unsigned(row, 0)?,
        id: row.get(1)?,
        event_type: row.get(2)?,
        camera: row.get(3)?,
        body: row.get_ref(4)?.as_str()?.into(),
    })
}
