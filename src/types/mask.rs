//! Masks: which pixels of a frame belong to an object.

mod rle;
mod sets;

pub use self::rle::{MAX_SIDE, Rle, RleError};

use super::geometry::BBox;

/// Where a mask lies in its frame, and in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PixelRect {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    start: usize,
}

/// Masks of one frame, a byte a pixel; one store is kept and filled anew for each frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Masks {
    rects: Vec<PixelRect>,
    pixels: Vec<u8>,
}

impl Masks {
    /// Without masks; memory is kept.
    pub fn clear(&mut self) {
        self.rects.clear();
        self.pixels.clear();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rects.len()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rects.is_empty()
    }

    /// Pixels that all of them have together.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.pixels.len()
    }

    /// Makes room for `masks` of `pixels` together.
    pub fn reserve(&mut self, masks: usize, pixels: usize) {
        self.rects.reserve(masks.saturating_sub(self.rects.len()));
        self.pixels.reserve(pixels.saturating_sub(self.pixels.len()));
    }

    /// Appends a mask of `width` x `height` pixels, its left top one at `(x, y)` of the frame. Gives its
    /// pixels to fill, row by row: 0 (they all are) or 1.
    pub fn push(&mut self, x: u32, y: u32, width: u32, height: u32) -> &mut [u8] {
        let start = self.pixels.len();
        self.rects.push(PixelRect { x, y, width, height, start });
        self.pixels.resize(start + width as usize * height as usize, 0);
        &mut self.pixels[start..]
    }

    /// Appends a copy of a mask of another store.
    pub fn push_copy(&mut self, mask: MaskRef<'_>) {
        let pixels = self.push(mask.x, mask.y, mask.width, mask.height);
        pixels.iter_mut().zip(mask.pixels).for_each(|(to, from)| *to = *from);
    }

    /// Appends a mask that was stored as run lengths, cut to its [`MaskRef::tight_box`].
    pub fn push_rle(&mut self, rle: &Rle) {
        let ([x, y, width, height], stride) = (rle.bounds(), rle.bounds()[2] as usize);
        let pixels = self.push(x, y, width, height);
        rle.ones(|column, first, last| {
            let column = (column - x) as usize;
            for row in first - y..last - y {
                pixels[row as usize * stride + column] = 1;
            }
        });
    }

    /// Mask `i`.
    #[must_use]
    pub fn get(&self, i: usize) -> Option<MaskRef<'_>> {
        let &PixelRect { x, y, width, height, start } = self.rects.get(i)?;
        let pixels = self.pixels.get(start..start + width as usize * height as usize)?;
        Some(MaskRef { x, y, width, height, pixels })
    }
}

/// A borrowed mask: a rectangle of the frame, outside which nothing belongs to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskRef<'a> {
    /// Left column in the frame, pixels.
    pub x: u32,
    /// Top row in the frame, pixels.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `height` rows of `width` bytes, 1 where the object is, else 0.
    pub pixels: &'a [u8],
}

impl<'a> MaskRef<'a> {
    /// Rows from the top; none of an empty mask.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + use<'a> {
        self.pixels.chunks_exact((self.width as usize).max(1))
    }

    /// Does pixel `(x, y)` of the frame belong to the object?
    #[must_use]
    pub fn at(&self, x: u32, y: u32) -> bool {
        let (Some(x), Some(y)) = (x.checked_sub(self.x), y.checked_sub(self.y)) else { return false };
        let place = y as usize * self.width as usize + x as usize;
        x < self.width && self.pixels.get(place).is_some_and(|&pixel| pixel != 0)
    }

    /// Pixels of the object.
    #[must_use]
    pub fn area(&self) -> u64 {
        self.pixels.iter().map(|&pixel| u64::from(pixel)).sum()
    }

    /// Edges of the object in pixels of the frame; `None` without a pixel.
    #[must_use]
    pub fn tight_box(&self) -> Option<BBox> {
        let filled = |(_, row): &(usize, &[u8])| row.contains(&1);
        let (top, _) = self.rows().enumerate().find(filled)?;
        let (below, _) = self.rows().rev().enumerate().find(filled)?;
        let left = self.rows().filter_map(|row| row.iter().position(|&pixel| pixel == 1)).min()?;
        let right = self.rows().filter_map(|row| row.iter().rposition(|&pixel| pixel == 1)).max()?;
        let (x, y) = (self.x as f32, self.y as f32);
        let bottom = self.y.saturating_add(self.height) as f32 - below as f32;
        Some(BBox::new(x + left as f32, y + top as f32, x + right as f32 + 1.0, bottom))
    }

    /// Pixels that both objects have.
    #[must_use]
    pub fn intersection(&self, other: &MaskRef<'_>) -> u64 {
        let (left, top) = (self.x.max(other.x), self.y.max(other.y));
        let right = self.x.saturating_add(self.width).min(other.x.saturating_add(other.width));
        let bottom = self.y.saturating_add(self.height).min(other.y.saturating_add(other.height));
        if right <= left {
            return 0;
        }
        (top..bottom)
            .map(|y| {
                let (a, b) = (self.part(y, left, right), other.part(y, left, right));
                a.iter().zip(b).map(|(a, b)| u64::from(a & b)).sum::<u64>()
            })
            .sum()
    }

    /// Intersection over union, 0..1; 0 where both are empty.
    #[must_use]
    pub fn iou(&self, other: &MaskRef<'_>) -> f32 {
        let intersection = self.intersection(other);
        let union = self.area() + other.area() - intersection;
        if union > 0 { (intersection as f64 / union as f64) as f32 } else { 0.0 }
    }

    /// Run lengths over a frame of `width` x `height` pixels. What lies outside the frame is left out; a
    /// side beyond [`MAX_SIDE`] is taken for that.
    #[must_use]
    pub fn rle(&self, width: u32, height: u32) -> Rle {
        Rle::of(self, width, height)
    }

    /// Columns `left..right` of the frame's row `y`, all of which the mask has.
    fn part(&self, y: u32, left: u32, right: u32) -> &'a [u8] {
        let row = (y - self.y) as usize * self.width as usize;
        &self.pixels[row + (left - self.x) as usize..row + (right - self.x) as usize]
    }
}

#[cfg(test)]
mod tests;
