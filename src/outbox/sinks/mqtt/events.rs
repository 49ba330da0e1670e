//! Events as messages.

use super::super::Stored;
use super::super::dialects::Dialects;
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
    dialects: Dialects,
}

impl Events {
    pub(super) fn new(dialect: Dialect, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), topic: topics::events(prefix), dialects: Dialects::new(dialect) }
    }

    /// The topic of events.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Said at the end.
    pub(super) fn gone(&self) -> Message {
        super::gone(&self.prefix)
    }

    /// These events, one entry each; some have no message in some dialects.
    pub(super) fn render(&mut self, events: &[Stored]) -> Vec<Rendered> {
        let mut told = Vec::new();
        let mut entry = |event| {
            self.dialects.render(event, &mut told);
            let messages = told.drain(..).map(|message| Message {
                topic: topics::own(&self.prefix, message.topic),
                payload: message.body,
                retain: false,
            });
            Rendered { messages: messages.collect() }
        };
        events.iter().map(&mut entry).collect()
    }
}
