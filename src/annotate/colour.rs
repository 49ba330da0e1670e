//! Colours of tracks.

use super::Rgb;

/// Turn of the hue from one number to the next: by the golden ratio neighbours land far apart, and no hue returns.
const TURN: f64 = 0.618_033_988_749_894_9;

/// Strength and lightness of every third number, so that near hues differ in something else too.
const SHADES: [(f64, f64); 3] = [(0.80, 1.0), (0.55, 1.0), (0.95, 0.80)];

/// The colour of a track or identity: the same for the same number, always, and unlike that of numbers near it.
#[must_use]
pub fn colour_of(number: u64) -> Rgb {
    // The remainder keeps the product exact; hues repeat after it, unseen.
    let hue = ((number % 1_000_000) as f64 * TURN).fract();
    let (saturation, value) = SHADES[(number % 3) as usize];
    hsv(hue, saturation, value)
}

/// From hue, saturation and value, all 0..1.
fn hsv(hue: f64, saturation: f64, value: f64) -> Rgb {
    [5.0, 3.0, 1.0].map(|n: f64| {
        let k = (n + hue * 6.0) % 6.0;
        let level = value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0));
        (level * 255.0).round() as u8
    })
}

/// Black or white, whichever reads better on `background`.
pub(super) fn ink_on(background: Rgb) -> Rgb {
    let [r, g, b] = background.map(u32::from);
    if r * 299 + g * 587 + b * 114 > 128_000 { [0; 3] } else { [255; 3] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_stand_where_they_should() {
        assert_eq!(hsv(0.0, 1.0, 1.0), [255, 0, 0]);
        assert_eq!(hsv(1.0 / 3.0, 1.0, 1.0), [0, 255, 0]);
        assert_eq!(hsv(2.0 / 3.0, 1.0, 1.0), [0, 0, 255]);
        assert_eq!(hsv(0.3, 0.0, 0.5), [128, 128, 128]);
    }

    #[test]
    fn a_number_keeps_its_colour_and_twelve_in_a_row_can_be_told_apart() {
        assert_eq!(colour_of(12), colour_of(12));
        for start in [0, 1, 57, u64::MAX - 12] {
            for a in start..start + 12 {
                for b in start..a {
                    let (p, q) = (colour_of(a), colour_of(b));
                    let distance: u32 = (0..3).map(|c| u32::from(p[c].abs_diff(q[c]))).sum();
                    assert!(distance > 60, "{a} {p:?} and {b} {q:?}");
                }
            }
        }
    }
}
