//! Pictures on disk: a folder, a rendered street, a set in COCO's format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Data, Files, Subject, Truth, spread};
use crate::cli::exit::BadInput;
use crate::eval::truth::{self, Dataset, streetscene};
use crate::types::geometry::BBox;

const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];
/// Least visible share of a subject whose crop means something.
const CLEARLY_VISIBLE: f64 = 0.5;

/// All pictures of the folder that `flag` names, in order of their names.
pub(super) fn pictures(flag: &str, folder: &Path, limit: Option<usize>) -> anyhow::Result<Data> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| BadInput(format!("{flag} {}: {error}; name a folder", folder.display())))?;
    let is_picture = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending))
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_picture).collect();
    paths.sort();
    if paths.is_empty() {
        let message = format!("{flag} {}: no .jpg, .jpeg or .png file there", folder.display());
        return Err(BadInput(message).into());
    }
    let chosen = spread(paths.len(), limit.unwrap_or(paths.len()));
    let files = (1..).zip(chosen).map(|(number, at)| (number, paths[at].clone(), None)).collect();
    Ok(Data { name: format!("pictures {}", folder.display()), files: Files::Pictures(files), truth: None })
}

/// A set in COCO's format.
pub(super) fn coco(annotations: &Path, images: Option<&Path>, limit: Option<usize>) -> anyhow::Result<Data> {
    let dataset = truth::coco::read(annotations).map_err(bad)?;
    let images = images.or(annotations.parent()).unwrap_or(Path::new("."));
    let dataset = some_of(dataset, limit);
    let mut files = Vec::new();
    for image in &dataset.images {
        let path = images.join(&image.name);
        if !path.is_file() {
            let message = format!("{}: no such picture; --images is the folder of the pictures", path.display());
            return Err(BadInput(message).into());
        }
        files.push((image.id, path, Some((image.width, image.height))));
    }
    if files.is_empty() {
        return Err(BadInput(format!("--coco {}: it names no pictures", annotations.display())).into());
    }
    let mut subjects: BTreeMap<u64, Vec<Subject>> = BTreeMap::new();
    for truth in dataset.truths.iter().filter(|truth| !truth.crowd) {
        let subject = Subject { bbox: bbox(&truth.bbox), category: truth.category, who: None };
        subjects.entry(truth.image).or_default().push(subject);
    }
    let truth = Some(Truth { dataset, subjects });
    Ok(Data { name: format!("COCO {}", annotations.display()), files: Files::Pictures(files), truth })
}

/// A folder that `streetscene render --video` wrote.
pub(super) fn street(path: &Path, limit: Option<usize>) -> anyhow::Result<Data> {
    let rows = streetscene::read(path).map_err(bad)?;
    let dataset = some_of(streetscene::dataset(&rows), limit);
    let chosen: BTreeSet<u64> = dataset.images.iter().map(|image| image.id).collect();
    let cameras: BTreeSet<&str> = rows.iter().map(|row| row.camera.as_str()).collect();
    let number = |camera: &str| cameras.iter().position(|other| *other == camera).unwrap_or(0) as u32;
    let mut videos: BTreeMap<PathBuf, BTreeMap<u64, u64>> = BTreeMap::new();
    let mut subjects: BTreeMap<u64, Vec<Subject>> = BTreeMap::new();
    // The data set numbers pictures from 1 in the order of the rows.
    for (image, row) in (1..).zip(&rows).filter(|(image, _)| chosen.contains(image)) {
        let video = folder(path, row.seed)?.join(&row.camera).join("video.mp4");
        videos.entry(video).or_default().insert(row.frame, image);
        let clear = row.objects.iter().filter(|seen| !seen.ignore && seen.visibility >= CLEARLY_VISIBLE);
        let subject = |seen: &streetscene::Seen| Subject {
            bbox: bbox(&seen.bbox()),
            category: seen.class_number().unwrap_or_default(),
            // Who is looked for is looked for on his own site.
            who: Some((row.seed << 32 | seen.identity & 0xffff_ffff, number(&row.camera))),
        };
        subjects.entry(image).or_default().extend(clear.map(subject));
    }
    if let Some(video) = videos.keys().find(|video| !video.is_file()) {
        let message = format!("{}: not there; render the street with --video", video.display());
        return Err(BadInput(message).into());
    }
    let truth = Some(Truth { dataset, subjects });
    let files = Files::Videos(videos.into_iter().collect());
    Ok(Data { name: format!("street {}", path.display()), files, truth })
}

/// Where the recordings of a seed lie: below, here, or beside a `truth.jsonl` that was named itself.
fn folder(path: &Path, seed: u64) -> anyhow::Result<PathBuf> {
    let inside = path.join(format!("seed-{seed:06}"));
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let found = [inside, path.to_owned(), beside].into_iter().find(|folder| folder.join("truth.jsonl").is_file());
    found.ok_or_else(|| BadInput(format!("{}: no folder of seed {seed}", path.display())).into())
}

/// So many pictures of a set, evenly spread, and what is in them.
fn some_of(dataset: Dataset, limit: Option<usize>) -> Dataset {
    let count = dataset.images.len();
    let chosen: BTreeSet<usize> = spread(count, limit.unwrap_or(count)).collect();
    let images: Vec<_> =
        dataset.images.into_iter().enumerate().filter(|(at, _)| chosen.contains(at)).map(|(_, image)| image).collect();
    let there: BTreeSet<u64> = images.iter().map(|image| image.id).collect();
    let truths = dataset.truths.into_iter().filter(|truth| there.contains(&truth.image)).collect();
    Dataset { images, truths, categories: dataset.categories }
}

fn bbox([x, y, w, h]: &[f64; 4]) -> BBox {
    BBox::new(*x as f32, *y as f32, (x + w) as f32, (y + h) as f32)
}

fn bad(error: impl std::fmt::Display) -> anyhow::Error {
    BadInput(error.to_string()).into()
}
