//! The best picture of each track, as JPEG.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::place::part_of;
use crate::annotate::Canvas;
use crate::cli::exit::BadInput;
use crate::pipeline::{FrameResult, quality};
use crate::types::frame::Picture;
use crate::types::geometry::BBox;
use crate::types::track::Track;

/// Room around the box, share of its sides.
const MARGIN: f32 = 0.08;
/// Longest side of a crop, pixels; larger ones are made smaller.
const LONGEST: u32 = 640;
/// A picture replaces one that is worse by this much: each costs an encoding.
const BETTER: f32 = 1.1;
const QUALITY: u8 = 90;

/// A track's best picture.
#[derive(Clone, Debug)]
pub(super) struct Crop {
    /// Within the folder.
    pub(super) file: String,
    /// Frame it is from.
    pub(super) frame: u64,
    pub(super) time_s: f64,
    /// What it shows, pixels of that frame.
    pub(super) bbox: BBox,
    quality: f32,
    /// Until it is written.
    jpeg: Vec<u8>,
}

/// Keeps the best picture of each track, and writes it when the track has ended.
pub(in crate::cli) struct Crops {
    folder: PathBuf,
    live: BTreeMap<u64, Crop>,
    /// Those of the latest frame, so that summaries can name them.
    written: BTreeMap<u64, Crop>,
}

impl Crops {
    /// Pictures go into `folder`, which is made where there is none.
    pub(in crate::cli) fn new(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|error| BadInput(format!("--crops {}: cannot be made: {error}", folder.display())))?;
        Ok(Self { folder: folder.to_owned(), live: BTreeMap::new(), written: BTreeMap::new() })
    }

    pub(in crate::cli) fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        let (tracks, size) = (result.objects.tracks(), (result.meta.width, result.meta.height));
        if let Some(picture) = result.frame.as_ref().and_then(|frame| frame.picture()) {
            for (at, track) in tracks.iter().enumerate() {
                let Some(quality) = quality(tracks, at, size) else { continue };
                let enough = self.live.get(&track.number).map_or(0.0, |crop| crop.quality * BETTER);
                if quality > enough {
                    self.take(result, &picture, track, quality)?;
                }
            }
        }
        self.written.clear();
        for ended in &result.ended {
            if let Some(crop) = self.live.remove(&ended.track.number) {
                self.write(ended.track.number, crop)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, result: &FrameResult, picture: &Picture<'_>, track: &Track, quality: f32) -> anyhow::Result<()> {
        let (frame, number) = (result.meta.seq, track.number);
        let Some(jpeg) = encoded(picture, &track.bbox).transpose()? else { return Ok(()) };
        let (file, time_s) = (format!("track-{number:06}.jpg"), result.meta.media_time.as_secs_f64());
        self.live.insert(number, Crop { file, frame, time_s, bbox: track.bbox, quality, jpeg });
        Ok(())
    }

    /// Writes those of tracks that have not ended.
    pub(in crate::cli) fn finish(&mut self) -> anyhow::Result<()> {
        self.written.clear();
        for (number, crop) in std::mem::take(&mut self.live) {
            self.write(number, crop)?;
        }
        Ok(())
    }

    fn write(&mut self, number: u64, crop: Crop) -> anyhow::Result<()> {
        let path = self.folder.join(&crop.file);
        let part = part_of(&path);
        let written = std::fs::write(&part, &crop.jpeg).and_then(|()| std::fs::rename(&part, &path));
        written.with_context(|| format!("{}: cannot be written", path.display()))?;
        self.written.insert(number, Crop { jpeg: Vec::new(), ..crop });
        Ok(())
    }

    /// The picture of a track that ended with the latest frame, or with the recording.
    pub(super) fn of(&self, number: u64) -> Option<&Crop> {
        self.written.get(&number)
    }
}

