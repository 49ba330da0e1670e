//! How events are written for whom: the native schema `event/1`, Frigate's `frigate/events`, DeepStream's minimal
//! schema. A dialect other than the native one has words for some events only; the others give no message.

mod deepstream;
mod frigate;
mod native;
mod telling;

use super::Stored;
use crate::config::Dialect;

pub use frigate::{FRAME as FRIGATE_FRAME, MAX_TOLD as FRIGATE_MAX_TOLD, MAX_TRACKS as FRIGATE_MAX_TRACKS};

pub use deepstream::FRAME as DEEPSTREAM_FRAME;

/// What is published of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// End of the topic, such as `events`.
    pub topic: &'static str,
    /// JSON.
    pub body: Vec<u8>,
}

/// Writes the events of one sink, in order. Some dialects tell what changed, so what was told is remembered.
#[derive(Debug)]
pub struct Dialects(Writer);

#[derive(Debug)]
enum Writer {
    Native,
    Frigate(Box<frigate::Frigate>),
    Deepstream,
}

impl Dialects {
    /// A writer that has told nothing yet.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self(match dialect {
            Dialect::Native => Writer::Native,
            Dialect::Frigate => Writer::Frigate(Box::default()),
            Dialect::Deepstream => Writer::Deepstream,
        })
    }

    /// Appends what is to be published of `event`; nothing where the dialect has no words for it.
    ///
    /// Events come in the order of their numbers. One that could not be delivered may come again, and gives the same
    /// bytes again.
    pub fn render(&mut self, event: &Stored, out: &mut Vec<Message>) {
        let body = match &mut self.0 {
            Writer::Native => Some(native::render(event)),
            Writer::Frigate(frigate) => frigate.render(event),
            Writer::Deepstream => deepstream::render(event),
        };
        out.extend(body.map(|body| Message { topic: "events", body }));
    }
}
