//! Colours: mixing, and picking by hue.

use crate::raster::Rgb;
use crate::rng::Rng;

/// A colour from hue (0..1, wraps), saturation and value (0..1).
pub fn hsv(h: f64, s: f64, v: f64) -> Rgb {
    let h6 = (h - h.floor()) * 6.0;
    let channel = |n: f64| {
        let k = (n + h6) % 6.0;
        (v - v * s * k.min(4.0 - k).clamp(0.0, 1.0)) as f32
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

/// The colour a share `t` of the way from `a` to `b`.
pub fn blend(a: Rgb, b: Rgb, t: f32) -> Rgb {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
}

/// A colour brighter or darker.
pub fn times(a: Rgb, k: f32) -> Rgb {
    a.map(|c| c * k)
}

/// Product per channel.
pub fn filter(a: Rgb, b: Rgb) -> Rgb {
    std::array::from_fn(|i| a[i] * b[i])
}

/// A colour of clothing: often muted or dark, sometimes loud.
pub fn cloth(rng: &mut Rng) -> Rgb {
    let hue = rng.unit();
    match rng.below(10) {
        0 | 1 => hsv(hue, rng.range(0.0, 0.15), rng.range(0.05, 0.3)),
        2 => hsv(hue, rng.range(0.0, 0.1), rng.range(0.75, 0.95)),
        3 => hsv(hue, rng.range(0.0, 0.15), rng.range(0.35, 0.65)),
        4..=6 => hsv(hue, rng.range(0.6, 0.95), rng.range(0.45, 0.9)),
        _ => hsv(hue, rng.range(0.25, 0.6), rng.range(0.25, 0.8)),
    }
}
