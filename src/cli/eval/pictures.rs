//! Models on single pictures: COCO and YOLO truth.

use std::path::Path;

use indicatif::ProgressBar;

use super::super::exit::BadInput;
use super::super::recording::Player;
use super::predictions::Predictions;
use crate::eval::report::Report;
use crate::eval::truth::Dataset;

/// Runs all models on each picture of `dataset` in the folder `images`.
pub(super) fn evaluate(dataset: &Dataset, images: &Path, player: &Player) -> anyhow::Result<Report> {
    let models = &player.config().models;
    let mut predictions = Predictions::default();
    let bar = ProgressBar::new(dataset.images.len() as u64);
    for path in dataset.images.iter().map(|image| images.join(&image.name)) {
        if !path.is_file() {
            let message = format!("{}: no such picture; --images is the folder of the pictures", path.display());
            return Err(BadInput(message).into());
        }
    }
    for image in &dataset.images {
        let path = images.join(&image.name);
        let category = |model: usize, class: u16| {
            let label = models.get(model)?.labels.get(usize::from(class))?;
            dataset.category(label)
        };
        let mut frames = 0;
        let played = player.play(&path, "picture", |result, _| {
            frames += 1;
            let (width, height) = (result.meta.width, result.meta.height);
            if (width, height) != (image.width, image.height) {
                let (w, h) = (image.width, image.height);
                let message = format!("{}: {width}x{height} pixels, and the truth says {w}x{h}", path.display());
                return Err(BadInput(message).into());
            }
            if frames == 1 {
                predictions.add(image.id, result, category);
            }
            Ok(())
        })?;
        played.check(&path)?;
        if frames == 0 {
            return Err(BadInput(format!("{}: gave no picture", path.display())).into());
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(predictions.report(dataset))
}
