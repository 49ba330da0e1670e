use crate::Colour;

/// Rows of samples in memory.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// All rows; the last may be shorter than `stride`.
    pub data: &'a [u8],
    /// Bytes from one row to the next, at least the row's width.
    pub stride: usize,
}

/// How many pixels share a chroma sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subsampling {
    /// 4:2:0 (I420, NV12): two by two.
    Yuv420,
    /// 4:2:2 (Y42B): two in a row.
    Yuv422,
    /// 4:4:4 (Y444): none; a JPEG of the best quality.
    Yuv444,
}

impl Subsampling {
    /// Pixels per chroma sample, across and down.
    #[must_use]
    pub const fn shared(self) -> (usize, usize) {
        match self {
            Self::Yuv420 => (2, 2),
            Self::Yuv422 => (2, 1),
            Self::Yuv444 => (1, 1),
        }
    }
}

/// Planes of an 8-bit YCbCr picture.
#[derive(Clone, Copy, Debug)]
pub enum Planes<'a> {
    /// Three planes (I420, Y42B, Y444).
    Planar {
        /// Luma, `height` rows.
        y: Plane<'a>,
        /// Cb.
        u: Plane<'a>,
        /// Cr.
        v: Plane<'a>,
        /// How many pixels share a chroma sample.
        subsampling: Subsampling,
    },
    /// Luma and interleaved CbCr, 4:2:0 (NV12).
    Nv12 {
        /// Luma, `height` rows.
        y: Plane<'a>,
        /// Cb and Cr in turn, `height / 2` rows rounded up.
        uv: Plane<'a>,
    },
}

/// Borrowed pixels of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The samples.
    pub planes: Planes<'a>,
    /// How to read them.
    pub colour: Colour,
}
