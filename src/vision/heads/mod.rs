//! What a model gives, as detections with keypoints or masks, or as embeddings.
//!
//! A head is an output layout; each has a file. [`Decoder`] is the common face of those that find objects,
//! [`Embedder`] reads the appearance of crops.

mod advice;
mod check;
mod detr;
mod embedder;
mod error;
mod extras;
mod masks;
mod sieve;
mod yolo;
mod yolo_end2end;
mod yolov5;
mod yolox;

pub use self::embedder::Embedder;
pub use self::error::{Advice, HeadError};

use self::detr::Detr;
use self::extras::{Extras, KEYPOINT};
use self::masks::Assembler;
use self::sieve::Sieve;
use self::yolo::Yolo;
use self::yolo_end2end::YoloEnd2End;
use self::yolov5::Yolov5;
use self::yolox::Yolox;
use super::mapping::Mapping;
use super::nms::{self, Candidate, Nms};
use crate::config::{Head, Model, Task};
use crate::types::detection::Detection;
use crate::types::found::Found;
use crate::types::pose::Keypoint;
use crate::types::tensor::{ModelIo, TensorRef};

/// The input that takes the picture, `f32[1, 3, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureInput {
    /// Which of the model's inputs.
    pub index: usize,
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
}

/// The input that asks for the unit of boxes, `i64[1, 2]`, the same for every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeInput {
    /// Which of the model's inputs.
    pub index: usize,
    /// Its elements: width and height of the picture input, so that boxes come in input pixels.
    pub size: [i64; 2],
}

/// An output that a device may look through on its own, `f32[1, 4 + classes + extras, boxes]` with a column per box:
/// only boxes that score at least [`Decoder::min_score`] in one of the classes have to come to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which of the model's outputs.
    pub output: usize,
    /// Scores of a box.
    pub classes: usize,
}

/// Turns a model's outputs into detections, and what its task adds to them.
#[derive(Clone, Debug)]
pub struct Decoder {
    picture: PictureInput,
    sizes: Option<SizeInput>,
    layout: Layout,
    kind: Kind,
    min_score: f32,
    wanted: Vec<bool>,
    nms: Nms,
    candidates: Vec<Candidate>,
    rejected: u64,
}

#[derive(Clone, Debug)]
enum Layout {
    Yolo(Yolo),
    Yolov5(Yolov5),
    Yolox(Yolox),
    YoloEnd2End(YoloEnd2End),
    Detr(Detr),
}

/// What the task adds.
#[derive(Clone, Debug)]
enum Kind {
    Boxes,
    Keypoints,
    Masks(Box<Assembler>),
}

impl Decoder {
    /// For a model that declares `io`, used as `model` says. A dimension that `io` leaves open is
    /// taken to be right here, and looked at in [`Self::decode`].
    ///
    /// # Errors
    ///
    /// Where the head is not for the task, cannot feed the model's inputs or read its outputs, or `labels`
    /// are not as many as its classes.
    pub fn new(model: &Model, io: &ModelIo) -> Result<Self, HeadError> {
        let labels = model.labels.len();
        let Fitted { picture, sizes, layout, kind } = fit(model.head, model.task, io, labels)
            .map_err(|error| advice::explain(error, model.head, model.task, io, labels))?;
        let wanted = (0..labels)
            .map(|class| model.classes.is_empty() || model.classes.iter().any(|&c| usize::from(c) == class))
            .collect();
        let nms = Nms { iou: model.nms_iou, across_classes: model.nms_across_classes, limit: model.max_detections };
        let (candidates, rejected) = (Vec::new(), 0);
        Ok(Self { picture, sizes, layout, kind, min_score: model.min_score, wanted, nms, candidates, rejected })
    }

    /// Where the picture goes.
    #[must_use]
    pub fn input(&self) -> PictureInput {
        self.picture
    }

    /// The output that a device may look through; `None`: the head wants all of it.
    #[must_use]
    pub fn table(&self) -> Option<Table> {
        match &self.layout {
            Layout::Yolo(head) => Some(head.table()),
            _ => None,
        }
    }

    /// Boxes that score less are dropped.
    #[must_use]
    pub fn min_score(&self) -> f32 {
        self.min_score
    }

    /// What else the model takes.
    #[must_use]
    pub fn size_input(&self) -> Option<SizeInput> {
        self.sizes
    }

