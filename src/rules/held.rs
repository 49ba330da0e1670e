//! Has it been so for long enough?

use std::time::Duration;

use super::view::Moment;

/// A condition over time. What is not so for a moment only does not begin it anew.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    since: Option<Moment>,
    latest: Option<Moment>,
}

impl Held {
    /// It is so now, or not. Not so for `lapse` or less: it goes on.
    pub(super) fn see(&mut self, so: bool, now: Moment, lapse: Duration) {
        if so {
            self.since.get_or_insert(now);
            self.latest = Some(now);
        } else if self.latest.is_some_and(|latest| now.since(latest) > lapse) {
            self.since = None;
        }
    }

    /// Since when; `None`: it is not so.
    pub(super) fn since(&self) -> Option<Moment> {
        self.since
    }

    /// Since when, where it is so at this very moment, and has been for so long.
    pub(super) fn held(&self, time: Duration, now: Moment) -> Option<Moment> {
        self.since.filter(|since| self.latest == Some(now) && now.since(*since) >= time)
    }

    /// It is not so.
    pub(super) fn clear(&mut self) {
        self.since = None;
    }
}

/// A lapse that is borne by what must hold for `time`: a quarter of it, a second at most.
pub(super) fn lapse(time: Duration) -> Duration {
    (time / 4).min(Duration::from_secs(1))
}
