//! How alike a track and a detection are.

use super::found::Found;
use super::settings::Settings;
use super::subject::Subject;
use crate::types::geometry::BBox;

/// Shifts below this share of the size are no direction.
pub const WOBBLE: f32 = 0.05;

/// What of a track an association needs, worked out once for all detections.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    class: u16,
    bbox: BBox,
    centre: (f32, f32),
    /// By how much boxes are grown on each side.
    margin: (f32, f32),
    /// One over the variances of the centre.
    precision: (f32, f32),
    /// Centre when it was last seen, and where it was heading.
    from: (f32, f32),
    heading: (f32, f32),
}

impl Expected {
    /// Of a track after its prediction.
    pub fn of(subject: &Subject, buffer: f32, s: &Settings) -> Self {
        let (vx, vy) = subject.motion.spread(s);
        let bbox = subject.bbox;
        let grow = |variance: f32, side: f32| (buffer * variance.sqrt()).min(s.buffer_max * side);
        Self {
            class: subject.track.class,
            bbox,
            centre: bbox.centre(),
            margin: (grow(vx, bbox.width()), grow(vy, bbox.height())),
            precision: (vx.recip(), vy.recip()),
            from: subject.last.bbox.centre(),
            heading: subject.heading,
        }
    }

    /// About 1 for a box where it is expected, 0 or less for one that has nothing to do with it.
    ///
    /// Overlap of boxes grown by where the track may be (C-BIoU, Yang et al., WACV 2023, with the growth taken from
    /// the filter), times the overlap of their heights (Hybrid-SORT, Yang et al., AAAI 2024); distance in sigmas
    /// (BoostTrack, Stanojevic and Todorovic, 2024); direction since it was last seen (OC-SORT, Cao et al.,
    /// CVPR 2023); score.
    pub fn similarity(&self, found: &Found, s: &Settings) -> f32 {
        let d = &found.detection.bbox;
        let (mx, my) = self.margin;
        let w = self.bbox.x2.min(d.x2) - self.bbox.x1.max(d.x1) + 2.0 * mx;
        let h = self.bbox.y2.min(d.y2) - self.bbox.y1.max(d.y1) + 2.0 * my;
        if w <= 0.0 || h <= 0.0 {
            return 0.0;
        }
        let area = |b: &BBox| (b.width() + 2.0 * mx) * (b.height() + 2.0 * my);
        let shared = w * h;
        let iou = shared / (area(&self.bbox) + area(d) - shared);
        let span = self.bbox.y2.max(d.y2) - self.bbox.y1.min(d.y1) + 2.0 * my;

        let (cx, cy) = d.centre();
        let (dx, dy) = (cx - self.centre.0, cy - self.centre.1);
        let sigmas = dx * dx * self.precision.0 + dy * dy * self.precision.1;
        let distance = (-0.5 * sigmas).exp() - 0.5;

        let (hx, hy) = self.heading;
        let (tx, ty) = (cx - self.from.0, cy - self.from.1);
        let way = (tx * tx + ty * ty).sqrt();
        let moves = way > WOBBLE * found.size;
        let direction = if moves { found.level * (tx * hx + ty * hy) / way } else { 0.0 };

        let class = if found.detection.class == self.class { 0.0 } else { s.w_class };
        iou * (h / span) + s.w_distance * distance + s.w_direction * direction + s.w_score * (found.level - 1.0) - class
    }
}

/// Share of `a` that `b` covers.
pub fn covered(a: &BBox, b: &BBox) -> f32 {
    let w = a.x2.min(b.x2) - a.x1.max(b.x1);
    let h = a.y2.min(b.y2) - a.y1.max(b.y1);
    if w <= 0.0 || h <= 0.0 { 0.0 } else { w * h / a.area().max(f32::MIN_POSITIVE) }
}
