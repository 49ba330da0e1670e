//! Pictures that ranges are measured on: a folder of JPEG and PNG files, or frames of a recording.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use image::RgbImage;

use super::interrupt::Interrupt;
use crate::cli::exit::BadInput;
use crate::cli::recording;
use crate::config::{Camera, Policy};
use crate::inference::artefact::{sha256_of_bytes, sha256_of_file};
use crate::source::slot::{FrameSlot, Take};
use crate::source::{self, Delivery, Setup, Source};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::progress::Progress;
use crate::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range, Subsampling};

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Where pictures come from.
#[derive(Debug)]
pub(super) enum Pictures {
    /// Files, sorted, as many as are wanted.
    Files(Vec<PathBuf>),
    /// So many frames of a recording, evenly spread.
    Recording(PathBuf, usize),
}

impl Pictures {
    /// At most `most` pictures of a folder or a recording, evenly spread.
    ///
    /// # Errors
    /// Where there is no picture.
    pub(super) fn of(path: &Path, most: usize) -> anyhow::Result<Self> {
        let wrong = |words: &str| BadInput(format!("{}: {words}", path.display()));
        if !path.is_dir() {
            if !path.is_file() {
                return Err(wrong("no such folder or recording").into());
            }
            return Ok(Self::Recording(path.to_owned(), most));
        }
        let entries = fs::read_dir(path).map_err(|error| wrong(&error.to_string()))?;
        let is_picture = |path: &PathBuf| {
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            ending.is_some_and(|ending| ["jpg", "jpeg", "png"].contains(&ending.as_str()))
        };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_picture).collect();
        files.sort();
        if files.is_empty() {
            return Err(wrong("there is no picture (*.jpg, *.jpeg, *.png) in this folder").into());
        }
        let spread = spread(files.len() as u64, most);
        Ok(Self::Files(spread.into_iter().filter_map(|at| files.get(usize::try_from(at).ok()?).cloned()).collect()))
    }

    /// A digest of each file, so that the same pictures are known again.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub(super) fn digests(&self) -> anyhow::Result<Vec<String>> {
        let digest = |path: &PathBuf| {
            sha256_of_file(path).map_err(|error| BadInput(format!("{}: {error}", path.display())).into())
        };
        match self {
            Self::Files(files) => files.iter().map(digest).collect(),
            Self::Recording(path, most) => Ok(vec![digest(path)?, most.to_string()]),
        }
    }

    /// Shows each picture, with its number and how many there are; answers how many were seen.
    ///
    /// # Errors
    /// Where no picture can be read, `see` fails, or somebody ends it.
    pub(super) fn each(
        &self,
        interrupt: &Interrupt,
        mut see: impl FnMut(&Picture<'_>, usize, usize) -> anyhow::Result<()>,
    ) -> anyhow::Result<u32> {
        let mut seen = 0;
        match self {
            Self::Files(files) => {
                for (number, path) in files.iter().enumerate() {
                    interrupt.check()?;
                    let picture = match fs::read(path).map_err(anyhow::Error::from).and_then(|bytes| decode(&bytes)) {
                        Ok(picture) => picture,
                        Err(error) => {
                            eprintln!("warning: {}: {error:#}; left out", path.display());
                            continue;
                        }
                    };
                    see(&picture.picture(), number, files.len())?;
                    seen += 1;
                }
                if seen == 0 {
                    let folder = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("."));
                    let words = format!("{}: none of its {} pictures can be read", folder.display(), files.len());
                    return Err(BadInput(words).into());
                }
            }
            Self::Recording(path, most) => {
                let frames = frames(path, interrupt, |_, _| Ok(()))?;
                if frames == 0 {
                    return Err(BadInput(format!("{}: it has no frame", path.display())).into());
                }
                let wanted = spread(frames, *most);
                frames_at(path, interrupt, &wanted, |picture, number| {
                    seen += 1;
                    see(picture, number, wanted.len())
                })?;
            }
        }
        Ok(seen)
    }
}

/// `most` numbers of those below `count`, evenly spread; all where there are no more.
fn spread(count: u64, most: usize) -> Vec<u64> {
    let most = most as u64;
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|n| (2 * n + 1) * count / (2 * most)).collect()
}

fn frames_at(
    path: &Path,
    interrupt: &Interrupt,
    wanted: &[u64],
    mut see: impl FnMut(&Picture<'_>, usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    frames(path, interrupt, |picture, number| match wanted.binary_search(&number) {
        Ok(at) => see(picture, at),
        Err(_) => Ok(()),
    })?;
    Ok(())
}

