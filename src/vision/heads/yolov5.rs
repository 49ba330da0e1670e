//! YOLOv5, v7, and YOLOX exported with its decoder: `[1, n, 5 + classes]`, a row per box; centre and size
//! in input pixels, objectness, scores per class. A box's score is objectness times its best class.
//! Source: `yolov5/models/yolo.py`, `Detect`.

use super::HeadError;
use super::check::{Dim, Output, only_output};
use super::sieve::{Sieve, best_class};
use crate::config::Head;
use crate::types::geometry::BBox;
use crate::types::tensor::{ElementType, ModelIo, TensorRef};

#[derive(Clone, Debug)]
pub(super) struct Yolov5 {
    output: Output,
}

impl Yolov5 {
    pub fn new(io: &ModelIo, classes: usize) -> Result<Self, HeadError> {
        let note = format!(" (5 + {classes} labels)");
        let output = only_output(Head::Yolov5, io, &format!("f32[1,n,{}]{note}", 5 + classes))?;
        let dims = vec![Dim::One, Dim::Boxes, Dim::Is(5 + classes)];
        Ok(Self { output: Output::new(Head::Yolov5, output, &[ElementType::F32], dims, note)? })
    }

    pub fn read(&mut self, outputs: &[TensorRef<'_>], sieve: &mut Sieve<'_, '_>) -> Result<(), HeadError> {
        let (shape, data) = self.output.floats(outputs)?;
        sieve.candidates.reserve(shape[1]);
        for (i, row) in data.chunks_exact(shape[2]).enumerate() {
            if let Some((class, score)) = score(&row[4..], sieve.min_score) {
                sieve.push(i, BBox::from_centre(row[0], row[1], row[2], row[3]), score, class);
            }
        }
        Ok(())
    }
}

/// Class and score from objectness and class scores; `None` where objectness alone is too low.
#[inline]
pub(super) fn score(values: &[f32], min_score: f32) -> Option<(usize, f32)> {
    let (&objectness, classes) = values.split_first()?;
    if objectness < min_score {
        return None;
    }
    let (class, score) = best_class(classes);
    Some((class, objectness * score))
}