/// A part of a picture as JPEG; `None` where nothing of it is inside.
fn encoded(picture: &Picture<'_>, bbox: &BBox) -> Option<std::io::Result<Vec<u8>>> {
    let (mx, my) = (bbox.width() * MARGIN, bbox.height() * MARGIN);
    let (width, height) = (picture.width as f32, picture.height as f32);
    let b = BBox::new(bbox.x1 - mx, bbox.y1 - my, bbox.x2 + mx, bbox.y2 + my).clip(width, height);
    let canvas = Canvas::from_picture(&part(picture, &b)?);
    let longest = canvas.width().max(canvas.height()) as f32;
    if longest <= LONGEST as f32 {
        return Some(canvas.encode_jpeg(QUALITY));
    }
    let side = |side: usize| (((side as f32) * LONGEST as f32 / longest).round() as u32).max(1);
    let (from, to) = ((canvas.width(), canvas.height()), (side(canvas.width()), side(canvas.height())));
    let whole = image::RgbImage::from_raw(from.0 as u32, from.1 as u32, canvas.rgb().to_vec())?;
    let small = image::imageops::resize(&whole, to.0, to.1, image::imageops::FilterType::Triangle);
    Some(Canvas::from_rgb(to.0 as usize, to.1 as usize, small.into_raw())?.encode_jpeg(QUALITY))
}

/// The pixels in a box.
fn part<'a>(picture: &Picture<'a>, bbox: &BBox) -> Option<Picture<'a>> {
    let [x1, y1] = [bbox.x1, bbox.y1].map(|edge| edge.max(0.0) as usize);
    let [x2, y2] = [bbox.x2, bbox.y2].map(|edge| edge.max(0.0).ceil() as usize);
    picture.part(x1, y1, x2, y2)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::frame::{Colour, Matrix, Plane, Planes, Range, Subsampling};

    const COLOUR: Colour = Colour { matrix: Matrix::Bt601, range: Range::Full };

    /// A picture of 16x12 with a bright block of 4x4 at (8, 4).
    fn luma() -> Vec<u8> {
        (0..16 * 12).map(|i| if (8..12).contains(&(i % 16)) && (4..8).contains(&(i / 16)) { 200 } else { 20 }).collect()
    }

    #[test]
    fn a_part_has_the_pixels_of_its_box() {
        let (y, grey) = (luma(), [128_u8; 16 * 6]);
        let planes = [
            Planes::Nv12 { y: Plane { data: &y, stride: 16 }, uv: Plane { data: &grey, stride: 16 } },
            Planes::Planar {
                y: Plane { data: &y, stride: 16 },
                u: Plane { data: &grey, stride: 8 },
                v: Plane { data: &grey, stride: 8 },
                subsampling: Subsampling::Yuv420,
            },
        ];
        for planes in planes {
            let whole = Picture { width: 16, height: 12, planes, colour: COLOUR };
            let canvas = Canvas::from_picture(&part(&whole, &BBox::new(8.0, 4.0, 12.0, 8.0)).unwrap());
            assert_eq!((canvas.width(), canvas.height()), (4, 4));
            assert!(canvas.rgb().iter().all(|value| value.abs_diff(200) <= 1), "{:?}", canvas.rgb());
            assert!(part(&whole, &BBox::new(20.0, 4.0, 30.0, 8.0)).is_none(), "outside");
        }
    }

    #[test]
    fn a_large_crop_is_made_smaller() {
        let (side, half) = (2000_usize, 1000_usize);
        let (y, uv) = (vec![90; side * side], vec![128; side * half]);
        let planes = Planes::Nv12 { y: Plane { data: &y, stride: side }, uv: Plane { data: &uv, stride: side } };
        let picture = Picture { width: side, height: side, planes, colour: COLOUR };
        let jpeg = encoded(&picture, &BBox::new(0.0, 0.0, 2000.0, 1000.0)).unwrap().unwrap();
        let decoded = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).unwrap();
        assert_eq!((decoded.width(), decoded.height()), (640, 346));
    }
}
