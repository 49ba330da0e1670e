//! What every head does with a box it has read.

use super::extras::Extras;
use crate::types::geometry::BBox;
use crate::vision::nms::Candidate;

/// Scores up to here are taken for 1: rounding, and the steps of quantised models.
const SCORE_TOLERANCE: f32 = 1.01;

/// Lets through candidates that are good enough, wanted and sound.
#[derive(Debug)]
pub(super) struct Sieve<'a, 't> {
    pub min_score: f32,
    /// By class of the model: is it wanted?
    pub wanted: &'a [bool],
    pub candidates: &'a mut Vec<Candidate>,
    pub rejected: &'a mut u64,
    /// What else the boxes have; a head that reads any says so before its first box.
    pub extras: Extras<'t>,
}

impl Sieve<'_, '_> {
    /// Judges box `index` of the output.
    #[inline]
    pub fn push(&mut self, index: usize, bbox: BBox, score: f32, class: usize) {
        if score < self.min_score {
            return;
        }
        let (Some(&wanted), Ok(class), Ok(index)) =
            (self.wanted.get(class), u16::try_from(class), u32::try_from(index))
        else {
            return self.reject();
        };
        // A NaN is not below the threshold either, and so comes this far.
        if score.is_nan() || score > SCORE_TOLERANCE || !bbox.is_valid() {
            return self.reject();
        }
        if wanted {
            // Only now: of thousands of boxes a few come this far.
            if !self.extras.sound(index as usize) {
                return self.reject();
            }
            self.candidates.push(Candidate { bbox, score: score.min(1.0), class, index });
        }
    }

    pub fn reject(&mut self) {
        *self.rejected += 1;
    }
}

/// Class with the highest score, the lowest of equals, and that score; NaN where any score is NaN.
#[inline]
pub(super) fn best_class(scores: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    let mut nan = false;
    for (class, &score) in scores.iter().enumerate() {
        nan |= score.is_nan();
        if score > best.1 {
            best = (class, score);
        }
    }
    if nan { (best.0, f32::NAN) } else { best }
}
