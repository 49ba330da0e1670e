//! An annotated picture per camera, so that one can look.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::screen::Identities;
use crate::annotate::{Canvas, Mask, colour_of};
use crate::config::{Camera, Config};
use crate::pipeline::FrameResult;
use crate::tracking::identity::TrackKey;

/// A camera's picture is written anew this often.
const EVERY: Duration = Duration::from_secs(2);
/// Keypoints below are not drawn.
const MIN_KEYPOINT: f32 = 0.5;
const ZONE: [u8; 3] = [255, 220, 80];
const LINE: [u8; 3] = [80, 220, 255];

/// Writes annotated pictures.
pub(super) struct Pictures {
    folder: PathBuf,
    labels: BTreeMap<String, Arc<[String]>>,
    cameras: BTreeMap<String, Arc<Camera>>,
    written: BTreeMap<String, Instant>,
}

impl Pictures {
    pub(super) fn new(config: &Config, folder: &Path) -> Self {
        let labels = |camera: &Arc<Camera>| {
            let model = camera.models.first().map(|index| &config.models[*index]);
            model.map_or_else(|| Arc::from([]), |model| Arc::clone(&model.labels))
        };
        Self {
            folder: folder.to_owned(),
            labels: config.cameras.iter().map(|camera| (camera.id.clone(), labels(camera))).collect(),
            cameras: config.cameras.iter().map(|camera| (camera.id.clone(), Arc::clone(camera))).collect(),
            written: BTreeMap::new(),
        }
    }

    /// Writes this frame's picture where the camera's last one is old.
    pub(super) fn frame(&mut self, result: &FrameResult, identities: &Identities) {
        let camera: &str = &result.camera;
        let tracks = result.objects.tracks().len();
        let complete = (0..tracks).any(|at| result.objects.pose(at).is_some() || result.objects.mask(at).is_some());
        // The frames in between, on which the slower models did not run, would show less.
        let wait = if complete || tracks == 0 { EVERY } else { EVERY * 2 };
        if self.written.get(camera).is_some_and(|at| at.elapsed() < wait) {
            return;
        }
        let Some(picture) = result.frame.as_ref().and_then(|frame| frame.picture()) else { return };
        self.written.insert(camera.to_owned(), Instant::now());
        let mut canvas = Canvas::from_picture(&picture);
        self.places(&mut canvas, camera);
        self.objects(&mut canvas, result, identities);
        let (path, part) = (self.folder.join(format!("{camera}.jpg")), self.folder.join(format!("{camera}.jpg.part")));
        if let Err(error) = canvas.save_jpeg(&part, 90).and_then(|()| std::fs::rename(&part, &path)) {
            tracing::warn!(camera, "picture not written: {error}");
        }
    }

    fn places(&self, canvas: &mut Canvas, camera: &str) {
        let Some(camera) = self.cameras.get(camera) else { return };
        let (width, height) = (canvas.width() as f32, canvas.height() as f32);
        let pixels = |[x, y]: [f32; 2]| (x * width, y * height);
        for zone in &camera.zones {
            let corners: Vec<_> = zone.polygon.iter().map(|corner| pixels(*corner)).collect();
            canvas.polygon(&corners, ZONE, 0.12);
        }
        for line in &camera.lines {
            canvas.line(pixels(line.from), pixels(line.to), LINE);
        }
    }

    fn objects(&self, canvas: &mut Canvas, result: &FrameResult, identities: &Identities) {
        let (camera, objects): (&str, _) = (&result.camera, &result.objects);
        let identity = |number: u64| {
            let key = TrackKey { camera: camera.to_owned(), run: result.track_run, number };
            Some(identities.as_ref()?.identity(&key)?.identity)
        };
        for (at, track) in objects.tracks().iter().enumerate() {
            // Who has an identity keeps the colour on every camera.
            let colour = colour_of(identity(track.number).unwrap_or(track.number + 1000));
            if let Some(mask) = objects.mask(at) {
                let (x, y) = (mask.x as i32, mask.y as i32);
                let (width, height) = (mask.width as usize, mask.height as usize);
                canvas.mask(&Mask { x, y, width, height, data: mask.pixels }, colour);
            }
        }
        for (at, track) in objects.tracks().iter().enumerate() {
            let known = identity(track.number);
            let colour = colour_of(known.unwrap_or(track.number + 1000));
            if let Some(keypoints) = objects.pose(at) {
                let points: Vec<_> = keypoints.iter().map(|point| (point.x, point.y, point.score)).collect();
                canvas.skeleton(&points, MIN_KEYPOINT, colour);
            }
            canvas.bbox(&track.bbox, colour);
            let labels = self.labels.get(camera);
            let label = labels.and_then(|labels| labels.get(usize::from(track.class))).map_or("", String::as_str);
            let who = known.map(|identity| format!(" #{identity}")).unwrap_or_default();
            canvas.label(&track.bbox, &format!("{label} {}{who} {:.2}", track.number, track.score), colour);
        }
    }
}
