//! Sequences of a tracking benchmark: detections, what they look like, and ground truth, from folders.
//!
//! ```text
//! MOT17-09/            or   clip/
//!   seqinfo.ini               seqinfo.ini, or info.txt of fps=30 width=1920 height=1080 frames=525
//!   det/det.txt               det.txt
//!   det/emb.npy               emb.npy        one row a detection, where there is one
//!   gt/gt.txt                 gt.txt
//! ```

mod detections;
mod facts;
mod npy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::tracking::{Frames, Object};
use super::truth::{ReadError, entries, mot};
use crate::types::detection::Detection;
use crate::types::embedding::Embeddings;

pub use detections::parse as parse_detections;
pub use facts::Facts;
pub use npy::Matrix;

/// Longest embedding that is read.
pub const MAX_DIM: usize = 4096;
/// Folders are looked into this deep for sequences.
const MAX_DEPTH: usize = 4;
/// What `MOTChallenge` forgives finding where persons are wanted: persons on vehicles, static persons, distractors,
/// reflections. Source: `TrackEval/trackeval/datasets/mot_challenge_2d_box.py`.
const DISTRACTORS: [u32; 4] = [2, 7, 8, 12];
const PERSON: u32 = 1;

/// What was found in one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// In the order of the file.
    pub detections: Vec<Detection>,
    /// One row each; empty where the sequence has none.
    pub appearance: Embeddings,
}

/// Detections of all frames, from a file or from text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detections {
    /// By frame, from 1; frames without detections need no entry.
    pub frames: BTreeMap<u64, Frame>,
    /// How many scores were outside 0..1 and were clipped.
    pub clipped: usize,
    /// Rows.
    pub count: usize,
    /// Frame of each row, in the order of the file.
    rows: Vec<u64>,
}

impl Detections {
    /// Length of the embeddings; `None` without.
    #[must_use]
    pub fn dim(&self) -> Option<usize> {
        self.frames.values().map(|frame| frame.appearance.dim()).find(|dim| *dim > 0)
    }
}

/// One sequence, ready to be tracked and scored.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// As short as it can be and still be told from the others.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The file of its detections.
    pub path: PathBuf,
    /// Frame rate and size.
    pub facts: Facts,
    /// Each how manieth frame is there: 1 for all.
    pub every: u64,
    /// What was found.
    pub detections: Detections,
    /// What was there, all classes.
    pub truth: Frames,
}

/// Which files of a sequence's folder are read.
#[derive(Clone, Debug)]
pub struct Names {
    /// Detections, relative to the folder; default `det/det.txt` or `det.txt`.
    pub detections: Option<String>,
    /// Ground truth; default `gt/gt.txt` or `gt.txt`.
    pub truth: Option<String>,
    /// Embeddings are read, too.
    pub appearance: bool,
}

impl Sequence {
    /// What counts where `class` is scored, all of it under that class.
    ///
    /// Rows with `conf` 0 are ignored: finding them is neither right nor wrong. For persons (class 1), so are ignored rows
    /// of `MOTChallenge`'s distractor classes, as its own evaluation forgives them.
    #[must_use]
    pub fn truth_of(&self, class: u32) -> Frames {
        let counts = |object: &Object| {
            object.class == class || (class == PERSON && object.ignore && DISTRACTORS.contains(&object.class))
        };
        let of_frame = |objects: &[Object]| {
            let kept = objects.iter().filter(|object| counts(object));
            // A distractor may bear the number of a person.
            let named = kept.zip((0..=u64::MAX).rev()).map(|(object, spare)| {
                let id = if object.class == class { object.id } else { spare };
                Object { id, class, ..*object }
            });
            named.collect()
        };
        self.truth.iter().map(|(frame, objects)| (*frame, of_frame(objects))).collect()
    }

