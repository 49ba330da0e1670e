//! Which track a box of a further model belongs to.

use super::extras::ROOM;
use crate::config::Task;
use crate::types::detection::Detection;
use crate::types::found::Found;
use crate::types::objects::FrameObjects;

/// Least overlap (IoU) of a track's box and a box of another model that are of the same subject.
const SAME_SUBJECT: f32 = 0.5;

/// Finds the track that each box of another model belongs to.
pub(super) struct Matcher {
    /// Overlap, track, detection.
    pairs: Vec<(f32, u32, u32)>,
    taken: Vec<bool>,
}

impl Matcher {
    pub(super) fn new() -> Self {
        Self { pairs: Vec::with_capacity(ROOM), taken: Vec::with_capacity(4 * ROOM) }
    }

    /// Greedily, the largest overlap first. An empty `classes` means that the classes are the same.
    pub(super) fn attach(&mut self, found: &Found, task: Task, classes: &[Option<u16>], objects: &mut FrameObjects) {
        self.pairs.clear();
        for (t, track) in (0..).zip(objects.tracks()).filter(|(_, track)| !track.coasted) {
            let class = if classes.is_empty() {
                Some(track.class)
            } else {
                classes.get(usize::from(track.class)).copied().flatten()
            };
            let same = |detection: &&Detection| Some(detection.class) == class;
            for (d, detection) in (0..).zip(&found.detections).filter(|(_, detection)| same(detection)) {
                let overlap = track.bbox.iou(&detection.bbox);
                if overlap >= SAME_SUBJECT {
                    self.pairs.push((overlap, t, d));
                }
            }
        }
        self.pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        self.taken.clear();
        self.taken.resize(objects.tracks().len() + found.detections.len(), false);
        for &(_, t, d) in &self.pairs {
            let (track, detection) = (t as usize, d as usize);
            let of_detection = objects.tracks().len() + detection;
            if self.taken[track] || self.taken[of_detection] {
                continue;
            }
            self.taken[track] = true;
            self.taken[of_detection] = true;
            match task {
                Task::Pose => {
                    if let Some(keypoints) = found.pose(detection) {
                        objects.set_pose(track, keypoints);
                    }
                }
                Task::Segmentation => {
                    if let Some(mask) = found.mask(detection) {
                        objects.set_mask(track, mask);
                    }
                }
                Task::Detection | Task::Reid => {}
            }
        }
    }
}
