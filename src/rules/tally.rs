//! How many are in a zone, by class: now, and over a stretch of time.

use std::time::Duration;

use serde_json::Map;

use super::gate::Gate;
use super::out::Out;
use crate::types::event::{EventType, Phase};
use crate::types::time::{CaptureTime, Timestamp};

/// How many are in a zone.
pub(super) struct Tally {
    /// Microseconds; stretches begin at multiples of it.
    every: Option<i64>,
    labels: Vec<String>,
    /// By class.
    now: Vec<u32>,
    /// By class, over the stretch.
    stretch: Vec<Range>,
    /// Number of the stretch, and frames in it so far.
    at: (i64, u64),
    /// When it began; after its number's beginning where a part of it was told before.
    from: Timestamp,
    /// The number of a stretch of which a part was told.
    told: Option<i64>,
}

/// Capture times that step back by less stay in their stretch, microseconds: clocks settle when a camera begins to tell
/// its own.
const SETTLES: i64 = 15_000_000;

#[derive(Clone, Copy, Default)]
struct Range {
    min: u32,
    max: u32,
    sum: u64,
    last: u32,
}

impl Tally {
    pub(super) fn new(every: Option<Duration>) -> Self {
        let every = every.and_then(|every| i64::try_from(every.as_micros()).ok()).filter(|every| *every > 0);
        let (now, stretch) = (Vec::new(), Vec::new());
        Self { every, labels: Vec::new(), now, stretch, at: (i64::MIN, 0), from: Timestamp(0), told: None }
    }

    /// By class.
    pub(super) fn now(&self) -> &[u32] {
        &self.now
    }

    /// Classes have these names now; a stretch begins anew. Returns their names so far.
    pub(super) fn heed(&mut self, labels: &[String]) -> Vec<String> {
        self.now = vec![0; labels.len()];
        self.stretch = vec![Range::default(); labels.len()];
        self.at.1 = 0;
        std::mem::replace(&mut self.labels, labels.to_vec())
    }

    /// These classes are there now.
    pub(super) fn set(&mut self, classes: impl Iterator<Item = u16>) {
        self.now.fill(0);
        for class in classes {
            if let Some(count) = self.now.get_mut(usize::from(class)) {
                *count += 1;
            }
        }
    }

    /// A frame; tells of the stretch that ended with the frame before it. `always`: labels that are told of even where
    /// there were none.
    pub(super) fn see(&mut self, always: &[String], gate: &Gate, out: &mut Out) {
        let (Some(every), CaptureTime { time, .. }) = (self.every, out.capture()) else { return };
        let begins = |number: i64| Timestamp(number.saturating_mul(every));
        let mut number = time.0.div_euclid(every);
        if number < self.at.0 && begins(self.at.0).0.saturating_sub(time.0) <= SETTLES {
            number = self.at.0;
        }
        if self.at.0 != number {
            self.tell(begins(self.at.0.saturating_add(1)), always, gate, out);
        }
        if self.at.1 == 0 {
            let in_part = self.told.take() == Some(number);
            self.from = if in_part { time.max(begins(number)) } else { begins(number) };
        }
        let is_first = self.at.1 == 0;
        self.at = (number, self.at.1 + 1);
        for (range, now) in self.stretch.iter_mut().zip(&self.now) {
            *range = Range {
                min: if is_first { *now } else { range.min.min(*now) },
                max: if is_first { *now } else { range.max.max(*now) },
                sum: if is_first { 0 } else { range.sum } + u64::from(*now),
                last: *now,
            };
        }
    }

    /// There are no more frames for now: tells of the stretch so far.
    pub(super) fn end(&mut self, always: &[String], gate: &Gate, out: &mut Out) {
        let (Some(every), true) = (self.every, self.at.1 > 0) else { return };
        let last = Timestamp(self.at.0.saturating_add(1).saturating_mul(every));
        self.told = Some(self.at.0);
        self.tell(out.now().clamp(self.from.min(last), last), always, gate, out);
    }

    /// Tells of the stretch, where there is one.
    fn tell(&mut self, until: Timestamp, always: &[String], gate: &Gate, out: &mut Out) {
        let frames = std::mem::take(&mut self.at.1);
        let CaptureTime { clock, .. } = out.capture();
        if frames == 0 || !gate.is_active(CaptureTime { time: self.from, clock }) {
            return;
        }
        let mut labels = Map::new();
        for (label, range) in self.labels.iter().zip(&self.stretch) {
            if range.max > 0 || always.contains(label) {
                let mean = (range.sum as f64 / frames as f64 * 100.0).round() / 100.0;
                let told = serde_json::json!({"min": range.min, "max": range.max, "mean": mean, "last": range.last});
                labels.insert(label.clone(), told);
            }
        }
        let mut data = Map::new();
        data.insert("from".to_owned(), self.from.to_string().into());
        data.insert("until".to_owned(), until.to_string().into());
        data.insert("frames".to_owned(), frames.into());
        data.insert("labels".to_owned(), labels.into());
        out.tell(gate, EventType::ZoneCount, Phase::Instant, None, data);
    }
}
