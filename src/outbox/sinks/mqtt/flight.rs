//! Messages of one delivery that wait for their acknowledgements.

use std::collections::HashMap;

use super::super::Failure;
use super::trouble::Verdict;

/// Which events of a delivery the broker has.
pub(super) struct Flight {
    /// Messages of each event that are not acknowledged yet, those not sent included.
    left: Vec<usize>,
    owners: HashMap<u16, usize>,
    /// The first event that is not taken, and why.
    failed: Option<(usize, Failure)>,
    /// The rest is for another delivery.
    enough: bool,
}

impl Flight {
    /// Of events with so many messages each.
    pub(super) fn new(messages: impl Iterator<Item = usize>) -> Self {
        Self { left: messages.collect(), owners: HashMap::new(), failed: None, enough: false }
    }

    /// A message of this event is on its way.
    pub(super) fn sent(&mut self, event: usize, id: u16) {
        self.owners.insert(id, event);
    }

    /// The event that a packet is of.
    pub(super) fn owner(&self, id: u16) -> Option<usize> {
        self.owners.get(&id).copied()
    }

    /// What the broker says of a packet; true: it has it.
    pub(super) fn answered(&mut self, id: u16, verdict: Verdict) -> bool {
        let Some(event) = self.owners.remove(&id) else { return false };
        let failure = match verdict {
            Verdict::Taken => {
                self.left[event] = self.left[event].saturating_sub(1);
                return true;
            }
            Verdict::Later(reason) => Failure::retry(reason),
            Verdict::Never(reason) => Failure::refused(reason),
        };
        self.fail(event, failure);
        false
    }

    /// This event will not be taken. Of several the first counts.
    pub(super) fn fail(&mut self, event: usize, failure: Failure) {
        if self.failed.as_ref().is_none_or(|(first, _)| event < *first) {
            self.failed = Some((event, failure));
        }
    }

    /// This took long enough: what is on its way is waited for, the rest is for another delivery.
    pub(super) fn enough(&mut self) {
        self.enough = true;
    }

    /// Nothing more is to be sent.
    pub(super) fn stopped(&self) -> bool {
        self.enough || self.failed.is_some()
    }

    /// Messages on their way.
    pub(super) fn waiting(&self) -> usize {
        self.owners.len()
    }

    /// Events at the beginning that the broker has.
    pub(super) fn done(&self) -> usize {
        let end = self.failed.as_ref().map_or(self.left.len(), |(event, _)| *event);
        self.left[..end].iter().position(|left| *left > 0).unwrap_or(end)
    }

    /// Every event is there.
    pub(super) fn complete(&self) -> bool {
        self.failed.is_none() && self.done() == self.left.len()
    }

    /// How it ended, once nothing is on its way: events that arrived, and what came of the next one.
    pub(super) fn end(self) -> (usize, Result<(), Failure>) {
        let done = self.done();
        match self.failed {
            Some((event, failure)) if event == done => (done, Err(failure)),
            // An event before it is not there either: the next delivery begins with that one.
            Some((_, failure)) => (done, Err(Failure::retry(failure.reason))),
            None => (done, Ok(())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::FailureKind;
    use super::*;

    #[test]
    fn what_arrived_ends_before_the_first_gap() {
        let mut flight = Flight::new([1, 0, 2, 1].into_iter());
        for (event, id) in [(0, 1), (2, 2), (2, 3), (3, 4)] {
            flight.sent(event, id);
        }
        assert_eq!(flight.done(), 0);
        assert!(flight.answered(4, Verdict::Taken) && flight.answered(1, Verdict::Taken));
        assert_eq!(flight.done(), 2, "an event without messages is done with");
        assert!(flight.answered(2, Verdict::Taken));
        assert_eq!((flight.done(), flight.waiting()), (2, 1));
        assert!(flight.answered(3, Verdict::Taken) && flight.complete());
        assert!(!flight.answered(9, Verdict::Taken), "nobody waits for it");
        assert!(matches!(flight.end(), (4, Ok(()))));
    }

    #[test]
    fn a_refused_event_is_told_only_once_it_is_the_next() {
        let refused = |arrived: bool| {
            let mut flight = Flight::new([1, 1, 1].into_iter());
            (0..3_u16).for_each(|id| flight.sent(usize::from(id), id));
            flight.answered(1, Verdict::Never("bad".to_owned()));
            flight.answered(2, Verdict::Later("busy".to_owned()));
            if arrived {
                flight.answered(0, Verdict::Taken);
            }
            let (done, result) = flight.end();
            (done, result.unwrap_err().kind)
        };
        assert_eq!(refused(true), (1, FailureKind::Refused));
        assert_eq!(refused(false), (0, FailureKind::Retry));
    }
}
