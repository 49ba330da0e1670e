//! What is sent of a batch of events, in a sink's dialect.

use super::Stored;
use super::dialects::Dialects;
use crate::config::Dialect;

/// One message.
pub(super) struct Outgoing {
    /// Which event of the batch it is of.
    pub(super) event: usize,
    /// Which message of that event, from 0.
    pub(super) part: usize,
    /// JSON.
    pub(super) body: Vec<u8>,
}

/// Writes batches.
pub(super) struct Bodies(Dialects);

impl Bodies {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self(Dialects::new(dialect))
    }

    /// The messages of all `events`, in order. One for which the dialect has no words gives none.
    pub(super) fn of(&mut self, events: &[Stored]) -> Vec<Outgoing> {
        let mut all = Vec::with_capacity(events.len());
        let mut messages = Vec::new();
        for (event, stored) in events.iter().enumerate() {
            self.0.render(stored, &mut messages);
            let numbered = messages.drain(..).enumerate();
            all.extend(numbered.map(|(part, message)| Outgoing { event, part, body: message.body }));
        }
        all
    }
}
