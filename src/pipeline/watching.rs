//! What was found in a frame, told to the camera's rules; what they say, told to the hub.

use std::sync::Arc;

use super::objects::Objects;
use crate::config;
use crate::rules::{Firing, Input, Model, Rules};
use crate::telemetry::metrics::CameraMetrics;
use crate::types::event::EventDraft;
use crate::types::frame::FrameMeta;
use crate::types::objects::FrameObjects;
use crate::types::observation::{Observation, SceneStats, Seen, fixed_box, fixed_score, whole_micros};
use crate::types::track::Ended;

/// The rules of a camera and what they are told. It outlives panics of the camera thread.
pub(super) struct Watching {
    rules: Rules,
    /// Used again for every frame.
    seen: Observation,
    zones: usize,
    lines: usize,
    metrics: Arc<CameraMetrics>,
}

impl Watching {
    pub(super) fn new(camera: &config::Camera, objects: &Objects, metrics: &Arc<CameraMetrics>) -> Self {
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

    /// A frame; `emit` gets what is to be told, and which track it is about.
    pub(super) fn see(
        &mut self,
        meta: &FrameMeta,
        track_run: u32,
        objects: &FrameObjects,
        ended: impl Iterator<Item = Ended>,
        scene: Option<SceneStats>,
        emit: impl FnMut(Option<u64>, EventDraft),
    ) {
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
            posture: objects.pose(at).and_then(Seen::posture_of),
        }));
        seen.ended.clear();
        seen.ended.extend(ended.map(|ended| (ended.track.number, ended.reason)));
        self.take(Told::Frame, emit);
        for zone in 0..self.zones {
            self.metrics.counts.set_inside(zone, self.rules.inside(zone));
        }
        for line in 0..self.lines {
            self.metrics.counts.set_crossed(line, self.rules.crossed(line));
        }
    }

    /// All tracks are over.
    pub(super) fn reset(&mut self, emit: impl FnMut(Option<u64>, EventDraft)) {
        self.take(Told::Reset, emit);
        for zone in 0..self.zones {
            self.metrics.counts.set_inside(zone, self.rules.inside(zone));
        }
    }

    fn take(&mut self, told: Told<'_>, mut emit: impl FnMut(Option<u64>, EventDraft)) {
        let Self { rules, seen, metrics, .. } = self;
        let input = match told {
            Told::Model(model) => Input::Model(model),
            Told::Frame => Input::Frame(seen),
            Told::Reset => Input::Reset { capture: seen.capture, arrival: seen.arrival },
        };
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
