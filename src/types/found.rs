//! All that a model found in one frame.

use super::detection::Detection;
use super::mask::{MaskRef, Masks};
use super::pose::Keypoint;

/// Detections, best first, with the keypoints or masks that the model's task gives. One is kept and filled
/// anew for each frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Boxes, scores, classes.
    pub detections: Vec<Detection>,
    /// Of all detections one after the other, `keypoints_each` of each; empty without task `pose`.
    pub keypoints: Vec<Keypoint>,
    /// Keypoints of one detection; 0 without task `pose`.
    pub keypoints_each: usize,
    /// One for each detection, some of them empty; none without task `segmentation`.
    pub masks: Masks,
}

impl Found {
    /// Nothing found; memory is kept.
    pub fn clear(&mut self) {
        self.detections.clear();
        self.keypoints.clear();
        self.keypoints_each = 0;
        self.masks.clear();
    }

    /// Keypoints of detection `i`, in the model's order.
    #[must_use]
    pub fn pose(&self, i: usize) -> Option<&[Keypoint]> {
        // Without keypoints there is no first piece, for `chunks_exact` of 0 would panic.
        let pieces = (self.keypoints_each > 0).then(|| self.keypoints.chunks_exact(self.keypoints_each));
        pieces?.nth(i)
    }

    /// Mask of detection `i`; `None` also where its mask is empty, see `vision::Decoder::decode`.
    #[must_use]
    pub fn mask(&self, i: usize) -> Option<MaskRef<'_>> {
        self.masks.get(i).filter(|mask| !mask.pixels.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poses_and_masks_go_by_detection() {
        let at = |x| Keypoint { x, y: 100.0 + x, score: 0.5 };
        let mut found = Found { keypoints: [1.0, 2.0, 3.0, 4.0].map(at).into(), keypoints_each: 2, ..Found::default() };
        found.masks.push(3, 40, 2, 1)[1] = 1;
        found.masks.push(0, 0, 0, 0);
        assert_eq!(found.pose(1), Some(&[at(3.0), at(4.0)][..]));
        assert_eq!(found.pose(2), None);
        assert_eq!(found.mask(0).map(|mask| (mask.x, mask.y, mask.area())), Some((3, 40, 1)));
        assert_eq!((found.mask(1), found.mask(2)), (None, None), "an empty mask is none");
        found.clear();
        assert_eq!(found, Found::default());
        assert_eq!((found.pose(0), found.mask(0)), (None, None));
    }
}
