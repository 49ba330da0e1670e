//! What a viewer looks for: boxes with labels, masks, skeletons, zones and lines.

use super::brush::span;
use super::{Canvas, Rgb};
use crate::types::geometry::BBox;
use crate::types::pose::COCO_SKELETON;

/// Pixels that belong to a subject.
#[derive(Clone, Copy, Debug)]
pub struct Mask<'a> {
    /// Column of the mask's left edge in the picture; may be outside.
    pub x: i32,
    /// Row of its top edge; may be outside.
    pub y: i32,
    /// Columns of the mask.
    pub width: usize,
    /// Rows of the mask.
    pub height: usize,
    /// `width * height` bytes, row by row; anything but 0 belongs to the subject, what is missing does not.
    pub data: &'a [u8],
}

impl Mask<'_> {
    /// True where the pixel `(x, y)` of the mask belongs to the subject; false outside the mask.
    fn has(&self, x: i64, y: i64) -> bool {
        match (usize::try_from(x), usize::try_from(y)) {
            (Ok(x), Ok(y)) if x < self.width && y < self.height => {
                self.data.get(y * self.width + x).is_some_and(|v| *v != 0)
            }
            _ => false,
        }
    }
}

impl Canvas {
    /// Thickness of lines in pixels.
    fn pen(&self) -> f64 {
        self.scale as f64 + 0.5
    }

    /// A box's outline, drawn inwards from its edges.
    pub fn bbox(&mut self, bbox: &BBox, colour: Rgb) {
        if !bbox.is_valid() {
            return;
        }
        // Saturates: an edge far outside stays outside.
        let [x1, y1, x2, y2] = [bbox.x1, bbox.y1, bbox.x2, bbox.y2].map(|v| i64::from(v.round() as i32));
        let pen = self.scale as i64 + 1;
        let (top, left) = ((y1 + pen).min(y2), (x1 + pen).min(x2));
        let (bottom, right) = ((y2 - pen).max(top), (x2 - pen).max(left));
        self.fill([x1, y1, x2, top], colour, 1.0);
        self.fill([x1, bottom, x2, y2], colour, 1.0);
        self.fill([x1, top, left, bottom], colour, 1.0);
        self.fill([right, top, x2, bottom], colour, 1.0);
    }

    /// Text that belongs to a box, such as `person 12 #3 .91`: above its top left corner, moved as far as needed to
    /// be read. Nothing is drawn for a box outside the picture.
    pub fn label(&mut self, bbox: &BBox, text: &str, colour: Rgb) {
        let (width, height) = (self.width as f32, self.height as f32);
        if text.is_empty() || !bbox.is_valid() || !bbox.clip(width, height).is_valid() {
            return;
        }
        let (text_width, text_height) = self.text_size(text);
        let x = bbox.x1.round().min(width - text_width as f32).max(0.0);
        let y = (bbox.y1.round() - text_height as f32).min(height - text_height as f32).max(0.0);
        self.text(x, y, text, colour);
    }

    /// A tint over a subject's pixels with a stronger rim.
    pub fn mask(&mut self, mask: &Mask<'_>, colour: Rgb) {
        let (left, top) = (i64::from(mask.x), i64::from(mask.y));
        let rim = self.scale as i64;
        for y in span(top as f64, top as f64 + mask.height as f64, self.height) {
            for x in span(left as f64, left as f64 + mask.width as f64, self.width) {
                let (u, v) = (x - left, y - top);
                if mask.has(u, v) {
                    let sides = [(u - rim, v), (u + rim, v), (u, v - rim), (u, v + rim)];
                    let inside = sides.iter().all(|(u, v)| mask.has(*u, *v));
                    self.blend(x, y, colour, if inside { 0.4 } else { 0.85 });
                }
            }
        }
    }

    /// Keypoints `(x, y, score)` of a person in COCO's order, those below `min_score` left out, and the bones between
    /// them. A list of another length than 17 has points and no bones.
    pub fn skeleton(&mut self, keypoints: &[(f32, f32, f32)], min_score: f32, colour: Rgb) {
        let seen = |i: usize| keypoints.get(i).filter(|(_, _, score)| *score >= min_score).map(|(x, y, _)| (*x, *y));
        let pen = self.pen();
        if keypoints.len() == 17 {
            for (from, to) in COCO_SKELETON {
                if let (Some(from), Some(to)) = (seen(from), seen(to)) {
                    self.stroke(from, to, pen, colour);
                }
            }
        }
        for centre in (0..keypoints.len()).filter_map(seen) {
            self.disc(centre, pen + 0.5, [0; 3]);
            self.disc(centre, pen - 0.3, [255; 3]);
        }
    }

    /// A zone: its outline, and its inside tinted with `tint` (0..1). Needs three corners.
    pub fn polygon(&mut self, corners: &[(f32, f32)], colour: Rgb, tint: f64) {
        let finite = corners.iter().all(|(x, y)| x.is_finite() && y.is_finite());
        if corners.len() < 3 || !finite {
            return;
        }
        let edges = || corners.iter().copied().zip(corners.iter().copied().cycle().skip(1));
        if tint > 0.0 {
            let mut crossings = Vec::new();
            for row in 0..self.height as i64 {
                let y = row as f64 + 0.5;
                crossings.clear();
                crossings.extend(edges().filter_map(|(a, b)| crossing(a, b, y)));
                crossings.sort_by(f64::total_cmp);
                for pair in crossings.chunks_exact(2) {
                    // A pixel is inside where its centre is.
                    for column in span((pair[0] - 0.5).ceil(), (pair[1] - 0.5).ceil(), self.width) {
                        self.blend(column, row, colour, tint);
                    }
                }
            }
        }
        let pen = self.pen();
        for (from, to) in edges() {
            self.stroke(from, to, pen, colour);
        }
    }

    /// A line between two points with a dot at each end.
    pub fn line(&mut self, from: (f32, f32), to: (f32, f32), colour: Rgb) {
        if ![from.0, from.1, to.0, to.1].iter().all(|v| v.is_finite()) {
            return;
        }
        let pen = self.pen();
        self.stroke(from, to, pen, colour);
        self.disc(from, pen, colour);
        self.disc(to, pen, colour);
    }
}

/// Where the edge from `a` to `b` crosses the height `y`; its lower end belongs to it, its upper does not.
fn crossing(a: (f32, f32), b: (f32, f32), y: f64) -> Option<f64> {
    let [(ax, ay), (bx, by)] = [a, b].map(|(x, y)| (f64::from(x), f64::from(y)));
    ((ay <= y) != (by <= y)).then(|| ax + (y - ay) / (by - ay) * (bx - ax))
}