    /// Every `n`-th frame, from the first: 30 frames a second become 10 with 3. Frames keep their numbers.
    #[must_use]
    pub fn every(mut self, n: u64) -> Self {
        self.every = n.max(1);
        let kept = |frame: &u64| (frame - 1).is_multiple_of(n.max(1));
        self.detections.frames.retain(|frame, _| kept(frame));
        self.truth.retain(|frame, _| kept(frame));
        self.detections.count = self.detections.frames.values().map(|frame| frame.detections.len()).sum();
        self
    }
}

/// Reads all sequences that these folders are, or hold.
///
/// # Errors
/// A folder that is none, and the first file or line that does not fit.
pub fn read_all(paths: &[PathBuf], names: &Names) -> Result<Vec<Sequence>, ReadError> {
    let mut folders = Vec::new();
    for path in paths {
        let before = folders.len();
        find(path, names, MAX_DEPTH, &mut folders)?;
        if folders.len() == before {
            let file = names.detections.as_deref().unwrap_or("det/det.txt nor det.txt");
            let message = format!("no sequence here: neither it nor a folder below has {file}");
            return Err(ReadError::whole(path, message));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    folders.retain(|folder| seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())));
    let titles = titles(&folders);
    folders.iter().zip(titles).map(|(folder, name)| read(folder, name, names)).collect()
}

/// Folders with detections, sorted by name; what is below one is not looked at.
fn find(path: &Path, names: &Names, depth: usize, folders: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let below = entries(path)?;
    if detections_of(path, names).is_some() {
        folders.push(path.to_owned());
    } else if depth > 0 {
        for folder in below.iter().filter(|entry| entry.is_dir()) {
            find(folder, names, depth - 1, folders)?;
        }
    }
    Ok(())
}

fn detections_of(folder: &Path, names: &Names) -> Option<PathBuf> {
    first(folder, names.detections.as_deref(), ["det/det.txt", "det.txt"])
}

fn first(folder: &Path, chosen: Option<&str>, usual: [&str; 2]) -> Option<PathBuf> {
    let names = chosen.map_or_else(|| usual.to_vec(), |chosen| vec![chosen]);
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// As many of the last parts of each path as tell all of them apart.
fn titles(folders: &[PathBuf]) -> Vec<String> {
    let parts: Vec<Vec<String>> = folders
        .iter()
        .map(|folder| {
            let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            let parts = whole.components().filter_map(|part| match part {
                std::path::Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
                _ => None,
            });
            parts.collect()
        })
        .collect();
    let longest = parts.iter().map(Vec::len).max().unwrap_or(1);
    let named = |length: usize| -> Vec<String> {
        parts.iter().map(|parts| parts[parts.len().saturating_sub(length)..].join("/")).collect()
    };
    let distinct = |names: &[String]| names.iter().collect::<std::collections::BTreeSet<_>>().len() == names.len();
    (1..=longest).map(named).find(|names| distinct(names)).unwrap_or_else(|| named(longest))
}

fn read(folder: &Path, name: String, names: &Names) -> Result<Sequence, ReadError> {
    let facts = facts::read(folder)?;
    let Some(path) = detections_of(folder, names) else {
        return Err(ReadError::whole(folder, "no detections: det/det.txt or det.txt"));
    };
    let mut detections = detections::read(&path, facts.frames)?;
    let matrix = path.with_file_name("emb.npy");
    if !names.appearance {
        detections.frames.values_mut().for_each(|frame| frame.appearance.clear());
    } else if matrix.is_file() {
        npy::attach(&matrix, &path, &mut detections)?;
    }
    let Some(truth) = first(folder, names.truth.as_deref(), ["gt/gt.txt", "gt.txt"]) else {
        let file = names.truth.as_deref().unwrap_or("gt/gt.txt nor gt.txt");
        return Err(ReadError::whole(folder, format!("no ground truth to score with: there is no {file}")));
    };
    let truth = mot::read_truth(&truth)?;
    Ok(Sequence { name, folder: folder.to_owned(), path, facts, every: 1, detections, truth })
}
