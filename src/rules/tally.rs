//! How many are in a zone, by class: now, and over a stretch of time.

use std::time::Duration;

use serde_json::{Map, Value};

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
}

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
        Self { every, labels: Vec::new(), now: Vec::new(), stretch: Vec::new(), at: (0, 0) }
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
        let (Some(every), CaptureTime { time, clock }) = (self.every, out.capture()) else { return };
        let number = time.0.div_euclid(every);
        if self.at.1 > 0 && self.at.0 != number {
            let from = Timestamp(self.at.0.saturating_mul(every));
            if gate.is_active(CaptureTime { time: from, clock }) {
                let data = self.tell(from, every, always);
                out.tell(gate, EventType::ZoneCount, Phase::Instant, None, data);
            }
            self.at.1 = 0;
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

    fn tell(&self, from: Timestamp, every: i64, always: &[String]) -> Map<String, Value> {
        let frames = self.at.1;
        let mut labels = Map::new();
        for (label, range) in self.labels.iter().zip(&self.stretch) {
            if range.max > 0 || always.contains(label) {
                let mean = (range.sum as f64 / frames as f64 * 100.0).round() / 100.0;
                let told = serde_json::json!({"min": range.min, "max": range.max, "mean": mean, "last": range.last});
                labels.insert(label.clone(), told);
            }
        }
        let mut data = Map::new();
        data.insert("from".to_owned(), from.to_string().into());
        data.insert("until".to_owned(), Timestamp(from.0.saturating_add(every)).to_string().into());
        data.insert("frames".to_owned(), frames.into());
        data.insert("labels".to_owned(), labels.into());
        data
    }
}
