//! By how much two pictures are shifted, roughly: far more than flow can follow.

use super::image::Image;

/// Shifts up to this part of a side are tried.
const REACH: usize = 4;
/// A shift is believed where the pictures then differ by this part of what they differ by without.
const BETTER: f32 = 0.85;

/// Finds shifts between small pictures of one size.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    before: Vec<f32>,
    now: Vec<f32>,
}

impl Search {
    pub fn new(image: &Image) -> Self {
        let plane = || Vec::with_capacity(image.width * image.height);
        Self { before: plane(), now: plane() }
    }

    /// Takes a pixel of the picture before to where it is now, to a whole pixel, whatever the light does.
    #[inline(always)]
    pub fn shift(&mut self, before: &Image, now: &Image) -> (f32, f32) {
        normalise(before, &mut self.before);
        normalise(now, &mut self.now);
        let (width, height) = (before.width as isize, before.height as isize);
        let (reach_x, reach_y) = (width / REACH as isize, height / REACH as isize);
        let unmoved = self.difference((width, height), (0, 0));
        let mut best = (unmoved * BETTER, (0, 0));
        for dy in -reach_y..=reach_y {
            for dx in -reach_x..=reach_x {
                let difference = self.difference((width, height), (dx, dy));
                if difference < best.0 {
                    best = (difference, (dx, dy));
                }
            }
        }
        (best.1.0 as f32, best.1.1 as f32)
    }

    /// Mean absolute difference of what both see if the picture has shifted so.
    #[inline(always)]
    fn difference(&self, (width, height): (isize, isize), (dx, dy): (isize, isize)) -> f32 {
        let (columns, rows) = ((width - dx.abs()) as usize, (height - dy.abs()) as usize);
        let (stride, mut sum) = (width as usize, [0.0_f32; 8]);
        for y in 0..rows {
            let before = (y + (-dy).max(0) as usize) * stride + (-dx).max(0) as usize;
            let now = (y + dy.max(0) as usize) * stride + dx.max(0) as usize;
            let (before, now) = (&self.before[before..][..columns], &self.now[now..][..columns]);
            let ((before, rest_before), (now, rest_now)) = (before.as_chunks::<8>(), now.as_chunks::<8>());
            for (before, now) in before.iter().zip(now) {
                for i in 0..8 {
                    sum[i] += (before[i] - now[i]).abs();
                }
            }
            for (i, (before, now)) in rest_before.iter().zip(rest_now).enumerate() {
                sum[i] += (before - now).abs();
            }
        }
        sum.iter().sum::<f32>() / (columns * rows) as f32
    }
}

/// Mean 0 and mean deviation 1, or all 0 for a flat picture.
#[inline(always)]
fn normalise(image: &Image, out: &mut Vec<f32>) {
    out.clear();
    (0..image.height).for_each(|y| out.extend_from_slice(image.row(y)));
    let part = 1.0 / out.len() as f32;
    let mean = out.iter().sum::<f32>() * part;
    let deviation = out.iter().map(|v| (v - mean).abs()).sum::<f32>() * part;
    let scale = if deviation > 1e-3 { 1.0 / deviation } else { 0.0 };
    out.iter_mut().for_each(|v| *v = (*v - mean) * scale);
}
