//! Average precision and recall of boxes, masks and keypoints, number for number as pycocotools' `COCOeval`.

mod curve;
mod found;
mod matching;
mod similarity;

use std::collections::{BTreeMap, BTreeSet};

pub(in crate::eval) use self::similarity::similarity;
use super::boxes::{self, Xywh};
use crate::types::mask::Rle;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Boxes by IoU.
    Boxes,
    /// Masks by IoU.
    Masks,
    /// Keypoints by object keypoint similarity.
    Keypoints,
}

impl Kind {
    /// The best-scored predictions per picture and category that count.
    #[must_use]
    pub const fn max_detections(self) -> usize {
        match self {
            Self::Boxes | Self::Masks => 100,
            Self::Keypoints => 20,
        }
    }
}

/// An object that is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// Number of its picture.
    pub image: u64,
    /// Number of its category.
    pub category: u32,
    /// Pixels.
    pub bbox: Xywh,
    /// Pixels of the object itself, not of its box: decides what is small, and scales keypoint distances.
    pub area: f64,
    /// A region that holds many: predictions inside it are neither right nor wrong.
    pub crowd: bool,
    /// Its pixels; needed for [`Kind::Masks`], where an object without a mask is left out.
    pub mask: Option<Rle>,
    /// 17 of `[x, y, v]` in COCO's order, `v` 0 where not marked; needed for [`Kind::Keypoints`], where an object
    /// without them is left out and one with none marked is neither wanted nor punished.
    pub keypoints: Option<Vec<[f64; 3]>>,
}

/// An object that was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// Number of its picture.
    pub image: u64,
    /// Number of its category.
    pub category: u32,
    /// Confidence; any finite scale.
    pub score: f64,
    /// Pixels.
    pub bbox: Xywh,
    /// Its pixels.
    pub mask: Option<Rle>,
    /// 17 of `[x, y, score]`; the score of a single keypoint does not count.
    pub keypoints: Option<Vec<[f64; 3]>>,
}

impl Prediction {
    /// Its size in pixels, for the area ranges: of the box, of the mask, or of the box around the keypoints. As
    /// pycocotools for results that hold nothing else beside `kind`.
    #[must_use]
    pub fn area(&self, kind: Kind) -> f64 {
        match kind {
            Kind::Boxes => boxes::area(&self.bbox),
            Kind::Masks => self.mask.as_ref().map_or(0.0, |mask| mask.area() as f64),
            Kind::Keypoints => self.keypoints.as_deref().map_or(0.0, |points| boxes::area(&extent(points))),
        }
    }
}

/// The box around keypoints, whatever their third number.
#[must_use]
pub fn extent(points: &[[f64; 3]]) -> Xywh {
    let mut edges = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for [x, y, _] in points {
        edges = [edges[0].min(*x), edges[1].min(*y), edges[2].max(*x), edges[3].max(*y)];
    }
    if points.is_empty() {
        return [0.0; 4];
    }
    [edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1]]
}

/// Averages over IoU thresholds .50, .55, ... .95. `None`: no object of that size was wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Scores {
    /// Average precision over 101 recall points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap: Option<f64>,
    /// At IoU .50 alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap50: Option<f64>,
    /// At IoU .75 alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap75: Option<f64>,
    /// Of objects of less than 32 x 32 pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap_small: Option<f64>,
    /// Of objects between 32 x 32 and 96 x 96 pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap_medium: Option<f64>,
    /// Of objects of more than 96 x 96 pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap_large: Option<f64>,
    /// Greatest recall.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ar: Option<f64>,
    /// As `ap_small`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ar_small: Option<f64>,
    /// As `ap_medium`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ar_medium: Option<f64>,
    /// As `ap_large`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ar_large: Option<f64>,
}

/// What [`evaluate`] gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Mean over the categories that have objects.
    pub all: Scores,
    /// Per category number; only categories that have objects.
    pub per_category: BTreeMap<u32, Scores>,
}

/// `[.50, .55, ... .95]`.
const THRESHOLDS: usize = 10;

/// Bounds of an object's area in pixels, both included: all, small, medium, large. Keypoints have no small.
const AREAS: [[f64; 2]; 4] = [[0.0, 1e10], [0.0, 1024.0], [1024.0, 9216.0], [9216.0, 1e10]];

/// IoU thresholds as `numpy.linspace(.5, .95, 10)` rounds them.
fn thresholds() -> [f64; THRESHOLDS] {
    std::array::from_fn(|i| if i + 1 == THRESHOLDS { 0.95 } else { 0.5 + i as f64 * ((0.95 - 0.5) / 9.0) })
}

