//! Predictions to objects, within one picture and category (COCO API, `evaluateImg`).

use super::similarity::similarity;
use super::{Kind, Prediction, THRESHOLDS, Truth, thresholds};

/// One picture and category, ready to be matched in any area range.
pub(super) struct Picture {
    objects: Vec<Object>,
    /// Best score first.
    found: Vec<Found>,
    /// Row-major: one row per prediction, one column per object.
    similarities: Vec<f64>,
}

struct Object {
    area: f64,
    crowd: bool,
    /// Neither wanted nor punished, whatever its size.
    ignored: bool,
}

struct Found {
    area: f64,
    score: f64,
}

/// How one prediction fared.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    pub score: f64,
    /// Per IoU threshold; `None`: it does not count.
    pub right: [Option<bool>; THRESHOLDS],
}

impl Picture {
    pub fn new(kind: Kind, truths: &[&Truth], predictions: &[&Prediction]) -> Self {
        let mut best = predictions.to_vec();
        best.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap_or(std::cmp::Ordering::Equal));
        best.truncate(kind.max_detections());
        let unmarked = |truth: &Truth| {
            let marked = truth.keypoints.iter().flatten().any(|point| point[2] > 0.0);
            kind == Kind::Keypoints && !marked
        };
        Self {
            objects: truths
                .iter()
                .map(|t| Object { area: t.area, crowd: t.crowd, ignored: t.crowd || unmarked(t) })
                .collect(),
            found: best.iter().map(|p| Found { area: p.area(kind), score: p.score }).collect(),
            similarities: best.iter().flat_map(|p| truths.iter().map(|t| similarity(kind, p, t))).collect(),
        }
    }

    /// Matches within an area range. Adds one outcome per prediction, best score first, and returns how many objects
    /// were wanted.
    pub fn fare(&self, area: [f64; 2], outcomes: &mut Vec<Outcome>) -> usize {
        let outside = |size: f64| size < area[0] || size > area[1];
        let ignored: Vec<bool> = self.objects.iter().map(|object| object.ignored || outside(object.area)).collect();
        let mut order: Vec<usize> = (0..self.objects.len()).collect();
        order.sort_by_key(|i| ignored[*i]);

        let first = outcomes.len();
        outcomes.extend(self.found.iter().map(|found| Outcome { score: found.score, right: [None; THRESHOLDS] }));
        for (t, threshold) in thresholds().into_iter().enumerate() {
            let mut taken = vec![false; self.objects.len()];
            for (d, found) in self.found.iter().enumerate() {
                let matched = self.best(d, threshold, &order, &ignored, &taken);
                outcomes[first + d].right[t] = match matched {
                    Some(object) => {
                        taken[object] = true;
                        (!ignored[object]).then_some(true)
                    }
                    None => (!outside(found.area)).then_some(false),
                };
            }
        }
        ignored.iter().filter(|ignored| !**ignored).count()
    }

    /// The object for a prediction: the most alike that is free, a wanted one before any other.
    fn best(&self, d: usize, threshold: f64, order: &[usize], ignored: &[bool], taken: &[bool]) -> Option<usize> {
        let row = &self.similarities[d * self.objects.len()..];
        let (mut limit, mut best) = (threshold.min(1.0 - 1e-10), None);
        for &object in order {
            if taken[object] && !self.objects[object].crowd {
                continue;
            }
            if best.is_some_and(|best: usize| !ignored[best]) && ignored[object] {
                break;
            }
            if row[object] >= limit {
                (limit, best) = (row[object], Some(object));
            }
        }
        best
    }
}
