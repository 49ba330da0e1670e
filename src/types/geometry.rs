//! Boxes and points.

use serde::Serialize;

/// Axis-aligned box. The unit is the holder's: pixels of the frame on the way from detector to
/// tracker, 0..1 of the frame in events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct BBox {
    /// Left edge.
    pub x1: f32,
    /// Top edge.
    pub y1: f32,
    /// Right edge.
    pub x2: f32,
    /// Bottom edge.
    pub y2: f32,
}

impl BBox {
    /// A box from its left, top, right and bottom edges.
    #[must_use]
    pub const fn new(x1: f32, y1: f32, x2: f32, y2: f32) -> Self {
        Self { x1, y1, x2, y2 }
    }

    /// A box from its centre and size.
    #[must_use]
    pub fn from_centre(cx: f32, cy: f32, w: f32, h: f32) -> Self {
        Self::new(cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0)
    }

    /// `x2 - x1`; negative for an inverted box.
    #[must_use]
    pub fn width(&self) -> f32 {
        self.x2 - self.x1
    }

    /// `y2 - y1`; negative for an inverted box.
    #[must_use]
    pub fn height(&self) -> f32 {
        self.y2 - self.y1
    }

    /// Area; 0 for an empty or inverted box.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// Middle of the box, `(x, y)`.
    #[must_use]
    pub fn centre(&self) -> (f32, f32) {
        ((self.x1 + self.x2) / 2.0, (self.y1 + self.y2) / 2.0)
    }

    /// True where all edges are finite and the box has an area.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        [self.x1, self.y1, self.x2, self.y2].iter().all(|v| v.is_finite()) && self.x2 > self.x1 && self.y2 > self.y1
    }

    /// Intersection over union, 0..1; 0 where both are empty.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let w = self.x2.min(other.x2) - self.x1.max(other.x1);
        let h = self.y2.min(other.y2) - self.y1.max(other.y1);
        if w <= 0.0 || h <= 0.0 {
            return 0.0;
        }
        let intersection = w * h;
        let union = self.area() + other.area() - intersection;
        if union > 0.0 { intersection / union } else { 0.0 }
    }

    /// The part inside `0..width` x `0..height`.
    #[must_use]
    pub fn clip(&self, width: f32, height: f32) -> Self {
        Self::new(
            self.x1.clamp(0.0, width),
            self.y1.clamp(0.0, height),
            self.x2.clamp(0.0, width),
            self.y2.clamp(0.0, height),
        )
    }

    /// Edges multiplied per axis: pixels to 0..1 and back.
    #[must_use]
    pub fn scale(&self, sx: f32, sy: f32) -> Self {
        Self::new(self.x1 * sx, self.y1 * sy, self.x2 * sx, self.y2 * sy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_is_intersection_over_union() {
        let a = BBox::new(0.0, 100.0, 10.0, 120.0);
        // x overlap 5, y overlap 10: 50 / (200 + 200 - 50)
        let b = BBox::new(5.0, 110.0, 15.0, 130.0);
        assert!((a.iou(&b) - 50.0 / 350.0).abs() < 1e-6);
        assert_eq!(a.iou(&BBox::new(10.0, 100.0, 20.0, 120.0)), 0.0, "touching boxes do not overlap");
        assert_eq!(BBox::default().iou(&BBox::default()), 0.0, "two empty boxes do not divide by zero");
    }

    #[test]
    fn a_box_with_nan_or_without_area_is_not_valid() {
        assert!(BBox::new(0.0, 0.0, 1.0, 1.0).is_valid());
        assert!(!BBox::new(f32::NAN, 0.0, 1.0, 1.0).is_valid());
        assert!(!BBox::new(0.0, 0.0, f32::INFINITY, 1.0).is_valid());
        assert!(!BBox::new(2.0, 0.0, 1.0, 1.0).is_valid());
    }
}
