//! Who counts for a rule, and when it may fire.

use std::collections::VecDeque;
use std::time::Duration;

use super::geometry;
use super::view::View;
use crate::config::Common;
use crate::types::observation::Seen;
use crate::types::time::Timestamp;

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
    /// Whom it fired for and when, latest last: of the latest cool-down only. 0: for the place.
    fired: VecDeque<(u64, Timestamp)>,
    /// When it fired within the last hour; no more than `max_per_hour`.
    hour: VecDeque<Timestamp>,
    /// Firings that were held back by `max_per_hour`.
    pub(super) held_back: u64,
}

const HOUR: i64 = 3_600_000_000;

impl Gate {
    pub(super) fn new(common: &Common) -> Self {
        Self { common: common.clone(), fired: VecDeque::new(), hour: VecDeque::new(), held_back: 0 }
    }

    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    /// May it fire for `about` (a track's number; 0: the place) now? Then it is as good as done.
    pub(super) fn opens(&mut self, about: u64, now: Timestamp) -> bool {
        if self.common.active.as_ref().is_some_and(|active| !active.is_active(now)) {
            return false;
        }
        if !self.common.cooldown.is_zero() {
            let since = Timestamp(now.0.saturating_sub(micros(self.common.cooldown)));
            while self.fired.front().is_some_and(|(_, at)| *at <= since) {
                self.fired.pop_front();
            }
            if self.fired.iter().any(|(whom, at)| *whom == about && *at > since) {
                return false;
            }
        }
        if let Some(most) = self.common.max_per_hour {
            while self.hour.front().is_some_and(|at| at.0 <= now.0.saturating_sub(HOUR)) {
                self.hour.pop_front();
            }
            if self.hour.len() >= most as usize {
                self.held_back += 1;
                return false;
            }
            self.hour.push_back(now);
        }
        if !self.common.cooldown.is_zero() {
            self.fired.push_back((about, now));
        }
        true
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
