//! YOLO models that need no suppression (v10, 26): `[1, n, 6]`, a row per box; x1 y1 x2 y2 in input
//! pixels, score, class, then what the task adds.
//! Source: `ultralytics/nn/modules/head.py`, `Detect.postprocess`.

use super::HeadError;
use super::check::{Dim, Output, boxes_output};
use super::extras::{self, Extras};
use super::sieve::Sieve;
use crate::config::{Head, Task};
use crate::types::geometry::BBox;
use crate::types::tensor::{ElementType, ModelIo, TensorRef};

#[derive(Clone, Debug)]
pub(super) struct YoloEnd2End {
    output: Output,
    task: Task,
}

/// Values of a box: edges, score, class.
const BOX: usize = 6;

impl YoloEnd2End {
    pub fn new(io: &ModelIo, task: Task) -> Result<Self, HeadError> {
        let (columns, words) = extras::dim(task, BOX, io);
        let note = format!(" (x1 y1 x2 y2, score, class{words})");
        let output = boxes_output(Head::YoloEnd2End, task, io, &format!("f32[1,n,{columns}]{note}"))?;
        let dims = vec![Dim::One, Dim::Boxes, columns];
        Ok(Self { output: Output::new(Head::YoloEnd2End, output, &[ElementType::F32], dims, note)?, task })
    }

    pub fn read<'t>(&mut self, outputs: &[TensorRef<'t>], sieve: &mut Sieve<'_, 't>) -> Result<(), HeadError> {
        let (shape, data) = self.output.floats(outputs)?;
        sieve.candidates.reserve(shape[1]);
        sieve.extras = Extras::rows(self.task, data, shape[2], BOX);
        for (i, row) in data.chunks_exact(shape[2]).enumerate() {
            sieve.push(i, BBox::new(row[0], row[1], row[2], row[3]), row[4], class(row[5]));
        }
        Ok(())
    }
}

/// A class given as a float; no class at all where it is not a whole number from 0 up.
#[inline]
pub(super) fn class(value: f32) -> usize {
    let class = value as usize;
    if class as f32 == value { class } else { usize::MAX }
}
