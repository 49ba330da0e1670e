//! What a head gives per box beyond box, score and class: keypoints or mask coefficients, in the last rows or
//! columns of its table.

use super::check::{self, Dim};
use crate::config::Task;
use crate::types::tensor::ModelIo;

/// Numbers of one keypoint: x and y in input pixels, and whether it can be seen, after the sigmoid.
/// Source: `ultralytics/nn/modules/head.py`, `Pose.kpts_decode`.
pub(super) const KEYPOINT: usize = 3;

/// Most keypoints of an object (COCO-WholeBody has 133, Halpe 136): a number of boxes shall not pass for them.
const MOST_KEYPOINTS: usize = 150;

/// Most mask coefficients, likewise.
const MOST_COEFFICIENTS: usize = 256;

/// Keypoints farther away, in input pixels, are none.
const FARTHEST: f32 = 1e6;

/// Scores so far from 0..1 are rounding, and the steps of quantised models.
const TOLERANCE: f32 = 0.01;

/// Where they stand in a run's table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extras<'t> {
    task: Task,
    /// From the first value of the first box.
    data: &'t [f32],
    /// From a box to the next.
    of_box: usize,
    /// From a value to the next.
    of_value: usize,
    /// Values of one box.
    pub each: usize,
}

impl<'t> Extras<'t> {
    pub const NONE: Self = Self { task: Task::Detection, data: &[], of_box: 0, of_value: 1, each: 0 };

    /// A table with a column per box: `of_value` boxes.
    pub fn columns(task: Task, data: &'t [f32], boxes: usize) -> Self {
        Self { task, data, of_box: 1, of_value: boxes.max(1), each: data.len() / boxes.max(1) }
    }

    /// A table with a row per box, of `width` values, the first `taken` of which are something else.
    pub fn rows(task: Task, data: &'t [f32], width: usize, taken: usize) -> Self {
        Self { task, data: data.get(taken..).unwrap_or_default(), of_box: width, of_value: 1, each: width - taken }
    }

    /// Values of a box.
    #[inline]
    pub fn of(&self, index: usize) -> impl Iterator<Item = f32> + use<'t> {
        let from = self.data.get(index * self.of_box..).unwrap_or_default();
        from.iter().step_by(self.of_value).take(self.each).copied()
    }

    /// Can they be what the task has?
    pub fn sound(&self, index: usize) -> bool {
        let mut values = self.of(index);
        if self.task != Task::Pose {
            return values.all(f32::is_finite);
        }
        values.enumerate().all(|(i, value)| match i % KEYPOINT {
            2 => (-TOLERANCE..=1.0 + TOLERANCE).contains(&value),
            _ => value.abs() <= FARTHEST,
        })
    }
}

/// Size of a table's side with `base` values beside these, and these in words, as the end of a list.
pub(super) fn dim(task: Task, base: usize, io: &ModelIo) -> (Dim, String) {
    match (task, check::prototypes_of(io)) {
        (Task::Pose, _) => (
            Dim::More { base, each: KEYPOINT, most: MOST_KEYPOINTS, word: "k" },
            format!(" + {KEYPOINT} for each of k keypoints"),
        ),
        (Task::Segmentation, Some(m)) => (Dim::Is(base + m), format!(" + {m} mask coefficients")),
        (Task::Segmentation, None) => {
            (Dim::More { base, each: 1, most: MOST_COEFFICIENTS, word: "m" }, " + m mask coefficients".into())
        }
        (Task::Detection | Task::Reid, _) => (Dim::Is(base), String::new()),
    }
}
