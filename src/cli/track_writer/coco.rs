//! COCO's annotations of a video, as tools of several families read them.
//!
//! `videos`, `images` with `video_id` and `frame_id` (from 0), `annotations` with `instance_id`: `CocoVID`
//! (`mmtracking/docs/en/tutorials/customize_dataset.md`). `tracks`, `track_id`, `frame_index` and the lists that its evaluation
//! asks of a video: TAO (`TrackEval/docs/TAO-format.txt`). Boxes are `[x, y, width, height]` in pixels, masks are
//! `pycocotools`' compressed run lengths, keypoints `x, y, v` with `v` 2 where the score is .5 or more and 1 below.
//! Numbers of images, annotations and categories begin at 1.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde_json::json;

use super::Recording;
use crate::pipeline::FrameResult;
use crate::types::event::CompressedRle;

/// Keypoints from this score up are called visible.
const VISIBLE: f32 = 0.5;
/// Ours is the only one.
const VIDEO: u32 = 1;

/// Annotations are written as they come; what else there is waits for the end.
pub(super) struct Document {
    images: Vec<Image>,
    /// By number: its latest class.
    tracks: BTreeMap<u64, u16>,
    annotations: u64,
}

#[derive(Clone, Copy)]
struct Image {
    frame: u64,
    size: (u32, u32),
    time_s: f64,
}

impl Document {
    pub(super) fn new() -> Self {
        Self { images: Vec::new(), tracks: BTreeMap::new(), annotations: 0 }
    }

    pub(super) fn frame(&mut self, line: &mut String, result: &FrameResult) -> fmt::Result {
        let meta = &result.meta;
        if self.images.is_empty() {
            line.push_str("{\"annotations\":[");
        }
        self.images.push(Image {
            frame: meta.seq,
            size: (meta.width, meta.height),
            time_s: meta.media_time.as_secs_f64(),
        });
        for (at, track) in result.objects.tracks().iter().enumerate().filter(|(_, track)| !track.coasted) {
            self.tracks.insert(track.number, track.class);
            self.annotations += 1;
            let (b, id) = (track.bbox, track.number);
            line.push_str(if self.annotations > 1 { ",\n" } else { "\n" });
            write!(
                line,
                "{{\"id\":{},\"image_id\":{},\"video_id\":{VIDEO},\"category_id\":{},\"instance_id\":{id},\"track_id\":{id},\
                 \"bbox\":[{:.2},{:.2},{:.2},{:.2}],\"score\":{:.4},\"iscrowd\":0",
                self.annotations,
                self.images.len(),
                u32::from(track.class) + 1,
                b.x1,
                b.y1,
                b.width(),
                b.height(),
                track.score,
            )?;
            let mask = result.objects.mask(at);
            let area = mask.as_ref().map_or(b.area(), |mask| mask.area() as f32);
            write!(line, ",\"area\":{area:.2}")?;
            if let Some(mask) = mask {
                let rle = CompressedRle::from(&mask.rle(meta.width, meta.height));
                write!(line, ",\"segmentation\":{}", json!(rle))?;
            }
            if let Some(keypoints) = result.objects.pose(at) {
                let seen = keypoints.iter().filter(|point| point.score >= VISIBLE).count();
                write!(line, ",\"num_keypoints\":{seen},\"keypoints\":[")?;
                for (i, point) in keypoints.iter().enumerate() {
                    let (comma, visible) = (if i > 0 { "," } else { "" }, 1 + u8::from(point.score >= VISIBLE));
                    write!(line, "{comma}{:.2},{:.2},{visible}", point.x, point.y)?;
                }
                line.push(']');
            }
            line.push('}');
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, line: &mut String, recording: &Recording) -> fmt::Result {
        if self.images.is_empty() {
            line.push_str("{\"annotations\":[");
        }
        line.push_str("],\n\"images\":[");
        let stem = recording.name.rsplit_once('.').map_or(recording.name.as_str(), |(stem, _)| stem);
        for (at, Image { frame, size: (width, height), time_s }) in self.images.iter().enumerate() {
            line.push_str(if at > 0 { ",\n" } else { "\n" });
            // As ffmpeg numbers the pictures that it takes out of a video.
            let file_name = json!(format!("{stem}/{frame:06}.jpg"));
            write!(
                line,
                "{{\"id\":{},\"video_id\":{VIDEO},\"frame_id\":{at},\"frame_index\":{at},\"file_name\":{file_name},\
                 \"width\":{width},\"height\":{height},\"time_s\":{time_s:.6}}}",
                at + 1,
            )?;
        }
        let tracks = self
            .tracks
            .iter()
            .map(|(number, class)| json!({ "id": number, "category_id": u32::from(*class) + 1, "video_id": VIDEO }));
        let categories = recording.labels.iter().zip(1_u32..).map(|(label, id)| json!({ "id": id, "name": label }));
        let (width, height) = self.images.first().map_or((0, 0), |image| image.size);
        let video = json!({
            "id": VIDEO,
            "name": recording.name,
            "width": width,
            "height": height,
            "length": self.images.len(),
            "fps": self.fps(),
            "neg_category_ids": [],
            "not_exhaustive_category_ids": [],
            "metadata": {},
        });
        let info = json!({ "description": format!("Tracks of {}", recording.name), "contributor": "watchkeeper" });
        write!(
            line,
            "],\n\"tracks\":{},\n\"videos\":[{video}],\n\"categories\":{},\n\"info\":{info},\n\"licenses\":[]}}\n",
            json!(tracks.collect::<Vec<_>>()),
            json!(categories.collect::<Vec<_>>()),
        )
    }

    /// Mean, with three decimals; `None` of fewer than two frames.
    fn fps(&self) -> Option<f64> {
        let (first, last) = (self.images.first()?, self.images.last()?);
        let span = last.time_s - first.time_s;
        let fps = (self.images.len() - 1) as f64 / span;
        (span > 0.0).then(|| (fps * 1000.0).round() / 1000.0)
    }
}
