//! Masks as run lengths, as COCO writes them: column-major, beginning with a run of zeros.

/// A binary mask of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rle {
    /// Rows of the picture.
    pub height: u32,
    /// Columns of the picture.
    pub width: u32,
    /// Lengths of runs down the columns, zeros first; they add up to `height * width`.
    pub counts: Vec<u32>,
}

/// Why run lengths are not a mask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RleError {
    /// The runs do not fill the picture.
    #[error("the counts add up to {sum}, and {width} x {height} pixels are {pixels}")]
    Sum {
        /// Of the counts.
        sum: u64,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// `width * height`.
        pixels: u64,
    },
    /// The picture is larger than counts of 32 bits can say.
    #[error("{width} x {height} pixels are more than a mask can hold")]
    Size {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The string is not COCO's packing of counts.
    #[error("character {at} of the counts does not belong to a compressed mask")]
    Packing {
        /// From 1.
        at: usize,
    },
}

impl Rle {
    /// A mask from run lengths.
    ///
    /// # Errors
    /// The runs do not fill the picture.
    pub fn new(height: u32, width: u32, counts: Vec<u32>) -> Result<Self, RleError> {
        let pixels = u64::from(height) * u64::from(width);
        if pixels > u64::from(u32::MAX) {
            return Err(RleError::Size { width, height });
        }
        let sum = counts.iter().map(|count| u64::from(*count)).sum();
        if sum != pixels {
            return Err(RleError::Sum { sum, width, height, pixels });
        }
        Ok(Self { height, width, counts })
    }

    /// A mask from COCO's compressed string: 5 bits per character, from the third run on as the difference to the
    /// run before the last (COCO API, `rleFrString`).
    ///
    /// # Errors
    /// A character that does not belong there, or runs that do not fill the picture.
    pub fn from_compressed(height: u32, width: u32, text: &str) -> Result<Self, RleError> {
        let mut counts: Vec<u32> = Vec::new();
        let (mut value, mut shift) = (0_i64, 0_u32);
        let wrong = |at: usize| RleError::Packing { at: at + 1 };
        for (at, byte) in text.bytes().enumerate() {
            if !(48..112).contains(&byte) || shift > 30 {
                return Err(wrong(at));
            }
            let bits = i64::from(byte - 48);
            value |= (bits & 0x1f) << shift;
            shift += 5;
            if bits & 0x20 == 0 {
                if bits & 0x10 != 0 {
                    value |= -1 << shift;
                }
                if counts.len() > 2 {
                    value += i64::from(counts[counts.len() - 2]);
                }
                counts.push(u32::try_from(value).map_err(|_| wrong(at))?);
                (value, shift) = (0, 0);
            }
        }
        if shift > 0 {
            return Err(wrong(text.len()));
        }
        Self::new(height, width, counts)
    }

    /// An empty mask.
    #[must_use]
    pub fn empty(height: u32, width: u32) -> Self {
        Self { height, width, counts: vec![height.saturating_mul(width)] }
    }

    /// Number of pixels set.
    #[must_use]
    pub fn area(&self) -> u64 {
        self.counts.iter().skip(1).step_by(2).map(|count| u64::from(*count)).sum()
    }

    /// The runs of set pixels, as half-open ranges of `column * height + row`.
    fn runs(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut at = 0_u32;
        self.counts.iter().enumerate().filter_map(move |(i, count)| {
            let start = at;
            at = at.saturating_add(*count);
            (i % 2 == 1 && *count > 0).then_some((start, at))
        })
    }

    /// A mask from runs of set pixels that are in order and may touch or overlap.
    fn from_runs(height: u32, width: u32, runs: impl Iterator<Item = (u32, u32)>) -> Self {
        let (mut counts, mut at) = (Vec::new(), 0);
        let mut open: Option<(u32, u32)> = None;
        for (start, end) in runs {
            match &mut open {
                Some(run) if start <= run.1 => run.1 = run.1.max(end),
                _ => {
                    if let Some((from, to)) = open.replace((start, end)) {
                        counts.extend([from - at, to - from]);
                        at = to;
                    }
                }
            }
        }
        if let Some((from, to)) = open {
            counts.extend([from - at, to - from]);
            at = to;
        }
        let rest = height.saturating_mul(width).saturating_sub(at);
        if rest > 0 || counts.is_empty() {
            counts.push(rest);
        }
        Self { height, width, counts }
    }

