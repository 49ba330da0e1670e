//! The truth of a rendered street (`streetscene-truth/1`): one line per camera and frame.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{ReadError, entries};
use super::{Category, Dataset, Image};
use crate::eval::boxes::Xywh;
use crate::eval::coco::Truth;
use crate::eval::cross_camera::View;
use crate::eval::tracking::{Frames, Object};
use crate::types::mask::Rle;

/// The format this reads.
pub const SCHEMA: &str = "streetscene-truth/1";

/// Class names; the number of a class is its place here, from 1.
pub const CLASSES: [&str; 3] = ["person", "bicycle", "car"];

/// What one camera sees in one frame.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Row {
    /// [`SCHEMA`].
    pub schema: String,
    /// Of the world.
    pub seed: u64,
    /// `day`, `night`, ...
    pub light: String,
    /// Name of the camera.
    pub camera: String,
    /// From 1.
    pub frame: u64,
    /// Since the start, in seconds.
    pub time_s: f64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Everything that can be seen.
    pub objects: Vec<Seen>,
}

/// One object in a [`Row`].
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Seen {
    /// Number of the uninterrupted stay in one camera's picture.
    pub track: u64,
    /// Number of the subject on all cameras of the seed.
    pub identity: u64,
    /// One of [`CLASSES`].
    pub class: String,
    /// Edges `[x1, y1, x2, y2]` of the visible pixels.
    #[serde(rename = "box")]
    pub edges: [f64; 4],
    /// Edges as they would be, neither hidden nor cut.
    pub full_box: [f64; 4],
    /// Share of the subject's pixels that can be seen, 0..1.
    pub visibility: f64,
    /// Too little is visible: an evaluator neither wants it found nor punishes it.
    pub ignore: bool,
    /// 17 of `[x, y, v]` in COCO's order; persons only.
    #[serde(default)]
    pub keypoints: Option<Vec<[f64; 3]>>,
    /// The visible pixels.
    #[serde(default)]
    pub mask: Option<Rle>,
}

impl Seen {
    /// The box as `[x, y, w, h]`.
    #[must_use]
    pub fn bbox(&self) -> Xywh {
        let [x1, y1, x2, y2] = self.edges;
        [x1, y1, x2 - x1, y2 - y1]
    }

    /// The number of its class.
    #[must_use]
    pub fn class_number(&self) -> Option<u32> {
        (1..).zip(CLASSES).find(|(_, name)| *name == self.class).map(|(number, _)| number)
    }
}

/// Reads a `truth.jsonl`, a folder that has one, or a folder of such folders (`seed-*`), in order of their names.
///
/// # Errors
/// Nothing of the kind is there, or the first line that does not fit.
pub fn read(path: &Path) -> Result<Vec<Row>, ReadError> {
    let mut rows = Vec::new();
    for file in files(path)? {
        let failed = |source| ReadError::Io { path: file.clone(), source };
        for (i, line) in BufReader::new(File::open(&file).map_err(failed)?).lines().enumerate() {
            let line = line.map_err(failed)?;
            if !line.trim().is_empty() {
                rows.push(parse(&line, &file, i + 1)?);
            }
        }
    }
    Ok(rows)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    const NAME: &str = "truth.jsonl";
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    if path.join(NAME).is_file() {
        return Ok(vec![path.join(NAME)]);
    }
    let files: Vec<PathBuf> =
        entries(path)?.into_iter().map(|entry| entry.join(NAME)).filter(|file| file.is_file()).collect();
    if files.is_empty() {
        return Err(ReadError::whole(path, format!("no {NAME} here and none one folder below; render one first")));
    }
    Ok(files)
}

/// One line; `path` and `line` are for messages.
///
/// # Errors
/// What does not fit.
pub fn parse(text: &str, path: &Path, line: usize) -> Result<Row, ReadError> {
    let row: Row = serde_json::from_str(text).map_err(|error| ReadError::json(path, line, &error))?;
    let wrong = |message: String| Err(ReadError::at(path, line, message));
    if row.schema != SCHEMA {
        return wrong(format!("schema {:?}; this reads {SCHEMA}", row.schema));
    }
    for seen in &row.objects {
        let who = format!("track {} of camera {}", seen.track, row.camera);
        if seen.class_number().is_none() {
            return wrong(format!("{who} is a {:?}; classes are {}", seen.class, CLASSES.join(", ")));
        }
        if !(seen.edges[2] >= seen.edges[0] && seen.edges[3] >= seen.edges[1]) {
            return wrong(format!("{who}: the box {:?} is not x1, y1, x2, y2", seen.edges));
        }
        if seen.mask.as_ref().is_some_and(|mask| mask.size() != [row.height, row.width]) {
            return wrong(format!("{who}: its mask is not of {} x {} pixels", row.width, row.height));
        }
        if let Some(points) = seen.keypoints.as_ref().filter(|points| !matches!(points.len(), 0 | 17)) {
            return wrong(format!("{who} has {} keypoints instead of 17", points.len()));
        }
    }
    Ok(row)
}

