//! Text from a bitmap font of 8x8 pixels, public domain, enlarged by whole factors.

use font8x8::legacy::{BASIC_LEGACY, LATIN_LEGACY};

use super::colour::ink_on;
use super::{Canvas, Rgb};

/// Side of a glyph in its own pixels.
const GLYPH: i64 = 8;

/// Characters of a text that are drawn; no picture is wide enough for more.
const LONGEST: usize = 512;

impl Canvas {
    /// Width and height in pixels of what [`Canvas::text`] draws, background included.
    #[must_use]
    pub fn text_size(&self, text: &str) -> (usize, usize) {
        let glyph = GLYPH as usize * self.scale;
        (text.chars().take(LONGEST).count() * glyph + 2 * self.scale, glyph + 2 * self.scale)
    }

    /// Text on a background of `colour`, its top left corner at `(x, y)`; the text itself is black or white.
    /// Letters beyond Latin-1 are drawn as `?`.
    pub fn text(&mut self, x: f32, y: f32, text: &str, colour: Rgb) {
        if !x.is_finite() || !y.is_finite() {
            return;
        }
        // Far corners are moved to where nothing of the text can show, away from the ends of the numbers.
        let far = 1.0e9;
        let (left, top) = (x.clamp(-far, far).round() as i64, y.clamp(-far, far).round() as i64);
        let (width, height) = self.text_size(text);
        self.fill([left, top, left + width as i64, top + height as i64], colour, 0.85);
        let (ink, scale) = (ink_on(colour), self.scale as i64);
        for (i, letter) in text.chars().take(LONGEST).enumerate() {
            let (left, top) = (left + scale + i as i64 * GLYPH * scale, top + scale);
            for (row, bits) in (0..).zip(glyph(letter)) {
                for column in (0..GLYPH).filter(|column| bits >> column & 1 == 1) {
                    let (x, y) = (left + column * scale, top + row * scale);
                    self.fill([x, y, x + scale, y + scale], ink, 1.0);
                }
            }
        }
    }
}

/// Eight rows, the lowest bit on the left.
fn glyph(letter: char) -> [u8; 8] {
    let code = letter as usize;
    let found = match code {
        0x20..0x7f => BASIC_LEGACY.get(code),
        0xa0..=0xff => LATIN_LEGACY.get(code - 0xa0),
        _ => None,
    };
    found.copied().unwrap_or(BASIC_LEGACY['?' as usize])
}
