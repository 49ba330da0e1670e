//! A picture's planes, checked once so that rows can be cut from them freely.

use super::PictureError;
use crate::types::frame::{Picture, Plane, Planes, Subsampling};

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vision) enum Layout {
    Planar(Subsampling),
    Nv12,
}

impl Layout {
    pub fn of(planes: &Planes<'_>) -> Self {
        match planes {
            Planes::Planar { subsampling, .. } => Self::Planar(*subsampling),
            Planes::Nv12 { .. } => Self::Nv12,
        }
    }

    /// Chroma samples per row, and rows.
    pub fn chroma_size(self, width: usize, height: usize) -> (usize, usize) {
        let (across, down) = self.shared();
        (width.div_ceil(across), height.div_ceil(down))
    }

    /// Pixels per chroma sample, across and down.
    pub fn shared(self) -> (usize, usize) {
        match self {
            Self::Planar(subsampling) => subsampling.shared(),
            Self::Nv12 => Subsampling::Yuv420.shared(),
        }
    }
}

/// Rows of a plane that is known to hold them all.
#[derive(Clone, Copy, Debug)]
pub(in crate::vision) struct Rows<'a> {
    data: &'a [u8],
    stride: usize,
    row: usize,
}

impl<'a> Rows<'a> {
    fn new(name: &'static str, plane: &Plane<'a>, row: usize, rows: usize) -> Result<Self, PictureError> {
        if plane.stride < row {
            return Err(PictureError::Stride { plane: name, stride: plane.stride, row });
        }
        let need = plane.stride.saturating_mul(rows - 1).saturating_add(row);
        if plane.data.len() < need {
            return Err(PictureError::Short { plane: name, have: plane.data.len(), need });
        }
        Ok(Self { data: plane.data, stride: plane.stride, row })
    }

    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [u8] {
        &self.data[i * self.stride..][..self.row]
    }
}

#[derive(Clone, Copy, Debug)]
pub(in crate::vision) enum Chroma<'a> {
    Planar { u: Rows<'a>, v: Rows<'a> },
    Interleaved(Rows<'a>),
}

/// A picture whose planes hold all their rows.
#[derive(Clone, Copy, Debug)]
pub(in crate::vision) struct Samples<'a> {
    luma: Rows<'a>,
    pub chroma: Chroma<'a>,
}

impl<'a> Samples<'a> {
    /// The picture has at least one pixel.
    pub fn new(picture: &Picture<'a>) -> Result<Self, PictureError> {
        let (width, height) = (picture.width, picture.height);
        let (columns, rows) = Layout::of(&picture.planes).chroma_size(width, height);
        let (luma, chroma) = match &picture.planes {
            Planes::Planar { y, u, v, .. } => {
                let u = Rows::new("U", u, columns, rows)?;
                (y, Chroma::Planar { u, v: Rows::new("V", v, columns, rows)? })
            }
            Planes::Nv12 { y, uv } => (y, Chroma::Interleaved(Rows::new("UV", uv, 2 * columns, rows)?)),
        };
        Ok(Self { luma: Rows::new("Y", luma, width, height)?, chroma })
    }

    #[inline(always)]
    pub fn luma(&self, i: usize) -> &'a [u8] {
        self.luma.row(i)
    }
}
