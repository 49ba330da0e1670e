//! Events that are not durable yet, in memory.
//!
//! Usually they are those of the last fifty milliseconds. While nothing can be written, they are all of them, up to
//! [`HELD_EVENTS`] and [`HELD_BYTES`]: beyond, the newest are dropped, because what is kept then has no hole in it.
//! A hole takes its numbers all the same, so that consumers see it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::envelope::weight;
use crate::types::event::EventDraft;
use crate::types::time::Timestamp;

/// Events held in memory at most.
pub(super) const HELD_EVENTS: usize = 100_000;
/// Memory that they take at most, about.
pub(super) const HELD_BYTES: usize = 128 << 20;

/// What will take numbers.
#[derive(Debug)]
pub(super) enum Item {
    /// An event, and when the outbox took it.
    Event(Box<EventDraft>, Timestamp),
    /// So many events that are lost, the first one then.
    Lost { count: u64, since: Timestamp },
}

/// Between whoever has events and the one who writes them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    /// When the oldest of `items` came.
    first: Option<Instant>,
    /// Events in `items` and with the writer.
    events: usize,
    bytes: usize,
    closed: bool,
    abandoned: bool,
}

/// How it stands when the writer has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waited {
    /// No more will come.
    pub closed: bool,
    /// There is no time left.
    pub abandoned: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more event; false where it is dropped.
    pub fn push(&self, draft: EventDraft) -> bool {
        let (weight, now) = (weight(&draft), Timestamp::now());
        let mut state = self.state();
        let fits = state.events < HELD_EVENTS && state.bytes + weight <= HELD_BYTES;
        if fits {
            state.events += 1;
            state.bytes += weight;
            state.items.push_back(Item::Event(Box::new(draft), now));
        } else {
            state.lose(1, now);
        }
        let first = state.first.is_none();
        state.first.get_or_insert_with(Instant::now);
        // The writer counts by itself, from the first one on.
        if first || state.items.len() >= super::writer::BATCH {
            self.changed.notify_all();
        }
        fits
    }

    /// So many events were lost before anybody could keep them.
    pub fn push_lost(&self, count: u64) {
        self.state().lose(count, Timestamp::now());
        self.changed.notify_all();
    }

    /// Waits for `many` items, for those of `every`, or `until` then; adds up to `many` to `batch`.
    pub fn fill(&self, batch: &mut Vec<Item>, many: usize, every: Duration, until: Instant) -> Waited {
        let mut state = self.state();
        loop {
            let due = state.first.map(|first| first + every);
            let now = Instant::now();
            let ripe = state.items.len() >= many || due.is_some_and(|due| due <= now);
            if ripe || state.closed {
                let count = many.min(state.items.len());
                batch.extend(state.items.drain(..count));
                // What is left has waited already.
                state.first = (!state.items.is_empty()).then_some(now.checked_sub(every).unwrap_or(now));
                break;
            }
            if now >= until {
                break;
            }
            let time = due.map_or(until, |due| due.min(until)).saturating_duration_since(now);
            state = self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0;
        }
        Waited { closed: state.closed && state.items.is_empty(), abandoned: state.abandoned }
    }

    /// What the writer had is durable.
    pub fn settle(&self, batch: &mut Vec<Item>) {
        let mut state = self.state();
        for item in batch.drain(..) {
            if let Item::Event(draft, _) = item {
                state.events = state.events.saturating_sub(1);
                state.bytes = state.bytes.saturating_sub(weight(&draft));
            }
        }
    }

    /// Waits, before the next attempt; at its end there is no time left where the answer is true.
    pub fn pause(&self, time: Duration) -> bool {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.abandoned);
        waited.unwrap_or_else(PoisonError::into_inner).0.abandoned
    }

    /// No more will come.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// There is no time left.
    pub fn abandon(&self) {
        self.state().abandoned = true;
        self.changed.notify_all();
    }

    /// Events that are not durable, those that the writer has in hand included.
    pub fn waiting(&self) -> u64 {
        self.state().events as u64
    }

    /// Takes out whatever is left.
    pub fn take_all(&self, batch: &mut Vec<Item>) {
        batch.extend(self.state().items.drain(..));
    }
}

impl State {
    fn lose(&mut self, more: u64, now: Timestamp) {
        match self.items.back_mut() {
            Some(Item::Lost { count, .. }) => *count += more,
            _ => self.items.push_back(Item::Lost { count: more, since: now }),
        }
        self.first.get_or_insert_with(Instant::now);
    }
}

impl Item {
    /// Events that it stands for.
    pub fn events(&self) -> u64 {
        match self {
            Self::Event(..) => 1,
            Self::Lost { count, .. } => *count,
        }
    }
}
