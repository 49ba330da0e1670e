use std::ffi::c_int;

use super::picture::check_size;
use super::{BLEND, Channels, Kernel, Picture, TILE, TensorMut, arguments};
use crate::{Error, Stream};

/// Where a picture lies in a tensor, and the tensor's size, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// First column of the picture.
    pub left: usize,
    /// First row of the picture.
    pub top: usize,
    /// Columns of the picture in the tensor.
    pub columns: usize,
    /// Rows of the picture in the tensor.
    pub rows: usize,
    /// The tensor's columns.
    pub width: usize,
    /// The tensor's rows.
    pub height: usize,
}

/// `Place` of `kernels/letterbox.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct RawPlace {
    left: c_int,
    top: c_int,
    columns: c_int,
    rows: c_int,
    width: c_int,
    height: c_int,
}

/// Resizes, pads, converts to RGB or BGR and normalises: 8-bit YCbCr planes into `[3, height, width]`, fp32 or
/// fp16, in one pass.
///
/// Sampling is bilinear without antialiasing and with pixel centres aligned, as `cv2.resize` with `INTER_LINEAR`;
/// chroma is its own bilinear picture of half the size, its samples in the middle of the pixels that share one.
/// Colour is computed after resizing and clamped to 0..255 there, not rounded.
#[derive(Clone, Copy, Debug)]
pub struct Letterbox {
    place: RawPlace,
    channels: Channels,
    elements: usize,
}

impl Letterbox {
    /// For pictures placed so.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where the picture's place is empty or not within the tensor, or a side is too long.
    pub fn new(placement: Placement, channels: Channels) -> Result<Self, Error> {
        let Placement { left, top, columns, rows, width, height } = placement;
        check_size("tensor", width, height)?;
        check_size("picture's place", columns, rows)?;
        if left.saturating_add(columns) > width || top.saturating_add(rows) > height {
            let place = format!("{columns}x{rows} pixels at ({left}, {top}) are not within {width}x{height}");
            return Err(Error::argument("picture's place", place));
        }
        let [left, top, columns, rows] = [left, top, columns, rows].map(|side| side as c_int);
        let (width, height, elements) = (width as c_int, height as c_int, 3 * width * height);
        let place = RawPlace { left, top, columns, rows, width, height };
        Ok(Self { place, channels: channels.for_samples_times(BLEND), elements })
    }

    /// Puts the writing of all of `out`, padding included, into `stream`.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where planes are too short or `out` is not the tensor's size, [`Error::Stream`]; the
    /// driver's. `out` is untouched then.
    pub fn launch(&self, stream: &Stream, picture: &Picture<'_>, out: TensorMut<'_>) -> Result<(), Error> {
        let raw = picture.raw(stream)?;
        let address = out.raw(self.elements, stream)?;
        let (width, height) = (picture.width as c_int, picture.height as c_int);
        let kernel = match out {
            TensorMut::F32(_) => Kernel::LetterboxF32,
            TensorMut::F16(_) => Kernel::LetterboxF16,
        };
        let threads = [self.place.width.unsigned_abs(), self.place.height.unsigned_abs(), 1];
        let (place, channels) = (self.place, self.channels);
        // SAFETY: both kernels have these parameters but for the type of the last, which was chosen by it; planes and
        // tensor were checked for size and stream.
        unsafe { stream.launch(kernel, threads, TILE, arguments![raw, width, height, channels, place, address]) }?;
        Ok(())
    }
}
