//! The luma plane at a size at which looking at all of it is cheap.

use super::image::{Image, LEAST};
use crate::types::frame::{Picture, Plane, Planes};

/// The longer side that a picture is shrunk to, about: the nearest whole part of its own size.
const TARGET: usize = 320;

/// How pictures of one size are shrunk: `factor` x `factor` pixels become one, and what is left at the right and
/// lower edge goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shrinking {
    pub factor: usize,
    pub width: usize,
    pub height: usize,
}

impl Shrinking {
    /// For a size of picture; `None` where it is too small for motion to be seen in it.
    pub fn of(width: usize, height: usize) -> Option<Self> {
        let factor = ((width.max(height) + TARGET / 2) / TARGET).max(1);
        let (width, height) = (width / factor, height / factor);
        // Sums of a column are kept in 16 bits.
        (width >= LEAST && height >= LEAST && factor <= 256).then_some(Self { factor, width, height })
    }

    /// The mean of each square; `None` where the plane is not what the picture's size says. `sums` is room for a row.
    #[inline(always)]
    pub fn run(&self, picture: &Picture<'_>, sums: &mut Vec<u16>, out: &mut Image) -> Option<()> {
        let Plane { data, stride } = luma(picture);
        let used = self.width * self.factor;
        let rows = self.height * self.factor;
        if picture.width < used
            || picture.height < rows
            || stride < picture.width
            || data.len() < stride.checked_mul(rows - 1)? + used
        {
            return None;
        }
        sums.resize(used, 0);
        for y in 0..self.height {
            let rows = (0..self.factor).map(|i| &data[(y * self.factor + i) * stride..][..used]);
            add_up(rows, sums);
            let out = out.row_mut(y);
            match self.factor {
                1 => means::<1>(sums, out),
                2 => means::<2>(sums, out),
                3 => means::<3>(sums, out),
                4 => means::<4>(sums, out),
                6 => means::<6>(sums, out),
                8 => means::<8>(sums, out),
                12 => means::<12>(sums, out),
                factor => {
                    let part = 1.0 / (factor * factor) as f32;
                    for (out, sums) in out.iter_mut().zip(sums.chunks_exact(factor)) {
                        *out = sums.iter().map(|v| u32::from(*v)).sum::<u32>() as f32 * part;
                    }
                }
            }
        }
        Some(())
    }
}

/// All layouts that a picture can have begin with it.
fn luma<'a>(picture: &Picture<'a>) -> Plane<'a> {
    match picture.planes {
        Planes::Planar { y, .. } | Planes::Nv12 { y, .. } => y,
    }
}

#[inline(always)]
fn add_up<'a>(rows: impl Iterator<Item = &'a [u8]>, sums: &mut [u16]) {
    for (i, row) in rows.enumerate() {
        if i == 0 {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum = u16::from(*v));
        } else {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += u16::from(*v));
        }
    }
}

#[inline(always)]
fn means<const FACTOR: usize>(sums: &[u16], out: &mut [f32]) {
    let part = 1.0 / (FACTOR * FACTOR) as f32;
    for (out, sums) in out.iter_mut().zip(sums.as_chunks::<FACTOR>().0) {
        *out = sums.iter().map(|v| u32::from(*v)).sum::<u32>() as f32 * part;
    }
}
