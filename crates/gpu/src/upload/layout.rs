use std::ops::Range;

use ::picture::SizedPlane;

/// Bytes between rows that are copied along with them: as a piece each, rows cost about as much more.
const GAP: usize = 256;

/// Planes begin at multiples of this, as the device's memory does.
const ALIGNMENT: usize = 256;

/// Two or three planes: luma, Cb or Cb and Cr in turn, Cr.
pub(super) type Planes<'a> = (SizedPlane<'a>, SizedPlane<'a>, Option<SizedPlane<'a>>);

/// Where planes lie behind each other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    planes: [Placed; 3],
}

#[derive(Clone, Copy, Debug, Default)]
struct Placed {
    start: usize,
    pitch: usize,
    len: usize,
}

impl Layout {
    pub fn of((y, u, v): &Planes<'_>) -> Self {
        let sizes = |plane: &SizedPlane<'_>| (plane.stride, plane.row, plane.rows);
        Self::place([Some(y), Some(u), v.as_ref()].map(|plane| plane.map(sizes)))
    }

    /// Of an NV12 picture without anything between its rows.
    pub fn of_nv12(width: usize, height: usize) -> Self {
        let chroma = 2 * width.div_ceil(2);
        Self::place([Some((width, width, height)), Some((chroma, chroma, height.div_ceil(2))), None])
    }

    /// Stride, row and number of rows of each plane.
    fn place(planes: [Option<(usize, usize, usize)>; 3]) -> Self {
        let mut end = 0_usize;
        let planes = planes.map(|plane| {
            plane.map_or(Placed::default(), |(stride, row, rows)| {
                let pitch = if stride - row <= GAP { stride } else { row };
                let (start, len) = (end.next_multiple_of(ALIGNMENT), pitch * rows.saturating_sub(1) + row);
                end = start + len;
                Placed { start, pitch, len }
            })
        });
        Self { planes }
    }

    /// Bytes of all of it.
    pub fn bytes(&self) -> usize {
        self.planes.iter().map(|plane| plane.start + plane.len).max().unwrap_or(0)
    }

    /// Where a plane is, and its pitch.
    pub fn plane(&self, i: usize) -> (Range<usize>, usize) {
        let Placed { start, pitch, len } = self.planes[i];
        (start..start + len, pitch)
    }

    /// Copies planes to their places; `to` is as long as [`Self::bytes`] says, or longer.
    pub fn copy(&self, (y, u, v): &Planes<'_>, to: &mut [u8]) {
        for (place, plane) in self.planes.iter().zip([Some(y), Some(u), v.as_ref()]) {
            let Some(plane) = plane else { continue };
            let to = &mut to[place.start..place.start + place.len];
            if place.pitch == plane.stride {
                to.copy_from_slice(plane.data);
            } else {
                to.chunks_mut(place.pitch).zip(plane.iter()).for_each(|(to, row)| to.copy_from_slice(row));
            }
        }
    }
}
