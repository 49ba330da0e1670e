//! How far the answers of one engine are from those of another, the reference, about the same pictures.
//!
//! | figure | definition |
//! |---|---|
//! | `boxes` | a box counts from a score up; it is *found* where the other side has a box of its class with an IoU of 0.5 or more, whatever that one's score. Share of both sides' counting boxes that are found, all pictures together: the F1 score |
//! | `mean_iou` | mean IoU of pairs |
//! | `scores` | 1 less the mean difference of the scores of a pair |
//! | `keypoints` | mean object keypoint similarity (COCO) of pairs, the reference being the truth |
//! | `masks` | mean IoU of the masks of pairs; 0 where one side has none |
//! | `embeddings` | mean cosine of the embeddings of the same crop |
//! | `l2` | `\|other - reference\| / \|reference\|` of an output, all pictures together |
//!
//! Pairs are one to one in each picture, as many as possible, of two counting boxes rather than of one, then with the greatest
//! IoU; a pair of two boxes that do not count is none. A picture without boxes on either side adds nothing to any figure.

mod boxes;
mod embeddings;
mod tensors;

pub use boxes::{Boxes, pairs};
pub use embeddings::{Embeddings, cosine};
pub use tensors::RelativeL2;

/// A mean that grows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// `None` without a value.
    #[must_use]
    pub fn get(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}
