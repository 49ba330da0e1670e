//! What the pipeline found, as the metrics take it.

use std::collections::BTreeSet;

use super::precision;
use crate::config::Task;
use crate::eval::coco::{Kind, Prediction};
use crate::eval::report::Report;
use crate::eval::tracking::Object;
use crate::eval::truth::Dataset;
use crate::pipeline::FrameResult;
use crate::types::geometry::BBox;

/// Most predictions of one model in a picture, best first: COCO counts no more of a category.
const MOST: usize = 100;

/// Predictions of one run of all models, by what they are compared as.
#[derive(Default)]
pub(super) struct Predictions {
    /// What was looked for: nothing found is an answer, too.
    ran: BTreeSet<Kind>,
    boxes: Vec<Prediction>,
    masks: Vec<Prediction>,
    keypoints: Vec<Prediction>,
}

impl Predictions {
    /// Adds what was found in a picture; `category` gives a label's number in the truth.
    pub(super) fn add(&mut self, image: u64, result: &FrameResult, category: impl Fn(usize, u16) -> Option<u32>) {
        let has_detector = result.found.iter().any(|(task, _)| *task == Task::Detection);
        let size = (result.meta.width, result.meta.height);
        for (model, (task, found)) in result.found.iter().enumerate() {
            let boxes = *task == Task::Detection || (!has_detector && model == 0);
            self.ran.extend(boxes.then_some(Kind::Boxes));
            self.ran.extend((*task == Task::Segmentation).then_some(Kind::Masks));
            self.ran.extend((*task == Task::Pose).then_some(Kind::Keypoints));
            for at in 0..found.detections.len().min(MOST) {
                let Some(category) = category(model, found.detections[at].class) else { continue };
                let prediction = Prediction::of(found, at, (image, category), size);
                if boxes {
                    let (mask, keypoints) = (None, None);
                    self.boxes.push(Prediction { mask, keypoints, ..prediction.clone() });
                }
                match task {
                    Task::Segmentation => self.masks.push(prediction),
                    Task::Pose => self.keypoints.push(prediction),
                    Task::Detection | Task::Reid => {}
                }
            }
        }
    }

    /// Those of some pictures.
    pub(super) fn of_images(&self, images: &BTreeSet<u64>) -> Self {
        let of = |predictions: &[Prediction]| {
            predictions.iter().filter(|prediction| images.contains(&prediction.image)).cloned().collect()
        };
        let (boxes, masks, keypoints) = (of(&self.boxes), of(&self.masks), of(&self.keypoints));
        Self { ran: self.ran.clone(), boxes, masks, keypoints }
    }

    pub(super) fn report(&self, dataset: &Dataset) -> Report {
        let of = |kind, predictions: &[Prediction]| {
            self.ran.contains(&kind).then(|| precision(kind, dataset, predictions)).flatten()
        };
        Report {
            detection: of(Kind::Boxes, &self.boxes),
            segmentation: of(Kind::Masks, &self.masks),
            keypoints: of(Kind::Keypoints, &self.keypoints),
            ..Report::default()
        }
    }
}

/// Scores predictions that were read from a file.
pub(super) fn score(dataset: &Dataset, predictions: &[Prediction], kinds: &[Kind]) -> Report {
    let of = |kind| kinds.contains(&kind).then(|| precision(kind, dataset, predictions)).flatten();
    Report {
        detection: of(Kind::Boxes),
        segmentation: of(Kind::Masks),
        keypoints: of(Kind::Keypoints),
        ..Report::default()
    }
}

/// Tracks of one frame that were seen in it; `class` gives a class's number in the truth.
pub(super) fn objects(result: &FrameResult, class: impl Fn(u16) -> Option<u32>) -> Vec<Object> {
    let seen = result.objects.tracks().iter().filter(|track| !track.coasted);
    seen.filter_map(|track| {
        Some(Object { id: track.number, class: class(track.class)?, bbox: xywh(&track.bbox), ignore: false })
    })
    .collect()
}

pub(super) fn xywh(bbox: &BBox) -> [f64; 4] {
    [bbox.x1, bbox.y1, bbox.width(), bbox.height()].map(f64::from)
}
