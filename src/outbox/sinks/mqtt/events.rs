//! Events as messages.

use super::super::Stored;
use super::packets::Message;
use super::topics;
use crate::config::Dialect;

/// An event as it goes out.
pub(super) struct Rendered {
    pub(super) messages: Vec<Message>,
}

impl Rendered {
    /// The largest of its messages, topic included.
    pub(super) fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.payload.len() + message.topic.len()).max().unwrap_or(0)
    }
}

/// Writes events in the sink's dialect.
pub(super) struct Events {
    prefix: String,
    topic: String,
}

impl Events {
    pub(super) fn new(_dialect: Dialect, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), topic: topics::events(prefix) }
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
    pub(super) fn render(&mut self, events: &[Stored]) -> Vec<Rendered> {
        events.iter().map(|event| Rendered { messages: self.messages(event) }).collect()
    }

    fn messages(&self, event: &Stored) -> Vec<Message> {
        let payload = event.body.as_bytes().to_vec();
        vec![Message { topic: self.topic.clone(), payload, retain: false }]
    }
}