/// The objects of one category in one picture, and what was found of it there.
type Cell<'a> = (Vec<&'a Truth>, Vec<&'a Prediction>);

/// Compares predictions with the truth.
///
/// Predictions in categories that have no truth count nothing, as in pycocotools. Equal scores keep the order of
/// the input, pictures in order of their numbers. Predictions without what `kind` compares are left out.
#[must_use]
pub fn evaluate(kind: Kind, truths: &[Truth], predictions: &[Prediction]) -> Summary {
    let wanted = |truth: &&Truth| match kind {
        Kind::Boxes => true,
        Kind::Masks => truth.mask.is_some(),
        Kind::Keypoints => truth.keypoints.is_some(),
    };
    let usable = |prediction: &&Prediction| match kind {
        Kind::Boxes => true,
        Kind::Masks => prediction.mask.is_some(),
        Kind::Keypoints => prediction.keypoints.is_some(),
    };
    let mut cells: BTreeMap<(u32, u64), Cell<'_>> = BTreeMap::new();
    for truth in truths.iter().filter(wanted) {
        cells.entry((truth.category, truth.image)).or_default().0.push(truth);
    }
    let categories: BTreeSet<u32> = cells.keys().map(|(category, _)| *category).collect();
    for prediction in predictions.iter().filter(usable).filter(|p| categories.contains(&p.category)) {
        cells.entry((prediction.category, prediction.image)).or_default().1.push(prediction);
    }

    let mut curves: BTreeMap<u32, [Option<curve::Curve>; 4]> = BTreeMap::new();
    for category in categories {
        let cells = cells.range((category, 0)..=(category, u64::MAX));
        let pictures: Vec<_> = cells.map(|(_, (t, p))| matching::Picture::new(kind, t, p)).collect();
        let per_area = AREAS.map(|area| curve::Curve::of(&pictures, area));
        if per_area.iter().any(Option::is_some) {
            curves.insert(category, per_area);
        }
    }
    let all: Vec<_> = curves.values().collect();
    Summary {
        all: scores(kind, &all),
        per_category: curves.iter().map(|(category, curves)| (*category, scores(kind, &[curves]))).collect(),
    }
}

/// Means over categories, each where it has a curve.
fn scores(kind: Kind, categories: &[&[Option<curve::Curve>; 4]]) -> Scores {
    let mean = |area: usize, value: fn(&curve::Curve) -> f64| {
        let values: Vec<f64> = categories.iter().filter_map(|curves| curves[area].as_ref()).map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let small = |value| if kind == Kind::Keypoints { None } else { mean(1, value) };
    Scores {
        ap: mean(0, curve::Curve::ap),
        ap50: mean(0, |curve| curve.precision[0]),
        ap75: mean(0, |curve| curve.precision[5]),
        ap_small: small(curve::Curve::ap),
        ap_medium: mean(2, curve::Curve::ap),
        ap_large: mean(3, curve::Curve::ap),
        ar: mean(0, curve::Curve::ar),
        ar_small: small(curve::Curve::ar),
        ar_medium: mean(2, curve::Curve::ar),
        ar_large: mean(3, curve::Curve::ar),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_wanted_is_absent_and_nothing_found_is_zero() {
        assert_eq!(evaluate(Kind::Boxes, &[], &[Prediction::default()]), Summary::default());
        let truth = Truth { bbox: [0.0, 0.0, 10.0, 10.0], area: 100.0, ..Truth::default() };
        let scores = evaluate(Kind::Boxes, &[truth], &[]).all;
        assert_eq!((scores.ap, scores.ap_small, scores.ap_large, scores.ar), (Some(0.0), Some(0.0), None, Some(0.0)));
    }

    #[test]
    fn a_crowd_takes_many_and_is_not_wanted_itself() {
        let at = |x: f64| Prediction { score: 0.5, bbox: [x, 0.0, 10.0, 10.0], ..Prediction::default() };
        let one = Truth { bbox: [0.0, 0.0, 10.0, 10.0], area: 100.0, ..Truth::default() };
        let crowd = Truth { bbox: [50.0, 0.0, 100.0, 10.0], area: 1000.0, crowd: true, ..Truth::default() };
        let scores = evaluate(Kind::Boxes, &[one, crowd], &[at(60.0), at(80.0), at(0.0)]).all;
        assert!((scores.ap.unwrap() - 1.0).abs() < 1e-9 && scores.ar == Some(1.0), "{scores:?}");
    }
}
