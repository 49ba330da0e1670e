//! Where a picture has edges, how they run, and how much texture there is.
//!
//! All of it from the logarithm of luma: what counts is contrast, which half the light leaves as it is. And beside what
//! is around: the cone of a lamp, an infrared one above all, has no edges.

use super::grid::{Grid, HEIGHT as GRID_HEIGHT, WIDTH as GRID_WIDTH};

/// Cells of the grid, across and down, that are one here.
const FACTOR: usize = 4;
pub(super) const WIDTH: usize = GRID_WIDTH / FACTOR;
pub(super) const HEIGHT: usize = GRID_HEIGHT / FACTOR;
/// Cells of a block of texture, across and down.
const BLOCK: usize = 5;
const BLOCKS_ACROSS: usize = WIDTH / BLOCK;
pub(super) const BLOCKS: usize = BLOCKS_ACROSS * (HEIGHT / BLOCK);

/// Luma that is added before the logarithm is taken, so that the noise of darkness is no contrast.
const FLOOR: f32 = 16.0;
/// Cells to each side that a cell is looked at beside.
const AROUND: usize = 3;
/// Contrast from one cell to the next that makes half an edge.
const CONTRAST: f32 = 0.02;

/// Edges and texture of a picture.
#[derive(Clone, Debug)]
pub(super) struct Edges {
    /// By cell, how the edge runs: twice its angle, as a vector whose length says how clear it is, 0..1. Twice, so that
    /// an edge is the same whichever of its sides is the brighter one.
    pub along: [[f32; 2]; WIDTH * HEIGHT],
    /// By cell, how clear it is: the length of the vector.
    pub clear: [f32; WIDTH * HEIGHT],
    /// By block, mean contrast.
    pub texture: [f32; BLOCKS],
}

impl Edges {
    pub const NONE: Self =
        Self { along: [[0.0; 2]; WIDTH * HEIGHT], clear: [0.0; WIDTH * HEIGHT], texture: [0.0; BLOCKS] };

    /// Those of a picture.
    pub fn find(&mut self, grid: &Grid) {
        let mut light = logarithm(grid);
        flatten(&mut light);
        self.texture.fill(0.0);
        let at = |x: usize, y: usize| light[y * WIDTH + x];
        for y in 1..HEIGHT - 1 {
            for x in 1..WIDTH - 1 {
                let dx = (at(x + 1, y - 1) - at(x - 1, y - 1))
                    + 2.0 * (at(x + 1, y) - at(x - 1, y))
                    + (at(x + 1, y + 1) - at(x - 1, y + 1));
                let dy = (at(x - 1, y + 1) - at(x - 1, y - 1))
                    + 2.0 * (at(x, y + 1) - at(x, y - 1))
                    + (at(x + 1, y + 1) - at(x + 1, y - 1));
                let (dx, dy) = (dx / 8.0, dy / 8.0);
                let square = dx * dx + dy * dy;
                // (cos 2a, sin 2a), times square / (square + CONTRAST^2).
                let part = 1.0 / (square + CONTRAST * CONTRAST);
                self.along[y * WIDTH + x] = [(dx * dx - dy * dy) * part, 2.0 * dx * dy * part];
                self.clear[y * WIDTH + x] = square * part;
                self.texture[y / BLOCK * BLOCKS_ACROSS + x / BLOCK] += square.sqrt() / (BLOCK * BLOCK) as f32;
            }
        }
    }
}

fn logarithm(grid: &Grid) -> [f32; WIDTH * HEIGHT] {
    let mut light = [0.0; WIDTH * HEIGHT];
    for (y, rows) in grid.chunks_exact(FACTOR * GRID_WIDTH).enumerate() {
        let out = &mut light[y * WIDTH..][..WIDTH];
        for row in rows.chunks_exact(GRID_WIDTH) {
            for (out, cells) in out.iter_mut().zip(row.as_chunks::<FACTOR>().0) {
                *out += cells.iter().sum::<f32>();
            }
        }
        out.iter_mut().for_each(|v| *v = (*v / (FACTOR * FACTOR) as f32 + FLOOR).ln());
    }
    light
}

/// Takes off the mean of what is around.
fn flatten(light: &mut [f32; WIDTH * HEIGHT]) {
    let mut rows = [0.0; WIDTH * HEIGHT];
    for (row, out) in light.as_chunks::<WIDTH>().0.iter().zip(rows.as_chunks_mut::<WIDTH>().0) {
        means(|x| row[x], |x, mean| out[x] = mean, WIDTH);
    }
    for x in 0..WIDTH {
        means(|y| rows[y * WIDTH + x], |y, mean| light[y * WIDTH + x] -= mean, HEIGHT);
    }
}

/// Means of `AROUND` values on each side; beyond the ends are the last ones.
fn means(value: impl Fn(usize) -> f32, mut put: impl FnMut(usize, f32), n: usize) {
    let at = |i: usize| value(i.clamp(AROUND, n - 1 + AROUND) - AROUND);
    let mut sum: f32 = (0..2 * AROUND).map(at).sum();
    for i in 0..n {
        sum += at(i + 2 * AROUND);
        put(i, sum / (2 * AROUND + 1) as f32);
        sum -= at(i);
    }
}
