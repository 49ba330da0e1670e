//! YCbCr samples into normalised tensor values, as the configuration of a model's input says.

pub(super) use picture::Channel;
use picture::{Channels, Normalisation};

use crate::config::Input;
use crate::types::frame::Colour;

/// The three channels in tensor order: conversion to RGB 0..255, clamping and normalisation in one.
pub(super) fn channels(colour: Colour, input: &Input) -> [Channel; 3] {
    let Input { bgr, pad, mean, scale, .. } = *input;
    Channels::new(colour, &Normalisation { bgr, pad, mean, scale }).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fit;
    use crate::types::frame::{Matrix, Range};

    #[test]
    fn channels_stand_in_tensor_order_and_are_normalised_as_configured() {
        let colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };
        let input = Input { fit: Fit::Stretch, bgr: true, pad: 10, mean: [10.0, 20.0, 30.0], scale: [1.0, 2.0, -4.0] };
        let c = channels(colour, &input);
        assert_eq!(c.map(|c| c.pad), [0.0, -20.0, 80.0]);
        let [b, g, r] = c.map(|c| (c.y * 82.0 + c.u * 90.0 + c.v * 240.0 + c.bias).clamp(c.low, c.high));
        let near = |value: f32, want: f32| (value - want).abs() < 8.0;
        assert!(near(b, -10.0) && near(g, -40.0) && near(r, -900.0), "red, in BGR: {b} {g} {r}");
    }
}
