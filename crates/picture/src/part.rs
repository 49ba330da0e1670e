use crate::{Picture, Plane, Planes};

impl<'a> Picture<'a> {
    /// The pixels from column `x1` to before `x2` and from row `y1` to before `y2`, begun at even ones so that they keep
    /// their chroma; `None` where nothing of that is inside.
    #[must_use]
    pub fn part(&self, x1: usize, y1: usize, x2: usize, y2: usize) -> Option<Self> {
        let (x, y) = (x1 & !1, y1 & !1);
        let (x2, y2) = (x2.min(self.width), y2.min(self.height));
        let (width, height) =
            (x2.checked_sub(x).filter(|side| *side > 0)?, y2.checked_sub(y).filter(|side| *side > 0)?);
        let from = |plane: Plane<'a>, x: usize, y: usize| -> Option<Plane<'a>> {
            Some(Plane { data: plane.data.get(y.checked_mul(plane.stride)? + x..)?, stride: plane.stride })
        };
        let planes = match self.planes {
            Planes::Planar { y: luma, u, v, subsampling } => {
                let (across, down) = subsampling.shared();
                let (cx, cy) = (x / across, y / down);
                Planes::Planar { y: from(luma, x, y)?, u: from(u, cx, cy)?, v: from(v, cx, cy)?, subsampling }
            }
            Planes::Nv12 { y: luma, uv } => Planes::Nv12 { y: from(luma, x, y)?, uv: from(uv, x, y / 2)? },
        };
        Some(Self { width, height, planes, colour: self.colour })
    }
}
