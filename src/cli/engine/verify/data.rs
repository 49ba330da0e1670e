//! The pictures that two engines are compared on, and what is known of them.

mod folders;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::frames;
use crate::cli::exit::BadInput;
use crate::cli::workbench::{Image, sequence};
use crate::eval::truth::Dataset;
use crate::types::frame::Picture;
use crate::types::geometry::BBox;

/// Pictures of the street that is drawn by code, their size, and the seconds from one to the next.
const DRAWN: usize = 16;
const DRAWN_SIZE: (usize, usize) = (960, 540);
const DRAWN_STEP_S: f32 = 0.8;
/// Frames of a recording.
const OF_A_RECORDING: usize = 64;

/// Which pictures; at most one of them.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(multiple = true)]
pub(in crate::cli::engine) struct DataArgs {
    /// Pictures: a folder of .jpg and .png files
    #[arg(long, value_name = "FOLDER", group = "pictures-of")]
    pub(in crate::cli::engine) pictures: Option<PathBuf>,
    /// Pictures with ground truth: a folder that `streetscene render --video` wrote
    #[arg(long, value_name = "STREET", group = "pictures-of")]
    pub(in crate::cli::engine) truth: Option<PathBuf>,
    /// Pictures with ground truth: annotations in COCO's format
    #[arg(long, value_name = "ANNOTATIONS", group = "pictures-of")]
    pub(in crate::cli::engine) coco: Option<PathBuf>,
    /// Folder of the pictures that --coco is about; default: that of the annotations
    #[arg(long, value_name = "FOLDER", requires = "coco")]
    pub(in crate::cli::engine) images: Option<PathBuf>,
    /// Pictures from a recording of yours, evenly spread over it
    #[arg(long, value_name = "FILE", group = "pictures-of")]
    pub(in crate::cli::engine) recording: Option<PathBuf>,
    /// Most pictures, evenly spread; default: 16 that are drawn, 64 of a recording, else all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli::engine) limit: Option<u32>,
}

impl DataArgs {
    /// The pictures; without any argument those of a street that is drawn by code.
    ///
    /// # Errors
    /// [`BadInput`] where they are not there or not what they should be.
    pub(in crate::cli::engine) fn open(&self) -> anyhow::Result<Data> {
        let limit = self.limit.and_then(|limit| usize::try_from(limit).ok());
        if let Some(folder) = &self.pictures {
            return folders::pictures("--pictures", folder, limit);
        }
        if let Some(truth) = &self.truth {
            return folders::street(truth, limit);
        }
        if let Some(annotations) = &self.coco {
            return folders::coco(annotations, self.images.as_deref(), limit);
        }
        if let Some(recording) = &self.recording {
            return Data::recording("--recording", recording, limit.unwrap_or(OF_A_RECORDING));
        }
        Ok(Data::drawn(limit.unwrap_or(DRAWN)))
    }
}

/// Pictures to compare on.
pub(in crate::cli::engine) struct Data {
    /// What it is, for people and for the manifest.
    pub(super) name: String,
    files: Files,
    pub(super) truth: Option<Truth>,
}

type File = (u64, PathBuf, Option<(u32, u32)>);

enum Files {
    Drawn(Vec<Image>),
    /// Number, file, and width and height where the truth says them.
    Pictures(Vec<File>),
    /// By recording: frames by their number within it, from 1, and what they are called here.
    Videos(Vec<(PathBuf, BTreeMap<u64, u64>)>),
    Recording {
        path: PathBuf,
        most: usize,
        /// Read on first use: GStreamer must not start before the device is open.
        frames: OnceCell<u64>,
    },
}

/// What is really in the pictures.
pub(super) struct Truth {
    pub(super) dataset: Dataset,
    /// Subjects by picture; a model of crops is shown these.
    pub(super) subjects: BTreeMap<u64, Vec<Subject>>,
}

/// Somebody whom a model of crops may be shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Subject {
    /// Pixels.
    pub(super) bbox: BBox,
    /// Its number in the truth's categories.
    pub(super) category: u32,
    /// Who it is, and which camera sees it.
    pub(super) who: Option<(u64, u32)>,
}

impl Data {
    /// A street that is drawn by code: always there, and nobody's privacy.
    pub(in crate::cli::engine) fn drawn(count: usize) -> Self {
        let images = sequence(DRAWN_SIZE.0, DRAWN_SIZE.1, count, DRAWN_STEP_S);
        Self { name: "a street drawn by Watchkeeper".to_owned(), files: Files::Drawn(images), truth: None }
    }

    /// `most` pictures of the folder, or frames of the recording, that `flag` names, evenly spread.
    ///
    /// # Errors
    /// [`BadInput`] where there are none.
    pub(in crate::cli::engine) fn some_of(flag: &str, path: &Path, most: usize) -> anyhow::Result<Self> {
        if path.is_dir() { folders::pictures(flag, path, Some(most)) } else { Self::recording(flag, path, most) }
    }

