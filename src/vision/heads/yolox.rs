//! YOLOX as published in ONNX, without its decoder: `[1, n, 5 + classes]`, a row per cell of the grids at
//! strides 8, 16 and 32, each grid row by row; offset of the centre in cells, logarithm of the size in
//! cells, objectness, scores per class.
//! Source: `YOLOX/yolox/utils/demo_utils.py`, `demo_postprocess`.

use super::HeadError;
use super::PictureInput;
use super::check::{Dim, Output, only_output};
use super::sieve::Sieve;
use super::yolov5::score;
use crate::config::Head;
use crate::types::geometry::BBox;
use crate::types::tensor::{ElementType, ModelIo, TensorRef};

const STRIDES: [usize; 3] = [8, 16, 32];

#[derive(Clone, Debug)]
pub(super) struct Yolox {
    output: Output,
    /// Stride, columns and rows of each grid.
    grids: [(usize, usize, usize); 3],
}

impl Yolox {
    pub fn new(io: &ModelIo, picture: PictureInput, classes: usize) -> Result<Self, HeadError> {
        let (width, height) = (picture.width, picture.height);
        let grids = STRIDES.map(|stride| (stride, width.div_ceil(stride), height.div_ceil(stride)));
        let boxes = grids.iter().map(|(_, columns, rows)| columns * rows).sum();
        let note = format!(" for a {width}x{height} input (boxes at strides 8, 16, 32; 5 + {classes} labels)");
        let output = only_output(Head::Yolox, io, &format!("f32[1,{boxes},{}]{note}", 5 + classes))?;
        let dims = vec![Dim::One, Dim::Is(boxes), Dim::Is(5 + classes)];
        Ok(Self { output: Output::new(Head::Yolox, output, &[ElementType::F32], dims, note)?, grids })
    }

    pub fn read(&mut self, outputs: &[TensorRef<'_>], sieve: &mut Sieve<'_, '_>) -> Result<(), HeadError> {
        let (shape, data) = self.output.floats(outputs)?;
        sieve.candidates.reserve(shape[1]);
        let cells = self.grids.iter().flat_map(|&(stride, columns, rows)| {
            (0..columns * rows).map(move |i| (stride as f32, (i % columns) as f32, (i / columns) as f32))
        });
        for (i, ((stride, column, line), row)) in cells.zip(data.chunks_exact(shape[2])).enumerate() {
            if let Some((class, score)) = score(&row[4..], sieve.min_score) {
                let (cx, cy) = ((row[0] + column) * stride, (row[1] + line) * stride);
                let bbox = BBox::from_centre(cx, cy, row[2].exp() * stride, row[3].exp() * stride);
                sieve.push(i, bbox, score, class);
            }
        }
        Ok(())
    }
}
