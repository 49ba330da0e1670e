//! What was found in a frame, told to the camera's rules; what they say, told to the hub.

use std::collections::VecDeque;
use std::sync::Arc;

use super::objects::Objects;
use crate::annotate::Canvas;
use crate::config;
use crate::media::{self, Pixels};
use crate::rules::{Firing, Input, Model, Rules};
use crate::source::Frame;
use crate::telemetry::metrics::CameraMetrics;
use crate::track_log::{Encoder, TrackLog, ViewKeeper};
use crate::types::event::EventDraft;
use crate::types::frame::FrameMeta;
use crate::types::objects::FrameObjects;
use crate::types::observation::{Observation, Posture, SceneStats, Seen, fixed_box, fixed_score, whole_micros};
use crate::types::time::Timestamp;
use crate::types::track::Ended;
use crate::vision::scene::SceneMeter;

/// Keypoints below say nothing of how somebody holds himself.
const MIN_KEYPOINT: f32 = 0.3;
/// Longest side of the view that is kept beside the track log, pixels, or up to twice that.
const VIEW_PX: usize = 480;
const VIEW_QUALITY: u8 = 80;
/// Frames in flight whose pictures were measured.
const MEASURED: usize = 8;

/// The rules of a camera and what they are told. It outlives panics of the camera thread.
pub(super) struct Watching {
    rules: Rules,
    /// Used again for every frame.
    seen: Observation,
    zones: usize,
    lines: usize,
    metrics: Arc<CameraMetrics>,
    /// Keeps what the rules are told, and what the camera sees, for rules to be tried on.
    log: Option<(Encoder, ViewKeeper)>,
    /// Of the picture itself, where it is watched.
    meter: Option<SceneMeter>,
    /// By run and number of the frame.
    measured: VecDeque<((u32, u64), SceneStats)>,
}

impl Watching {
    pub(super) fn new(
        camera: &config::Camera,
        objects: &Objects,
        metrics: &Arc<CameraMetrics>,
        track_log: Option<&TrackLog>,
    ) -> Self {
        let ids = |common: &config::Common| common.id.clone();
        metrics.counts.set_places(
            camera.zones.iter().map(|zone| ids(&zone.common)).collect(),
            camera.lines.iter().map(|line| ids(&line.common)).collect(),
        );
        let mut watching = Self {
            rules: Rules::new(camera),
            seen: Observation::with_capacity(64),
            zones: camera.zones.len(),
            lines: camera.lines.len(),
            metrics: Arc::clone(metrics),
            log: track_log.map(|log| (log.encoder(&camera.id, Timestamp::now()), log.view_keeper(&camera.id))),
            meter: camera.scene.enabled.then(SceneMeter::new),
            measured: VecDeque::with_capacity(MEASURED),
        };
        watching.heed(objects);
        watching
    }

    /// From now on tracks are of other models.
    pub(super) fn heed(&mut self, objects: &Objects) {
        let model = Arc::new(Model { labels: objects.labels().to_vec(), event: objects.model().cloned() });
        self.metrics.counts.set_labels(&model.labels);
        self.take(Told::Model(&model), |_, _| {});
    }

    /// A frame that is about to be analysed: from time to time its picture is measured, and now and then kept. `veiled`:
    /// nobody may be recognised in what is kept.
    pub(super) fn look(&mut self, frame: &Frame, veiled: bool) {
        let meta = &frame.meta;
        if let Some(meter) = self.meter.as_mut().filter(|meter| meter.due(meta.media_time))
            && let Some(stats) = frame.picture().and_then(|picture| meter.measure(&picture, meta.media_time))
        {
            if self.measured.len() == MEASURED {
                self.measured.pop_front();
            }
            let clock_skew_s = meta.clock_skew_s.unwrap_or(f32::NAN);
            self.measured.push_back(((meta.run, meta.seq), SceneStats { clock_skew_s, ..stats }));
        }
        if let Some((_, view)) = self.log.as_mut().filter(|(_, view)| view.is_due(meta.arrival))
            && let Some(jpeg) = jpeg(frame, veiled)
        {
            view.keep(jpeg, meta.arrival);
        }
    }

