//! Has it been so for long enough, and did anybody look?

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

/// Longer from a frame to the next and nobody looked in between, at any usual pace.
const GAP: Duration = Duration::from_secs(2);
/// The same where frames are rarer than that: in steps as long as the one before.
const STEPS: u32 = 4;

/// When frames come, and where they stay away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    latest: Option<Moment>,
    step: Duration,
}

/// Nobody looked for a while: what was so before may have ended long ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unseen {
    /// The last frame before it.
    pub(super) last: Moment,
    /// Frames of so long tell what is so now: tracks begin anew.
    pub(super) settle: Duration,
}

impl Pace {
    /// A frame; tells of the gap before it.
    pub(super) fn see(&mut self, now: Moment) -> Option<Unseen> {
        let last = self.latest.replace(now)?;
        let settle = GAP.max(self.step.saturating_mul(STEPS));
        self.step = now.since(last);
        (self.step > settle).then_some(Unseen { last, settle })
    }

    /// There are no more; tells when the last one was.
    pub(super) fn end(&mut self) -> Option<Moment> {
        std::mem::take(self).latest
    }
}

/// A lapse that is borne by what must hold for `time`: a quarter of it, a second at most.
pub(super) fn lapse(time: Duration) -> Duration {
    (time / 4).min(Duration::from_secs(1))
}
