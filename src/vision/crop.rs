//! A box of a picture into the input of a model that looks at one object.

use super::colour::{self, Channel};
use super::letterbox::planes::{Layout, Samples};
use super::letterbox::sampler::Sampler;
use super::letterbox::taps::Span;
use super::letterbox::{self, MAX_SIDE, PictureError};
use crate::config::Input;
use crate::types::frame::Picture;
use crate::types::geometry::BBox;

/// Cuts out a box, stretches it, converts to RGB or BGR and normalises: 8-bit YCbCr planes into
/// `f32[3, height, width]`.
///
/// The box's edges are rounded to whole pixels; sampling is then that of
/// [`Letterbox`](super::Letterbox), which is `cv2.resize` with `INTER_LINEAR` of the cut-out pixels: nothing
/// around them gets in, but for chroma samples that they share with their neighbours. `Input::fit` is not
/// looked at: these models are trained on stretched boxes.
#[derive(Clone, Debug)]
pub struct Crop {
    arch: pulp::Arch,
    width: usize,
    height: usize,
    input: Input,
    sampler: Sampler,
}

impl Crop {
    /// For an input of `width` x `height` pixels.
    ///
    /// # Errors
    ///
    /// [`PictureError::Size`].
    pub fn new(width: usize, height: usize, input: &Input) -> Result<Self, PictureError> {
        letterbox::check_size("model input", width, height)?;
        let sampler = Sampler::new(width, height, MAX_SIDE);
        Ok(Self { arch: pulp::Arch::new(), width, height, input: *input, sampler })
    }

    /// Writes all of `out`: 3 channels of `height` rows of `width` values. `bbox` is in pixels of the picture;
    /// what lies outside is left out, and at least one pixel is taken. Pictures may differ from run to run.
    ///
    /// # Errors
    ///
    /// Whatever [`PictureError`] says but its `Kind`; `out` is then untouched.
    pub fn run(&mut self, picture: &Picture<'_>, bbox: BBox, out: &mut [f32]) -> Result<(), PictureError> {
        let (width, height) = (picture.width, picture.height);
        letterbox::check_size("frame", width, height)?;
        let samples = Samples::new(picture)?;
        let size = self.width * self.height;
        if out.len() != 3 * size {
            return Err(PictureError::Tensor { have: out.len(), need: 3 * size });
        }
        let inside = bbox.clip(width as f32, height as f32);
        if !bbox.is_valid() || !inside.is_valid() {
            return Err(PictureError::Box { width, height });
        }
        let (x, y) = (span(inside.x1, inside.x2, width), span(inside.y1, inside.y2, height));
        self.sampler.aim(Layout::of(&picture.planes), (self.width, self.height), x, y);
        let (first, rest) = out.split_at_mut(size);
        let (second, third) = rest.split_at_mut(size);
        let channels = colour::channels(picture.colour, &self.input);
        let planes = [first, second, third];
        self.arch.dispatch(Pass { sampler: &mut self.sampler, samples, channels, width: self.width, planes });
        Ok(())
    }
}

/// Pixels between two edges of a box inside a side, rounded; at least one.
fn span(from: f32, to: f32, side: usize) -> Span {
    let start = (from.round() as usize).min(side - 1);
    let end = (to.round() as usize).clamp(start + 1, side);
    Span { start, length: end - start }
}

/// One run, for dispatch on the processor's vector instructions.
struct Pass<'a, 'p> {
    sampler: &'a mut Sampler,
    samples: Samples<'p>,
    channels: [Channel; 3],
    width: usize,
    planes: [&'a mut [f32]; 3],
}

impl pulp::NullaryFnOnce for Pass<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let [first, second, third] = self.planes.map(|plane| plane.chunks_exact_mut(self.width));
        for (i, ((first, second), third)) in first.zip(second).zip(third).enumerate() {
            self.sampler.row(i, &self.samples, &self.channels, [first, second, third]);
        }
    }
}

#[cfg(test)]
mod tests;
