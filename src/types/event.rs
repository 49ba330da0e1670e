//! The event envelope, schema `event/1`.

use serde::Serialize;

use super::mask::Rle;
use super::time::{Clock, Timestamp};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum EventType {
    /// A confirmed track began.
    #[serde(rename = "object.start")]
    ObjectStart,
    /// A confirmed track ended.
    #[serde(rename = "object.end")]
    ObjectEnd,
    /// A camera delivers frames.
    #[serde(rename = "camera.online")]
    CameraOnline,
    /// A camera delivers no frames.
    #[serde(rename = "camera.offline")]
    CameraOffline,
    /// A camera delivers frames, but not as it should.
    #[serde(rename = "camera.degraded")]
    CameraDegraded,
    /// A track is probably of somebody who was seen before, on another camera or on this one.
    #[serde(rename = "identity.probable_same")]
    IdentityProbableSame,
    /// Two identities are probably one.
    #[serde(rename = "identity.merged")]
    IdentityMerged,
    /// Tracks of one identity are probably of two.
    #[serde(rename = "identity.split")]
    IdentitySplit,
    /// Executions on the device became one at a time, or parallel again.
    #[serde(rename = "engine.serial_mode")]
    EngineSerialMode,
}

impl EventType {
    /// All types, in the order of the metrics.
    pub const ALL: [Self; 9] = [
        Self::ObjectStart,
        Self::ObjectEnd,
        Self::CameraOnline,
        Self::CameraOffline,
        Self::CameraDegraded,
        Self::IdentityProbableSame,
        Self::IdentityMerged,
        Self::IdentitySplit,
        Self::EngineSerialMode,
    ];

    /// The word in events and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ObjectStart => "object.start",
            Self::ObjectEnd => "object.end",
            Self::CameraOnline => "camera.online",
            Self::CameraOffline => "camera.offline",
            Self::CameraDegraded => "camera.degraded",
            Self::IdentityProbableSame => "identity.probable_same",
            Self::IdentityMerged => "identity.merged",
            Self::IdentitySplit => "identity.split",
            Self::EngineSerialMode => "engine.serial_mode",
        }
    }
}

/// Part of its subject's life that an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The subject began.
    Start,
    /// The subject ended.
    End,
    /// It has no duration.
    Instant,
}

/// The three times of an event.
#[derive(Clone, Debug, Serialize)]
pub struct EventTime {
    /// When the camera took the frame.
    pub capture: Timestamp,
    /// Where `capture` comes from.
    pub clock: Clock,
    /// When the frame left the decoder.
    pub arrival: Timestamp,
    /// When the event was numbered.
    pub emit: Timestamp,
}

/// The track that an event is about.
#[derive(Clone, Debug, Serialize)]
pub struct EventTrack {
    /// `camera:run:number`.
    pub id: String,
    /// Label of its class.
    pub label: String,
    /// Latest score, 0..1.
    pub score: f32,
    /// Best score, 0..1.
    pub top_score: f32,
    /// Median of its latest scores, 0..1.
    pub median_score: f32,
    /// `[x1, y1, x2, y2]`, 0..1 of the frame.
    #[serde(rename = "box")]
    pub bbox: [f32; 4],
    /// Seconds since its first detection.
    pub age_s: f64,
    /// It has stayed where it is for some time.
    pub stationary: bool,
    /// Latest keypoints, `[x, y, score]` each, 0..1 of the frame (those outside it are beyond 0..1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keypoints: Option<Vec<[f32; 3]>>,
    /// Mask in the frame of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<CompressedRle>,
    /// Mean of its embeddings so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<EventEmbedding>,
}

/// A mask as COCO's tools read it.
#[derive(Clone, Debug, Serialize)]
pub struct CompressedRle {
    /// Height and width of the frame, pixels.
    pub size: [u32; 2],
    /// Run lengths, compressed to text.
    pub counts: String,
}

impl From<&Rle> for CompressedRle {
    fn from(rle: &Rle) -> Self {
        Self { size: rle.size(), counts: rle.to_compressed() }
    }
}

/// What a ReID model makes of a track: the nearer two vectors of one model, the likelier one subject.
#[derive(Clone, Debug, Serialize)]
pub struct EventEmbedding {
    /// Name of the model in the config.
    pub model: String,
    /// Of length 1.
    pub vector: Vec<f32>,
}

/// The model that saw it.
#[derive(Clone, Debug, Serialize)]
pub struct EventModel {
    /// Name in the config.
    pub id: String,
    /// `sha256:` and the digest of the model file.
    pub engine: String,
    /// Precision the configuration asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
}

/// An event as stages make it: all but its number, which the outbox gives.
#[derive(Clone, Debug)]
pub struct EventDraft {
    /// What happened.
    pub event_type: EventType,
    /// Which part of it.
    pub phase: Phase,
    /// Camera id; empty: it is about the whole device.
    pub camera: String,
    /// When the frame was taken.
    pub capture: Timestamp,
    /// Where `capture` comes from.
    pub clock: Clock,
    /// When the frame arrived.
    pub arrival: Timestamp,
    /// The track, for `object.*`.
    pub track: Option<EventTrack>,
    /// Facts of this type of event.
    pub data: serde_json::Map<String, serde_json::Value>,
    /// The model, for `object.*`.
    pub model: Option<EventModel>,
}

/// An event as consumers get it.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Always `event/1`.
    pub schema: &'static str,
    /// ULID: unique, ordered by time.
    pub event_id: String,
    /// Grows by one per device without a gap.
    pub seq: u64,
    /// Name of this device.
    pub device: String,
    /// Names this run of the daemon.
    pub boot: String,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Which part of it.
    pub phase: Phase,
    /// Camera id; not there where the event is about the whole device.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub camera: String,
    /// Its times.
    pub time: EventTime,
    /// The track, for `object.*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<EventTrack>,
    /// Facts of this type of event.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub data: serde_json::Map<String, serde_json::Value>,
    /// The model, for `object.*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<EventModel>,
}
