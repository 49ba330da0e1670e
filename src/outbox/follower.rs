//! What a sink and the writer know of each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::filter::{Facts, Filter};
use crate::telemetry::metrics::SinkMetrics;

/// One sink, as the writer sees it.
#[derive(Debug)]
pub(super) struct Follower {
    pub id: String,
    pub filter: Filter,
    pub metrics: Arc<SinkMetrics>,
    /// Numbers up to which it has read events into memory. Whoever holds it keeps them from being read, or pruned.
    taken: Mutex<u64>,
    /// Numbers up to which all was delivered, for good.
    delivered: AtomicU64,
    /// It was told in the log that events were pruned before it took them.
    told: AtomicBool,
}

impl Follower {
    pub fn new(id: String, filter: Filter, metrics: Arc<SinkMetrics>, cursor: u64) -> Self {
        Self {
            id,
            filter,
            metrics,
            taken: Mutex::new(cursor),
            delivered: AtomicU64::new(cursor),
            told: AtomicBool::new(false),
        }
    }

    /// While the sink reads, or the writer prunes.
    pub fn taken(&self) -> MutexGuard<'_, u64> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cursor that may be kept.
    pub fn cursor(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    /// All up to this number was delivered, for good.
    pub fn set_cursor(&self, seq: u64) {
        self.delivered.fetch_max(seq, Ordering::AcqRel);
    }

    /// An event of the outbox is now there to be taken.
    pub fn count_committed(&self, facts: Facts<'_>) {
        if self.filter.takes(facts) {
            self.metrics.queued.inc();
        }
    }

    /// An event that it had not taken is gone.
    pub fn count_pruned(&self, facts: Facts<'_>, seq: u64) {
        if !self.filter.takes(facts) {
            return;
        }
        self.metrics.dropped.inc();
        if !self.told.swap(true, Ordering::Relaxed) {
            let sink = &self.id;
            tracing::error!(
                sink,
                seq,
                "events lost: they were deleted by outbox.keep or max_bytes before this sink took them"
            );
        }
    }

    /// It has come so far that nothing is deleted before it takes it; the next time is news.
    pub fn caught_up(&self) {
        if self.told.swap(false, Ordering::Relaxed) {
            tracing::info!(sink = %self.id, dropped = self.metrics.dropped.get(), "no more events are lost");
        }
    }
}
