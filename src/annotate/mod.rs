//! Draws on a picture what was seen in it: boxes, labels, masks, skeletons, zones and lines.
//!
//! Everything takes pixels of the picture. What lies outside is cut off and what is not finite is left
//! out, so a wild prediction costs a missing line and never more.

mod brush;
mod colour;
mod marks;
mod text;

use std::io;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;

pub use colour::colour_of;
pub use marks::Mask;

use crate::types::frame::Picture;

/// A colour, red, green and blue, 0..255.
pub type Rgb = [u8; 3];

/// Height in pixels of a picture on which text is drawn in its own 8 pixels and lines are thinnest.
const BASE_HEIGHT: usize = 360;

/// An RGB picture to draw on.
#[derive(Clone, Debug)]
pub struct Canvas {
    width: usize,
    height: usize,
    /// Three bytes a pixel, rows without gaps.
    pixels: Vec<u8>,
    /// Enlargement of text and lines, at least 1.
    scale: usize,
}

impl Canvas {
    /// A copy of `picture` in RGB. Chroma is repeated, not interpolated; samples that the planes lack are black.
    #[must_use]
    pub fn from_picture(picture: &Picture<'_>) -> Self {
        Self::over(picture.width, picture.height, picture.to_rgb())
    }

    /// A canvas over `pixels`, three bytes a pixel and rows without gaps; `None` where their number is not
    /// `width * height * 3`.
    #[must_use]
    pub fn from_rgb(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let wanted = width.checked_mul(height)?.checked_mul(3)?;
        (pixels.len() == wanted).then(|| Self::over(width, height, pixels))
    }

    fn over(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        let scale = ((height.min(width) + BASE_HEIGHT / 2) / BASE_HEIGHT).max(1);
        Self { width, height, pixels, scale }
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, three bytes each, rows without gaps.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.pixels
    }

    /// Colour at column `x` and row `y`; `None` outside the picture.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> Option<Rgb> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let at = (y * self.width + x) * 3;
        self.pixels.get(at..at + 3).and_then(|rgb| rgb.try_into().ok())
    }

    /// The picture as JPEG.
    ///
    /// `quality` is 1..100; anything else is taken as the nearer end. Fails on a picture without pixels or with
    /// a side over 65535, which JPEG cannot hold.
    pub fn encode_jpeg(&self, quality: u8) -> io::Result<Vec<u8>> {
        let size = |side: usize| u32::try_from(side).ok().filter(|side| (1..=65535).contains(side));
        let (Some(width), Some(height)) = (size(self.width), size(self.height)) else {
            let message = format!("a picture of {}x{} pixels cannot be a JPEG", self.width, self.height);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        let mut jpeg = Vec::with_capacity(self.pixels.len() / 8);
        JpegEncoder::new_with_quality(&mut jpeg, quality.clamp(1, 100))
            .encode(&self.pixels, width, height, image::ExtendedColorType::Rgb8)
            .map_err(io::Error::other)?;
        Ok(jpeg)
    }

    /// Writes the picture to `path` as JPEG; `quality` as in [`Canvas::encode_jpeg`]. An error names the path.
    pub fn save_jpeg(&self, path: &Path, quality: u8) -> io::Result<()> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        std::fs::write(path, self.encode_jpeg(quality).map_err(named)?).map_err(named)
    }
}

#[cfg(test)]
mod tests;
