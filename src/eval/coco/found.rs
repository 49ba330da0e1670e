//! What a model found, as a prediction.

use super::Prediction;
use crate::types::found::Found;
use crate::types::pose::Keypoint;

impl Prediction {
    /// Detection `at` of `found`, with its mask or keypoints where there are some; `size` is the picture's width and height,
    /// pixels.
    ///
    /// # Panics
    /// Where there is no such detection.
    #[must_use]
    pub fn of(found: &Found, at: usize, (image, category): (u64, u32), (width, height): (u32, u32)) -> Self {
        let detection = &found.detections[at];
        let bbox = &detection.bbox;
        let points = |points: &[Keypoint]| points.iter().map(|p| [p.x, p.y, p.score].map(f64::from)).collect();
        Self {
            image,
            category,
            score: f64::from(detection.score),
            bbox: [bbox.x1, bbox.y1, bbox.width(), bbox.height()].map(f64::from),
            mask: found.mask(at).map(|mask| mask.rle(width, height)),
            keypoints: found.pose(at).map(points),
        }
    }
}
