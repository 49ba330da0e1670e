//! Which events are too old.
//!
//! A clock may be set while we run, and machines without a clock of their own begin in 1970. So a jump of the clock is
//! believed only after an hour, and an event that says it is from before there was this program is as old as the next
//! one that knows its time.

use std::time::{Duration, Instant};

use crate::types::time::Timestamp;

/// 2025-01-01T00:00:00Z: whoever says an earlier time does not know it.
pub(super) const NO_CLOCK: Timestamp = Timestamp(1_735_689_600_000_000);
/// A clock that goes so much faster than time itself was set.
const JUMP: Duration = Duration::from_secs(60);
const BELIEVED_AFTER: Duration = Duration::from_secs(3600);

/// What is too old, as time goes by.
#[derive(Debug)]
pub(super) struct Retention {
    keep: Duration,
    /// A moment at which the clock was believed.
    anchor: (Instant, Timestamp),
    jumped: Option<Instant>,
}

impl Retention {
    pub fn new(keep: Duration, now: Instant, clock: Timestamp) -> Self {
        Self { keep, anchor: (now, clock), jumped: None }
    }

    /// Events numbered before this are too old.
    pub fn cut(&mut self, now: Instant, clock: Timestamp) -> Timestamp {
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
        Timestamp(time.0.saturating_sub(micros(self.keep)))
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

    #[test]
    fn events_are_too_old_after_their_time() {
        let now = Instant::now();
        let mut retention = Retention::new(DAY, now, CLOCK);
        assert!(retention.cut(now + DAY / 2, later(CLOCK, DAY / 2)) < CLOCK);
        assert_eq!(retention.cut(now + 2 * DAY, later(CLOCK, 2 * DAY)), later(CLOCK, DAY));
    }

    #[test]
    fn a_clock_that_jumps_ahead_for_a_moment_costs_no_event() {
        let now = Instant::now();
        let mut retention = Retention::new(DAY, now, CLOCK);
        let minute = Duration::from_secs(60);
        assert!(retention.cut(now + minute, later(CLOCK, 400 * DAY)) < CLOCK);
        assert!(retention.cut(now + 2 * minute, later(CLOCK, 2 * minute)) < CLOCK);
        // One that stays so was right.
        let hour = 60 * minute;
        assert!(retention.cut(now + 3 * minute, later(CLOCK, 400 * DAY)) < CLOCK);
        assert!(retention.cut(now + 4 * minute + hour, later(CLOCK, 400 * DAY + hour)) > CLOCK);
    }
}
