//! Events as messages.

use std::collections::VecDeque;

use super::super::Stored;
use super::packets::Message;
use super::topics;
use crate::config::Dialect;

/// An event as it goes out.
pub(super) struct Rendered {
    pub(super) seq: u64,
    pub(super) messages: Vec<Message>,
}

impl Rendered {
    /// The largest of its messages, topic included.
    pub(super) fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.payload.len() + message.topic.len()).max().unwrap_or(0)
    }
}

/// Renders each event once, however often it is handed over: a dialect may remember what it has told.
pub(super) struct Events {
    prefix: String,
    topic: String,
    /// Handed over before, and not taken.
    kept: VecDeque<Rendered>,
}

impl Events {
    pub(super) fn new(_dialect: Dialect, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), topic: topics::events(prefix), kept: VecDeque::new() }
    }

    /// The topic of events.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Said at the end.
    pub(super) fn gone(&self) -> Message {
        super::gone(&self.prefix)
    }

    /// These events, one entry each.
    pub(super) fn render(&mut self, events: &[Stored]) -> VecDeque<Rendered> {
        let mut kept = std::mem::take(&mut self.kept);
        events
            .iter()
            .map(|event| {
                while kept.front().is_some_and(|rendered| rendered.seq < event.seq) {
                    kept.pop_front();
                }
                let ready = kept.pop_front_if(|rendered| rendered.seq == event.seq);
                ready.unwrap_or_else(|| Rendered { seq: event.seq, messages: self.messages(event) })
            })
            .collect()
    }

    /// The first `done` of them need not be kept.
    pub(super) fn keep(&mut self, mut rendered: VecDeque<Rendered>, done: usize) {
        rendered.drain(..done.min(rendered.len()));
        self.kept = rendered;
    }

    fn messages(&self, event: &Stored) -> Vec<Message> {
        let payload = event.body.as_bytes().to_vec();
        vec![Message { topic: self.topic.clone(), payload, retain: false }]
    }
}
