//! How much a track's box in a frame shows of its subject.

use crate::types::geometry::BBox;
use crate::types::track::Track;

/// A box this close to the edge of the picture may go on beyond it, pixels.
const EDGE: f32 = 2.0;
/// What a cut box is worth.
const CUT: f32 = 0.25;

/// What a hidden box is worth at the least: a poor picture is better than none.
const HIDDEN: f32 = 0.1;

/// Score times side, less where the edge of the picture cuts the box or other boxes cover it: the more, the better.
/// `None` where it was not seen.
#[must_use]
pub fn quality(tracks: &[Track], at: usize, (width, height): (u32, u32)) -> Option<f32> {
    let track = tracks.get(at).filter(|track| !track.coasted && track.bbox.is_valid())?;
    let b = track.bbox;
    let cut = b.x1 < EDGE || b.y1 < EDGE || b.x2 > width as f32 - EDGE || b.y2 > height as f32 - EDGE;
    let others = tracks.iter().enumerate().filter(|(other, _)| *other != at);
    let covered = others.map(|(_, other)| shared(&b, &other.bbox)).fold(0.0, f32::max);
    let quality = track.score * b.area().sqrt() * if cut { CUT } else { 1.0 } * (1.0 - covered).max(HIDDEN).powi(2);
    quality.is_finite().then_some(quality)
}

/// Share of a box that another one covers.
fn shared(a: &BBox, b: &BBox) -> f32 {
    let (w, h) = (a.x2.min(b.x2) - a.x1.max(b.x1), a.y2.min(b.y2) - a.y1.max(b.y1));
    if w <= 0.0 || h <= 0.0 { 0.0 } else { (w * h / a.area()).min(1.0) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn track(bbox: BBox, score: f32) -> Track {
        Track {
            number: 1,
            class: 0,
            bbox,
            score,
            top_score: score,
            median_score: score,
            first_seen: Duration::ZERO,
            last_seen: Duration::ZERO,
            coasted: false,
            stationary: false,
        }
    }

    #[test]
    fn large_sure_whole_and_free_is_better() {
        let of = |tracks: &[Track]| quality(tracks, 0, (640, 480)).unwrap();
        let b = BBox::new(100.0, 100.0, 200.0, 200.0);
        let plain = of(&[track(b, 0.8)]);
        assert!((plain - 80.0).abs() < 1e-3);
        assert!(of(&[track(BBox::new(100.0, 100.0, 300.0, 300.0), 0.8)]) > plain);
        assert!(of(&[track(b, 0.4)]) < plain);
        assert!(of(&[track(BBox::new(0.0, 100.0, 100.0, 200.0), 0.8)]) < plain / 2.0, "it may go on beyond the edge");
        let covered = of(&[track(b, 0.8), track(BBox::new(150.0, 100.0, 250.0, 200.0), 0.9)]);
        assert!((covered - plain / 4.0).abs() < 1e-3);
        assert!(of(&[track(b, 0.8), track(BBox::new(50.0, 50.0, 250.0, 250.0), 0.9)]) > 0.0, "better than none");
        assert_eq!(quality(&[Track { coasted: true, ..track(b, 0.8) }], 0, (640, 480)), None);
    }
}
