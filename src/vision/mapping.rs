//! Where a frame lies in a model's input.

use crate::config::Fit;
use crate::types::geometry::BBox;

/// Maps boxes between a model's input and a frame, both in pixels.
///
/// A frame of `w` x `h` is resized to a whole number of pixels `w'` x `h'` (rounded, at least 1) and
/// placed at `(left, top)`. Coordinates are edges, not pixel centres: 0 is the left edge of the first
/// pixel and `w` the right edge of the last, so with `cv2.resize`'s pixel-centre convention an edge `x`
/// of the frame lies at exactly `left + x * w' / w`. That scale, per axis, is the one that
/// [`Letterbox`](super::Letterbox) samples with. Reference decoders (ultralytics, YOLOX) divide both
/// axes by the unrounded ratio instead, which is off by up to half an input pixel at the far edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mapping {
    frame: [f64; 2],
    inner: [usize; 2],
    offset: [usize; 2],
}

impl Mapping {
    /// Placement of a frame in an input of `width` x `height`; all sizes in pixels. A size of 0 is
    /// taken for 1.
    #[must_use]
    pub fn new(frame_width: usize, frame_height: usize, width: usize, height: usize, fit: Fit) -> Self {
        let (fw, fh) = (frame_width.max(1) as f64, frame_height.max(1) as f64);
        let (width, height) = (width.max(1), height.max(1));
        let ratio = (width as f64 / fw).min(height as f64 / fh);
        // Halves to even, as Python's `round` in the references.
        let resized = |frame: f64, input: usize| ((frame * ratio).round_ties_even() as usize).clamp(1, input);
        let inner = match fit {
            Fit::Letterbox | Fit::LetterboxTopLeft => [resized(fw, width), resized(fh, height)],
            Fit::Stretch => [width, height],
        };
        // An odd rest leaves the larger half at the right and the bottom, as ultralytics has it.
        let offset = match fit {
            Fit::Letterbox => [(width - inner[0]) / 2, (height - inner[1]) / 2],
            Fit::LetterboxTopLeft | Fit::Stretch => [0, 0],
        };
        Self { frame: [fw, fh], inner, offset }
    }

    /// Size of the frame, pixels.
    #[must_use]
    pub fn frame_size(&self) -> (f32, f32) {
        (self.frame[0] as f32, self.frame[1] as f32)
    }

    /// Whole pixels of the frame.
    pub(super) fn frame_pixels(&self) -> (usize, usize) {
        (self.frame[0] as usize, self.frame[1] as usize)
    }

    /// Scale and offset from frame to input along an axis, 0 for x.
    pub(super) fn frame_to_input(&self, axis: usize) -> (f64, f64) {
        (self.inner[axis] as f64 / self.frame[axis], self.offset[axis] as f64)
    }

    /// Left and top of the frame in the input, pixels.
    #[must_use]
    pub fn offset(&self) -> (usize, usize) {
        (self.offset[0], self.offset[1])
    }

    /// Width and height of the frame in the input, pixels.
    #[must_use]
    pub fn inner_size(&self) -> (usize, usize) {
        (self.inner[0], self.inner[1])
    }

    /// A box of the model's input as pixels of the frame; not clipped.
    #[must_use]
    pub fn to_frame(&self, bbox: BBox) -> BBox {
        let ((x1, y1), (x2, y2)) = (self.point_to_frame(bbox.x1, bbox.y1), self.point_to_frame(bbox.x2, bbox.y2));
        BBox::new(x1, y1, x2, y2)
    }

    /// A point of the model's input in pixels of the frame; not clipped.
    #[must_use]
    pub fn point_to_frame(&self, x: f32, y: f32) -> (f32, f32) {
        let map = |v: f32, axis: usize| {
            ((f64::from(v) - self.offset[axis] as f64) * self.frame[axis] / self.inner[axis] as f64) as f32
        };
        (map(x, 0), map(y, 1))
    }

    /// A box of the frame as pixels of the model's input.
    #[must_use]
    pub fn to_input(&self, bbox: BBox) -> BBox {
        let map = |v: f32, axis: usize| {
            (f64::from(v) * self.inner[axis] as f64 / self.frame[axis] + self.offset[axis] as f64) as f32
        };
        BBox::new(map(bbox.x1, 0), map(bbox.y1, 1), map(bbox.x2, 0), map(bbox.y2, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_placed_as_the_fit_says() {
        let place = |fit| {
            let m = Mapping::new(768, 576, 416, 416, fit);
            (m.inner_size(), m.offset())
        };
        assert_eq!(place(Fit::Letterbox), ((416, 312), (0, 52)));
        assert_eq!(place(Fit::LetterboxTopLeft), ((416, 312), (0, 0)));
        assert_eq!(place(Fit::Stretch), ((416, 416), (0, 0)));
        // 500 x 1080 in 640: 296.3 x 640, 344 columns of padding; and a rest of 3 is 1 + 2
        let m = Mapping::new(500, 1080, 640, 640, Fit::Letterbox);
        assert_eq!((m.inner_size(), m.offset()), ((296, 640), (172, 0)));
        assert_eq!(Mapping::new(1000, 997, 1000, 1000, Fit::Letterbox).offset(), (0, 1));
        // 640 x 425 in 320: 212.5 rows are 212
        assert_eq!(Mapping::new(640, 425, 320, 320, Fit::Letterbox).inner_size(), (320, 212));
    }

    #[test]
    fn the_edges_of_the_frame_are_the_edges_of_its_place() {
        for (w, h) in [(768, 576), (1920, 1080), (1, 1), (3, 4000), (4000, 3), (641, 359)] {
            for fit in [Fit::Letterbox, Fit::LetterboxTopLeft, Fit::Stretch] {
                let m = Mapping::new(w, h, 640, 416, fit);
                let (left, top) = m.offset();
                let (iw, ih) = m.inner_size();
                let inner = BBox::new(left as f32, top as f32, (left + iw) as f32, (top + ih) as f32);
                assert_eq!(m.to_frame(inner), BBox::new(0.0, 0.0, w as f32, h as f32));
                assert_eq!(m.to_input(BBox::new(0.0, 0.0, w as f32, h as f32)), inner);
            }
        }
    }

    #[test]
    fn there_and_back_is_the_same_box() {
        for (w, h) in [(768, 576), (1920, 1080), (3840, 2160), (641, 359)] {
            for fit in [Fit::Letterbox, Fit::LetterboxTopLeft, Fit::Stretch] {
                let m = Mapping::new(w, h, 640, 384, fit);
                let bbox = BBox::new(12.3, 45.6, w as f32 - 0.7, h as f32 - 3.3);
                let back = m.to_frame(m.to_input(bbox));
                for (a, b) in [(bbox.x1, back.x1), (bbox.y1, back.y1), (bbox.x2, back.x2), (bbox.y2, back.y2)] {
                    assert!((a - b).abs() < 1e-3, "{a} came back as {b}");
                }
            }
        }
    }
}
