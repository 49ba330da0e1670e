//! How one camera itself moves, told from the frames that are analysed.

use crate::config::CameraMotionUse;
use crate::types::camera_motion::CameraMotion;
use crate::types::frame::Picture;
use crate::types::geometry::BBox;
use crate::types::track::Track;
use crate::vision::camera_motion::CameraMotionEstimator;

/// The motion of a camera, where it is asked for.
pub(super) struct OwnMotion {
    estimator: Option<CameraMotionEstimator>,
    /// Of the subjects in the frame before.
    boxes: Vec<BBox>,
}

impl OwnMotion {
    pub(super) fn new(asked: CameraMotionUse) -> Self {
        let estimator = (asked == CameraMotionUse::On).then(CameraMotionEstimator::new);
        Self { estimator, boxes: Vec::new() }
    }

    /// True where it needs the pictures of frames.
    pub(super) fn is_on(&self) -> bool {
        self.estimator.is_some()
    }

    /// Since the last frame that was given; none where it is not asked for, or cannot be told.
    pub(super) fn since_last(&mut self, picture: Option<&Picture<'_>>) -> CameraMotion {
        let Some(estimator) = &mut self.estimator else { return CameraMotion::NONE };
        if let Some(picture) = picture {
            return estimator.estimate(picture, &self.boxes);
        }
        estimator.reset();
        CameraMotion::NONE
    }

    /// These are the subjects in the frame that was given.
    pub(super) fn follow(&mut self, tracks: &[Track]) {
        if self.estimator.is_some() {
            self.boxes.clear();
            self.boxes.extend(tracks.iter().map(|track| track.bbox));
        }
    }

    /// What comes has nothing to do with what was.
    pub(super) fn reset(&mut self) {
        self.boxes.clear();
        self.estimator.iter_mut().for_each(CameraMotionEstimator::reset);
    }
}
