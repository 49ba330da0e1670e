//! The outbox.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::{Counter, Histogram, header};
use crate::types::time::Timestamp;

/// No event.
const NONE: i64 = i64::MIN;

/// What the outbox counts.
#[derive(Debug)]
pub struct OutboxMetrics {
    /// Commits of events, from the first statement until they are on disk.
    pub commit: Histogram,
    /// Commits that failed and are tried again.
    pub failed_commits: Counter,
    /// Events deleted because they were too old or too many, delivered or not.
    pub pruned: Counter,
    /// Events that were never kept: nothing could be written, and too many waited in memory.
    pub dropped: Counter,
    events: AtomicU64,
    oldest_us: AtomicI64,
}

impl Default for OutboxMetrics {
    fn default() -> Self {
        Self {
            commit: Histogram::default(),
            failed_commits: Counter::default(),
            pruned: Counter::default(),
            dropped: Counter::default(),
            events: AtomicU64::new(0),
            oldest_us: AtomicI64::new(NONE),
        }
    }
}

impl OutboxMetrics {
    /// So many events are kept, the oldest from then (microseconds since 1970).
    pub fn show(&self, events: u64, oldest_us: Option<i64>) {
        self.events.store(events, Ordering::Relaxed);
        self.oldest_us.store(oldest_us.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// Events that are kept.
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    pub(super) fn render(&self, out: &mut String) {
        header(out, "outbox_depth", "gauge");
        let _ = writeln!(out, "watchkeeper_outbox_depth {}", self.depth());
        let oldest = self.oldest_us.load(Ordering::Relaxed);
        header(out, "outbox_oldest_seconds", "gauge");
        if oldest != NONE {
            let age = Timestamp::now().seconds_since(Timestamp(oldest)).max(0.0);
            let _ = writeln!(out, "watchkeeper_outbox_oldest_seconds {age:.3}");
        }
        header(out, "outbox_commit_seconds", "histogram");
        self.commit.render(out, "watchkeeper_outbox_commit_seconds", "");
        for (name, counter) in [
            ("outbox_failed_commits_total", &self.failed_commits),
            ("outbox_pruned_total", &self.pruned),
            ("outbox_dropped_total", &self.dropped),
        ] {
            header(out, name, "counter");
            let _ = writeln!(out, "watchkeeper_{name} {}", counter.get());
        }
    }
}
