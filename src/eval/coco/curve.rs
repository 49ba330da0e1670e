//! Precision over recall, per IoU threshold (COCO API, `accumulate`).

use super::THRESHOLDS;
use super::matching::{Outcome, Picture};

/// Recall at which precision is read: 0, .01, ... 1.
const POINTS: usize = 101;

/// One category in one area range.
pub(super) struct Curve {
    /// Average precision, per IoU threshold.
    pub precision: [f64; THRESHOLDS],
    /// Greatest recall, per IoU threshold.
    pub recall: [f64; THRESHOLDS],
}

impl Curve {
    /// `None` where no object was wanted. The order of the pictures settles equal scores.
    pub fn of(pictures: &[Picture], area: [f64; 2]) -> Option<Self> {
        let mut outcomes = Vec::new();
        let wanted: usize = pictures.iter().map(|picture| picture.fare(area, &mut outcomes)).sum();
        if wanted == 0 {
            return None;
        }
        outcomes.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap_or(std::cmp::Ordering::Equal));
        let mut curve = Self { precision: [0.0; THRESHOLDS], recall: [0.0; THRESHOLDS] };
        for t in 0..THRESHOLDS {
            (curve.precision[t], curve.recall[t]) = at(&outcomes, t, wanted);
        }
        Some(curve)
    }

    /// Mean precision over the thresholds.
    pub fn ap(&self) -> f64 {
        self.precision.iter().sum::<f64>() / THRESHOLDS as f64
    }

    /// Mean greatest recall over the thresholds.
    pub fn ar(&self) -> f64 {
        self.recall.iter().sum::<f64>() / THRESHOLDS as f64
    }
}

/// Average precision and greatest recall at one threshold.
fn at(outcomes: &[Outcome], t: usize, wanted: usize) -> (f64, f64) {
    let (mut right, mut wrong) = (0.0, 0.0);
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        match outcome.right[t] {
            Some(true) => right += 1.0,
            Some(false) => wrong += 1.0,
            None => {}
        }
        points.push((right / wanted as f64, right / (wrong + right + f64::EPSILON)));
    }
    // Precision at a recall is the best at that recall or above.
    let mut best = 0.0_f64;
    for point in points.iter_mut().rev() {
        best = best.max(point.1);
        point.1 = best;
    }
    let read = |i: usize| {
        let recall = i as f64 * 0.01;
        points.get(points.partition_point(|point| point.0 < recall)).map_or(0.0, |point| point.1)
    };
    ((0..POINTS).map(read).sum::<f64>() / POINTS as f64, right / wanted as f64)
}
