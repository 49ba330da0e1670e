//! Identity scores (Ristani et al., ECCV Workshops 2016).

use std::collections::BTreeMap;

use super::Sequence;
use crate::eval::assignment::maximise;

/// IoU from which a box is the right one.
const THRESHOLD: f64 = 0.5;

/// Boxes counted under the one-to-one pairing of tracks that gets the most of them right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Boxes of paired tracks that meet.
    pub tp: u64,
    /// Truth without that.
    pub misses: u64,
    /// Predictions without that.
    pub false_alarms: u64,
}

impl Identity {
    pub(in crate::eval) fn of(sequence: &Sequence) -> Self {
        let mut met: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for frame in &sequence.frames {
            for (t, p) in frame.pairs().filter(|(t, p)| frame.similarity(*t, *p) >= THRESHOLD) {
                *met.entry((frame.truth[t], frame.predictions[p])).or_default() += 1.0;
            }
        }
        let (rows, columns) = (sequence.truth_lengths.len(), sequence.prediction_lengths.len());
        // Leaving two tracks alone costs all their boxes, pairing them saves two per meeting: the cheapest pairing
        // is the one with most meetings.
        let mut meetings = vec![0.0; rows * columns];
        for ((t, p), count) in met {
            meetings[t * columns + p] = count;
        }
        let tp =
            maximise(&meetings, rows, columns).into_iter().map(|(t, p)| meetings[t * columns + p]).sum::<f64>() as u64;
        let boxes = |lengths: &[u32]| lengths.iter().map(|length| u64::from(*length)).sum::<u64>();
        Self { tp, misses: boxes(&sequence.truth_lengths) - tp, false_alarms: boxes(&sequence.prediction_lengths) - tp }
    }

    /// Adds the counts of another sequence, class or site.
    pub fn add(&mut self, other: &Self) {
        self.tp += other.tp;
        self.misses += other.misses;
        self.false_alarms += other.false_alarms;
    }

    /// IDF1: harmonic mean of IDP and IDR.
    #[must_use]
    pub fn idf1(&self) -> f64 {
        let all = self.tp as f64 + 0.5 * self.false_alarms as f64 + 0.5 * self.misses as f64;
        self.tp as f64 / all.max(1.0)
    }

    /// IDP: share of predictions that are right.
    #[must_use]
    pub fn idp(&self) -> f64 {
        self.tp as f64 / ((self.tp + self.false_alarms) as f64).max(1.0)
    }

    /// IDR: share of the truth that is found.
    #[must_use]
    pub fn idr(&self) -> f64 {
        self.tp as f64 / ((self.tp + self.misses) as f64).max(1.0)
    }
}
