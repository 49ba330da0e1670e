//! Frames a second, by when they arrive.

use std::collections::VecDeque;
use std::time::Duration;

use super::hold::Sign;
use crate::types::observation::Observation;
use crate::types::time::Clock;

/// Frames are counted over so long, microseconds.
const WINDOW: i64 = 10_000_000;
/// One mark each so long.
const MARK: i64 = 500_000;
/// The wall clock was set where it and the camera's time line differ by more from one frame to the next.
const SET: i64 = 5_000_000;

#[derive(Debug)]
pub(super) struct Rate {
    run: u32,
    /// When the latest frame arrived, and where it is on the camera's time line.
    latest: Option<(i64, Duration)>,
    /// When frames arrived and their numbers, a few of them.
    marks: VecDeque<(i64, u64)>,
}

impl Rate {
    pub fn new() -> Self {
        Self { run: 0, latest: None, marks: VecDeque::with_capacity((WINDOW / MARK) as usize + 4) }
    }

    pub fn forget(&mut self) {
        self.latest = None;
        self.marks.clear();
    }

    /// Frames a second where they were counted for long enough. Numbers count all that were decoded, whether or not
    /// they were looked at.
    pub fn see(&mut self, seen: &Observation) -> Option<f32> {
        let media = i64::try_from(seen.media_time.as_micros()).unwrap_or(i64::MAX);
        // A recording has no arrival that says anything.
        let now = if seen.capture.clock == Clock::Free { media } else { seen.arrival.0 };
        if self.run != seen.run {
            self.run = seen.run;
            self.forget();
        }
        if let Some((before, media_before)) = self.latest.replace((now, seen.media_time)) {
            let passed = i64::try_from(seen.media_time.saturating_sub(media_before).as_micros()).unwrap_or(i64::MAX);
            let by_clock = now.saturating_sub(before);
            if by_clock < 0 || by_clock.saturating_sub(passed).saturating_abs() > SET {
                self.marks.clear();
            }
        }
        if self.marks.back().is_some_and(|(at, _)| now.saturating_sub(*at) < MARK) {
            return None;
        }
        self.marks.push_back((now, seen.seq));
        while self.marks.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= WINDOW) {
            self.marks.pop_front();
        }
        let (since, first) = *self.marks.front()?;
        let span = now.saturating_sub(since);
        (span >= WINDOW).then(|| (seen.seq.saturating_sub(first) as f64 / (span as f64 / 1e6)) as f32)
    }

    /// A frame more or less is nothing.
    pub fn sign(fps: f32, least: f32) -> Sign {
        Sign::below(fps, least - 1e6 / WINDOW as f32, least - 0.005 * least)
    }
}