/// Decodes a recording; answers the number of its frames.
fn frames(
    path: &Path,
    interrupt: &Interrupt,
    mut see: impl FnMut(&Picture<'_>, u64) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    source::init()?;
    let camera = Camera { id: "calibration".to_owned(), ..recording::camera(path)? };
    let slot = Arc::new(FrameSlot::new(Delivery::Every));
    let metrics = Metrics::default().camera(&camera.id);
    let source = Source::start(Setup {
        camera: Arc::new(camera),
        // Software decoders give what hardware ones do, within a rounding.
        policy: Policy::Any,
        delivery: Delivery::Every,
        slot: Arc::clone(&slot),
        metrics: Arc::clone(&metrics),
        stage: Progress::default().stage("calibration"),
        notify: Arc::new(|_| {}),
    })
    .context("no thread for the recording")?;
    let mut count = 0;
    let outcome = loop {
        if let Err(error) = interrupt.check() {
            break Err(error.into());
        }
        match slot.take(LOOK_EVERY) {
            Take::Frame(frame) => {
                let Some(picture) = frame.picture() else { continue };
                if let Err(error) = see(&picture, count) {
                    break Err(error);
                }
                count += 1;
            }
            Take::Timeout if source.is_finished() => break Ok(()),
            Take::Timeout => {}
            Take::Closed => break Ok(()),
        }
    };
    slot.close();
    source.stop();
    source.join();
    outcome?;
    let status = metrics.status();
    if !status.fault.is_empty() {
        return Err(BadInput(format!("{}: {}: {}", path.display(), status.fault, status.detail)).into());
    }
    Ok(count)
}

/// A decoded file, as a camera would give it.
struct Decoded {
    width: usize,
    height: usize,
    planes: [Vec<u8>; 3],
}

fn decode(bytes: &[u8]) -> anyhow::Result<Decoded> {
    let image = image::load_from_memory(bytes)?.into_rgb8();
    Ok(Decoded::of(&image))
}

impl Decoded {
    /// BT.601, full range: what JPEG files are made of.
    fn of(image: &RgbImage) -> Self {
        let mut planes: [Vec<u8>; 3] =
            std::array::from_fn(|_| Vec::with_capacity(image.width() as usize * image.height() as usize));
        for pixel in image.pixels() {
            let [r, g, b] = pixel.0.map(f32::from);
            let y = 0.299 * r + 0.587 * g + 0.114 * b;
            let samples = [y, (b - y) / 1.772 + 128.0, (r - y) / 1.402 + 128.0];
            for (plane, sample) in planes.iter_mut().zip(samples) {
                // Saturates, as it should.
                plane.push(sample.round() as u8);
            }
        }
        Self { width: image.width() as usize, height: image.height() as usize, planes }
    }

    fn picture(&self) -> Picture<'_> {
        let plane = |at: usize| Plane { data: &self.planes[at], stride: self.width };
        let planes = Planes::Planar { y: plane(0), u: plane(1), v: plane(2), subsampling: Subsampling::Yuv444 };
        let colour = Colour { matrix: Matrix::Bt601, range: Range::Full };
        Picture { width: self.width, height: self.height, planes, colour }
    }
}

/// A name for these pictures, used so: model, pictures, and whatever else decides the ranges.
pub(super) fn id(parts: &[&str], digests: &[String]) -> String {
    let text: String = parts.iter().copied().chain(digests.iter().map(String::as_str)).flat_map(|part| [part, "\n"]).collect();
    sha256_of_bytes(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_all_taken_and_many_evenly() {
        assert_eq!(spread(3, 5), [0, 1, 2]);
        assert_eq!(spread(100, 4), [12, 37, 62, 87]);
        assert_eq!(spread(5, 4), [0, 1, 3, 4]);
        assert!(spread(0, 4).is_empty());
    }

    #[test]
    fn colours_become_those_of_a_jpeg() {
        let mut image = RgbImage::new(3, 1);
        image.put_pixel(0, 0, image::Rgb([255, 255, 255]));
        image.put_pixel(1, 0, image::Rgb([255, 0, 0]));
        image.put_pixel(2, 0, image::Rgb([0, 0, 255]));
        let decoded = Decoded::of(&image);
        assert_eq!(decoded.planes, [vec![255, 76, 29], vec![128, 85, 255], vec![128, 255, 107]]);
        assert!(decoded.picture().sized().is_ok());
    }
}
