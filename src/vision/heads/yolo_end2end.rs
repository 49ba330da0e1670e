//! YOLO models that need no suppression (v10, 26): `[1, n, 6]`, a row per box; x1 y1 x2 y2 in input
//! pixels, score, class.
//! Source: `ultralytics/nn/modules/head.py`, `Detect.postprocess`.

use super::HeadError;
use super::check::{Dim, Output, only_output};
use super::sieve::Sieve;
use crate::config::Head;
use crate::types::geometry::BBox;
use crate::types::tensor::{ElementType, ModelIo, TensorRef};

#[derive(Clone, Debug)]
pub(super) struct YoloEnd2End {
    output: Output,
}

impl YoloEnd2End {
    pub fn new(io: &ModelIo) -> Result<Self, HeadError> {
        let note = " (x1 y1 x2 y2, score, class)";
        let output = only_output(Head::YoloEnd2End, io, &format!("f32[1,n,6]{note}"))?;
        let dims = vec![Dim::One, Dim::Boxes, Dim::Is(6)];
        Ok(Self { output: Output::new(Head::YoloEnd2End, output, &[ElementType::F32], dims, note.into())? })
    }

    pub fn read(&mut self, outputs: &[TensorRef<'_>], sieve: &mut Sieve<'_>) -> Result<(), HeadError> {
        let (shape, data) = self.output.floats(outputs)?;
        sieve.candidates.reserve(shape[1]);
        for (i, row) in data.chunks_exact(6).enumerate() {
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
