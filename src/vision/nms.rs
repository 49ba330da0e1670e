//! Non-maximum suppression.

use std::cmp::Ordering;

use crate::types::geometry::BBox;

/// Most candidates that are compared with each other, the best ones: bounds the time that a model full of
/// boxes can take. Ten times what a crowded frame gives at a low threshold.
pub const MAX_CANDIDATES: usize = 3000;

/// A box that may become a detection, in pixels of the model's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The box; valid, see [`BBox::is_valid`].
    pub bbox: BBox,
    /// Confidence, 0..1, finite.
    pub score: f32,
    /// Index into the model's labels.
    pub class: u16,
    /// Place in the model's output; of two equal scores the lower index goes first.
    pub index: u32,
}

/// Greedy suppression: a box is dropped where it overlaps a better one by more than `iou`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nms {
    /// Largest intersection over union that two kept boxes may have, 0..1.
    pub iou: f32,
    /// Boxes of different classes suppress each other.
    pub across_classes: bool,
    /// Most boxes kept.
    pub limit: usize,
}

impl Nms {
    /// Leaves in `candidates` those to keep, best first. Same input, same result; no allocation.
    ///
    /// Takes time for at most [`MAX_CANDIDATES`] x `limit` comparisons.
    pub fn run(&self, candidates: &mut Vec<Candidate>) {
        best_first(candidates, MAX_CANDIDATES);
        let mut kept = 0;
        for i in 0..candidates.len() {
            if kept == self.limit {
                break;
            }
            let candidate = candidates[i];
            let suppressed = candidates[..kept].iter().any(|better| {
                (self.across_classes || better.class == candidate.class) && better.bbox.iou(&candidate.bbox) > self.iou
            });
            if !suppressed {
                candidates[kept] = candidate;
                kept += 1;
            }
        }
        candidates.truncate(kept);
    }
}

/// Leaves in `candidates` the `limit` with the highest scores, best first, ties by index.
pub fn best_first(candidates: &mut Vec<Candidate>, limit: usize) {
    if limit < candidates.len() {
        candidates.select_nth_unstable_by(limit, order);
        candidates.truncate(limit);
    }
    candidates.sort_unstable_by(order);
}

