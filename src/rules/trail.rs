//! Where a track was lately.

use std::time::Duration;

/// Points that are kept at most.
const POINTS: usize = 32;
/// Longer without a point, and what was before says nothing any more.
const GAP: Duration = Duration::from_millis(1500);

/// A point of the way, in the unit of whoever keeps it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    pub(super) time: Duration,
    pub(super) at: [f32; 2],
}

/// The latest points of a way, no nearer in time than a spacing.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    points: [Point; POINTS],
    len: usize,
}

impl Trail {
    pub(super) fn new() -> Self {
        Self { points: [Point::default(); POINTS], len: 0 }
    }

    /// It was there then. Tells whether the point was taken; it is not where the latest is nearer in time than `spacing`.
    pub(super) fn push(&mut self, time: Duration, at: [f32; 2], spacing: Duration) -> bool {
        if let Some(latest) = self.points().last() {
            let since = time.saturating_sub(latest.time);
            if since > GAP {
                self.len = 0;
            } else if since + spacing / 4 < spacing {
                return false;
            }
        }
        if self.len == POINTS {
            self.points.copy_within(1.., 0);
            self.len -= 1;
        }
        if let Some(point) = self.points.get_mut(self.len) {
            *point = Point { time, at };
            self.len += 1;
        }
        true
    }

    /// In order of time.
    pub(super) fn points(&self) -> &[Point] {
        self.points.get(..self.len).unwrap_or_default()
    }
}
