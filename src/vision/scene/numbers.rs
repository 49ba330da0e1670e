//! What the grid says by itself and beside the one before it.

use super::grid::{Grid, HEIGHT, WIDTH};

/// Mean and standard deviation.
pub(super) fn mean_and_deviation(grid: &Grid) -> (f32, f32) {
    // By row, so that 32 bits are enough.
    let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
    for row in grid.as_chunks::<WIDTH>().0 {
        sum += sum_of(*row);
        squares += sum_of(row.map(|v| v * v));
    }
    let n = grid.len() as f64;
    let mean = sum / n;
    (mean as f32, (squares / n - mean * mean).max(0.0).sqrt() as f32)
}

/// Mean absolute difference, and the variance of the noise in a cell: from the lower quartile of how differently
/// neighbours changed, which neither another exposure, nor what moves, nor a camera that trembles reaches.
pub(super) fn difference_and_noise(now: &Grid, before: &Grid) -> (f32, f32) {
    const STEPS: f32 = 32.0;
    let mut sum = 0.0_f64;
    let mut counts = [0_u32; 257];
    for (y, (now, before)) in now.as_chunks::<WIDTH>().0.iter().zip(before.as_chunks::<WIDTH>().0).enumerate() {
        let mut row = [0.0; WIDTH];
        row.iter_mut().zip(now.iter().zip(before)).for_each(|(out, (a, b))| *out = (a - b).abs());
        sum += sum_of(row);
        // A part of the cells tells as much.
        for x in (y % 4..WIDTH - 1).step_by(4) {
            let change = (now[x] - before[x]) - (now[x + 1] - before[x + 1]);
            counts[((change.abs() * STEPS) as usize).min(256)] += 1;
        }
    }
    let quarter = counts.iter().sum::<u32>() / 4;
    let mut below = 0;
    let quartile = counts.iter().position(|count| {
        below += count;
        below > quarter
    });
    let quartile = quartile.filter(|steps| *steps > 0).map_or(0.0, |steps| (steps as f32 + 0.5) / STEPS);
    // Of a normal distribution it is 0.3186 deviations off the mean; a change has the noise of four cells.
    ((sum / now.len() as f64) as f32, (quartile / 0.3186).powi(2) / 4.0)
}

/// Variance of the Laplacian (1 1 1 1 -4), without what `noise`, the variance of a cell's noise, has in it.
pub(super) fn sharpness(grid: &Grid, noise: f32) -> f32 {
    let rows = grid.as_chunks::<WIDTH>().0;
    let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
    for three in rows.windows(3) {
        let [above, row, below] = three else { continue };
        let mut line = [0.0; WIDTH - 2];
        for (x, out) in line.iter_mut().enumerate() {
            *out = (above[x + 1] + below[x + 1]) + (row[x] + row[x + 2]) - 4.0 * row[x + 1];
        }
        sum += sum_of(line);
        squares += sum_of(line.map(|v| v * v));
    }
    let n = ((WIDTH - 2) * (HEIGHT - 2)) as f64;
    let mean = sum / n;
    ((squares / n - mean * mean) as f32 - 20.0 * noise).max(0.0)
}

/// A sum, several at a time: always in the same order, and fast.
fn sum_of<const N: usize>(values: [f32; N]) -> f64 {
    let mut sums = [0.0_f32; 8];
    let (eights, rest) = values.as_chunks::<8>();
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, v)| *sum += v);
    }
    f64::from(sums.iter().sum::<f32>() + rest.iter().sum::<f32>())
}

/// The scalar product of slices of the same length, several at a time.
pub(super) fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
