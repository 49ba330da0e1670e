//! Which event makes the broker end the connection.

use std::time::{Duration, Instant};

use super::super::Stored;
use super::events::Rendered;
use super::session::Session;

/// The broker ends the connection so often over one event that was on its way alone, before another is tried.
const CUTS: u32 = 3;
/// A broker that does not take an event ends the connection this soon after it was sent.
const AT_ONCE: Duration = Duration::from_secs(5);
/// What was seen so long ago says nothing any more. Longer than the longest wait between two connections.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// MQTT 3.1.1 has no word for "too large": the broker just ends the connection. Sent again for ever, such an event
/// would hold up all others. But connections end for many reasons, and an event must not be lost to those: it is to
/// blame where it was the last thing sent on a connection that had just been alive, several times, and then a smaller
/// one is taken.
#[derive(Default)]
pub(super) struct Suspicion {
    suspect: Option<(u64, Instant)>,
    cuts: u32,
    largest_taken: usize,
}

/// What to do with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// As ever.
    HandOver,
    /// One at a time, each after an answer of the broker.
    Carefully,
    /// Only this one, which is smaller than the first: is it taken?
    Probe(usize),
    /// The first is to blame.
    Blame,
}

impl Suspicion {
    /// What to do with these.
    pub(super) fn step(&self, events: &[Stored], rendered: &[Rendered]) -> Step {
        let first = events.first().zip(rendered.first());
        let Some((_, first)) = first.filter(|(event, _)| self.suspects(event.seq)) else { return Step::HandOver };
        let smaller = |other: &Rendered| (1..first.bytes()).contains(&other.bytes());
        match rendered.iter().position(smaller) {
            _ if self.cuts < CUTS => Step::Carefully,
            Some(other) => Step::Probe(other),
            // Nothing else is there to be tried.
            None if self.largest_taken > 0 && first.bytes() > self.largest_taken => Step::Blame,
            None => Step::Carefully,
        }
    }

    fn suspects(&self, seq: u64) -> bool {
        self.suspect.is_some_and(|(suspect, seen)| suspect == seq && seen.elapsed() < FORGOTTEN)
    }

    /// One of this size was taken.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.largest_taken = self.largest_taken.max(bytes);
    }

    /// The broker ended the connection while this event was the first on its way. `counts`: nothing else can have been
    /// the reason, as far as can be seen.
    pub(super) fn cut(&mut self, seq: u64, counts: bool) {
        if !self.suspects(seq) {
            self.cuts = 0;
        }
        self.suspect = Some((seq, Instant::now()));
        self.cuts += u32::from(counts);
    }

    /// There is another reason, or it is settled.
    pub(super) fn clear(&mut self) {
        (self.suspect, self.cuts) = (None, 0);
    }
}

/// A delivery of one event at a time, each after an answer of the broker: an end of the connection then says something.
#[derive(Default)]
pub(super) struct Care {
    asked: Option<u64>,
    alive: bool,
    sent: Option<Instant>,
}

impl Care {
    /// Asks the broker whether it is there. True: it has answered, and events may be sent. `acknowledged`: something
    /// else was just answered.
    pub(super) fn alive(&mut self, session: &mut Session, acknowledged: bool) -> bool {
        match self.asked {
            _ if self.alive => {}
            None => {
                self.asked = Some(session.pongs());
                session.ping();
            }
            Some(before) => self.alive = acknowledged || session.pongs() > before,
        }
        self.alive
    }

    /// An event was sent.
    pub(super) fn sent(&mut self) {
        self.sent = Some(Instant::now());
    }

    /// The broker ended the connection because of it, as it seems.
    pub(super) fn tells(&self) -> bool {
        self.alive && self.sent.is_some_and(|sent| sent.elapsed() < AT_ONCE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::packets::Message;
    use super::*;

    fn event(seq: u64) -> Stored {
        Stored { seq, id: String::new(), event_type: String::new(), camera: String::new(), body: "".into() }
    }

    fn of(bytes: usize) -> Rendered {
        Rendered { messages: vec![Message { topic: String::new(), payload: vec![0; bytes], retain: false }] }
    }

    #[test]
    fn an_event_is_suspected_after_cuts_that_count_and_blamed_only_with_a_reason() {
        let (events, sizes) = ([event(7), event(8), event(9)], [of(6000), of(6000), of(100)]);
        let mut suspicion = Suspicion::default();
        assert_eq!(suspicion.step(&events, &sizes), Step::HandOver);
        for _ in 0..50 {
            suspicion.cut(7, false);
            assert_eq!(suspicion.step(&events, &sizes), Step::Carefully, "a connection that ends says nothing");
        }
        (0..CUTS).for_each(|_| suspicion.cut(7, true));
        assert_eq!(suspicion.step(&events, &sizes), Step::Probe(2), "a smaller one");
        assert_eq!(suspicion.step(&events[..2], &sizes[..2]), Step::Carefully, "nothing to compare it with");
        assert_eq!(suspicion.step(&events[1..], &sizes[1..]), Step::HandOver, "another one");
        suspicion.taken(5000);
        assert_eq!(suspicion.step(&events[..2], &sizes[..2]), Step::Blame, "larger than any that was taken");
        suspicion.taken(7000);
        assert_eq!(suspicion.step(&events[..2], &sizes[..2]), Step::Carefully);
        // The smaller one is cut off, too: it is not the event.
        suspicion.cut(9, false);
        assert_eq!(suspicion.step(&events, &sizes), Step::HandOver);
    }
}
