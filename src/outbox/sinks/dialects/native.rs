//! Schema `event/1`: the event as it lies in the outbox.

use super::super::Stored;

pub(super) fn render(event: &Stored) -> Vec<u8> {
    event.body.as_bytes().to_vec()
}
