//! What is durable so far, for whoever waits for more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The number of the last durable event. Whoever hears of a number here may tell the event to anybody.
#[derive(Debug, Default)]
pub struct Committed {
    state: Mutex<State>,
    changed: Condvar,
    /// Somebody found the data base damaged.
    damaged: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    last: u64,
    /// Nothing comes any more since the first; what there is must be delivered by the second.
    closing: Option<(Instant, Instant)>,
}

impl Committed {
    pub(super) fn new(last: u64) -> Self {
        Self {
            state: Mutex::new(State { last, closing: None }),
            changed: Condvar::new(),
            damaged: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the last durable event.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.state().last
    }

    /// Waits for an event after `seq`; answers the number of the last one, which may be `seq` after `timeout` or where
    /// no more will come.
    pub fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
        self.wait(timeout, |state| state.last > seq || state.closing.is_some()).last
    }

    /// Waits so long, or until no more events will come.
    pub(super) fn pause(&self, timeout: Duration) {
        self.wait(timeout, |state| state.closing.is_some());
    }

    /// Until when everything must be delivered, where that is known.
    pub(super) fn closing(&self) -> Option<Instant> {
        self.state().closing.map(|(_, deadline)| deadline)
    }

    /// Since when no more events come.
    pub(super) fn closing_since(&self) -> Option<Instant> {
        self.state().closing.map(|(since, _)| since)
    }

    /// Nothing can be written or read any more before another start; false where that was known.
    pub(super) fn damage(&self) -> bool {
        !self.damaged.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Acquire)
    }

    pub(super) fn advance(&self, last: u64) {
        self.state().last = last;
        self.changed.notify_all();
    }

    pub(super) fn close(&self, deadline: Instant) {
        self.state().closing.get_or_insert((Instant::now(), deadline));
        self.changed.notify_all();
    }

    fn wait(&self, timeout: Duration, enough: impl Fn(&State) -> bool) -> State {
        let waited = self.changed.wait_timeout_while(self.state(), timeout, |state| !enough(state));
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
