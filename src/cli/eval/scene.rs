//! Models on rendered streets: everything at once, and each light apart.

mod identities;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use self::identities::Looks;
use super::super::exit::BadInput;
use super::super::recording::Player;
use super::predictions::{Predictions, objects};
use super::{Reports, bad};
use crate::config::Config;
use crate::eval::report::{CrossCamera, Report, Tracking};
use crate::eval::tracking::{self, Frames, Identity, Scores};
use crate::eval::truth::Dataset;
use crate::eval::truth::streetscene::{self, CLASSES, Row};

/// Plays every camera's recording of every seed below `path`.
pub(super) fn evaluate(path: &Path, player: &Player) -> anyhow::Result<Reports> {
    let rows = streetscene::read(path).map_err(bad)?;
    let dataset = streetscene::dataset(&rows);
    let mut seeds: BTreeMap<u64, Vec<(u64, Row)>> = BTreeMap::new();
    for (image, row) in dataset.images.iter().zip(rows) {
        seeds.entry(row.seed).or_default().push((image.id, row));
    }
    for (_, row) in seeds.values().flatten() {
        let video = folder(path, row.seed)?.join(&row.camera).join("video.mp4");
        if !video.is_file() {
            let message = format!("{}: not there; render the seed with --video", video.display());
            return Err(BadInput(message).into());
        }
    }
    let bar = ProgressBar::new(seeds.len() as u64);
    let mut predictions = Predictions::default();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (seed, rows) in &seeds {
        let site = play(&folder(path, *seed)?, rows, player, &dataset, &mut predictions)?;
        let light = rows.first().map_or_else(String::new, |(_, row)| row.light.clone());
        for name in ["all".to_owned(), light] {
            groups.entry(name).or_default().add(rows, &site, player.config())?;
        }
        bar.inc(1);
        if bar.is_hidden() {
            eprintln!("seed {seed}: done");
        }
    }
    bar.finish_and_clear();
    // One light alone is no group of its own.
    if groups.len() == 2 {
        groups.retain(|name, _| name == "all");
    }
    Ok(groups.into_iter().map(|(name, group)| (name, group.report(&dataset, &predictions))).collect())
}

fn folder(path: &Path, seed: u64) -> anyhow::Result<PathBuf> {
    let inside = path.join(format!("seed-{seed:06}"));
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let found = [inside, path.to_owned(), beside].into_iter().find(|folder| folder.join("truth.jsonl").is_file());
    found.ok_or_else(|| BadInput(format!("{}: no folder of seed {seed}", path.display())).into())
}

/// What was found on one site, by camera.
#[derive(Default)]
struct Site {
    tracks: BTreeMap<String, Frames>,
    looks: Looks,
}

fn play(
    folder: &Path,
    rows: &[(u64, Row)],
    player: &Player,
    dataset: &Dataset,
    predictions: &mut Predictions,
) -> anyhow::Result<Site> {
    let models = &player.config().models;
    let label = |model: usize, class: u16| models.get(model)?.labels.get(usize::from(class));
    let mut site = Site::default();
    let cameras: BTreeSet<&str> = rows.iter().map(|(_, row)| row.camera.as_str()).collect();
    for camera in cameras {
        let video = folder.join(camera).join("video.mp4");
        let truth: BTreeMap<u64, &(u64, Row)> =
            rows.iter().filter(|(_, row)| row.camera == camera).map(|row| (row.1.frame, row)).collect();
        let tracks = site.tracks.entry(camera.to_owned()).or_default();
        let looks = &mut site.looks;
        let mut frames = 0;
        let played = player.play(&video, camera, |result, _| {
            frames += 1;
            let Some((image, row)) = truth.get(&result.meta.seq) else { return Ok(()) };
            predictions.add(*image, result, |model, class| dataset.category(label(model, class)?));
            tracks.insert(row.frame, objects(result, |class| dataset.category(label(0, class)?)));
            looks.add(row, result);
            Ok(())
        })?;
        played.check(&video)?;
        if frames != truth.len() {
            let message = format!("{}: {frames} frames, and the truth has {}", video.display(), truth.len());
            return Err(BadInput(message).into());
        }
    }
    Ok(site)
}

/// Sites that are judged together.
#[derive(Default)]
struct Group {
    images: BTreeSet<u64>,
    tracking: BTreeMap<String, Scores>,
    /// Across cameras, as it was believed at the end, and in each frame.
    identity: Identity,
    online: Identity,
    looks: identities::Scored,
}

impl Group {
    fn add(&mut self, rows: &[(u64, Row)], site: &Site, config: &Config) -> anyhow::Result<()> {
        self.images.extend(rows.iter().map(|(image, _)| *image));
        let plain: Vec<Row> = rows.iter().map(|(_, row)| row.clone()).collect();
        for (sequence, wanted) in streetscene::sequences(&plain) {
            let camera = sequence.rsplit('/').next().unwrap_or_default();
            let Some(found) = site.tracks.get(camera) else { continue };
            for (number, class) in (1..).zip(CLASSES) {
                let scores = tracking::evaluate(&wanted, found, Some(number)).map_err(bad)?;
                let sum = self.tracking.entry(class.to_owned()).or_default();
                *sum = std::mem::take(sum).and(&scores);
            }
        }
        for wanted in streetscene::sites(&plain).values() {
            let labels = config.models.first().map_or(&[][..], |model| &model.labels);
            if let Some(found) = site.looks.identities(&site.tracks, config.tracking.max_gap, labels) {
                let scored = |found| crate::eval::cross_camera::evaluate(wanted, found, Some(1)).map_err(bad);
                self.identity.add(&scored(&found.at_end)?);
                self.online.add(&scored(&found.online)?);
            }
        }
        self.looks.add(&site.looks)
    }

    fn report(self, dataset: &Dataset, predictions: &Predictions) -> Report {
        let dataset = Dataset {
            images: dataset.images.iter().filter(|image| self.images.contains(&image.id)).cloned().collect(),
            truths: dataset.truths.iter().filter(|truth| self.images.contains(&truth.image)).cloned().collect(),
            categories: dataset.categories.clone(),
        };
        Report {
            tracking: Tracking::new(&self.tracking),
            reid: self.looks.mean(),
            cross_camera: CrossCamera::new(&self.identity)
                .map(|scores| CrossCamera { online_idf1: Some(self.online.idf1()), ..scores }),
            ..predictions.of_images(&self.images).report(&dataset)
        }
    }
}
