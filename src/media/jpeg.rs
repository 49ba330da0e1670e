//! RGB pixels to JPEG.

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{ExtendedColorType, RgbImage};

/// As JPEG, made smaller where its longer side is more than `longest` pixels.
///
/// # Errors
/// Where it has no pixels, or the encoder fails.
pub(super) fn encode(rgb: RgbImage, longest: u32, quality: u8) -> image::ImageResult<Vec<u8>> {
    let (width, height) = rgb.dimensions();
    let side = |side: u32| ((u64::from(side) * u64::from(longest) / u64::from(width.max(height))) as u32).max(1);
    let rgb = if width.max(height) > longest {
        image::imageops::resize(&rgb, side(width), side(height), FilterType::Triangle)
    } else {
        rgb
    };
    let mut jpeg = Vec::with_capacity(rgb.as_raw().len() / 8);
    let (width, height) = rgb.dimensions();
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode(rgb.as_raw(), width, height, ExtendedColorType::Rgb8)?;
    Ok(jpeg)
}
