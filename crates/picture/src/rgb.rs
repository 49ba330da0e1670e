//! YCbCr samples into RGB for the eye.

use crate::{Colour, Matrix, Picture, Plane, Planes, Range};

/// Bits behind the point of the coefficients.
const FRACTION: i32 = 16;

/// What a sample adds to red, green and blue, in 1/65536.
struct Coefficients {
    black: i32,
    luma: i32,
    red_cr: i32,
    green_cb: i32,
    green_cr: i32,
    blue_cb: i32,
}

impl Coefficients {
    /// Those of ITU-R BT.601-7, BT.709-6 and BT.2020-2, from the weights of red and blue in luma.
    fn new(colour: Colour) -> Self {
        let (kr, kb) = match colour.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let (black, luma, chroma) = match colour.range {
            Range::Limited => (16, 255.0 / 219.0, 255.0 / 224.0),
            Range::Full => (0, 1.0, 1.0),
        };
        let kg = 1.0 - kr - kb;
        let (cr, cb) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
        let fixed = |value: f64| (value * f64::from(1 << FRACTION)).round() as i32;
        Self {
            black,
            luma: fixed(luma),
            red_cr: fixed(cr),
            green_cb: fixed(-cb * kb / kg),
            green_cr: fixed(-cr * kr / kg),
            blue_cb: fixed(cb),
        }
    }

    fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let y = (i32::from(y) - self.black) * self.luma + (1 << (FRACTION - 1));
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let byte = |value: i32| (value >> FRACTION).clamp(0, 255) as u8;
        [byte(y + self.red_cr * cr), byte(y + self.green_cb * cb + self.green_cr * cr), byte(y + self.blue_cb * cb)]
    }
}

impl Picture<'_> {
    /// For the eye: red, green and blue, `width * height * 3` bytes. Chroma is repeated, not interpolated; samples that
    /// a plane lacks leave their pixels black.
    #[must_use]
    pub fn to_rgb(&self) -> Vec<u8> {
        to_rgb(self)
    }
}

fn to_rgb(picture: &Picture<'_>) -> Vec<u8> {
    let coefficients = Coefficients::new(picture.colour);
    let mut rgb = vec![0; picture.width * picture.height * 3];
    if rgb.is_empty() {
        return rgb;
    }
    for (r, out) in rgb.chunks_exact_mut(picture.width * 3).enumerate() {
        let (y, cb, cr, across, step) = match picture.planes {
            Planes::Planar { y, u, v, subsampling } => {
                let (across, down) = subsampling.shared();
                (row(y, r), row(u, r / down), row(v, r / down), across, 1)
            }
            Planes::Nv12 { y, uv } => {
                let pairs = row(uv, r / 2);
                (row(y, r), pairs, pairs.get(1..).unwrap_or(&[]), 2, 2)
            }
        };
        for (x, (out, y)) in out.chunks_exact_mut(3).zip(y).enumerate() {
            let at = x / across * step;
            if let (Some(cb), Some(cr)) = (cb.get(at), cr.get(at)) {
                out.copy_from_slice(&coefficients.rgb(*y, *cb, *cr));
            }
        }
    }
    rgb
}

/// Row `r` to the end of the plane: the reader stops at the width.
fn row(plane: Plane<'_>, r: usize) -> &[u8] {
    plane.data.get(r * plane.stride..).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Subsampling;

    /// Bars at 100 %, as in the tests of the tensor conversion.
    #[test]
    fn bars_become_what_they_show() {
        use {Matrix::*, Range::*};
        let table = [
            (Bt601, Limited, [82, 90, 240], [255, 0, 0]),
            (Bt601, Limited, [145, 54, 34], [0, 255, 0]),
            (Bt601, Full, [76, 85, 255], [255, 0, 0]),
            (Bt709, Limited, [32, 240, 118], [0, 0, 255]),
            (Bt709, Limited, [235, 128, 128], [255, 255, 255]),
            (Bt709, Limited, [16, 128, 128], [0, 0, 0]),
            (Bt2020, Limited, [164, 47, 25], [0, 255, 0]),
        ];
        for (matrix, range, [y, cb, cr], want) in table {
            let got = Coefficients::new(Colour { matrix, range }).rgb(y, cb, cr);
            let worst = (0..3).map(|c| got[c].abs_diff(want[c])).max();
            assert!(worst <= Some(2), "{matrix:?} {range:?}: {got:?}, not {want:?}");
        }
    }

    /// The same 4x4 scene in each layout: red on the left, blue on the right, with rows padded to a stride of 6.
    #[test]
    fn every_layout_gives_the_same_picture() {
        let luma: Vec<u8> = [76, 76, 29, 29, 9, 9].repeat(4);
        let (cb, cr) = ([85, 255, 9, 9, 9, 9], [255, 107, 9, 9, 9, 9]);
        let (pairs, full_cb, full_cr) = ([85, 255, 255, 107, 9, 9].repeat(2), cb.repeat(4), cr.repeat(4));
        let (half_cb, half_cr) = (cb.repeat(2), cr.repeat(2));
        let plane = |data| Plane { data, stride: 6 };
        let y = plane(&luma);
        let layouts = [
            Planes::Nv12 { y, uv: plane(&pairs) },
            Planes::Planar { y, u: plane(&half_cb), v: plane(&half_cr), subsampling: Subsampling::Yuv420 },
            Planes::Planar { y, u: plane(&full_cb), v: plane(&full_cr), subsampling: Subsampling::Yuv422 },
        ];
        let colour = Colour { matrix: Matrix::Bt601, range: Range::Full };
        for planes in layouts {
            let rgb = to_rgb(&Picture { width: 4, height: 4, planes, colour });
            for (i, pixel) in rgb.chunks_exact(3).enumerate() {
                let want: [u8; 3] = if i % 4 < 2 { [255, 0, 0] } else { [0, 0, 255] };
                assert!(pixel.iter().zip(want).all(|(a, b)| a.abs_diff(b) <= 2), "{planes:?} pixel {i}: {pixel:?}");
            }
        }
    }

    #[test]
    fn planes_that_are_too_short_leave_black() {
        let plane = |data| Plane { data, stride: 4 };
        let planes = Planes::Nv12 { y: plane(&[235; 6]), uv: plane(&[128]) };
        let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        assert_eq!(to_rgb(&Picture { width: 4, height: 4, planes, colour }), [0; 48]);
    }
}