    /// Pixels set in both; 0 where the pictures differ in size.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> u64 {
        if (self.height, self.width) != (other.height, other.width) {
            return 0;
        }
        let (mut left, mut right) = (self.runs(), other.runs());
        let (mut a, mut b) = (left.next(), right.next());
        let mut shared = 0;
        while let (Some(x), Some(y)) = (a, b) {
            shared += u64::from(x.1.min(y.1).saturating_sub(x.0.max(y.0)));
            if x.1 <= y.1 { a = left.next() } else { b = right.next() }
        }
        shared
    }

    /// Intersection over union, 0..1; with `crowd`, intersection over the area of `self` (COCO API, `rleIou`).
    #[must_use]
    pub fn iou(&self, other: &Self, crowd: bool) -> f64 {
        let shared = self.intersection(other);
        if shared == 0 {
            return 0.0;
        }
        let whole = if crowd { self.area() } else { self.area() + other.area() - shared };
        shared as f64 / whole as f64
    }

    /// Pixels set in any of the masks. All of them have the given size.
    #[must_use]
    pub fn union(height: u32, width: u32, masks: &[Self]) -> Self {
        let mut runs: Vec<_> = masks.iter().flat_map(Self::runs).collect();
        runs.sort_unstable();
        Self::from_runs(height, width, runs.into_iter())
    }

    /// The part in a window of the picture, as a mask of the window. The window is cut to the picture.
    #[must_use]
    pub fn crop(&self, x: u32, y: u32, width: u32, height: u32) -> Self {
        let (left, top) = (x.min(self.width), y.min(self.height));
        let (width, height) = (width.min(self.width - left), height.min(self.height - top));
        let mut kept = Vec::new();
        for (start, end) in self.runs() {
            let columns = (start / self.height).max(left)..end.div_ceil(self.height).min(left + width);
            for column in columns {
                let base = column * self.height + top;
                let from = start.max(base) - base;
                let to = end.min(base + height).saturating_sub(base);
                if from < to {
                    kept.push(((column - left) * height + from, (column - left) * height + to));
                }
            }
        }
        Self::from_runs(height, width, kept.into_iter())
    }

    /// The smallest box around the set pixels; all 0 for an empty mask.
    #[must_use]
    pub fn bounds(&self) -> [f64; 4] {
        let (mut x1, mut y1, mut x2, mut y2) = (u32::MAX, u32::MAX, 0, 0);
        for (start, end) in self.runs() {
            let (first, last) = (start / self.height, (end - 1) / self.height);
            x1 = x1.min(first);
            x2 = x2.max(last + 1);
            if first == last {
                y1 = y1.min(start % self.height);
                y2 = y2.max((end - 1) % self.height + 1);
            } else {
                (y1, y2) = (0, self.height);
            }
        }
        if x2 == 0 {
            return [0.0; 4];
        }
        [f64::from(x1), f64::from(y1), f64::from(x2 - x1), f64::from(y2 - y1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of `.` and `#`.
    fn mask(rows: &[&str]) -> Rle {
        let (height, width) = (rows.len(), rows[0].len());
        let pixels = (0..height * width).map(|i| rows[i % height].as_bytes()[i / height] == b'#');
        let runs = pixels.enumerate().filter(|(_, set)| *set).map(|(i, _)| (i as u32, i as u32 + 1));
        Rle::from_runs(height as u32, width as u32, runs)
    }

    #[test]
    fn masks_meet_join_and_are_cut() {
        let a = mask(&["##..", "##..", "...."]);
        let b = mask(&["....", ".##.", ".##."]);
        assert_eq!(a.counts, [0, 2, 1, 2, 7]);
        assert_eq!((a.area(), b.area(), a.intersection(&b)), (4, 4, 1));
        assert_eq!(a.iou(&b, false), 1.0 / 7.0);
        assert_eq!(a.iou(&b, true), 0.25);
        assert_eq!(Rle::union(3, 4, &[b.clone(), a.clone()]), mask(&["##..", "###.", ".##."]));
        assert_eq!(b.bounds(), [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(b.crop(0, 1, 2, 2), mask(&[".#", ".#"]));
        assert_eq!(b.crop(2, 2, 9, 9), mask(&["#."]));
        assert_eq!(mask(&["#", "#"]).crop(0, 0, 1, 1), mask(&["#"]));
        assert_eq!(Rle::empty(3, 4).bounds(), [0.0; 4]);
        assert_eq!(Rle::union(3, 4, &[]), Rle::empty(3, 4));
    }

    #[test]
    fn runs_that_do_not_fill_the_picture_are_refused() {
        assert!(Rle::new(3, 4, vec![0, 2, 1, 2, 7]).is_ok());
        assert!(matches!(Rle::new(3, 4, vec![1]), Err(RleError::Sum { sum: 1, pixels: 12, .. })));
        assert!(matches!(Rle::new(1 << 17, 1 << 17, vec![]), Err(RleError::Size { .. })));
        assert!(matches!(Rle::from_compressed(3, 4, "0 2"), Err(RleError::Packing { at: 2 })));
        assert!(matches!(Rle::from_compressed(3, 4, "0P"), Err(RleError::Packing { at: 3 })));
    }
}
