//! `object.*` and `camera.*` events, made from tracks and from what a source tells.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};

use super::identities::looks_of;
use crate::config::Task;
use crate::inference::LoadedModel;
use crate::source::Notice;
use crate::types::event::{EventDraft, EventEmbedding, EventModel, EventTrack, EventType, Phase};
use crate::types::frame::FrameMeta;
use crate::types::objects::FrameObjects;
use crate::types::pose::Keypoint;
use crate::types::time::{Clock, Timestamp};
use crate::types::track::{EndReason, Ended, Track};

/// Tracks that have an `object.start` and no `object.end` yet.
pub(super) struct Objects {
    camera: String,
    labels: Arc<[String]>,
    model: Option<EventModel>,
    /// Name of the model that gives embeddings.
    reid: String,
    /// What its embeddings depend on: its engine, and how it is given crops.
    space: Option<Arc<str>>,
    open: Vec<Open>,
}

struct Open {
    track: Track,
    track_run: u32,
    meta: FrameMeta,
    /// As last seen; empty: never.
    keypoints: Vec<Keypoint>,
    /// Sum of all its embeddings; empty: there is none.
    embedding: Vec<f32>,
}

impl Open {
    fn see(&mut self, objects: &FrameObjects, at: usize) {
        if let Some(keypoints) = objects.pose(at) {
            self.keypoints.clear();
            self.keypoints.extend_from_slice(keypoints);
        }
        if let Some(embedding) = objects.embedding(at) {
            self.embedding.resize(embedding.len(), 0.0);
            self.embedding.iter_mut().zip(embedding).for_each(|(sum, value)| *sum += value);
        }
    }
}

impl Objects {
    /// The first of `models` feeds the tracker.
    pub(super) fn new(camera: &str, models: &[Arc<LoadedModel>]) -> Self {
        let model = models.first();
        let reid = models.iter().find(|model| model.model.task == Task::Reid);
        Self {
            reid: reid.map(|model| model.model.name.clone()).unwrap_or_default(),
            space: reid.map(|model| Arc::from(looks_of(model))),
            camera: camera.to_owned(),
            labels: model.map_or_else(|| Arc::from([]), |model| Arc::clone(&model.model.labels)),
            model: model.map(|model| EventModel {
                id: model.model.name.clone(),
                engine: format!("sha256:{}", model.sha256),
                precision: model.precision().map(str::to_owned),
            }),
            open: Vec::with_capacity(64),
        }
    }

    /// From now on events come from these models.
    pub(super) fn heed(&mut self, models: &[Arc<LoadedModel>]) {
        let mut now = Self::new(&self.camera, models);
        now.open = std::mem::take(&mut self.open);
        if now.space != self.space {
            // Vectors of two spaces have no sum.
            now.open.iter_mut().for_each(|open| open.embedding.clear());
        }
        *self = now;
    }

    /// Of the model that feeds the tracker.
    pub(super) fn labels(&self) -> &Arc<[String]> {
        &self.labels
    }

    /// The model that feeds the tracker, as it stands in events.
    pub(super) fn model(&self) -> Option<&EventModel> {
        self.model.as_ref()
    }

