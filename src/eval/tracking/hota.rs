//! Higher order tracking accuracy (Luiten et al., IJCV 129, 2021).

use std::collections::BTreeMap;

use super::{Frame, Sequence};
use crate::eval::assignment::maximise;

/// Number of localisation thresholds: .05, .10, ... .95.
const ALPHAS: usize = 19;

/// Counts and sums per threshold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hota {
    per_alpha: [PerAlpha; ALPHAS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct PerAlpha {
    tp: f64,
    misses: f64,
    false_alarms: f64,
    /// Sum of IoU over matches.
    similarity: f64,
    /// Sum over matches of the share that their pair of tracks has in both.
    association: f64,
}

impl PerAlpha {
    fn deta(&self) -> f64 {
        self.tp / (self.tp + self.misses + self.false_alarms).max(1.0)
    }

    fn assa(&self) -> f64 {
        self.association / self.tp.max(1.0)
    }
}

impl Hota {
    pub(super) fn of(sequence: &Sequence) -> Self {
        let mut hota = Self::default();
        let alignment = alignment(sequence);
        // Matches per threshold of each pair of tracks.
        let mut matches: BTreeMap<(usize, usize), [u32; ALPHAS]> = BTreeMap::new();
        for frame in &sequence.frames {
            let gains: Vec<f64> = frame
                .pairs()
                .map(|(t, p)| {
                    let aligned = alignment.get(&(frame.truth[t], frame.predictions[p])).copied().unwrap_or(0.0);
                    aligned * frame.similarity(t, p)
                })
                .collect();
            let pairs = maximise(&gains, frame.truth.len(), frame.predictions.len());
            hota.count(frame, &pairs, &mut matches);
        }
        for ((truth, prediction), counts) in matches {
            let lengths = sequence.truth_lengths[truth] + sequence.prediction_lengths[prediction];
            for (per_alpha, count) in hota.per_alpha.iter_mut().zip(counts) {
                per_alpha.association += f64::from(count).powi(2) / f64::from((lengths - count).max(1));
            }
        }
        hota
    }

    fn count(
        &mut self,
        frame: &Frame,
        pairs: &[(usize, usize)],
        matches: &mut BTreeMap<(usize, usize), [u32; ALPHAS]>,
    ) {
        for (a, per_alpha) in self.per_alpha.iter_mut().enumerate() {
            let alpha = 0.05 + a as f64 * 0.05;
            let mut tp = 0.0;
            for &(t, p) in pairs.iter().filter(|(t, p)| frame.similarity(*t, *p) >= alpha - f64::EPSILON) {
                tp += 1.0;
                per_alpha.similarity += frame.similarity(t, p);
                matches.entry((frame.truth[t], frame.predictions[p])).or_default()[a] += 1;
            }
            per_alpha.tp += tp;
            per_alpha.misses += frame.truth.len() as f64 - tp;
            per_alpha.false_alarms += frame.predictions.len() as f64 - tp;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (mine, other) in self.per_alpha.iter_mut().zip(&other.per_alpha) {
            mine.tp += other.tp;
            mine.misses += other.misses;
            mine.false_alarms += other.false_alarms;
            mine.similarity += other.similarity;
            mine.association += other.association;
        }
    }

    fn mean(&self, value: impl Fn(&PerAlpha) -> f64) -> f64 {
        self.per_alpha.iter().map(value).sum::<f64>() / ALPHAS as f64
    }

    /// HOTA: geometric mean of detection and association, averaged over thresholds.
    #[must_use]
    pub fn hota(&self) -> f64 {
        self.mean(|at| (at.deta() * at.assa()).sqrt())
    }

    /// `DetA`: matches over matches, misses and false alarms.
    #[must_use]
    pub fn deta(&self) -> f64 {
        self.mean(PerAlpha::deta)
    }

    /// `AssA`: how much of its two tracks each match stands for.
    #[must_use]
    pub fn assa(&self) -> f64 {
        self.mean(PerAlpha::assa)
    }

    /// `LocA`: IoU of matches; 1 at thresholds where nothing matches.
    #[must_use]
    pub fn loca(&self) -> f64 {
        self.mean(|at| at.similarity.max(1e-10) / at.tp.max(1e-10))
    }
}

/// How much each pair of tracks overlaps over the whole sequence, 0..1; pairs that never do are left out.
fn alignment(sequence: &Sequence) -> BTreeMap<(usize, usize), f64> {
    let mut shared: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for frame in &sequence.frames {
        let (mut rows, mut columns) = (vec![0.0; frame.truth.len()], vec![0.0; frame.predictions.len()]);
        for (t, p) in frame.pairs() {
            rows[t] += frame.similarity(t, p);
            columns[p] += frame.similarity(t, p);
        }
        for (t, p) in frame.pairs() {
            let similarity = frame.similarity(t, p);
            let all = rows[t] + columns[p] - similarity;
            if similarity > 0.0 && all > f64::EPSILON {
                *shared.entry((frame.truth[t], frame.predictions[p])).or_default() += similarity / all;
            }
        }
    }
    for ((truth, prediction), shared) in &mut shared {
        let lengths = f64::from(sequence.truth_lengths[*truth] + sequence.prediction_lengths[*prediction]);
        *shared /= lengths - *shared;
    }
    shared
}
