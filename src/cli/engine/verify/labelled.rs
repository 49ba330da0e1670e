//! Both against ground truth.

use std::collections::BTreeMap;

use super::compare::no_label;
use super::data::Truth;
use crate::config::{Model, Task};
use crate::eval::coco::{self, Kind, Prediction};
use crate::eval::reid;
use crate::inference::artefact::LabelledAccuracy;

/// Most predictions in a picture, best first: COCO counts no more of a category.
const MOST: usize = 100;

/// What both found in pictures of which the truth is known.
pub(super) struct Labelled {
    kind: Kind,
    /// By class: its number in the truth.
    categories: Vec<Option<u32>>,
    /// Of the reference, and of the plan.
    found: [Vec<Prediction>; 2],
    looks: Vec<Look>,
}

/// One subject in one picture, with the embeddings of both.
struct Look {
    identity: u64,
    camera: u32,
    embeddings: [Vec<f32>; 2],
}

impl Labelled {
    /// Compared is what the model's task adds to boxes, where the truth has it.
    pub(super) fn new(truth: &Truth, model: &Model) -> anyhow::Result<Self> {
        let categories: Vec<Option<u32>> = model.labels.iter().map(|label| truth.dataset.category(label)).collect();
        if categories.iter().all(Option::is_none) {
            return Err(no_label(truth, model).into());
        }
        let truths = &truth.dataset.truths;
        let kind = match model.task {
            Task::Pose if truths.iter().any(|truth| truth.keypoints.is_some()) => Kind::Keypoints,
            Task::Segmentation if truths.iter().any(|truth| truth.mask.is_some()) => Kind::Masks,
            _ => Kind::Boxes,
        };
        Ok(Self { kind, categories, found: [Vec::new(), Vec::new()], looks: Vec::new() })
    }

    /// Adds what both found in a picture, best first, categories being the model's classes.
    pub(super) fn add(&mut self, reference: Vec<Prediction>, plan: Vec<Prediction>) {
        let Self { kind, categories, found, .. } = self;
        for (all, of_picture) in found.iter_mut().zip([reference, plan]) {
            all.extend(of_picture.into_iter().take(MOST).filter_map(|mut prediction| {
                prediction.category = categories.get(prediction.category as usize).copied().flatten()?;
                if *kind == Kind::Boxes {
                    // Nobody looks at it, and there may be very many.
                    prediction.mask = None;
                }
                Some(prediction)
            }));
        }
    }

    /// Adds a subject whose embeddings both gave.
    pub(super) fn add_look(&mut self, who: (u64, u32), reference: Option<&[f32]>, plan: Option<&[f32]>) {
        if let Some(reference) = reference {
            // One that is none is no direction at all.
            let plan = plan.map_or_else(|| vec![0.0; reference.len()], <[f32]>::to_vec);
            self.looks.push(Look { identity: who.0, camera: who.1, embeddings: [reference.to_vec(), plan] });
        }
    }

    /// The figures of both; `None` where the truth has nothing to find.
    pub(super) fn accuracy(&self, truth: &Truth) -> anyhow::Result<Option<LabelledAccuracy>> {
        if !self.looks.is_empty() {
            return self.reid();
        }
        let mut figures = self.found.iter().map(|found| {
            let scores = coco::evaluate(self.kind, &truth.dataset.truths, found).all;
            let named = [("ap", scores.ap), ("ap50", scores.ap50), ("recall", scores.ar)];
            named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<BTreeMap<_, _>>()
        });
        let of = match self.kind {
            Kind::Boxes => "boxes",
            Kind::Masks => "masks",
            Kind::Keypoints => "keypoints",
        };
        let (onnx, plan) = (figures.next().unwrap_or_default(), figures.next().unwrap_or_default());
        Ok((!onnx.is_empty()).then(|| LabelledAccuracy { of: of.to_owned(), onnx, plan }))
    }

    fn reid<'a>(&'a self) -> anyhow::Result<Option<LabelledAccuracy>> {
        let mut figures = Vec::new();
        for side in [0, 1] {
            let view = |look: &'a Look| reid::View {
                embedding: &look.embeddings[side],
                identity: look.identity,
                camera: look.camera,
            };
            let views: Vec<_> = self.looks.iter().map(view).collect();
            let Some(scores) = reid::evaluate(&views, &views)? else { return Ok(None) };
            figures.push(BTreeMap::from([("map".to_owned(), scores.map), ("rank1".to_owned(), scores.rank1)]));
        }
        let (plan, onnx) = (figures.pop().unwrap_or_default(), figures.pop().unwrap_or_default());
        Ok(Some(LabelledAccuracy { of: "embeddings".to_owned(), onnx, plan }))
    }
}

/// How much of the model file's accuracy the plan has, 0..1; `None` where the model file has none to lose.
pub(super) fn kept(accuracy: &LabelledAccuracy) -> Option<f64> {
    let figure = |of: &BTreeMap<String, f64>| of.get("ap").or_else(|| of.get("map")).copied();
    let (onnx, plan) = (figure(&accuracy.onnx)?, figure(&accuracy.plan)?);
    (onnx > 0.0).then(|| (plan / onnx).min(1.0))
}
