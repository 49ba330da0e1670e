//! Which detections of a frame a tracker uses, and in which order.

use std::cmp::Ordering;

use super::Input;
use crate::types::detection::Detection;
use crate::types::geometry::BBox;

/// Most detections of one frame that are used; of more, those with the highest scores.
pub const MAX_DETECTIONS: usize = 1000;

/// Boxes that reach further from the frame's corner are ignored: their squares leave no
/// precision. Pixels.
const MAX_COORDINATE: f32 = 1e6;

/// Indices of a frame's usable detections, the highest scores first.
///
/// The order depends on what the detections are and not on how they were listed, so that whatever a
/// tracker settles by order does not depend on the detector's order either.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    /// Scores from `high_score` up that no track has taken yet.
    pub high: Vec<usize>,
    /// Scores from `low_score` up to `high_score` that no track has taken yet.
    pub low: Vec<usize>,
}

impl Sieve {
    /// Takes in a frame.
    pub fn sort_out(&mut self, input: &Input<'_>, low_score: f32, high_score: f32) {
        let detections = input.detections;
        self.high.clear();
        self.high.extend((0..detections.len()).filter(|&i| is_usable(&detections[i], low_score)));
        self.high.sort_unstable_by(|&a, &b| order(input, a, b));
        self.high.truncate(MAX_DETECTIONS);
        let high = self.high.partition_point(|&i| detections[i].score >= high_score);
        self.low.clear();
        self.low.extend_from_slice(&self.high[high..]);
        self.high.truncate(high);
    }
}

/// Whether a detection is a box with a score that is high enough.
pub(super) fn is_usable(detection: &Detection, low_score: f32) -> bool {
    let BBox { x1, y1, x2, y2 } = detection.bbox;
    detection.score.is_finite()
        && detection.score >= low_score
        && detection.bbox.is_valid()
        && [x1, y1, x2, y2].iter().all(|v| v.abs() <= MAX_COORDINATE)
}

/// By score, then by whatever tells two detections apart.
pub(super) fn order(input: &Input<'_>, a: usize, b: usize) -> Ordering {
    let (first, second) = (&input.detections[a], &input.detections[b]);
    let edges = |d: &Detection| [d.bbox.x1, d.bbox.y1, d.bbox.x2, d.bbox.y2];
    (second.score.total_cmp(&first.score))
        .then_with(|| compare(&edges(first), &edges(second)))
        .then_with(|| first.class.cmp(&second.class))
        .then_with(|| {
            let looks = |i| input.appearance.and_then(|all| all.get(i)).unwrap_or_default();
            compare(looks(a), looks(b))
        })
        .then_with(|| a.cmp(&b))
}

fn compare(a: &[f32], b: &[f32]) -> Ordering {
    let different = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
    different.unwrap_or_else(|| a.len().cmp(&b.len()))
}
