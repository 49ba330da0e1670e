//! COCO's run lengths: pixels counted column by column, runs of 0 and 1 in turn, 0 first.
//! Source: `cocoapi/common/maskApi.c`.

use serde::{Deserialize, Serialize};

use super::MaskRef;

/// Longest side of a frame, pixels; the number of its pixels then fits an `u32` with room to spare.
pub const MAX_SIDE: u32 = 16_384;

/// A mask as run lengths over a whole frame. Read from and written to JSON as COCO has it:
/// `{"size": [height, width], "counts": [..]}`; counts are also read as a compressed string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Rle {
    pub(super) size: [u32; 2],
    pub(super) counts: Vec<u32>,
}

/// Run lengths that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RleError {
    /// No frame is that large.
    #[error("size is {height} x {width} (height x width); sides up to {MAX_SIDE} are possible")]
    Size {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
    },
    /// Runs end before the frame does or after it.
    #[error("counts add up to {have}, a frame of {height} x {width} (height x width) has {need} pixels")]
    Sum {
        /// Sum of the counts.
        have: u64,
        /// Pixels of the frame.
        need: u64,
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
    },
    /// No compressed string.
    #[error("compressed counts are wrong at byte {at}: {why}")]
    Text {
        /// Bytes before.
        at: usize,
        /// What is wrong there.
        why: &'static str,
    },
}

impl Rle {
    /// Of `[height, width]` and counts.
    ///
    /// # Errors
    ///
    /// [`RleError::Size`] and [`RleError::Sum`].
    pub fn new(size: [u32; 2], counts: Vec<u32>) -> Result<Self, RleError> {
        let [height, width] = size;
        if height > MAX_SIDE || width > MAX_SIDE {
            return Err(RleError::Size { height, width });
        }
        let have = counts.iter().fold(0_u64, |sum, &count| sum.saturating_add(count.into()));
        let need = u64::from(height) * u64::from(width);
        if have == need { Ok(Self { size, counts }) } else { Err(RleError::Sum { have, need, height, width }) }
    }

    /// Of `[height, width]` and counts as `pycocotools` packs them into a string.
    ///
    /// # Errors
    ///
    /// Any [`RleError`].
    pub fn from_compressed(size: [u32; 2], text: &str) -> Result<Self, RleError> {
        let (mut counts, mut value, mut shift) = (Vec::<u32>::new(), 0_i64, 0);
        let fault = |at, why| Err(RleError::Text { at, why });
        for (at, &byte) in text.as_bytes().iter().enumerate() {
            let digit = match byte {
                48..112 => i64::from(byte - 48),
                _ => return fault(at, "characters are '0' to 'o'"),
            };
            // Seven times five bits hold any count, and any difference of two.
            if shift > 30 {
                return fault(at, "a number of more than seven characters");
            }
            value |= (digit & 0x1f) << shift;
            shift += 5;
            if digit & 0x20 != 0 {
                continue;
            }
            if digit & 0x10 != 0 {
                value |= -1 << shift;
            }
            // From the fourth on, the difference to the count before last is stored.
            let base = if counts.len() > 2 { counts[counts.len() - 2] } else { 0 };
            let Ok(count) = u32::try_from(value + i64::from(base)) else {
                return fault(at, "a count below 0 or too large");
            };
            counts.push(count);
            (value, shift) = (0, 0);
        }
        if shift > 0 {
            return fault(text.len(), "it ends within a number");
        }
        Self::new(size, counts)
    }

    /// The counts as `pycocotools` packs them.
    #[must_use]
    pub fn to_compressed(&self) -> String {
        let mut text = String::new();
        for (i, &count) in self.counts.iter().enumerate() {
            let mut value = i64::from(count) - if i > 2 { i64::from(self.counts[i - 2]) } else { 0 };
            loop {
                let digit = (value & 0x1f) as u8;
                value >>= 5;
                let more = if digit & 0x10 != 0 { value != -1 } else { value != 0 };
                text.push(char::from(48 + digit + if more { 0x20 } else { 0 }));
                if !more {
                    break;
                }
            }
        }
        text
    }

    /// `[height, width]` of the frame, pixels.
    #[must_use]
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Runs of 0 and 1 in turn, 0 first, column by column.
    #[must_use]
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Pixels of the object.
    #[must_use]
    pub fn area(&self) -> u64 {
        self.counts.iter().skip(1).step_by(2).map(|&count| u64::from(count)).sum()
    }

    pub(super) fn of(mask: &MaskRef<'_>, width: u32, height: u32) -> Self {
        let (width, height) = (width.min(MAX_SIDE), height.min(MAX_SIDE));
        let mut runs = Runs::default();
        let rows = mask.y.min(height)..mask.y.saturating_add(mask.height).min(height);
        for x in 0..width {
            if x < mask.x || x - mask.x >= mask.width {
                runs.add(0, height);
                continue;
            }
            runs.add(0, rows.start);
            let column = mask.pixels.iter().skip((x - mask.x) as usize).step_by(mask.width as usize);
            column.take(rows.len()).for_each(|&pixel| runs.add(pixel, 1));
            runs.add(0, height - rows.end);
        }
        runs.counts.push(runs.length);
        Self { size: [height, width], counts: runs.counts }
    }

    /// Calls `f(column, first row, row after the last)` for each run of 1 within a column.
    pub(super) fn ones(&self, mut f: impl FnMut(u32, u32, u32)) {
        let height = self.size[0];
        let mut at = 0;
        for (i, &count) in self.counts.iter().enumerate() {
            let end = at + count;
            while i % 2 == 1 && at < end {
                let column = at / height;
                let stop = end.min((column + 1) * height);
                f(column, at - column * height, stop - column * height);
                at = stop;
            }
            at = end;
        }
    }

    /// Left, top, width and height of the object; all 0 without a pixel.
    #[must_use]
    pub fn bounds(&self) -> [u32; 4] {
        let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
        self.ones(|column, first, last| {
            (left, right) = (left.min(column), right.max(column + 1));
            (top, bottom) = (top.min(first), bottom.max(last));
        });
        if right == 0 { [0; 4] } else { [left, top, right - left, bottom - top] }
    }
}

/// Counts as they grow.
#[derive(Default)]
struct Runs {
    counts: Vec<u32>,
    value: u8,
    length: u32,
}

impl Runs {
    fn add(&mut self, value: u8, length: u32) {
        if value != self.value && length > 0 {
            self.counts.push(self.length);
            (self.value, self.length) = (value, 0);
        }
        self.length += length;
    }
}

/// As it stands in a file.
#[derive(Deserialize)]
struct Raw {
    size: [u32; 2],
    counts: Counts,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Counts {
    Plain(Vec<u32>),
    Compressed(String),
}

impl TryFrom<Raw> for Rle {
    type Error = RleError;

    fn try_from(raw: Raw) -> Result<Self, RleError> {
        match raw.counts {
            Counts::Plain(counts) => Self::new(raw.size, counts),
            Counts::Compressed(text) => Self::from_compressed(raw.size, &text),
        }
    }
}
