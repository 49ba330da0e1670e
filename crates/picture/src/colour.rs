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

/// How YCbCr samples are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Conversion matrix.
    pub matrix: Matrix,
    /// Sample range.
    pub range: Range,
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
///
/// Laid out as C does, since kernels take it as it is.
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
    pub fn new(colour: Colour, input: &Normalisation) -> Self {
        let (kr, kb) = match colour.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        };
        let kg = 1.0 - kr - kb;
        let (black, luma, chroma) = match colour.range {
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

    /// The same for samples that are `times` too large, as the blend of two rows is 256 times; a power of two rounds
    /// nothing.
    #[must_use]
    pub fn for_samples_times(self, times: f32) -> Self {
        Self(self.0.map(|c| Channel { y: c.y / times, u: c.u / times, v: c.v / times, ..c }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Normalisation = Normalisation { bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0; 3] };

    fn rgb(colour: Colour, [y, u, v]: [f32; 3], bgr: bool) -> [i32; 3] {
        Channels::new(colour, &Normalisation { bgr, ..PLAIN })
            .0
            .map(|c| (c.y * y + c.u * u + c.v * v + c.bias).clamp(c.low, c.high).round() as i32)
    }

    /// Colour bars at 100 %, YCbCr as ffmpeg's `smptehdbars` and `testsrc` families write them.
    #[test]
    fn bars_become_what_they_show() {
        use {Matrix::*, Range::*};
        let table = [
            (Bt601, Limited, [82.0, 90.0, 240.0], [255, 0, 0]),
            (Bt601, Limited, [145.0, 54.0, 34.0], [0, 255, 0]),
            (Bt601, Limited, [41.0, 240.0, 110.0], [0, 0, 255]),
            (Bt709, Limited, [63.0, 102.0, 240.0], [255, 0, 0]),
            (Bt709, Limited, [173.0, 42.0, 26.0], [0, 255, 0]),
            (Bt709, Limited, [32.0, 240.0, 118.0], [0, 0, 255]),
            (Bt2020, Limited, [74.0, 97.0, 240.0], [255, 0, 0]),
            (Bt2020, Limited, [164.0, 47.0, 25.0], [0, 255, 0]),
            (Bt601, Full, [76.0, 85.0, 255.0], [255, 0, 0]),
            (Bt601, Full, [150.0, 44.0, 21.0], [0, 255, 0]),
            (Bt709, Limited, [235.0, 128.0, 128.0], [255, 255, 255]),
            (Bt709, Limited, [16.0, 128.0, 128.0], [0, 0, 0]),
        ];
        for (matrix, range, yuv, want) in table {
            let got = rgb(Colour { matrix, range }, yuv, false);
            let worst = (0..3).map(|c| (got[c] - want[c]).abs()).max();
            assert!(worst <= Some(2), "{matrix:?} {range:?} {yuv:?}: {got:?}, not {want:?}");
        }
    }

    #[test]
    fn channels_stand_in_tensor_order_and_are_normalised_per_channel() {
        let colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };
        let [b, g, r] = rgb(colour, [82.0, 90.0, 240.0], true);
        assert!(r > 250 && g < 5 && b < 5, "BGR: {b} {g} {r}");
        let input = Normalisation { bgr: false, pad: 10, mean: [10.0, 20.0, 30.0], scale: [1.0, 2.0, -4.0] };
        let c = Channels::new(colour, &input).0;
        assert_eq!(c.map(|c| c.pad), [0.0, -20.0, 80.0]);
        assert_eq!((c[0].low, c[0].high), (-10.0, 245.0));
        assert_eq!((c[2].low, c[2].high), (-900.0, 120.0), "a negative scale swaps the ends");
    }

    #[test]
    fn larger_samples_give_the_same_values_to_the_last_bit() {
        let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        let input = Normalisation { mean: [103.53, 116.28, 123.675], scale: [0.017_429; 3], ..PLAIN };
        let channels = Channels::new(colour, &input);
        for (one, many) in channels.0.into_iter().zip(channels.for_samples_times(256.0).0) {
            let value = |c: Channel, times: f32| c.y * 93.0 * times + c.u * 141.0 * times + c.v * 77.0 * times + c.bias;
            assert_eq!(value(one, 1.0).to_bits(), value(many, 256.0).to_bits());
            assert_eq!((one.low, one.high, one.pad), (many.low, many.high, many.pad));
        }
    }
}