    /// Fills `out` with the detections of a frame, best first, in its pixels and clipped to it; with the
    /// keypoints of each (task `pose`), which are not clipped; with the mask of each (task `segmentation`),
    /// clipped to its box. A mask is empty where the box has no pixel's centre, or where the masks of better
    /// detections together are as large as eight frames.
    ///
    /// `outputs` are all outputs of one run in the model's order, `mapping` is the letterbox's. Left out
    /// are scores below `min_score`, classes not wanted, what suppression drops (heads `yolo`, `yolov5`
    /// and `yolox`), what exceeds `max_detections` and what lies wholly outside the frame. A box belongs
    /// to its best class only, and that one must be wanted. Boxes that are none (NaN or infinite, without
    /// area, a score above 1, a class without label) are dropped and [counted](Self::rejected), and so are
    /// those with keypoints or masks that are none (NaN or infinite, a keypoint's score outside 0..1).
    ///
    /// # Errors
    ///
    /// [`HeadError::Given`] where an output is not of the layout; `out` is then empty.
    pub fn decode(&mut self, outputs: &[TensorRef<'_>], mapping: &Mapping, out: &mut Found) -> Result<(), HeadError> {
        out.clear();
        self.candidates.clear();
        let mut sieve = Sieve {
            min_score: self.min_score,
            wanted: &self.wanted,
            candidates: &mut self.candidates,
            rejected: &mut self.rejected,
            extras: Extras::NONE,
        };
        match &mut self.layout {
            Layout::Yolo(head) => head.read(outputs, &mut sieve)?,
            Layout::Yolov5(head) => head.read(outputs, &mut sieve)?,
            Layout::Yolox(head) => head.read(outputs, &mut sieve)?,
            Layout::YoloEnd2End(head) => head.read(outputs, &mut sieve)?,
            Layout::Detr(head) => head.read(outputs, &mut sieve)?,
        }
        let extras = sieve.extras;
        match self.layout {
            Layout::Yolo(_) | Layout::Yolov5(_) | Layout::Yolox(_) => self.nms.run(&mut self.candidates),
            Layout::YoloEnd2End(_) | Layout::Detr(_) => nms::best_first(&mut self.candidates, self.nms.limit),
        }
        // Heads made room for all boxes of the output: so the first frame makes it for all that follow.
        let most = self.nms.limit.min(self.candidates.capacity());
        out.detections.reserve(most);
        match &mut self.kind {
            Kind::Boxes => place(&self.candidates, mapping, |_, detection| out.detections.push(detection)),
            Kind::Keypoints => {
                out.keypoints_each = extras.each / KEYPOINT;
                out.keypoints.reserve(most * out.keypoints_each);
                place(&self.candidates, mapping, |index, detection| {
                    out.detections.push(detection);
                    out.keypoints.extend(keypoints(extras, index, mapping));
                });
            }
            Kind::Masks(assembler) if extras.each > 0 => {
                let prototypes = assembler.prototypes(outputs, extras.each, mapping, &mut out.masks, most)?;
                place(&self.candidates, mapping, |index, detection| {
                    let placed = (mapping, self.picture);
                    if assembler.push(extras.of(index), &prototypes, detection.bbox, placed, &mut out.masks) {
                        out.detections.push(detection);
                    } else {
                        self.rejected += 1;
                    }
                });
            }
            // An output without boxes: no coefficients either.
            Kind::Masks(_) => {}
        }
        Ok(())
    }

    /// Boxes dropped so far because they were none; see [`Self::decode`].
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }
}

/// Candidates in pixels of the frame, with their places in the output.
fn place(candidates: &[Candidate], mapping: &Mapping, mut found: impl FnMut(usize, Detection)) {
    let (width, height) = mapping.frame_size();
    for candidate in candidates {
        let bbox = mapping.to_frame(candidate.bbox).clip(width, height);
        if bbox.is_valid() {
            let detection = Detection { bbox, score: candidate.score, class: candidate.class };
            found(candidate.index as usize, detection);
        }
    }
}

/// Keypoints of box `index`, in pixels of the frame.
fn keypoints(extras: Extras<'_>, index: usize, mapping: &Mapping) -> impl Iterator<Item = Keypoint> {
    let mut values = extras.of(index);
    std::iter::from_fn(move || {
        let (x, y, score) = (values.next()?, values.next()?, values.next()?);
        let (x, y) = mapping.point_to_frame(x, y);
        Some(Keypoint { x, y, score: score.clamp(0.0, 1.0) })
    })
}

fn wrong_task(head: Head, task: Task) -> HeadError {
    let heads = match task {
        Task::Detection => "\"yolo\", \"yolov5\", \"yolox\", \"yolo-end2end\", \"detr\"",
        Task::Pose | Task::Segmentation => "\"yolo\", \"yolo-end2end\"",
        Task::Reid => "\"embedding\", which finds no boxes",
    };
    HeadError::Task { head: head.name(), task: task.name(), heads }
}

/// What a model and a head make together.
struct Fitted {
    picture: PictureInput,
    sizes: Option<SizeInput>,
    layout: Layout,
    kind: Kind,
}

fn fit(head: Head, task: Task, io: &ModelIo, labels: usize) -> Result<Fitted, HeadError> {
    let readable = match task {
        Task::Detection => head != Head::Embedding,
        Task::Pose | Task::Segmentation => matches!(head, Head::Yolo | Head::YoloEnd2End),
        Task::Reid => false,
    };
    if !readable {
        return Err(wrong_task(head, task));
    }
    let (picture, sizes) = check::inputs(head, io)?;
    let layout = match head {
        Head::Yolo => Layout::Yolo(Yolo::new(io, task, labels)?),
        Head::Yolov5 => Layout::Yolov5(Yolov5::new(io, labels)?),
        Head::Yolox => Layout::Yolox(Yolox::new(io, picture, labels)?),
        Head::YoloEnd2End => Layout::YoloEnd2End(YoloEnd2End::new(io, task)?),
        Head::Detr => Layout::Detr(Detr::new(io)?),
        Head::Embedding => return Err(wrong_task(head, task)),
    };
    let kind = match task {
        Task::Pose => Kind::Keypoints,
        Task::Segmentation => Kind::Masks(Box::new(Assembler::new(check::prototypes(head, io)?))),
        Task::Detection | Task::Reid => Kind::Boxes,
    };
    Ok(Fitted { picture, sizes, layout, kind })
}

#[cfg(test)]
mod tests;
