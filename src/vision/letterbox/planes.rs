//! A picture's planes, checked once so that rows can be cut from them freely.

use picture::{PictureError, SizedPlane};

use crate::types::frame::{Picture, Planes, Subsampling};

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
pub(in crate::vision) struct Rows<'a>(SizedPlane<'a>);

impl<'a> Rows<'a> {
    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [u8] {
        &self.0.data[i * self.0.stride..][..self.0.row]
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
    pub fn new(picture: &Picture<'a>) -> Result<Self, PictureError> {
        let (luma, second, third) = picture.sized()?;
        let chroma = match third {
            Some(third) => Chroma::Planar { u: Rows(second), v: Rows(third) },
            None => Chroma::Interleaved(Rows(second)),
        };
        Ok(Self { luma: Rows(luma), chroma })
    }

    #[inline(always)]
    pub fn luma(&self, i: usize) -> &'a [u8] {
        self.luma.row(i)
    }
}