    /// The files it is made of, in order.
    pub(in crate::cli::engine) fn files(&self) -> Vec<&Path> {
        match &self.files {
            Files::Drawn(_) => Vec::new(),
            Files::Pictures(pictures) => pictures.iter().map(|(_, path, _)| path.as_path()).collect(),
            Files::Videos(videos) => videos.iter().map(|(path, _)| path.as_path()).collect(),
            Files::Recording { path, .. } => vec![path],
        }
    }

    /// `most` frames of a recording, evenly spread.
    ///
    /// # Errors
    /// [`BadInput`] where it is none.
    pub(in crate::cli::engine) fn recording(flag: &str, path: &Path, most: usize) -> anyhow::Result<Self> {
        if !path.is_file() {
            return Err(BadInput(format!("{flag} {}: no such file", path.display())).into());
        }
        let files = Files::Recording { path: path.to_owned(), most, frames: OnceCell::new() };
        Ok(Self { name: format!("recording {}", path.display()), files, truth: None })
    }

    /// How many pictures there are; of a recording, how many at most.
    pub(in crate::cli::engine) fn len(&self) -> usize {
        match &self.files {
            Files::Drawn(images) => images.len(),
            Files::Pictures(pictures) => pictures.len(),
            Files::Videos(videos) => videos.iter().map(|(_, frames)| frames.len()).sum(),
            Files::Recording { most, .. } => *most,
        }
    }

    /// Shows each picture, with the number that the truth has for it.
    ///
    /// # Errors
    /// Where one cannot be read; what `see` fails with.
    pub(in crate::cli::engine) fn each(
        &self,
        mut see: impl FnMut(u64, &Picture<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match &self.files {
            Files::Drawn(images) => (1..).zip(images).try_for_each(|(number, image)| see(number, &image.picture())),
            Files::Pictures(pictures) => {
                pictures.iter().try_for_each(|(number, path, size)| still(path, *size, |picture| see(*number, picture)))
            }
            Files::Videos(videos) => videos.iter().try_for_each(|(path, wanted)| chosen(path, wanted, &mut see)),
            Files::Recording { path, most, frames } => {
                let count = match frames.get() {
                    Some(count) => *count,
                    None => {
                        let counted = count(path)?;
                        *frames.get_or_init(|| counted)
                    }
                };
                let numbers = spread(usize::try_from(count)?, *most).map(|at| at as u64 + 1);
                chosen(path, &numbers.map(|number| (number, number)).collect(), &mut see)
            }
        }
    }
}

/// Places of `most` of `count` things, evenly spread, in order.
pub(super) fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = most.min(count);
    (0..taken).map(move |n| (2 * n + 1) * count / (2 * taken))
}

fn count(path: &Path) -> anyhow::Result<u64> {
    let mut count = 0;
    frames::each(path, |_| {
        count += 1;
        Ok(true)
    })?;
    if count == 0 {
        return Err(BadInput(format!("{}: gave no picture", path.display())).into());
    }
    Ok(count)
}

/// The first frame of a file.
fn still(
    path: &Path,
    size: Option<(u32, u32)>,
    see: impl FnOnce(&Picture<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut see = Some(see);
    frames::each(path, |frame| {
        let (Some(see), Some(picture)) = (see.take(), frame.picture()) else { return Ok(false) };
        let got = (frame.meta.width, frame.meta.height);
        if let Some((w, h)) = size.filter(|size| *size != got) {
            let message = format!("{}: {}x{} pixels, and the truth says {w}x{h}", path.display(), got.0, got.1);
            return Err(BadInput(message).into());
        }
        see(&picture)?;
        Ok(false)
    })?;
    if see.is_some() {
        return Err(BadInput(format!("{}: gave no picture", path.display())).into());
    }
    Ok(())
}

/// The wanted frames of a recording.
fn chosen(
    path: &Path,
    wanted: &BTreeMap<u64, u64>,
    see: &mut impl FnMut(u64, &Picture<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut left = wanted.len();
    frames::each(path, |frame| {
        if let (Some(number), Some(picture)) = (wanted.get(&frame.meta.seq), frame.picture()) {
            see(*number, &picture)?;
            left -= 1;
        }
        Ok(left > 0)
    })?;
    if left > 0 {
        let message = format!("{}: {left} frames that the truth is about are not in it", path.display());
        return Err(BadInput(message).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_taken_evenly_and_never_twice() {
        assert_eq!(spread(10, 2).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(spread(3, 5).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(spread(0, 5).count(), 0);
        assert_eq!(spread(7, 7).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
    }
}
