//! DETR types with their post-processor (RT-DETR, D-FINE, DEIM): outputs `labels[1, n]`, `boxes[1, n, 4]`
//! (x1 y1 x2 y2) and `scores[1, n]`, without need of suppression. Boxes are in the unit that the input
//! `orig_target_sizes` asks for; we ask for input pixels, which every fit maps back alike.
//! Source: `DEIM/engine/deim/postprocessor.py`.

use super::HeadError;
use super::check::{Dim, Output, list};
use super::sieve::Sieve;
use super::yolo_end2end::class;
use crate::config::Head;
use crate::types::geometry::BBox;
use crate::types::tensor::{ElementType, ModelIo, TensorData, TensorRef};

#[derive(Clone, Debug)]
pub(super) struct Detr {
    labels: Output,
    boxes: Output,
    scores: Output,
}

impl Detr {
    pub fn new(io: &ModelIo) -> Result<Self, HeadError> {
        let find = |name| io.outputs.iter().enumerate().find(|(_, output)| output.name == name);
        let (Some(labels), Some(boxes), Some(scores)) = (find("labels"), find("boxes"), find("scores")) else {
            return Err(HeadError::Outputs {
                head: Head::Detr.name(),
                found: list(&io.outputs),
                expected: "\"labels\" i64[1,n], \"boxes\" f32[1,n,4], \"scores\" f32[1,n]".into(),
                advice: Default::default(),
            });
        };
        let output = |spec, elements, dims: &[Dim]| Output::new(Head::Detr, spec, elements, dims.into(), String::new());
        Ok(Self {
            labels: output(labels, &[ElementType::I64, ElementType::I32, ElementType::F32], &[Dim::One, Dim::Boxes])?,
            boxes: output(boxes, &[ElementType::F32], &[Dim::One, Dim::Boxes, Dim::Is(4)])?,
            scores: output(scores, &[ElementType::F32], &[Dim::One, Dim::Boxes])?,
        })
    }

    pub fn read(&mut self, outputs: &[TensorRef<'_>], sieve: &mut Sieve<'_, '_>) -> Result<(), HeadError> {
        let labels = self.labels.of(outputs)?.data;
        let (_, boxes) = self.boxes.floats(outputs)?;
        let (_, scores) = self.scores.floats(outputs)?;
        let n = scores.len();
        for (output, found) in [(&self.labels, labels.len()), (&self.boxes, boxes.len() / 4)] {
            if found != n {
                return Err(output.given(format!("{found} boxes, where \"scores\" has {n}")));
            }
        }
        sieve.candidates.reserve(n);
        for (i, (&score, row)) in scores.iter().zip(boxes.chunks_exact(4)).enumerate() {
            let class = match labels {
                TensorData::I64(labels) => usize::try_from(labels[i]).unwrap_or(usize::MAX),
                TensorData::I32(labels) => usize::try_from(labels[i]).unwrap_or(usize::MAX),
                TensorData::F32(labels) => class(labels[i]),
                TensorData::U8(labels) => usize::from(labels[i]),
                // This head asks no device to look through its outputs.
                TensorData::Survivors(_) => usize::MAX,
            };
            sieve.push(i, BBox::new(row[0], row[1], row[2], row[3]), score, class);
        }
        Ok(())
    }
}
