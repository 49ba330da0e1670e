//! How alike a prediction and an object are, 0..1.

use super::{Kind, Prediction, Truth};
use crate::eval::boxes;

/// Spread of human annotators per keypoint of a person, relative to the object's size: COCO's constants.
const SIGMAS: [f64; 17] = [
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
    0.089,
];

/// Similarity by kind; 0 where one side lacks what is compared.
pub(in crate::eval) fn similarity(kind: Kind, prediction: &Prediction, truth: &Truth) -> f64 {
    match kind {
        Kind::Boxes => boxes::iou(&prediction.bbox, &truth.bbox, truth.crowd),
        Kind::Masks => match (&prediction.mask, &truth.mask) {
            (Some(found), Some(wanted)) => found.iou(wanted, truth.crowd),
            _ => 0.0,
        },
        Kind::Keypoints => match (&prediction.keypoints, &truth.keypoints) {
            (Some(found), Some(wanted)) => oks(found, wanted, truth),
            _ => 0.0,
        },
    }
}

/// Object keypoint similarity (COCO API, `computeOks`). Where no keypoint of the object is marked, the distance is
/// that to its box grown to three times its size.
fn oks(found: &[[f64; 3]], wanted: &[[f64; 3]], truth: &Truth) -> f64 {
    let marked = wanted.iter().any(|point| point[2] > 0.0);
    let [x, y, w, h] = truth.bbox;
    let outside = |v: f64, low: f64, high: f64| (low - v).max(0.0) + (v - high).max(0.0);
    let (mut sum, mut count) = (0.0, 0_u32);
    for ((found, wanted), sigma) in found.iter().zip(wanted).zip(SIGMAS) {
        let (dx, dy) = if marked {
            if wanted[2] <= 0.0 {
                continue;
            }
            (found[0] - wanted[0], found[1] - wanted[1])
        } else {
            (outside(found[0], x - w, x + w * 2.0), outside(found[1], y - h, y + h * 2.0))
        };
        let variance = (sigma * 2.0).powi(2);
        sum += (-(dx * dx + dy * dy) / variance / (truth.area + f64::EPSILON) / 2.0).exp();
        count += 1;
    }
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}
