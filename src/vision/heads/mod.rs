//! What a detector gives, as detections.
//!
//! A head is an output layout; each has a file. [`Decoder`] is their common face.

mod check;
mod detr;
mod error;
mod sieve;
mod yolo;
mod yolo_end2end;
mod yolov5;
mod yolox;

pub use self::error::{HeadError, OtherHeads};

use self::detr::Detr;
use self::sieve::Sieve;
use self::yolo::Yolo;
use self::yolo_end2end::YoloEnd2End;
use self::yolov5::Yolov5;
use self::yolox::Yolox;
use super::mapping::Mapping;
use super::nms::{self, Candidate, Nms};
use crate::config::{Head, Model};
use crate::types::detection::Detection;
use crate::types::tensor::{ModelIo, TensorRef};

const HEADS: [Head; 5] = [Head::Yolo, Head::Yolov5, Head::Yolox, Head::YoloEnd2End, Head::Detr];

/// The word in the config.
const fn name(head: Head) -> &'static str {
    match head {
        Head::Yolo => "yolo",
        Head::Yolov5 => "yolov5",
        Head::Yolox => "yolox",
        Head::YoloEnd2End => "yolo-end2end",
        Head::Detr => "detr",
    }
}

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

/// Turns a model's outputs into detections.
#[derive(Clone, Debug)]
pub struct Decoder {
    picture: PictureInput,
    sizes: Option<SizeInput>,
    layout: Layout,
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

impl Decoder {
    /// For a model that declares `io`, used as `model` says. A dimension that `io` leaves open is
    /// taken to be right here, and looked at in [`Self::decode`].
    ///
    /// # Errors
    ///
    /// Where the head cannot feed the model's inputs or read its outputs, or `labels` are not as many as
    /// its classes.
    pub fn new(model: &Model, io: &ModelIo) -> Result<Self, HeadError> {
        let labels = model.labels.len();
        let (picture, sizes, layout) =
            fit(model.head, io, labels).map_err(|error| explain(error, model.head, io, labels))?;
        let wanted = (0..labels)
            .map(|class| model.classes.is_empty() || model.classes.iter().any(|&c| usize::from(c) == class))
            .collect();
        let nms = Nms { iou: model.nms_iou, across_classes: model.nms_across_classes, limit: model.max_detections };
        let (candidates, rejected) = (Vec::new(), 0);
        Ok(Self { picture, sizes, layout, min_score: model.min_score, wanted, nms, candidates, rejected })
    }

    /// Where the picture goes.
    #[must_use]
    pub fn input(&self) -> PictureInput {
        self.picture
    }

    /// What else the model takes.
    #[must_use]
    pub fn size_input(&self) -> Option<SizeInput> {
        self.sizes
    }

    /// Fills `out` with the detections of a frame, best first, in its pixels and clipped to it.
    ///
    /// `outputs` are all outputs of one run in the model's order, `mapping` is the letterbox's. Left out
    /// are scores below `min_score`, classes not wanted, what suppression drops (heads `yolo`, `yolov5`
    /// and `yolox`), what exceeds `max_detections` and what lies wholly outside the frame. A box belongs
    /// to its best class only, and that one must be wanted. Boxes that are none (NaN or infinite, without
    /// area, a score above 1, a class without label) are dropped and [counted](Self::rejected).
    ///
    /// # Errors
    ///
    /// [`HeadError::Given`] where an output is not of the layout; `out` is then empty.
    pub fn decode(
        &mut self,
        outputs: &[TensorRef<'_>],
        mapping: &Mapping,
        out: &mut Vec<Detection>,
    ) -> Result<(), HeadError> {
        out.clear();
        self.candidates.clear();
        let mut sieve = Sieve {
            min_score: self.min_score,
            wanted: &self.wanted,
            candidates: &mut self.candidates,
            rejected: &mut self.rejected,
        };
        match &mut self.layout {
            Layout::Yolo(head) => head.read(outputs, &mut sieve)?,
            Layout::Yolov5(head) => head.read(outputs, &mut sieve)?,
            Layout::Yolox(head) => head.read(outputs, &mut sieve)?,
            Layout::YoloEnd2End(head) => head.read(outputs, &mut sieve)?,
            Layout::Detr(head) => head.read(outputs, &mut sieve)?,
        }
        match self.layout {
            Layout::Yolo(_) | Layout::Yolov5(_) | Layout::Yolox(_) => self.nms.run(&mut self.candidates),
            Layout::YoloEnd2End(_) | Layout::Detr(_) => nms::best_first(&mut self.candidates, self.nms.limit),
        }
        let (width, height) = mapping.frame_size();
        out.extend(self.candidates.iter().filter_map(|candidate| {
            let bbox = mapping.to_frame(candidate.bbox).clip(width, height);
            let detection = Detection { bbox, score: candidate.score, class: candidate.class };
            bbox.is_valid().then_some(detection)
        }));
        Ok(())
    }

    /// Boxes dropped so far because they were none; see [`Self::decode`].
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }
}

fn fit(head: Head, io: &ModelIo, labels: usize) -> Result<(PictureInput, Option<SizeInput>, Layout), HeadError> {
    let (picture, sizes) = check::inputs(head, io)?;
    let layout = match head {
        Head::Yolo => Layout::Yolo(Yolo::new(io, labels)?),
        Head::Yolov5 => Layout::Yolov5(Yolov5::new(io, labels)?),
        Head::Yolox => Layout::Yolox(Yolox::new(io, picture, labels)?),
        Head::YoloEnd2End => Layout::YoloEnd2End(YoloEnd2End::new(io)?),
        Head::Detr => Layout::Detr(Detr::new(io)?),
    };
    Ok((picture, sizes, layout))
}

/// Says which other heads would do, or that only the number of labels is wrong.
fn explain(mut error: HeadError, head: Head, io: &ModelIo, labels: usize) -> HeadError {
    let (HeadError::Outputs { others, .. } | HeadError::Output { others, .. }) = &mut error else { return error };
    // An open dimension would be right for any head; advice counts it as a number of boxes only.
    let mut closed = io.clone();
    for dim in closed.outputs.iter_mut().flat_map(|output| output.shape.iter_mut().skip(1)) {
        *dim = if *dim < 0 { i64::from(u32::MAX) } else { *dim };
    }
    others.0 = HEADS.into_iter().filter(|&other| fit(other, &closed, labels).is_ok()).collect();
    if !others.0.is_empty() {
        return error;
    }
    // The number of labels that the layout would need: right if the head then takes the model.
    let Some(output) = io.outputs.first() else { return error };
    let classes = match (head, output.shape.as_slice()) {
        (Head::Yolo, &[_, rows, boxes]) if boxes < 0 || rows < boxes => rows - 4,
        (Head::Yolov5, &[_, boxes, columns]) if boxes < 0 || columns < boxes => columns - 5,
        (Head::Yolox, &[_, _, columns]) => columns - 5,
        _ => return error,
    };
    match usize::try_from(classes) {
        Ok(needed @ 1..) if fit(head, io, needed).is_ok() => HeadError::Labels {
            head: name(head),
            name: output.name.clone(),
            found: output.to_string(),
            classes,
            labels,
        },
        _ => error,
    }
}

#[cfg(test)]
mod tests;
