//! From boxes with track ids to numbered tracks and similarities, without what is to be ignored.

use std::collections::{BTreeMap, BTreeSet};

use super::{Frame, Frames, Object, Sequence, TwiceInFrame};
use crate::eval::assignment::maximise;
use crate::eval::boxes::Xywh;

/// Prepares one class, or all as one.
///
/// As MOTChallenge treats distractors: per frame, predictions are assigned to all truth at IoU .5 or more; those that
/// fall to ignored truth are taken out, and all ignored truth after them.
pub(in crate::eval) fn prepare<K: Ord + std::fmt::Debug>(
    truth: &Frames<K>,
    predictions: &Frames<K>,
    class: Option<u32>,
) -> Result<Sequence, TwiceInFrame> {
    let of_class = |objects: Option<&Vec<Object>>| -> Vec<Object> {
        let all = objects.map_or(&[][..], Vec::as_slice).iter();
        all.filter(|object| class.is_none_or(|class| object.class == class)).copied().collect()
    };
    let (mut truth_numbers, mut prediction_numbers) = (Numbers::default(), Numbers::default());
    let mut sequence = Sequence::default();
    let keys: BTreeSet<&K> = truth.keys().chain(predictions.keys()).collect();
    for key in keys {
        let wanted = of_class(truth.get(key));
        let mut found = of_class(predictions.get(key));
        once("truth", key, &wanted)?;
        once("predictions", key, &found)?;
        if wanted.iter().any(|object| object.ignore) {
            let taken = on_ignored(&wanted, &found);
            found =
                found.into_iter().enumerate().filter(|(i, _)| !taken.contains(i)).map(|(_, object)| object).collect();
        }
        let wanted: Vec<Object> = wanted.into_iter().filter(|object| !object.ignore).collect();
        sequence.frames.push(Frame {
            truth: wanted.iter().map(|object| truth_numbers.count(object)).collect(),
            predictions: found.iter().map(|object| prediction_numbers.count(object)).collect(),
            similarities: similarities(&wanted, &found),
        });
    }
    sequence.truth_lengths = truth_numbers.lengths;
    sequence.prediction_lengths = prediction_numbers.lengths;
    Ok(sequence)
}

/// Numbers tracks in order of appearance and counts their boxes.
#[derive(Default)]
struct Numbers {
    known: BTreeMap<(u32, u64), usize>,
    lengths: Vec<u32>,
}

impl Numbers {
    fn count(&mut self, object: &Object) -> usize {
        let number = *self.known.entry((object.class, object.id)).or_insert(self.lengths.len());
        if number == self.lengths.len() {
            self.lengths.push(0);
        }
        self.lengths[number] += 1;
        number
    }
}

fn once<K: std::fmt::Debug>(side: &'static str, frame: &K, objects: &[Object]) -> Result<(), TwiceInFrame> {
    let mut seen = BTreeSet::new();
    match objects.iter().find(|object| !seen.insert((object.class, object.id))) {
        None => Ok(()),
        Some(object) => Err(TwiceInFrame { side, frame: format!("{frame:?}"), id: object.id, class: object.class }),
    }
}

/// Positions of the predictions that fall to ignored truth.
fn on_ignored(truth: &[Object], predictions: &[Object]) -> Vec<usize> {
    let mut gains = similarities(truth, predictions);
    for gain in &mut gains {
        if *gain < 0.5 - f64::EPSILON {
            *gain = 0.0;
        }
    }
    let pairs = maximise(&gains, truth.len(), predictions.len()).into_iter();
    pairs.filter(|(t, p)| truth[*t].ignore && gains[t * predictions.len() + p] > 0.0).map(|(_, p)| p).collect()
}

fn similarities(truth: &[Object], predictions: &[Object]) -> Vec<f64> {
    truth.iter().flat_map(|t| predictions.iter().map(|p| iou(&t.bbox, &p.bbox))).collect()
}

/// Intersection over union by edges: the order of TrackEval's rounding, which decides at a threshold.
fn iou(a: &Xywh, b: &Xywh) -> f64 {
    let edges = |b: &Xywh| [b[0], b[1], b[0] + b[2], b[1] + b[3]];
    let (a, b) = (edges(a), edges(b));
    let area = |b: &[f64; 4]| (b[2] - b[0]) * (b[3] - b[1]);
    let shared = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let union = area(&a) + area(&b) - shared;
    let empty = area(&a) <= f64::EPSILON || area(&b) <= f64::EPSILON || union <= f64::EPSILON;
    if empty { 0.0 } else { shared / union }
}