/// As pictures with objects. Pictures are numbered from 1 in the order of the rows.
#[must_use]
pub fn dataset(rows: &[Row]) -> Dataset {
    let categories = (1..).zip(CLASSES).map(|(id, name)| Category { id, name: name.to_owned() }).collect();
    let mut dataset = Dataset { categories, ..Dataset::default() };
    for (id, row) in (1..).zip(rows) {
        let name = format!("{}/{:06}", sequence(row), row.frame);
        dataset.images.push(Image { id, name, width: row.width, height: row.height });
        dataset.truths.extend(row.objects.iter().map(|seen| truth(id, seen)));
    }
    dataset
}

fn truth(image: u64, seen: &Seen) -> Truth {
    let mask = seen.mask.clone();
    let bbox = seen.bbox();
    Truth {
        image,
        category: seen.class_number().unwrap_or_default(),
        bbox,
        area: mask.as_ref().map_or(bbox[2] * bbox[3], |mask| mask.area() as f64),
        crowd: seen.ignore,
        mask,
        keypoints: seen.keypoints.clone().filter(|points| !points.is_empty()),
    }
}

/// `seed-000007/plaza-1`.
fn sequence(row: &Row) -> String {
    format!("seed-{:06}/{}", row.seed, row.camera)
}

fn object(seen: &Seen, id: u64) -> Object {
    Object { id, class: seen.class_number().unwrap_or_default(), bbox: seen.bbox(), ignore: seen.ignore }
}

/// As tracks per camera: one sequence per `seed-000007/<camera>`.
#[must_use]
pub fn sequences(rows: &[Row]) -> BTreeMap<String, Frames> {
    let mut sequences: BTreeMap<String, Frames> = BTreeMap::new();
    for row in rows {
        let objects = row.objects.iter().map(|seen| object(seen, seen.track)).collect();
        sequences.entry(sequence(row)).or_default().insert(row.frame, objects);
    }
    sequences
}

/// As identities over all cameras: one site per seed.
#[must_use]
pub fn sites(rows: &[Row]) -> BTreeMap<u64, Frames<View>> {
    let mut sites: BTreeMap<u64, Frames<View>> = BTreeMap::new();
    for row in rows {
        let objects = row.objects.iter().map(|seen| object(seen, seen.identity)).collect();
        sites.entry(row.seed).or_default().insert((row.camera.clone(), row.frame), objects);
    }
    sites
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"schema":"streetscene-truth/1","seed":7,"light":"night","camera":"plaza-1","frame":1,
        "time_s":0.1,"width":4,"height":3,"objects":[{"track":3,"identity":12,"class":"bicycle","box":[1,0,3,2],
        "full_box":[1,0,3,2],"visibility":0.83,"ignore":false,"mask":{"size":[3,4],"counts":[3,2,1,2,4]}}]}"#;

    fn read(text: &str) -> Result<Row, String> {
        parse(text, Path::new("truth.jsonl"), 9).map_err(|error| error.to_string())
    }

    #[test]
    fn a_row_is_pictures_tracks_and_identities() {
        let rows = [read(LINE).unwrap()];
        let dataset = dataset(&rows);
        assert_eq!(dataset.images[0].name, "seed-000007/plaza-1/000001");
        let truth = &dataset.truths[0];
        assert_eq!((truth.image, truth.category, truth.bbox, truth.area), (1, 2, [1.0, 0.0, 2.0, 2.0], 4.0));
        assert_eq!(sequences(&rows)["seed-000007/plaza-1"][&1][0].id, 3);
        assert_eq!(sites(&rows)[&7][&("plaza-1".to_owned(), 1)][0].id, 12);
    }

    #[test]
    fn a_bad_line_is_named() {
        for (from, to, message) in [
            ("truth/1", "truth/2", "truth.jsonl:9: schema \"streetscene-truth/2\"; this reads"),
            ("bicycle", "tram", "truth.jsonl:9: track 3 of camera plaza-1 is a \"tram\"; classes are person, bicycle"),
            ("[3,2,1,2,4]", "[3,2,1,2]", "truth.jsonl:11: counts add up to 8, a frame of 3 x 4"),
            ("[1,0,3,2],", "[3,0,1,2],", "truth.jsonl:9: track 3 of camera plaza-1: the box"),
            ("\"seed\":7,", "", "truth.jsonl:11: missing field `seed` (column"),
        ] {
            let error = read(&LINE.replace(from, to)).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
