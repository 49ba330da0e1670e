//! Keypoints of a person, and how COCO orders and joins them.

/// One keypoint of one object in one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Keypoint {
    /// Pixels of the frame from its left edge; outside the frame where the model thinks so.
    pub x: f32,
    /// Pixels of the frame from its top edge.
    pub y: f32,
    /// Confidence that it can be seen, 0..1.
    pub score: f32,
}

/// Names of COCO's keypoints of a person, in the order in which models give them.
/// Source: `person_keypoints_val2017.json`, `categories`.
pub const COCO_KEYPOINTS: [&str; 17] = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
];

/// Which of [`COCO_KEYPOINTS`] a drawing joins, by index from 0. Source: as there (which counts from 1).
pub const COCO_SKELETON: [(usize, usize); 19] = [
    (15, 13),
    (13, 11),
    (16, 14),
    (14, 12),
    (11, 12),
    (5, 11),
    (6, 12),
    (5, 6),
    (5, 7),
    (6, 8),
    (7, 9),
    (8, 10),
    (1, 2),
    (0, 1),
    (0, 2),
    (1, 3),
    (2, 4),
    (3, 5),
    (4, 6),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skeleton_joins_every_keypoint_and_sides_alike() {
        let mirrored = |i: usize| if i == 0 { 0 } else { ((i - 1) ^ 1) + 1 };
        for (i, name) in COCO_KEYPOINTS.iter().enumerate() {
            assert!(COCO_SKELETON.iter().any(|&(a, b)| a == i || b == i), "{name}");
        }
        for (a, b) in COCO_SKELETON {
            let (c, d) = (mirrored(a), mirrored(b));
            assert!(COCO_SKELETON.contains(&(c, d)) || COCO_SKELETON.contains(&(d, c)), "{a} {b}");
        }
    }
}