    /// What was measured of this frame's picture; what is older is forgotten.
    fn measured(&mut self, meta: &FrameMeta) -> Option<SceneStats> {
        while let Some((frame, stats)) = self.measured.front().copied() {
            if frame > (meta.run, meta.seq) {
                return None;
            }
            self.measured.pop_front();
            if frame == (meta.run, meta.seq) {
                return Some(stats);
            }
        }
        None
    }

    /// A frame; `emit` gets what is to be told, and which track it is about.
    pub(super) fn see(
        &mut self,
        meta: &FrameMeta,
        track_run: u32,
        objects: &FrameObjects,
        ended: impl Iterator<Item = Ended>,
        emit: impl FnMut(Option<u64>, EventDraft),
    ) {
        let scene = self.measured(meta);
        let seen = &mut self.seen;
        let size = (meta.width, meta.height);
        seen.run = meta.run;
        seen.track_run = track_run;
        seen.seq = meta.seq;
        seen.size = size;
        seen.media_time = whole_micros(meta.media_time);
        seen.capture = meta.capture;
        seen.arrival = meta.arrival;
        seen.scene = scene;
        seen.tracks.clear();
        seen.tracks.extend(objects.tracks().iter().enumerate().map(|(at, track)| Seen {
            number: track.number,
            class: track.class,
            bbox: fixed_box(&track.bbox, size),
            score: fixed_score(track.score),
            top_score: fixed_score(track.top_score),
            median_score: fixed_score(track.median_score),
            first_seen: whole_micros(track.first_seen),
            coasted: track.coasted,
            stationary: track.stationary,
            posture: objects.pose(at).and_then(|keypoints| Posture::of(keypoints, MIN_KEYPOINT)),
        }));
        seen.ended.clear();
        seen.ended.extend(ended.map(|ended| (ended.track.number, ended.reason)));
        self.take(Told::Frame, emit);
        for (rule, count) in self.rules.held_back() {
            self.metrics.held_back(rule, count);
        }
        for zone in 0..self.zones {
            self.metrics.counts.set_inside(zone, self.rules.counts(zone));
        }
        for line in 0..self.lines {
            self.metrics.counts.set_crossed(line, self.rules.crossed(line));
        }
    }

    /// All tracks are over.
    pub(super) fn reset(&mut self, emit: impl FnMut(Option<u64>, EventDraft)) {
        self.take(Told::Reset, emit);
        for zone in 0..self.zones {
            self.metrics.counts.set_inside(zone, self.rules.counts(zone));
        }
    }

    fn take(&mut self, told: Told<'_>, mut emit: impl FnMut(Option<u64>, EventDraft)) {
        let Self { rules, seen, metrics, log, .. } = self;
        let input = match told {
            Told::Model(model) => Input::Model(model),
            Told::Frame => Input::Frame(seen),
            Told::Reset => Input::Reset { capture: seen.capture, arrival: seen.arrival },
        };
        if let Some((log, _)) = log {
            log.push(&input);
        }
        rules.take(input, |Firing { draft, track: about, shadow }| {
            metrics.fired(&draft.rule, shadow);
            if shadow {
                let track = draft.track.as_ref().map(|track| track.id.as_str());
                let (event, rule) = (draft.event_type.name(), draft.rule.as_str());
                tracing::info!(rule, event, track, at = %draft.capture, "a shadow rule fired; nobody is told");
            } else {
                emit(about, draft);
            }
        });
    }
}

/// What rules are told, without what the camera holds of it.
enum Told<'a> {
    Model(&'a Arc<Model>),
    Frame,
    Reset,
}

/// What the camera sees, small. Who is in it nobody knows yet: where people are to be hidden, all of it is made coarse,
/// so that it shows where walls and roads are, and nobody.
fn jpeg(frame: &Frame, veiled: bool) -> Option<Vec<u8>> {
    let pixels = Pixels::copy(&frame.picture()?, VIEW_PX, Vec::new())?;
    let picture = pixels.picture();
    let (width, height, mut rgb) = (picture.width, picture.height, picture.to_rgb());
    if veiled {
        media::coarse(&mut rgb, (width, height));
    }
    Canvas::from_rgb(width, height, rgb)?.encode_jpeg(VIEW_QUALITY).ok()
}