    /// Names what embeddings depend on.
    pub(super) fn looks_of(&self) -> Option<Arc<str>> {
        self.space.clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes in the tracks of a frame: `object.start` of those that are new.
    pub(super) fn see(
        &mut self,
        meta: &FrameMeta,
        track_run: u32,
        objects: &FrameObjects,
        mut emit: impl FnMut(EventDraft),
    ) {
        for (at, track) in objects.tracks().iter().enumerate() {
            match self.open.iter_mut().find(|open| open.track.number == track.number) {
                Some(open) => {
                    open.track = *track;
                    open.meta = *meta;
                    open.see(objects, at);
                }
                None => {
                    let (keypoints, embedding) = (Vec::new(), Vec::new());
                    let mut open = Open { track: *track, track_run, meta: *meta, keypoints, embedding };
                    open.see(objects, at);
                    let mut draft = self.draft(EventType::ObjectStart, Phase::Start, &open);
                    if let (Some(mask), Some(track)) = (objects.mask(at), &mut draft.track) {
                        track.mask = Some((&mask.rle(meta.width, meta.height)).into());
                    }
                    emit(draft);
                    self.open.push(open);
                }
            }
        }
    }

    /// Tracks that are over: `object.end`, with their numbers.
    pub(super) fn end(&mut self, ended: impl Iterator<Item = Ended>, mut emit: impl FnMut(u64, EventDraft)) {
        for Ended { track, reason } in ended {
            if let Some(at) = self.open.iter().position(|open| open.track.number == track.number) {
                let open = self.open.remove(at);
                emit(track.number, self.ended(&open, reason));
            }
        }
    }

    /// Ends whatever is open, at its last frame.
    pub(super) fn end_all(&mut self) -> Vec<(u64, EventDraft)> {
        let open = std::mem::take(&mut self.open);
        open.iter().map(|open| (open.track.number, self.ended(open, EndReason::Reset))).collect()
    }

    fn ended(&self, open: &Open, reason: EndReason) -> EventDraft {
        let mut draft = self.draft(EventType::ObjectEnd, Phase::End, open);
        draft.data.insert("reason".to_owned(), json!(reason.name()));
        draft
    }

    fn draft(&self, event_type: EventType, phase: Phase, open: &Open) -> EventDraft {
        let Open { track, track_run, meta, .. } = open;
        let (width, height) = (meta.width.max(1) as f32, meta.height.max(1) as f32);
        let bbox = track.bbox.scale(1.0 / width, 1.0 / height);
        EventDraft {
            event_type,
            phase,
            rule: String::new(),
            camera: self.camera.clone(),
            capture: meta.capture.time,
            clock: meta.capture.clock,
            arrival: meta.arrival,
            track: Some(EventTrack {
                id: format!("{}:{track_run}:{}", self.camera, track.number),
                label: self.labels.get(usize::from(track.class)).cloned().unwrap_or_default(),
                score: rounded(track.score),
                top_score: rounded(track.top_score),
                median_score: rounded(track.median_score),
                bbox: [bbox.x1, bbox.y1, bbox.x2, bbox.y2].map(|edge| rounded(edge.clamp(0.0, 1.0))),
                age_s: seconds(track.last_seen.saturating_sub(track.first_seen)),
                zones: Vec::new(),
                stationary: track.stationary,
                keypoints: (!open.keypoints.is_empty()).then(|| {
                    open.keypoints.iter().map(|k| [k.x / width, k.y / height, k.score].map(rounded)).collect()
                }),
                mask: None,
                embedding: self.embedding(&open.embedding),
            }),
            data: Map::new(),
            model: self.model.clone(),
            media: None,
        }
    }
}

impl Objects {
    /// The mean direction of a track's embeddings.
    fn embedding(&self, sum: &[f32]) -> Option<EventEmbedding> {
        let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
        let vector = || sum.iter().map(|v| rounded(v / length)).collect();
        (length > 0.0).then(|| EventEmbedding { model: self.reid.clone(), vector: vector() })
    }
}

/// Four decimals: a tenth of a pixel at 1000.
fn rounded(value: f32) -> f32 {
    (value * 1e4).round() / 1e4
}

/// To the millisecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

/// The event of a source's notice.
pub(super) fn camera_event(camera: &str, notice: &Notice) -> Option<EventDraft> {
    let mut data = Map::new();
    let event_type = match notice {
        Notice::Online { run } => {
            data.insert("run".to_owned(), json!(run));
            EventType::CameraOnline
        }
        Notice::Offline { fault, retry_in } => {
            data.insert("class".to_owned(), json!(fault.class.name()));
            data.insert("detail".to_owned(), json!(fault.detail));
            data.insert("retry_in_s".to_owned(), json!(seconds(*retry_in)));
            EventType::CameraOffline
        }
        Notice::Degraded { reason } => {
            data.insert("reason".to_owned(), json!(reason));
            EventType::CameraDegraded
        }
        Notice::Ended => {
            data.insert("class".to_owned(), json!("ended"));
            EventType::CameraOffline
        }
    };
    let now = Timestamp::now();
    Some(EventDraft {
        event_type,
        phase: Phase::Instant,
        rule: String::new(),
        camera: camera.to_owned(),
        capture: now,
        clock: Clock::Arrival,
        arrival: now,
        track: None,
        data,
        model: None,
        media: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::inference::fake::{self, Room};
    use crate::source::{self, Frame};
    use crate::types::geometry::BBox;

    #[test]
    fn an_embedding_is_of_one_engine_only() {
        source::init().unwrap();
        let detector = Arc::clone(&fake::configuration().models[0]);
        let reid = Arc::new(crate::config::Model { name: "reid".to_owned(), task: Task::Reid, ..(*detector).clone() });
        let room = Room::new(0);
        let models = |reid_engine| [fake::loaded(&detector, "d", &room).0, fake::loaded(&reid, reid_engine, &room).0];
        let mut objects = Objects::new("gate", &models("first"));
        let track = Track {
            number: 1,
            class: 0,
            bbox: BBox { x1: 1.0, y1: 1.0, x2: 9.0, y2: 9.0 },
            score: 1.0,
            top_score: 1.0,
            median_score: 1.0,
            first_seen: Duration::ZERO,
            last_seen: Duration::ZERO,
            coasted: false,
            stationary: false,
        };
        let meta = Frame::black(1, (64, 64), true).unwrap().meta;
        let see = |objects: &mut Objects, embedding: &[f32]| {
            let mut frame = FrameObjects::with_capacity(1);
            frame.set_tracks(std::iter::once(track));
            frame.set_embedding(0, embedding);
            objects.see(&meta, 1, &frame, |_| {});
        };
        see(&mut objects, &[1.0, 0.0]);
        // Another detector changes nothing of it.
        objects.heed(&models("first"));
        see(&mut objects, &[0.0, 1.0]);
        let sum = objects.embedding(&objects.open[0].embedding).unwrap().vector;
        assert!((sum[0] - sum[1]).abs() < 1e-3 && sum[0] > 0.7, "{sum:?}");
        objects.heed(&models("second"));
        see(&mut objects, &[0.0, 0.0, 1.0]);
        let ended = objects.end_all();
        let embedding = ended[0].1.track.as_ref().unwrap().embedding.as_ref().unwrap();
        assert_eq!(embedding.vector, [0.0, 0.0, 1.0]);
    }
}
