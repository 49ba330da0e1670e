//! The luma plane on a small grid of always the same size, whatever the picture's.

use crate::types::frame::{Picture, Range};

/// Cells across.
pub(super) const WIDTH: usize = 320;
/// Cells down.
pub(super) const HEIGHT: usize = 180;

/// Mean luma of each cell, 0..255, row after row; black is 0 and white is 255 whatever the picture's range is.
pub(super) type Grid = [f32];

/// How pictures of one size come onto the grid.
///
/// A cell has the pixels from `i * width / 320` on, up to where the next one begins: where the width is not a multiple
/// of 320, some cells are a pixel wider than others. Each has one at least; a picture smaller than the grid gives
/// pixels to several cells. So all of the picture is looked at, and a picture of other proportions is stretched.
#[derive(Clone, Debug)]
pub(super) struct Shrinking {
    width: usize,
    height: usize,
    columns: Vec<(u16, u16)>,
    sums: Vec<u16>,
}

fn cell(i: usize, pixels: usize, cells: usize) -> (usize, usize) {
    let from = i * pixels / cells;
    (from, ((i + 1) * pixels / cells).max(from + 1))
}

impl Shrinking {
    /// For pictures of a size; sides from 1 to [`picture::MAX_SIDE`].
    pub fn of(width: usize, height: usize) -> Self {
        let columns = (0..WIDTH).map(|x| cell(x, width, WIDTH)).map(|(a, b)| (a as u16, b as u16)).collect();
        Self { width, height, columns, sums: vec![0; width] }
    }

    /// Fills the grid; `None` where the picture is not whole, or not of this size.
    pub fn run(&mut self, picture: &Picture<'_>, grid: &mut Grid) -> Option<()> {
        let (luma, _, _) = picture.sized().ok()?;
        if (picture.width, picture.height) != (self.width, self.height) {
            return None;
        }
        let (black, white) = match picture.colour.range {
            Range::Limited => (16.0, 235.0),
            Range::Full => (0.0, 255.0),
        };
        let scale = 255.0 / (white - black);
        for (y, out) in grid.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
            let (from, to) = cell(y, self.height, HEIGHT);
            // At most 92 rows: their sum fits.
            for (i, row) in luma.data[from * luma.stride..].chunks(luma.stride).take(to - from).enumerate() {
                let row = &row[..self.width];
                if i == 0 {
                    self.sums.iter_mut().zip(row).for_each(|(sum, v)| *sum = u16::from(*v));
                } else {
                    self.sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += u16::from(*v));
                }
            }
            match (self.width.is_multiple_of(WIDTH), self.width / WIDTH) {
                (true, 2) => even::<2>(&self.sums, out),
                (true, 4) => even::<4>(&self.sums, out),
                (true, 6) => even::<6>(&self.sums, out),
                (true, 8) => even::<8>(&self.sums, out),
                (true, 12) => even::<12>(&self.sums, out),
                _ => {
                    for (out, (a, b)) in out.iter_mut().zip(&self.columns) {
                        let sums = &self.sums[usize::from(*a)..usize::from(*b)];
                        *out = sums.iter().map(|v| u32::from(*v)).sum::<u32>() as f32 / sums.len() as f32;
                    }
                }
            }
            let rows = scale / (to - from) as f32;
            out.iter_mut().for_each(|v| *v = (*v * rows - black * scale).clamp(0.0, 255.0));
        }
        Some(())
    }
}

/// Cells of `N` pixels each.
fn even<const N: usize>(sums: &[u16], out: &mut [f32; WIDTH]) {
    for (out, sums) in out.iter_mut().zip(sums.as_chunks::<N>().0) {
        *out = sums.iter().map(|v| u32::from(*v)).sum::<u32>() as f32 / N as f32;
    }
}
