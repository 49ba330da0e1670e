//! Boxes, and what belongs to them: scores, keypoints, masks.

use super::Mean;
use crate::eval::assignment;
use crate::eval::boxes::{area, iou};
use crate::eval::coco::{Kind, Prediction, Truth, similarity};

/// Least overlap of two boxes that are taken for the same.
const SAME: f64 = 0.5;
/// A pair weighs more than any overlap.
const PAIR: f64 = 1e4;
/// Two boxes that count are one pair, and not two with a weak neighbour each: suppression leaves such neighbours.
const HALF_A_PAIR: f64 = 0.499 * PAIR;
/// Keypoints that the reference itself is less sure of are guesses, which nobody can agree with.
const SEEN: f64 = 0.5;
/// Share of a person's box that the person fills, for the scale of keypoint distances where there is no mask.
/// Source: xtcocotools, `cocoeval.py`, which takes 0.53 where an annotation has no area.
const FILLED: f64 = 0.53;

/// One to one: places in `reference` and in `other`, and the IoU, of what both found in one picture. Boxes that score less than
/// `counted` take part only beside one that scores more.
#[must_use]
pub fn pairs(reference: &[Prediction], other: &[Prediction], counted: f64) -> Vec<(usize, usize, f64)> {
    let counts = |prediction: &Prediction| prediction.score >= counted;
    let mut gains = Vec::with_capacity(reference.len() * other.len());
    let mut overlaps = Vec::with_capacity(gains.capacity());
    for a in reference {
        for b in other {
            let weight = match (counts(a), counts(b)) {
                (true, true) => PAIR,
                (false, false) => 0.0,
                _ => HALF_A_PAIR,
            };
            let overlap = if a.category == b.category && weight > 0.0 { iou(&a.bbox, &b.bbox, false) } else { 0.0 };
            overlaps.push(overlap);
            gains.push(if overlap >= SAME { weight + overlap } else { 0.0 });
        }
    }
    let assigned = assignment::maximise(&gains, reference.len(), other.len()).into_iter();
    let with_overlap = assigned.map(|(a, b)| (a, b, overlaps[a * other.len() + b]));
    with_overlap.filter(|(_, _, overlap)| *overlap >= SAME).collect()
}

/// What two engines found, picture by picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Boxes {
    /// The score from which a box counts.
    counted: f64,
    /// Boxes of the reference that count, and those of them that the other has.
    pub wanted: u64,
    /// See `wanted`.
    pub found: u64,
    /// Boxes of the other that count, and those of them that the reference has.
    pub given: u64,
    /// See `given`.
    pub confirmed: u64,
    /// IoU of pairs.
    pub iou: Mean,
    /// Difference of scores of pairs.
    pub score_off: Mean,
    /// The greatest of them.
    pub score_off_most: f64,
    /// Keypoint similarity of pairs.
    pub keypoints: Mean,
    /// Mask IoU of pairs.
    pub masks: Mean,
}

impl Boxes {
    /// Boxes count that score at least so much.
    #[must_use]
    pub fn new(counted: f64) -> Self {
        Self { counted, ..Self::default() }
    }

    /// Adds one picture: all that both found in it, the boxes that do not count as well.
    pub fn add(&mut self, reference: &[Prediction], other: &[Prediction]) {
        let counts = |prediction: &Prediction| u64::from(prediction.score >= self.counted);
        self.wanted += reference.iter().map(counts).sum::<u64>();
        self.given += other.iter().map(counts).sum::<u64>();
        for (a, b, overlap) in pairs(reference, other, self.counted) {
            let (a, b) = (&reference[a], &other[b]);
            self.found += u64::from(a.score >= self.counted);
            self.confirmed += u64::from(b.score >= self.counted);
            self.iou.add(overlap);
            let off = (a.score - b.score).abs();
            self.score_off.add(off);
            self.score_off_most = self.score_off_most.max(off);
            if let Some(truth) = pose(a) {
                self.keypoints.add(similarity(Kind::Keypoints, b, &truth));
            }
            match (&a.mask, &b.mask) {
                (Some(a), Some(b)) => self.masks.add(b.iou(a, false)),
                (None, None) => {}
                _ => self.masks.add(0.0),
            }
        }
    }

    /// F1 of the boxes, 0..1; `None` where the reference found none, which proves nothing.
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        let all = self.wanted + self.given;
        (self.wanted > 0).then(|| (self.found + self.confirmed) as f64 / all as f64)
    }

    /// 1 less the mean difference of scores, 0..1; `None` without a pair.
    #[must_use]
    pub fn scores(&self) -> Option<f64> {
        self.score_off.get().map(|off| (1.0 - off).clamp(0.0, 1.0))
    }
}

