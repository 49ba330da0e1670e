//! Which events are too old.
//!
//! A clock may be set while we run, and machines without a clock of their own begin in 1970 or, worse, at any other time.
//! So a jump of the clock is believed only after an hour, also one against the events of the last run, and an event that
//! says it is from before there was this program is as old as the next one that knows its time.

use std::time::{Duration, Instant};

use crate::types::time::Timestamp;

/// 2025-01-01T00:00:00Z: whoever says an earlier time does not know it.
pub(super) const NO_CLOCK: Timestamp = Timestamp(1_735_689_600_000_000);
/// A clock that goes so much faster than time itself was set.
const JUMP: Duration = Duration::from_secs(60);
pub(super) const BELIEVED_AFTER: Duration = Duration::from_secs(3600);
/// A device may have been off for so long without anybody wondering about its clock.
const OFF: Duration = Duration::from_secs(30 * 86_400);

/// How old events may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ages {
    /// Whoever says a later time was wrong about it.
    pub now: Timestamp,
    /// Events numbered before this are too old.
    pub cut: Timestamp,
}

/// What is too old, as time goes by.
#[derive(Debug)]
pub(super) struct Retention {
    keep: Duration,
    /// A moment at which the clock was believed.
    anchor: (Instant, Timestamp),
    jumped: Option<Instant>,
}

impl Retention {
    /// `newest`: when the last event was numbered, as far as that is known.
    pub fn new(keep: Duration, now: Instant, clock: Timestamp, newest: Option<Timestamp>) -> Self {
        match newest {
            Some(newest) if clock > later(newest, OFF + BELIEVED_AFTER) => {
                Self { keep, anchor: (now, newest), jumped: Some(now) }
            }
            _ => Self { keep, anchor: (now, clock), jumped: None },
        }
    }

    /// True where the clock says a time that is not believed yet.
    pub fn doubts(&self) -> bool {
        self.jumped.is_some()
    }

    /// Which events are too old.
    pub fn ages(&mut self, now: Instant, clock: Timestamp) -> Ages {
        let passed = now.saturating_duration_since(self.anchor.0);
        let expected = later(self.anchor.1, passed);
        if clock > later(expected, JUMP) {
            if now.saturating_duration_since(*self.jumped.get_or_insert(now)) >= BELIEVED_AFTER {
                (self.anchor, self.jumped) = ((now, clock), None);
            }
        } else {
            (self.anchor, self.jumped) = ((now, clock), None);
        }
        let time = later(self.anchor.1, now.saturating_duration_since(self.anchor.0));
        // Without a clock, nothing is known of what others say.
        let now = if time < NO_CLOCK { Timestamp(i64::MAX) } else { time };
        Ages { now, cut: Timestamp(time.0.saturating_sub(micros(self.keep))) }
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(micros(by)))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const CLOCK: Timestamp = Timestamp(1_795_000_000_000_000);

    impl Retention {
        fn cut_at(&mut self, now: Instant, clock: Timestamp) -> Timestamp {
            self.ages(now, clock).cut
        }
    }

    #[test]
    fn a_clock_far_ahead_of_the_last_event_at_the_start_is_not_believed_at_once() {
        let now = Instant::now();
        let year = later(CLOCK, 365 * DAY);
        let mut retention = Retention::new(DAY, now, year, Some(CLOCK));
        assert!(retention.doubts() && retention.cut_at(now, year) < CLOCK);
        // It is set right.
        let minute = Duration::from_secs(60);
        assert!(retention.cut_at(now + minute, later(CLOCK, minute)) < CLOCK && !retention.doubts());
        // It was right: the device was off for a year.
        let mut retention = Retention::new(DAY, now, year, Some(CLOCK));
        assert!(retention.cut_at(now + minute, later(year, minute)) < CLOCK);
        assert!(retention.cut_at(now + BELIEVED_AFTER, later(year, BELIEVED_AFTER)) > CLOCK);
        // Off for a month, that is nothing to wonder about.
        assert!(!Retention::new(DAY, now, later(CLOCK, 30 * DAY), Some(CLOCK)).doubts());
    }

    #[test]
    fn events_are_too_old_after_their_time() {
        let now = Instant::now();
        let mut retention = Retention::new(DAY, now, CLOCK, None);
        assert!(retention.cut_at(now + DAY / 2, later(CLOCK, DAY / 2)) < CLOCK);
        assert_eq!(retention.cut_at(now + 2 * DAY, later(CLOCK, 2 * DAY)), later(CLOCK, DAY));
    }

    #[test]
    fn a_clock_that_jumps_ahead_for_a_moment_costs_no_event() {
        let now = Instant::now();
        let mut retention = Retention::new(DAY, now, CLOCK, None);
        let minute = Duration::from_secs(60);
        assert!(retention.cut_at(now + minute, later(CLOCK, 400 * DAY)) < CLOCK);
        assert!(retention.cut_at(now + 2 * minute, later(CLOCK, 2 * minute)) < CLOCK);
        // One that stays so was right.
        let hour = 60 * minute;
        assert!(retention.cut_at(now + 3 * minute, later(CLOCK, 400 * DAY)) < CLOCK);
        assert!(retention.cut_at(now + 4 * minute + hour, later(CLOCK, 400 * DAY + hour)) > CLOCK);
    }
}
