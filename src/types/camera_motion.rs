//! How a camera itself moved between two frames.

use super::geometry::BBox;

/// Takes a pixel of the frame before to where the same part of the scene is in this one: a turn, a zoom and a shift,
/// `x' = a x - b y + tx`, `y' = b x + a y + ty`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CameraMotion {
    /// Zoom times cosine of the turn.
    pub a: f32,
    /// Zoom times sine of the turn.
    pub b: f32,
    /// Shift to the right, pixels.
    pub tx: f32,
    /// Shift down, pixels.
    pub ty: f32,
}

impl CameraMotion {
    /// A camera that stood still.
    pub const NONE: Self = Self { a: 1.0, b: 0.0, tx: 0.0, ty: 0.0 };

    /// Whether a camera can have moved like this between two frames: numbers, a zoom of 0.1 to 10, and a shift of at most a
    /// million pixels.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        const MAX_SHIFT: f32 = 1e6;
        (0.1..=10.0).contains(&self.zoom()) && self.tx.abs() <= MAX_SHIFT && self.ty.abs() <= MAX_SHIFT
    }

    /// This motion, or none where it is not [sound](Self::is_sound).
    #[must_use]
    pub fn or_none(self) -> Self {
        if self.is_sound() { self } else { Self::NONE }
    }

    /// Where a pixel is now.
    #[must_use]
    pub fn point(&self, (x, y): (f32, f32)) -> (f32, f32) {
        (self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty)
    }

    /// By how much everything has grown.
    #[must_use]
    pub fn zoom(&self) -> f32 {
        self.a.hypot(self.b)
    }

    /// Where a box is now: it stays upright.
    #[must_use]
    pub fn bbox(&self, bbox: &BBox) -> BBox {
        let (cx, cy) = self.point(bbox.centre());
        let zoom = self.zoom();
        BBox::from_centre(cx, cy, bbox.width() * zoom, bbox.height() * zoom)
    }
}

impl Default for CameraMotion {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zoom_about_the_centre_leaves_it_where_it_is() {
        let zoom = CameraMotion { a: 2.0, b: 0.0, tx: -320.0, ty: -180.0 };
        assert_eq!(zoom.point((320.0, 180.0)), (320.0, 180.0));
        let now = zoom.bbox(&BBox::new(310.0, 170.0, 330.0, 190.0));
        assert_eq!(now, BBox::new(300.0, 160.0, 340.0, 200.0));
    }

    #[test]
    fn what_no_camera_does_is_no_motion() {
        let pan = CameraMotion { tx: -300.0, ty: 20.0, ..CameraMotion::NONE };
        assert_eq!(pan.or_none(), pan);
        for bad in [
            CameraMotion { a: 0.05, ..pan },
            CameraMotion { a: 8.0, b: 8.0, ..pan },
            CameraMotion { a: f32::NAN, ..pan },
            CameraMotion { b: f32::INFINITY, ..pan },
            CameraMotion { tx: f32::NAN, ..pan },
            CameraMotion { ty: -1e7, ..pan },
        ] {
            assert_eq!(bad.or_none(), CameraMotion::NONE, "{bad:?}");
        }
    }
}
