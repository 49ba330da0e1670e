//! Part of a picture, resized: what a letterbox does with the whole of it and a crop with a box.

use std::ops::Range;

use super::planes::{Chroma, Layout, Samples};
use super::rows::{self, Scratch};
use super::taps::{self, ColumnTaps, RowTaps, Span};
use crate::vision::colour::Channel;

/// Tables for one part and one size of the result, and the rows in between; keeps its memory.
#[derive(Clone, Debug)]
pub(in crate::vision) struct Sampler {
    columns: ColumnTaps,
    chroma_columns: ColumnTaps,
    rows: Vec<RowTaps>,
    chroma_rows: Vec<RowTaps>,
    /// Samples of a source row that the result is made of.
    luma: Range<usize>,
    chroma: Range<usize>,
    scratch: Scratch,
}

impl Sampler {
    /// For results of `columns` x `rows` from sources of at most `widest` pixels in a row.
    pub fn new(columns: usize, rows: usize, widest: usize) -> Self {
        Self {
            columns: ColumnTaps::with_capacity(columns),
            chroma_columns: ColumnTaps::with_capacity(columns),
            rows: Vec::with_capacity(rows),
            chroma_rows: Vec::with_capacity(rows),
            luma: 0..0,
            chroma: 0..0,
            scratch: Scratch::new(widest, widest, columns),
        }
    }

    /// Makes `columns` x `rows` of the part `x`, `y` of a picture.
    pub fn aim(&mut self, layout: Layout, (columns, rows): (usize, usize), x: Span, y: Span) {
        let (across, down) = layout.shared();
        self.columns.set(columns, x, 1);
        self.chroma_columns.set(columns, x, across);
        taps::set_rows(&mut self.rows, rows, y, 1);
        taps::set_rows(&mut self.chroma_rows, rows, y, down);
        (self.luma, self.chroma) = (x.samples(1), x.samples(across));
    }

    /// Computes row `i` of the result, one slice a channel.
    #[inline(always)]
    pub fn row(&mut self, i: usize, samples: &Samples<'_>, channels: &[Channel; 3], out: [&mut [f32]; 3]) {
        let (Some(luma), Some(chroma)) = (self.rows.get(i), self.chroma_rows.get(i)) else { return };
        let scratch = &mut self.scratch;
        let of = |row: usize| &samples.luma(row)[self.luma.clone()];
        rows::blend(of(luma.first), of(luma.second), luma.weight, &mut scratch.luma);
        match &samples.chroma {
            Chroma::Planar { u, v } => {
                let [u, v] =
                    [u, v].map(|plane| [chroma.first, chroma.second].map(|row| &plane.row(row)[self.chroma.clone()]));
                rows::blend_planar(u, v, chroma.weight, &mut scratch.chroma);
            }
            Chroma::Interleaved(uv) => {
                let of = |row: usize| &uv.row(row)[2 * self.chroma.start..2 * self.chroma.end];
                rows::blend(of(chroma.first), of(chroma.second), chroma.weight, scratch.chroma.as_flattened_mut());
            }
        }
        rows::pick_luma(&scratch.luma, &self.columns.index, &mut scratch.y);
        rows::pick_chroma(&scratch.chroma, &self.chroma_columns.index, &mut scratch.c0, &mut scratch.c1);
        rows::convert(
            (&scratch.y, &self.columns.weight),
            (&scratch.c0, &scratch.c1, &self.chroma_columns.weight),
            channels,
            out,
        );
    }
}
