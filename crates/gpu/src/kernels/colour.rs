/// Matrix that turns YCbCr into RGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition, JPEG.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
}

/// Numeric range of YCbCr samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma 16..235, chroma 16..240.
    Limited,
    /// 0..255; every JPEG.
    Full,
}

/// What a model wants its input to be: `value = (sample - mean[c]) * scale[c]`, channels in tensor order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// Channel order: RGB, or BGR where true.
    pub bgr: bool,
    /// Value of padding, 0..255 before normalisation.
    pub pad: u8,
    /// Of samples 0..255.
    pub mean: [f32; 3],
    /// See above.
    pub scale: [f32; 3],
}

/// One channel: `clamp(y * Y + u * Cb + v * Cr + bias, low, high)` with samples 0..255 as stored.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Channel {
    /// Share of luma.
    pub y: f32,
    /// Share of Cb.
    pub u: f32,
    /// Share of Cr.
    pub v: f32,
    /// Value of samples 0.
    pub bias: f32,
    /// Least value.
    pub low: f32,
    /// Largest value.
    pub high: f32,
    /// Value of padding.
    pub pad: f32,
}

/// The three channels in tensor order: conversion to RGB 0..255, clamping and normalisation in one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Channels(pub [Channel; 3]);

impl Channels {
    /// Coefficients are those of ITU-R BT.601-7, BT.709-6 and BT.2020-2: with `Kr` and `Kb` of luma,
    /// `R = Y + 2(1-Kr) Cr`, `B = Y + 2(1-Kb) Cb` and `G` from `Y = Kr R + Kg G + Kb B`.
    #[must_use]
    pub fn new(matrix: Matrix, range: Range, input: &Normalisation) -> Self {
        let (kr, kb) = match matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let kg = 1.0 - kr - kb;
        let (black, luma, chroma) = match range {
            Range::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
            Range::Full => (0.0, 1.0, 1.0),
        };
        let (cr, cb): (f64, f64) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
        let rgb = [[0.0, cr], [-cb * kb / kg, -cr * kr / kg], [cb, 0.0]];
        Self(std::array::from_fn(|c| {
            let [u, v] = rgb[if input.bgr { 2 - c } else { c }];
            let bias: f64 = -black * luma - 128.0 * (u + v);
            let (mean, scale) = (f64::from(input.mean[c]), f64::from(input.scale[c]));
            let normal = |value: f64| ((value - mean) * scale) as f32;
            let (a, b) = (normal(0.0), normal(255.0));
            Channel {
                y: (luma * scale) as f32,
                u: (u * scale) as f32,
                v: (v * scale) as f32,
                bias: normal(bias),
                low: a.min(b),
                high: a.max(b),
                pad: normal(f64::from(input.pad)),
            }
        }))
    }

    /// For the kernels, whose samples are 256 times too large; a power of two, so nothing is rounded.
    pub(super) fn for_blends(self) -> Self {
        Self(self.0.map(|c| Channel { y: c.y / 256.0, u: c.u / 256.0, v: c.v / 256.0, ..c }))
    }
}
