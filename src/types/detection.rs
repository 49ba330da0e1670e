//! What a detector says about one frame.

use super::geometry::BBox;

/// One object found in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Pixels of the frame, clipped to it.
    pub bbox: BBox,
    /// Confidence, 0..1.
    pub score: f32,
    /// Index into the model's labels.
    pub class: u16,
}
