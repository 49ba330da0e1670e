//! Which event makes the broker end the connection.

use super::super::Stored;

/// The broker ends the connection so often while one event is on its way alone: it will never take it.
const CUTS: u32 = 4;
/// Larger ones may be refused though no other was ever taken.
const LARGE: usize = 64 << 10;

/// MQTT 3.1.1 has no word for "too large": the broker just ends the connection. Sent again for ever, such an event
/// would hold up all others.
#[derive(Default)]
pub(super) struct Suspicion {
    seq: u64,
    cuts: u32,
    largest_taken: usize,
}

impl Suspicion {
    /// Is one event at a time to be sent?
    pub(super) fn careful(&self, events: &[Stored]) -> bool {
        self.cuts > 0 && events.first().is_some_and(|event| event.seq == self.seq)
    }

    /// One of this size was taken.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.largest_taken = self.largest_taken.max(bytes);
    }

    /// The broker ended the connection while this event was the first on its way; true: it is to blame.
    pub(super) fn cut(&mut self, seq: u64, bytes: usize) -> bool {
        if self.seq == seq {
            self.cuts += 1;
        } else {
            (self.seq, self.cuts) = (seq, 1);
        }
        let larger = if self.largest_taken > 0 { bytes > self.largest_taken } else { bytes > LARGE };
        self.cuts >= CUTS && larger
    }
}
