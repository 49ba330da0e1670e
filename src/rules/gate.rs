//! Who counts for a rule, and when it may fire.

use std::collections::VecDeque;
use std::time::Duration;

use super::geometry;
use super::view::View;
use crate::config::Common;
use crate::types::observation::Seen;
use crate::types::time::{CaptureTime, Clock};

/// Who counts: label, median score, size.
#[derive(Debug)]
pub(super) struct Filter {
    common: Common,
    /// By class; empty: all.
    classes: Vec<bool>,
}

impl Filter {
    pub(super) fn new(common: &Common) -> Self {
        Self { common: common.clone(), classes: Vec::new() }
    }

    /// Classes have these names now.
    pub(super) fn heed(&mut self, labels: &[String]) {
        self.classes.clear();
        if !self.common.classes.is_empty() {
            self.classes.extend(labels.iter().map(|label| self.common.classes.contains(label)));
        }
    }

    /// Does it count?
    pub(super) fn counts(&self, track: &Seen) -> bool {
        let height = track.bbox().height();
        (self.common.classes.is_empty() || self.classes.get(usize::from(track.class)).copied().unwrap_or(false))
            && track.median_score() >= self.common.min_score
            && (self.common.min_height..=self.common.max_height).contains(&height)
    }

    /// Where it is.
    pub(super) fn place(&self, track: &Seen) -> [f32; 2] {
        geometry::anchor(&track.bbox(), self.common.anchor)
    }

    /// Those that count, with where they are.
    pub(super) fn those<'a>(&self, view: &View<'a>) -> impl Iterator<Item = (&'a Seen, [f32; 2])> {
        view.seen.tracks.iter().filter(|track| self.counts(track)).map(|track| (track, self.place(track)))
    }
}

/// When it may fire: schedule, cool-down, times in an hour.
#[derive(Debug)]
pub(super) struct Gate {
    common: Common,
    /// For whom it fired and when, latest last: of the latest cool-down only. 0: for the place.
    fired: VecDeque<(u64, Duration)>,
    /// When it fired within the last hour; no more than `max_per_hour`.
    hour: VecDeque<Duration>,
}

/// What a gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It fires.
    Open,
    /// Not now: out of hours, or it fired for that track or place a moment ago.
    Closed,
    /// It fired often enough in this hour.
    HeldBack,
}

const HOUR: Duration = Duration::from_secs(3600);
/// Firings whose cool-down is kept; of more, the oldest may be told again early.
const MOST: usize = 1024;

impl Gate {
    pub(super) fn new(common: &Common) -> Self {
        let kept = if common.cooldown.is_zero() { 0 } else { 64 };
        let hour = common.max_per_hour.map_or(0, |most| (most as usize).min(64));
        Self { common: common.clone(), fired: VecDeque::with_capacity(kept), hour: VecDeque::with_capacity(hour) }
    }

    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    /// Is it within its hours? A recording has no time of day: always.
    pub(super) fn is_active(&self, capture: CaptureTime) -> bool {
        let active = self.common.active.as_ref();
        capture.clock == Clock::Free || active.is_none_or(|active| active.is_active(capture.time))
    }

    /// May it fire now for `about` (a track's number; 0: the place; `None`: cool-downs do not matter)? Then it is as
    /// good as done. `now` is on the camera's time line: clocks that are set do not matter.
    pub(super) fn opens(&mut self, about: Option<u64>, capture: CaptureTime, now: Duration) -> Answer {
        let about = about.filter(|_| !self.common.cooldown.is_zero());
        if !self.is_active(capture) || about.is_some_and(|about| self.cools_down(about, now)) {
            return Answer::Closed;
        }
        if let Some(most) = self.common.max_per_hour {
            while self.hour.front().is_some_and(|at| now.saturating_sub(*at) >= HOUR) {
                self.hour.pop_front();
            }
            if self.hour.len() >= most as usize {
                return Answer::HeldBack;
            }
            self.hour.push_back(now);
        }
        if let Some(about) = about {
            if self.fired.len() >= MOST {
                self.fired.pop_front();
            }
            self.fired.push_back((about, now));
        }
        Answer::Open
    }

    /// What it fired for `from` was for `to`.
    pub(super) fn hand_over(&mut self, from: u64, to: u64) {
        self.fired.iter_mut().filter(|(whom, _)| *whom == from).for_each(|(whom, _)| *whom = to);
    }

    fn cools_down(&mut self, about: u64, now: Duration) -> bool {
        while self.fired.front().is_some_and(|(_, at)| now.saturating_sub(*at) >= self.common.cooldown) {
            self.fired.pop_front();
        }
        self.fired.iter().any(|(whom, _)| *whom == about)
    }
}
