//! Which values of an output are judged together, and which of them a recording keeps.

use std::ops::Range;

use crate::config::{Head, Model};

/// Values kept of an output, all groups together.
const KEPT: usize = 256;

/// Values of one kind: boxes in pixels and scores from 0 to 1 differ by so much that one norm for both would only see
/// the boxes.
pub(super) struct Part {
    pub(super) name: &'static str,
    channels: Range<usize>,
    /// How many channels there are, and how many values of one follow each other before the next channel's.
    of: usize,
    run: usize,
}

impl Part {
    fn all(values: usize) -> Self {
        Self { name: "all", channels: 0..1, of: 1, run: values }
    }

    /// Places of its values in the output.
    fn places(&self, values: usize) -> impl Iterator<Item = usize> {
        (0..values).filter(|place| self.channels.contains(&(place / self.run.max(1) % self.of.max(1))))
    }
}

/// Does the model itself choose its best boxes, and put them in order?
pub(super) const fn is_ranked(model: &Model) -> bool {
    matches!(model.head, Head::YoloEnd2End | Head::Detr)
}

/// The parts of an output of this shape. None where its order means nothing: what a model ranks by score itself comes in
/// another order when scores differ by a hair, all but the scores.
pub(super) fn parts(model: &Model, name: &str, shape: &[usize]) -> Vec<Part> {
    let values = shape.iter().product();
    let labels = model.labels.len();
    let part = |name, channels, of, run| Part { name, channels, of, run };
    match (model.head, shape) {
        (Head::Yolo, &[_, of, run]) if of >= 4 + labels => {
            let kinds = [("boxes", 0..4), ("scores", 4..4 + labels), ("rest", 4 + labels..of)];
            let there = kinds.into_iter().filter(|(_, channels)| !channels.is_empty());
            there.map(|(name, channels)| part(name, channels, of, run)).collect()
        }
        (Head::Yolov5 | Head::Yolox, &[_, _, of]) if of > 4 => {
            vec![part("boxes", 0..4, of, 1), part("scores", 4..of, of, 1)]
        }
        (Head::YoloEnd2End, &[_, _, of]) if of > 4 => vec![part("scores", 4..5, of, 1)],
        (Head::Detr, _) if name != "scores" => vec![],
        _ => vec![Part::all(values)],
    }
}

/// Places of a part's values that are kept: half of them evenly spread, half where the values are largest, since an
/// answer is what stands out.
pub(super) fn kept(part: &Part, parts: usize, values: &[f32]) -> Vec<u32> {
    let half = (KEPT / parts.max(1) / 2).max(1);
    let mut all: Vec<usize> = part.places(values.len()).collect();
    let spread = (0..half).filter_map(|n| all.get((2 * n + 1) * all.len() / (2 * half)).copied());
    let mut kept: Vec<usize> = spread.collect();
    all.sort_by(|a, b| values[*b].abs().total_cmp(&values[*a].abs()).then(a.cmp(b)));
    kept.extend(all.into_iter().take(half));
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().filter_map(|place| u32::try_from(place).ok()).collect()
}
