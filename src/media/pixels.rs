//! Pixels that were copied, so that the decoder has its buffer back.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_channel::Sender;

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
    /// Where its memory goes when nobody needs it any more.
    home: Option<Sender<Vec<u8>>>,
    /// It waits, and is counted so.
    waits: OnceLock<Waits>,
}

/// Bytes counted among those that wait, until it is dropped.
#[derive(Debug)]
struct Waits {
    bytes: u64,
    all: Arc<AtomicU64>,
}

impl Pixels {
    /// Copies `picture` into `memory`, thinned out so that its longer side is not more than twice `longest`; where the
    /// memory is too little, it becomes just enough. `None` where its planes do not hold what its size says.
    #[must_use]
    pub fn copy(picture: &Picture<'_>, longest: usize, mut memory: Vec<u8>) -> Option<Self> {
        let step = picture.width.max(picture.height).div_ceil(2 * longest.max(1)).max(1);
        let (first, second, third) = picture.sized().ok()?;
        memory.clear();
        let planar = match picture.planes {
            Planes::Planar { subsampling, .. } => Some(subsampling),
            Planes::Nv12 { .. } => None,
        };
        let (width, height) = (picture.width.div_ceil(step), picture.height.div_ceil(step));
        let (across, down) = planar.unwrap_or(Subsampling::Yuv420).shared();
        memory.reserve_exact(width * height + 2 * width.div_ceil(across) * height.div_ceil(down));
        thin(first.iter(), step, 1, &mut memory);
        let samples = if planar.is_none() { 2 } else { 1 };
        thin(second.iter(), step, samples, &mut memory);
        if let Some(third) = third {
            thin(third.iter(), step, 1, &mut memory);
        }
        let (colour, data) = (picture.colour, memory);
        let pixels = Self { width, height, step, colour, planar, data, home: None, waits: OnceLock::new() };
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
    pub fn into_memory(mut self) -> Vec<u8> {
        mem::take(&mut self.data)
    }

    /// The same, and its memory goes home when nobody needs it any more.
    pub(super) fn at_home(mut self, home: Sender<Vec<u8>>) -> Self {
        self.home = Some(home);
        self
    }

    /// Counts its bytes, once, among `all` that wait; false where that is more than `most`.
    pub(super) fn wait(&self, all: &Arc<AtomicU64>, most: u64) -> bool {
        if self.waits.get().is_some() {
            return true;
        }
        let bytes = self.data.capacity() as u64;
        let more = |now: u64| now.checked_add(bytes).filter(|sum| *sum <= most);
        let fits = all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if fits {
            // Where it was counted meanwhile, this one is dropped and takes back what it added.
            let _ = self.waits.set(Waits { bytes, all: Arc::clone(all) });
        }
        fits
    }
}

impl Drop for Pixels {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            let _ = home.try_send(mem::take(&mut self.data));
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
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
                assert!(small.width.max(small.height) <= 2 * longest, "{side} {longest}");
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
    fn a_copy_takes_just_enough_memory_and_memory_that_is_enough_is_used_again() {
        let (luma, chroma) = nv12(64);
        let planes = Planes::Nv12 { y: Plane { data: &luma, stride: 64 }, uv: Plane { data: &chroma, stride: 64 } };
        let picture = Picture { width: 64, height: 64, planes, colour: COLOUR };
        let memory = Pixels::copy(&picture, 1000, Vec::new()).unwrap().into_memory();
        assert_eq!((memory.len(), memory.capacity()), (64 * 64 * 3 / 2, 64 * 64 * 3 / 2));
        let at = memory.as_ptr();
        let again = Pixels::copy(&picture, 16, memory).unwrap().into_memory();
        assert_eq!(again.as_ptr(), at);
    }

    #[test]
    fn no_more_waits_than_there_is_room_for() {
        let (luma, chroma) = nv12(64);
        let planes = Planes::Nv12 { y: Plane { data: &luma, stride: 64 }, uv: Plane { data: &chroma, stride: 64 } };
        let picture = Picture { width: 64, height: 64, planes, colour: COLOUR };
        let all = Arc::default();
        let copies: Vec<Pixels> = (0..3).map(|_| Pixels::copy(&picture, 1000, Vec::new()).unwrap()).collect();
        let wait = |copy: &Pixels| copy.wait(&all, 64 * 64 * 3);
        assert!(wait(&copies[0]) && wait(&copies[1]) && wait(&copies[0]) && !wait(&copies[2]));
        drop(copies);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn planes_that_are_too_short_are_refused() {
        let planes = Planes::Nv12 { y: Plane { data: &[0; 6], stride: 4 }, uv: Plane { data: &[0; 4], stride: 4 } };
        assert!(Pixels::copy(&Picture { width: 4, height: 4, planes, colour: COLOUR }, 10, Vec::new()).is_none());
    }
}
