//! Lines of `MOTChallenge` text: `frame,id,x,y,w,h,score,class,-1,-1`.

use std::fmt;

use crate::types::geometry::BBox;

/// A box in a frame, with fixed decimals so that files can be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) frame: u64,
    /// Its track; `None` for a detection.
    pub(super) id: Option<u64>,
    /// Pixels.
    pub(super) bbox: BBox,
    pub(super) score: f32,
    /// As the model counts, from 0; written from 1.
    pub(super) class: u16,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (b, class) = (self.bbox, u32::from(self.class) + 1);
        write!(f, "{},", self.frame)?;
        match self.id {
            Some(id) => write!(f, "{id}")?,
            None => f.write_str("-1")?,
        }
        let (w, h) = (b.width(), b.height());
        write!(f, ",{:.2},{:.2},{w:.2},{h:.2},{:.4},{class},-1,-1", b.x1, b.y1, self.score)
    }
}
