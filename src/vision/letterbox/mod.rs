//! Planes of a frame into a model's input tensor, in one pass on the CPU.

pub(super) mod planes;
mod rows;
pub(super) mod sampler;
pub(super) mod taps;

use self::planes::{Layout, Samples};
use self::sampler::Sampler;
use self::taps::Span;
use super::colour::{self, Channel};
use super::mapping::Mapping;
use crate::config::Input;
use crate::types::frame::{Colour, Picture};

/// Longest side of a frame or a model's input, pixels; bounds the tables.
pub(super) use picture::MAX_SIDE;

/// A picture that cannot be turned into a tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A side is 0 or beyond what any decoder gives.
    #[error("{what} of {width}x{height} pixels; sides from 1 to {MAX_SIDE} are possible")]
    Size {
        /// `frame` or `model input`.
        what: &'static str,
        /// Its width.
        width: usize,
        /// Its height.
        height: usize,
    },
    /// Its planes are not what its size says.
    #[error(transparent)]
    Planes(#[from] picture::PictureError),
    /// Another size, layout or colour than this letterbox was built for.
    #[error("the picture is not of the kind that this letterbox was built for")]
    Kind,
    /// Of a crop: nothing of its box lies in the picture.
    #[error("the box has no part in the picture of {width}x{height} pixels")]
    Box {
        /// The picture's width.
        width: usize,
        /// Its height.
        height: usize,
    },
    /// The tensor is not `3 * width * height` long.
    #[error("the tensor has {have} elements, the model's input {need}")]
    Tensor {
        /// Elements there.
        have: usize,
        /// Elements wanted.
        need: usize,
    },
}

/// Resizes, pads, converts to RGB or BGR and normalises: 8-bit YCbCr planes into `f32[3, height, width]`.
///
/// Sampling is bilinear without antialiasing and with pixel centres aligned, as `cv2.resize` with
/// `INTER_LINEAR`, which detectors are trained and published with. Chroma is its own bilinear picture
/// of half the size, its samples in the middle of the pixels that share one (JPEG's siting): smoother
/// than OpenCV, which repeats chroma samples before it resizes. Colour is computed after resizing and
/// clamped to 0..255 there, not rounded.
#[derive(Clone, Debug)]
pub struct Letterbox {
    arch: pulp::Arch,
    layout: Layout,
    colour: Colour,
    frame: (usize, usize),
    width: usize,
    height: usize,
    mapping: Mapping,
    channels: [Channel; 3],
    sampler: Sampler,
}

impl Letterbox {
    /// For pictures of the size, layout and colour of `picture` (its samples are not read), into an
    /// input of `width` x `height` pixels.
    ///
    /// # Errors
    ///
    /// [`PictureError::Size`].
    pub fn new(picture: &Picture<'_>, width: usize, height: usize, input: &Input) -> Result<Self, PictureError> {
        let frame = (picture.width, picture.height);
        check_size("frame", frame.0, frame.1)?;
        check_size("model input", width, height)?;
        let layout = Layout::of(&picture.planes);
        let mapping = Mapping::new(frame.0, frame.1, width, height, input.fit);
        let (columns, rows) = mapping.inner_size();
        let mut sampler = Sampler::new(columns, rows, frame.0);
        let whole = |length| Span { start: 0, length };
        sampler.aim(layout, (columns, rows), whole(frame.0), whole(frame.1));
        Ok(Self {
            arch: pulp::Arch::new(),
            layout,
            colour: picture.colour,
            frame,
            width,
            height,
            mapping,
            channels: colour::channels(picture.colour, input),
            sampler,
        })
    }

    /// True where [`Self::run`] takes `picture`: same size, layout and colour. Otherwise build anew.
    #[must_use]
    pub fn fits(&self, picture: &Picture<'_>) -> bool {
        self.frame == (picture.width, picture.height)
            && self.layout == Layout::of(&picture.planes)
            && self.colour == picture.colour
    }

    /// Where the frame lies in the tensor.
    #[must_use]
    pub fn mapping(&self) -> Mapping {
        self.mapping
    }

    /// Writes all of `out`, padding included: 3 channels of `height` rows of `width` values.
    ///
    /// # Errors
    ///
    /// Whatever [`PictureError`] says but its `Size`; `out` is then untouched.
    pub fn run(&mut self, picture: &Picture<'_>, out: &mut [f32]) -> Result<(), PictureError> {
        if !self.fits(picture) {
            return Err(PictureError::Kind);
        }
        let samples = Samples::new(picture)?;
        let size = self.width * self.height;
        if out.len() != 3 * size {
            return Err(PictureError::Tensor { have: out.len(), need: 3 * size });
        }
        let (first, rest) = out.split_at_mut(size);
        let (second, third) = rest.split_at_mut(size);
        let arch = self.arch;
        arch.dispatch(Pass { letterbox: self, samples, planes: [first, second, third] });
        Ok(())
    }

    #[inline(always)]
    fn pass(&mut self, samples: &Samples<'_>, planes: [&mut [f32]; 3]) {
        let (left, top) = self.mapping.offset();
        let (columns, rows) = self.mapping.inner_size();
        let width = self.width;
        let [first, second, third] = planes;
        for (channel, plane) in self.channels.iter().zip([&mut *first, &mut *second, &mut *third]) {
            plane[..top * width].fill(channel.pad);
            plane[(top + rows) * width..].fill(channel.pad);
            if columns < width {
                for row in plane[top * width..(top + rows) * width].chunks_exact_mut(width) {
                    row[..left].fill(channel.pad);
                    row[left + columns..].fill(channel.pad);
                }
            }
        }
        for i in 0..rows {
            let at = (top + i) * width + left;
            let row = at..at + columns;
            let out = [&mut first[row.clone()], &mut second[row.clone()], &mut third[row]];
            self.sampler.row(i, samples, &self.channels, out);
        }
    }
}

/// One run, for dispatch on the processor's vector instructions.
struct Pass<'a, 'p> {
    letterbox: &'a mut Letterbox,
    samples: Samples<'p>,
    planes: [&'a mut [f32]; 3],
}

impl pulp::NullaryFnOnce for Pass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.letterbox.pass(&self.samples, self.planes);
    }
}

pub(super) fn check_size(what: &'static str, width: usize, height: usize) -> Result<(), PictureError> {
    let possible = 1..=MAX_SIDE;
    if possible.contains(&width) && possible.contains(&height) {
        Ok(())
    } else {
        Err(PictureError::Size { what, width, height })
    }
}

#[cfg(test)]
mod tests;
