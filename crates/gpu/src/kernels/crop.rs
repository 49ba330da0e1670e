use std::ffi::c_int;

use super::picture::check_size;
use super::{BLEND, Channels, Kernel, Picture, TILE, TensorMut, arguments};
use crate::{Error, Stream};

/// Most boxes of a launch, `MOST_BOXES` of `kernels/crop.cu`.
const MOST: usize = 64;

/// Whole pixels of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelRect {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl PixelRect {
    /// The pixels between edges, rounded and clipped to a picture; at least one pixel. `None` where the box is none
    /// (not finite, without area) or has no part in the picture.
    #[must_use]
    pub fn of_edges([x1, y1, x2, y2]: [f32; 4], width: usize, height: usize) -> Option<Self> {
        let span = |from: f32, to: f32, side: usize| {
            if !(from.is_finite() && to.is_finite() && from < to) {
                return None;
            }
            let (from, to) = (from.clamp(0.0, side as f32), to.clamp(0.0, side as f32));
            if from >= to {
                return None;
            }
            let start = (from.round() as usize).min(side - 1);
            Some((start, (to.round() as usize).clamp(start + 1, side) - start))
        };
        let ((x, width), (y, height)) = (span(x1, x2, width)?, span(y1, y2, height)?);
        Some(Self { x, y, width, height })
    }
}

/// `Rect` of `kernels/crop.cu`: start and length across, then down.
type RawRect = [c_int; 4];

/// Cuts out boxes, stretches each, converts to RGB or BGR and normalises: 8-bit YCbCr planes into
/// `[boxes, 3, height, width]`, fp32 or fp16. Sampling is [`Letterbox`](super::Letterbox)'s: nothing around a box
/// gets in, but for chroma samples that its edge shares.
#[derive(Clone, Copy, Debug)]
pub struct Crop {
    width: usize,
    height: usize,
    channels: Channels,
}

impl Crop {
    /// For a model with an input of `width` x `height` pixels.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where a side is 0 or too long.
    pub fn new(width: usize, height: usize, channels: Channels) -> Result<Self, Error> {
        check_size("tensor", width, height)?;
        Ok(Self { width, height, channels: channels.for_samples_times(BLEND) })
    }

    /// Puts the writing of all of `out` into `stream`, in launches of 64 boxes.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where there is no box, one is not within the picture, planes are too short or `out` is
    /// not the size of all boxes' tensors, and [`Error::Stream`]: nothing was done. The driver's.
    pub fn launch(
        &self,
        stream: &Stream,
        picture: &Picture<'_>,
        boxes: &[PixelRect],
        out: TensorMut<'_>,
    ) -> Result<(), Error> {
        let raw = picture.raw(stream)?;
        let each = 3 * self.width * self.height;
        let address = out.raw(boxes.len().saturating_mul(each), stream)?;
        if boxes.is_empty() {
            return Err(Error::argument("boxes", "there is none"));
        }
        let within = |from: usize, length: usize, side: usize| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= side)
        };
        for b in boxes {
            if !within(b.x, b.width, picture.width) || !within(b.y, b.height, picture.height) {
                let size = format!("{}x{} pixels", picture.width, picture.height);
                return Err(Error::argument("box", format!("{b:?} is not within the picture of {size}")));
            }
        }
        let (kernel, element) = match out {
            TensorMut::F32(_) => (Kernel::CropF32, size_of::<f32>()),
            TensorMut::F16(_) => (Kernel::CropF16, size_of::<u16>()),
        };
        let (width, height, channels) = (self.width as c_int, self.height as c_int, self.channels);
        for (i, some) in boxes.chunks(MOST).enumerate() {
            let mut rects: [RawRect; MOST] = [[0; 4]; MOST];
            for (rect, b) in rects.iter_mut().zip(some) {
                *rect = [b.x, b.width, b.y, b.height].map(|side| side as c_int);
            }
            let address = address + (i * MOST * each * element) as u64;
            let threads = [self.width as u32, self.height as u32, some.len() as u32];
            // SAFETY: both kernels have these parameters but for the type of the last, which was chosen by it; planes
            // and tensor were checked for size and stream, boxes for lying within the picture.
            unsafe { stream.launch(kernel, threads, TILE, arguments![raw, channels, rects, width, height, address]) }?;
        }
        Ok(())
    }
}
