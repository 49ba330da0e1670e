//! Pixels that were copied, so that the decoder has its buffer back.

use crate::types::frame::{Colour, Picture, Plane, Planes, Subsampling};

/// A picture of its own. Of large ones only every n-th column and row is kept.
#[derive(Debug)]
pub struct Pixels {
    width: usize,
    height: usize,
    /// Columns and rows of the original to one of these.
    step: usize,
    colour: Colour,
    /// `None`: NV12.
    planar: Option<Subsampling>,
    /// All planes, rows without gaps.
    data: Vec<u8>,
}

impl Pixels {
    /// Copies `picture` into `memory`, thinned out so that its longer side is not more than twice `longest`; `None`
    /// where its planes do not hold what its size says.
    #[must_use]
    pub fn copy(picture: &Picture<'_>, longest: usize, mut memory: Vec<u8>) -> Option<Self> {
        let step = (picture.width.max(picture.height) / (2 * longest.max(1))).max(1);
        let (first, second, third) = picture.sized().ok()?;
        memory.clear();
        let planar = match picture.planes {
            Planes::Planar { subsampling, .. } => Some(subsampling),
            Planes::Nv12 { .. } => None,
        };
        let (width, height) = (picture.width.div_ceil(step), picture.height.div_ceil(step));
        thin(first.iter(), step, 1, &mut memory);
        let samples = if planar.is_none() { 2 } else { 1 };
        thin(second.iter(), step, samples, &mut memory);
        if let Some(third) = third {
            thin(third.iter(), step, 1, &mut memory);
        }
        let pixels = Self { width, height, step, colour: picture.colour, planar, data: memory };
        pixels.picture().sized().is_ok().then_some(pixels)
    }

    /// How many pixels of the original are one of these, along a side.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// To read them.
    #[must_use]
    pub fn picture(&self) -> Picture<'_> {
        let (width, height) = (self.width, self.height);
        let (luma, chroma) = self.data.split_at_checked(width * height).unwrap_or((&[], &[]));
        let y = Plane { data: luma, stride: width };
        let (across, down) = self.planar.unwrap_or(Subsampling::Yuv420).shared();
        let (row, rows) = (width.div_ceil(across), height.div_ceil(down));
        let planes = match self.planar {
            None => Planes::Nv12 { y, uv: Plane { data: chroma, stride: 2 * row } },
            Some(subsampling) => {
                let (u, v) = chroma.split_at_checked(row * rows).unwrap_or((&[], &[]));
                Planes::Planar { y, u: Plane { data: u, stride: row }, v: Plane { data: v, stride: row }, subsampling }
            }
        };
        Picture { width, height, planes, colour: self.colour }
    }

    /// Its memory, to be used again.
    #[must_use]
    pub fn into_memory(self) -> Vec<u8> {
        self.data
    }
}

/// Every `step`-th row, and of it every `step`-th group of `samples`.
fn thin<'a>(rows: impl Iterator<Item = &'a [u8]>, step: usize, samples: usize, out: &mut Vec<u8>) {
    for row in rows.step_by(step) {
        if step == 1 {
            out.extend_from_slice(row);
        } else {
            out.extend(row.chunks(samples).step_by(step).flatten());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::frame::{Matrix, Range};

    const COLOUR: Colour = Colour { matrix: Matrix::Bt601, range: Range::Full };

    /// Bright right half, red below.
    fn nv12(side: usize) -> (Vec<u8>, Vec<u8>) {
        let luma = (0..side * side).map(|i| if i % side < side / 2 { 40 } else { 200 }).collect();
        let half = side.div_ceil(2);
        let chroma = (0..half * half).flat_map(|i| if i / half < half / 2 { [128, 128] } else { [100, 190] }).collect();
        (luma, chroma)
    }

    #[test]
    fn a_copy_shows_what_the_picture_shows_also_thinned_out() {
        for side in [64_usize, 65] {
            let (luma, chroma) = nv12(side);
            let planes = Planes::Nv12 {
                y: Plane { data: &luma, stride: side },
                uv: Plane { data: &chroma, stride: 2 * side.div_ceil(2) },
            };
            let picture = Picture { width: side, height: side, planes, colour: COLOUR };
            let whole = picture.to_rgb();
            for longest in [1000, 16, 8] {
                let copy = Pixels::copy(&picture, longest, Vec::new()).unwrap();
                let (small, step) = (copy.picture(), copy.step());
                assert!(small.width.max(small.height) <= (2 * longest + 2).max(side.min(2 * longest + step)));
                let rgb = small.to_rgb();
                // A point in each quarter, away from the edges between them.
                for (x, y) in [(8, 8), (56, 8), (8, 56), (56, 56)] {
                    let at = |x: usize, y: usize, width: usize| (y * width + x) * 3;
                    let original = &whole[at(x, y, side)..][..3];
                    assert_eq!(&rgb[at(x / step, y / step, small.width)..][..3], original, "{side} {longest}");
                }
            }
        }
    }

    #[test]
    fn planes_that_are_too_short_are_refused() {
        let planes = Planes::Nv12 { y: Plane { data: &[0; 6], stride: 4 }, uv: Plane { data: &[0; 4], stride: 4 } };
        assert!(Pixels::copy(&Picture { width: 4, height: 4, planes, colour: COLOUR }, 10, Vec::new()).is_none());
    }
}
