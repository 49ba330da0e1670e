//! Ground truth and predictions from files.

pub mod coco;
mod error;
mod image_size;
pub mod mot;
pub mod streetscene;
pub mod yolo;

use std::collections::BTreeSet;

use super::coco::{Prediction, Truth};
pub use error::ReadError;
pub(super) use error::{entries, read_text};
pub use image_size::image_size;

/// A picture of a [`Dataset`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its number.
    pub id: u64,
    /// Its file, or where it was seen.
    pub name: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// What objects are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
}

/// Pictures and the objects in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// All pictures, also those without objects.
    pub images: Vec<Image>,
    /// All categories.
    pub categories: Vec<Category>,
    /// All objects.
    pub truths: Vec<Truth>,
}

/// A prediction for a picture that the truth does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("prediction {number} is for image {image}, which the ground truth does not have; give both from one data set")]
pub struct UnknownImage {
    /// Its place among the predictions, from 1.
    pub number: usize,
    /// The picture it names.
    pub image: u64,
}

impl Dataset {
    /// The number of a category by its name.
    #[must_use]
    pub fn category(&self, name: &str) -> Option<u32> {
        self.categories.iter().find(|category| category.name == name).map(|category| category.id)
    }

    /// The name of a category by its number.
    #[must_use]
    pub fn category_name(&self, id: u32) -> Option<&str> {
        self.categories.iter().find(|category| category.id == id).map(|category| category.name.as_str())
    }

    /// Checks that predictions belong to this data set.
    ///
    /// # Errors
    /// The first that names a picture which is not here.
    pub fn check(&self, predictions: &[Prediction]) -> Result<(), UnknownImage> {
        let known: BTreeSet<u64> = self.images.iter().map(|image| image.id).collect();
        match predictions.iter().enumerate().find(|(_, prediction)| !known.contains(&prediction.image)) {
            None => Ok(()),
            Some((i, prediction)) => Err(UnknownImage { number: i + 1, image: prediction.image }),
        }
    }
}
