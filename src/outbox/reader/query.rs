//! What is asked for.

use std::time::Duration;

use super::super::filter::Filter;
use super::super::sinks::Stored;
use crate::types::time::Timestamp;

/// What is asked for, and how much of it at once.
#[derive(Clone, Debug)]
pub struct Query {
    /// Events with greater numbers only.
    pub after: u64,
    /// Events with smaller numbers only; `None`: to the end.
    pub before: Option<u64>,
    /// Numbered then or later.
    pub since: Option<Timestamp>,
    /// Numbered before.
    pub until: Option<Timestamp>,
    /// Which of them.
    pub filter: Filter,
    /// From which end.
    pub order: Order,
    /// So many at most, at least 1.
    pub limit: usize,
    /// No more once their bodies have so many bytes.
    pub max_bytes: usize,
    /// A search that takes longer comes back with what it has.
    pub budget: Duration,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            after: 0,
            before: None,
            since: None,
            until: None,
            filter: Filter::default(),
            order: Order::OldestFirst,
            limit: 1000,
            max_bytes: 4 << 20,
            budget: Duration::from_secs(2),
        }
    }
}

/// From which end a page is filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// `seq` grows.
    #[default]
    OldestFirst,
    /// `seq` falls.
    NewestFirst,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the order that was asked for.
    pub events: Vec<Stored>,
    /// The number up to which all that is asked for is here: the next page is after it, or before it where the newest
    /// come first.
    pub reached: u64,
    /// There may be more: the page is full, or the time is up.
    pub more: bool,
}

impl Query {
    /// Where a search has come that finds no event at all.
    pub(super) fn end_of_nothing(&self) -> u64 {
        match self.order {
            Order::OldestFirst => self.after,
            Order::NewestFirst => self.before.unwrap_or(0),
        }
    }

    /// The first and the last number that may be looked at.
    pub(super) fn bounds(&self, ends: Option<(u64, u64)>) -> Option<(u64, u64)> {
        let (first, last) = ends?;
        let from = self.after.saturating_add(1).max(first);
        let to = self.before.map_or(last, |before| before.saturating_sub(1).min(last));
        (from <= to).then_some((from, to))
    }
}