fn order(a: &Candidate, b: &Candidate) -> Ordering {
    b.score.total_cmp(&a.score).then(a.index.cmp(&b.index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(index: u32, score: f32, class: u16, x: f32, y: f32) -> Candidate {
        // x near 0, y near 1000: swapped axes would show
        Candidate { bbox: BBox::new(x, 1000.0 + y, x + 10.0, 1020.0 + y), score, class, index }
    }

    fn indices(nms: Nms, mut candidates: Vec<Candidate>) -> Vec<u32> {
        nms.run(&mut candidates);
        candidates.iter().map(|c| c.index).collect()
    }

    const NMS: Nms = Nms { iou: 0.5, across_classes: false, limit: 300 };

    #[test]
    fn a_better_box_suppresses_those_it_overlaps() {
        let boxes = vec![
            candidate(0, 0.6, 1, 1.0, 0.0), // overlaps 1 by 9/11
            candidate(1, 0.9, 1, 0.0, 0.0),
            candidate(2, 0.8, 2, 0.0, 0.0),  // same place, other class
            candidate(3, 0.7, 1, 0.0, 18.0), // overlaps 1 by 2/38
        ];
        assert_eq!(indices(NMS, boxes.clone()), [1, 2, 3]);
        assert_eq!(indices(Nms { across_classes: true, ..NMS }, boxes.clone()), [1, 3]);
        assert_eq!(indices(Nms { iou: 0.9, ..NMS }, boxes.clone()), [1, 2, 3, 0]);
        assert_eq!(indices(Nms { limit: 2, ..NMS }, boxes.clone()), [1, 2]);
        assert!(indices(Nms { limit: 0, ..NMS }, boxes).is_empty());
        assert!(indices(NMS, vec![]).is_empty());
    }

    #[test]
    fn overlap_must_exceed_the_threshold() {
        // half of 10 x 20 in common with another: 100 / 300
        let boxes = vec![candidate(0, 0.9, 0, 0.0, 0.0), candidate(1, 0.8, 0, 5.0, 0.0)];
        assert_eq!(indices(Nms { iou: 100.0 / 300.0, ..NMS }, boxes.clone()), [0, 1]);
        assert_eq!(indices(Nms { iou: 0.333, ..NMS }, boxes), [0]);
    }

    #[test]
    fn a_suppressed_box_suppresses_nothing() {
        // a chain: 0 covers 1, 1 covers 2, 0 does not cover 2
        let chain: Vec<_> =
            [(0, 0.9, 0.0), (1, 0.8, 3.0), (2, 0.7, 6.0)].map(|(i, s, x)| candidate(i, s, 0, x, 0.0)).into();
        assert_eq!(indices(NMS, chain), [0, 2]);
    }

    #[test]
    fn equal_scores_go_by_index_whatever_their_order() {
        let mut boxes: Vec<_> = (0..50).map(|i| candidate(i, 0.5, 0, i as f32 * 2.0, 0.0)).collect();
        let want = indices(NMS, boxes.clone());
        assert_eq!(want[..3], [0, 2, 4], "4 of 16 in common suppress not, 8 of 12 do");
        boxes.reverse();
        assert_eq!(indices(NMS, boxes.clone()), want);
        boxes.rotate_left(17);
        assert_eq!(indices(NMS, boxes), want);
    }

    /// A small generator of numbers 0..1, always the same ones.
    fn random(state: &mut u64) -> f32 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 40) as f32 / (1_u64 << 24) as f32
    }

    #[test]
    fn agrees_with_brute_force() {
        let mut state = 7;
        for across_classes in [false, true] {
            for n in [1_u32, 10, 200, 1000] {
                let boxes: Vec<_> = (0..n)
                    .map(|index| {
                        let (x, y) = (random(&mut state) * 100.0, 1000.0 + random(&mut state) * 100.0);
                        let (w, h) = (5.0 + random(&mut state) * 60.0, 5.0 + random(&mut state) * 60.0);
                        // coarse scores: many ties
                        let score = (random(&mut state) * 50.0).round() / 50.0;
                        let class = (random(&mut state) * 4.0) as u16;
                        Candidate { bbox: BBox::new(x, y, x + w, y + h), score, class, index }
                    })
                    .collect();
                let mut left = boxes.clone();
                left.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal));
                let mut want = vec![];
                while !left.is_empty() {
                    let best = left.remove(0);
                    want.push(best.index);
                    left.retain(|c| {
                        let (a, b) = (best.bbox, c.bbox);
                        let w = f64::from((a.x2.min(b.x2) - a.x1.max(b.x1)).max(0.0));
                        let h = f64::from((a.y2.min(b.y2) - a.y1.max(b.y1)).max(0.0));
                        let union = f64::from(a.area()) + f64::from(b.area()) - w * h;
                        (!across_classes && c.class != best.class) || w * h / union <= 0.45
                    });
                }
                assert_eq!(indices(Nms { iou: 0.45, across_classes, limit: usize::MAX }, boxes), want, "{n}");
            }
        }
    }

    #[test]
    fn a_flood_of_boxes_is_cut_to_the_best() {
        let mut boxes: Vec<_> = (0..100_000_u32)
            .map(|i| candidate(i, (i % 1000) as f32 / 1000.0, 0, (i % 317) as f32 * 40.0, (i / 317) as f32 * 40.0))
            .collect();
        NMS.run(&mut boxes);
        assert_eq!(boxes.len(), 300);
        let want: Vec<_> = (0..100).map(|i| 999 + i * 1000).chain((0..100).map(|i| 998 + i * 1000)).collect();
        assert_eq!(boxes.iter().take(200).map(|c| c.index).collect::<Vec<_>>(), want);
    }
}