/// The reference's pose as a truth; `None` where it is sure of no keypoint.
fn pose(reference: &Prediction) -> Option<Truth> {
    let points = reference.keypoints.as_ref()?;
    let marked = points.iter().map(|&[x, y, score]| [x, y, if score >= SEEN { 2.0 } else { 0.0 }]);
    let keypoints: Vec<[f64; 3]> = marked.collect();
    keypoints.iter().any(|point| point[2] > 0.0).then(|| Truth {
        bbox: reference.bbox,
        area: area(&reference.bbox) * FILLED,
        keypoints: Some(keypoints),
        ..Truth::default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::mask::Rle;

    fn at(x: f64, score: f64) -> Prediction {
        Prediction { category: 1, score, bbox: [x, 300.0, 10.0, 20.0], ..Prediction::default() }
    }

    #[test]
    fn what_one_side_alone_finds_costs_both_ways() {
        let mut boxes = Boxes::new(0.25);
        // Two of three are found, and one of three is nowhere in the reference: 2 * 2 / (3 + 3).
        boxes.add(&[at(0.0, 0.9), at(50.0, 0.8), at(100.0, 0.7)], &[at(1.0, 0.8), at(50.0, 0.8), at(200.0, 0.6)]);
        assert_eq!((boxes.wanted, boxes.found, boxes.given, boxes.confirmed), (3, 2, 3, 2));
        assert!((boxes.f1().unwrap() - 4.0 / 6.0).abs() < 1e-12);
        // 9 of 11 columns are shared.
        assert!((boxes.iou.get().unwrap() - (9.0 / 11.0 + 1.0) / 2.0).abs() < 1e-12);
        assert!((boxes.scores().unwrap() - 0.95).abs() < 1e-12 && (boxes.score_off_most - 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_box_near_the_threshold_may_be_below_it_on_the_other_side() {
        let mut boxes = Boxes::new(0.25);
        boxes.add(&[at(0.0, 0.26), at(50.0, 0.24)], &[at(0.0, 0.24), at(50.0, 0.26)]);
        assert_eq!((boxes.wanted, boxes.found, boxes.given, boxes.confirmed), (1, 1, 1, 1));
        assert_eq!(boxes.f1(), Some(1.0));
        // Boxes that count on neither side are nobody's business.
        let mut weak = Boxes::new(0.25);
        weak.add(&[at(0.0, 0.2), at(100.0, 0.9)], &[at(0.0, 0.1), at(100.0, 0.9)]);
        assert_eq!((weak.iou.count(), weak.f1()), (1, Some(1.0)));
    }

    #[test]
    fn pictures_in_which_nobody_finds_anything_change_nothing() {
        let mut boxes = Boxes::new(0.25);
        boxes.add(&[at(0.0, 0.9), at(50.0, 0.9)], &[at(0.0, 0.9)]);
        let before = boxes.clone();
        (0..100).for_each(|_| boxes.add(&[], &[]));
        assert_eq!(boxes, before);
    }

    #[test]
    fn an_engine_that_finds_nothing_has_0_and_a_reference_that_finds_nothing_proves_nothing() {
        let mut boxes = Boxes::new(0.25);
        boxes.add(&[at(0.0, 0.9)], &[]);
        assert_eq!((boxes.f1(), boxes.scores()), (Some(0.0), None));
        let mut boxes = Boxes::new(0.25);
        boxes.add(&[], &[at(0.0, 0.9)]);
        assert_eq!(boxes.f1(), None);
    }

    #[test]
    fn classes_are_kept_apart_and_pairs_are_one_to_one() {
        let other = |x, score| Prediction { category: 2, ..at(x, score) };
        assert_eq!(pairs(&[at(0.0, 0.9)], &[other(0.0, 0.9)], 0.25), []);
        // One box cannot stand for two, and the one that counts goes first though another overlaps more.
        let found = pairs(&[at(0.0, 0.9)], &[at(0.0, 0.1), at(2.0, 0.9)], 0.25);
        assert_eq!(found.iter().map(|(a, b, _)| (*a, *b)).collect::<Vec<_>>(), [(0, 1)]);
        assert_eq!(pairs(&[at(0.0, 0.9)], &[], 0.25), []);
    }

    #[test]
    fn boxes_that_are_there_twice_agree_with_themselves() {
        // Suppression leaves a weak neighbour beside each; whoever paired crosswise would have two pairs for one.
        let found = [at(0.0, 0.9), at(3.0, 0.2), at(100.0, 0.8), at(102.0, 0.3)];
        let mut boxes = Boxes::new(0.25);
        boxes.add(&found, &found);
        assert_eq!((boxes.f1(), boxes.scores(), boxes.iou.get()), (Some(1.0), Some(1.0), Some(1.0)));
    }

    #[test]
    fn keypoints_are_judged_by_coco_and_only_those_that_the_reference_sees() {
        let person = |dx: f64, score: f64| Prediction {
            bbox: [100.0, 100.0, 40.0, 100.0],
            keypoints: Some(
                (0..17).map(|n| [110.0 + dx, 100.0 + f64::from(n), if n == 0 { score } else { 0.1 }]).collect(),
            ),
            ..at(0.0, 0.9)
        };
        let mut boxes = Boxes::new(0.25);
        boxes.add(&[person(0.0, 0.9)], &[person(2.0, 0.9)]);
        // The nose alone: exp(-d^2 / (2 s^2 k^2)) with k = 2 * .026 and s^2 the area.
        let want = (-4.0 / (2.0 * 40.0 * 100.0 * 0.53 * (2.0 * 0.026_f64).powi(2))).exp();
        assert!((boxes.keypoints.get().unwrap() - want).abs() < 1e-9, "{:?} instead of {want}", boxes.keypoints);
        let mut unsure = Boxes::new(0.25);
        unsure.add(&[person(0.0, 0.4)], &[person(30.0, 0.9)]);
        assert_eq!(unsure.keypoints.get(), None);
    }

    #[test]
    fn masks_of_a_pair_are_compared_and_a_missing_one_is_0() {
        let with =
            |counts: &[u32]| Prediction { mask: Some(Rle::new([2, 4], counts.to_vec()).unwrap()), ..at(0.0, 0.9) };
        let mut boxes = Boxes::new(0.25);
        boxes.add(&[with(&[0, 4, 4])], &[with(&[2, 4, 2])]);
        assert!((boxes.masks.get().unwrap() - 2.0 / 6.0).abs() < 1e-12);
        boxes.add(&[with(&[0, 4, 4])], &[at(0.0, 0.9)]);
        assert!((boxes.masks.get().unwrap() - 1.0 / 6.0).abs() < 1e-12);
    }
}
