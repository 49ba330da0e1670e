use crate::{Picture, Plane, Planes, Subsampling};

/// Longest side of a picture or of a model's input, pixels: 32-bit integers hold all positions up to here.
pub const MAX_SIDE: usize = 16_384;

/// A picture whose planes are not what its size says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A side is 0 or beyond what any decoder gives.
    #[error("{width}x{height} pixels; sides from 1 to {MAX_SIDE} are possible")]
    Size {
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
    },
    /// Rows overlap.
    #[error("plane {plane} has {stride} bytes a row, its rows hold {row}")]
    Stride {
        /// `Y`, `U`, `V` or `UV`.
        plane: &'static str,
        /// Bytes from row to row.
        stride: usize,
        /// Bytes of a row.
        row: usize,
    },
    /// The plane ends before its last row does.
    #[error("plane {plane} has {have} bytes of {need}")]
    Short {
        /// `Y`, `U`, `V` or `UV`.
        plane: &'static str,
        /// Bytes there.
        have: usize,
        /// Bytes of all rows.
        need: usize,
    },
}

/// A plane that is known to hold all its rows.
#[derive(Clone, Copy, Debug)]
pub struct SizedPlane<'a> {
    /// From the first sample to the last one.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Bytes of a row, at most `stride`.
    pub row: usize,
    /// How many rows there are.
    pub rows: usize,
}

impl<'a> SizedPlane<'a> {
    fn new(name: &'static str, plane: Plane<'a>, row: usize, rows: usize) -> Result<Self, PictureError> {
        let Plane { data, stride } = plane;
        if stride < row {
            return Err(PictureError::Stride { plane: name, stride, row });
        }
        let need = stride.saturating_mul(rows - 1).saturating_add(row);
        let short = PictureError::Short { plane: name, have: data.len(), need };
        Ok(Self { data: data.get(..need).ok_or(short)?, stride, row, rows })
    }

    /// The rows, without what lies between them.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let row = self.row;
        self.data.chunks(self.stride).map(move |samples| &samples[..row])
    }
}

impl<'a> Picture<'a> {
    /// Its planes, two or three, once it is known that all their rows are there.
    ///
    /// # Errors
    ///
    /// [`PictureError`].
    pub fn sized(&self) -> Result<(SizedPlane<'a>, SizedPlane<'a>, Option<SizedPlane<'a>>), PictureError> {
        let (width, height) = (self.width, self.height);
        let possible = 1..=MAX_SIDE;
        if !possible.contains(&width) || !possible.contains(&height) {
            return Err(PictureError::Size { width, height });
        }
        let chroma = |subsampling: Subsampling| {
            let (across, down) = subsampling.shared();
            (width.div_ceil(across), height.div_ceil(down))
        };
        match self.planes {
            Planes::Planar { y, u, v, subsampling } => {
                let (row, rows) = chroma(subsampling);
                let (u, v) = (SizedPlane::new("U", u, row, rows)?, SizedPlane::new("V", v, row, rows)?);
                Ok((SizedPlane::new("Y", y, width, height)?, u, Some(v)))
            }
            Planes::Nv12 { y, uv } => {
                let (row, rows) = chroma(Subsampling::Yuv420);
                let uv = SizedPlane::new("UV", uv, 2 * row, rows)?;
                Ok((SizedPlane::new("Y", y, width, height)?, uv, None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Colour, Matrix, Range};

    const BYTES: [u8; 64] = [7; 64];

    fn picture(width: usize, height: usize, planes: Planes<'_>) -> Picture<'_> {
        Picture { width, height, planes, colour: Colour { matrix: Matrix::Bt601, range: Range::Limited } }
    }

    fn plane(len: usize, stride: usize) -> Plane<'static> {
        Plane { data: &BYTES[..len], stride }
    }

    /// 5x3 pixels: odd sides round up, the last row may end early, and what follows the last row is left out.
    #[test]
    fn planes_hold_what_the_size_says() {
        let nv12 = picture(5, 3, Planes::Nv12 { y: plane(21, 8), uv: plane(64, 8) });
        let (y, uv, none) = nv12.sized().expect("whole");
        assert_eq!((y.row, y.rows, y.data.len()), (5, 3, 21));
        assert_eq!((uv.row, uv.rows, uv.data.len()), (6, 2, 14));
        assert!(none.is_none());
        assert_eq!(uv.iter().map(<[u8]>::len).collect::<Vec<_>>(), [6, 6]);
        for (subsampling, row, rows) in
            [(Subsampling::Yuv420, 3, 2), (Subsampling::Yuv422, 3, 3), (Subsampling::Yuv444, 5, 3)]
        {
            let (y, u, v) = (plane(15, 5), plane(row * rows, row), plane(row * rows, row));
            let (_, u, v) = picture(5, 3, Planes::Planar { y, u, v, subsampling }).sized().expect("whole");
            assert_eq!((u.row, u.rows, v.map(|v| (v.row, v.rows))), (row, rows, Some((row, rows))));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (y, uv) = (plane(21, 8), plane(14, 8));
        let planar = |y, u, v| Planes::Planar { y, u, v, subsampling: Subsampling::Yuv420 };
        let table = [
            (picture(0, 3, Planes::Nv12 { y, uv }), "0x3 pixels; sides from 1 to 16384 are possible"),
            (picture(5, 16_385, Planes::Nv12 { y, uv }), "5x16385 pixels; sides from 1 to 16384 are possible"),
            (picture(5, 3, Planes::Nv12 { y: plane(20, 8), uv }), "plane Y has 20 bytes of 21"),
            (picture(5, 3, Planes::Nv12 { y, uv: plane(13, 8) }), "plane UV has 13 bytes of 14"),
            (picture(5, 3, Planes::Nv12 { y, uv: plane(14, 5) }), "plane UV has 5 bytes a row, its rows hold 6"),
            (picture(5, 3, planar(y, plane(5, 3), plane(6, 3))), "plane U has 5 bytes of 6"),
            (picture(5, 3, planar(y, plane(6, 3), plane(6, 2))), "plane V has 2 bytes a row, its rows hold 3"),
            (
                picture(5, 3, Planes::Nv12 { y: plane(21, usize::MAX), uv }),
                "plane Y has 21 bytes of 18446744073709551615",
            ),
        ];
        for (picture, words) in table {
            assert_eq!(picture.sized().expect_err("does not fit").to_string(), words);
        }
    }
}
