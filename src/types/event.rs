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
    /// A track came into a zone.
    #[serde(rename = "zone.enter")]
    ZoneEnter,
    /// A track left a zone, or ended in it.
    #[serde(rename = "zone.exit")]
    ZoneExit,
    /// A track has been in a zone for long.
    #[serde(rename = "zone.dwell")]
    ZoneDwell,
    /// How many objects were in a zone, of a stretch of time.
    #[serde(rename = "zone.count")]
    ZoneCount,
    /// Nobody is in a zone.
    #[serde(rename = "zone.absence")]
    ZoneAbsence,
    /// A track crossed a line.
    #[serde(rename = "line.crossed")]
    LineCrossed,
    /// Many are in a place at once.
    #[serde(rename = "crowd.start")]
    CrowdStart,
    /// They are no longer many.
    #[serde(rename = "crowd.end")]
    CrowdEnd,
    /// A track moves against the way.
    #[serde(rename = "object.wrong_way")]
    ObjectWrongWay,
    /// A track stands where it should not.
    #[serde(rename = "object.stopped")]
    ObjectStopped,
    /// A thing was left behind.
    #[serde(rename = "object.abandoned")]
    ObjectAbandoned,
    /// A track is faster than allowed.
    #[serde(rename = "object.speeding")]
    ObjectSpeeding,
    /// Somebody lies.
    #[serde(rename = "object.fallen")]
    ObjectFallen,
    /// The picture does not change any more.
    #[serde(rename = "scene.frozen")]
    SceneFrozen,
    /// The picture is black.
    #[serde(rename = "scene.black")]
    SceneBlack,
    /// The picture is out of focus.
    #[serde(rename = "scene.blurred")]
    SceneBlurred,
    /// Something is before the lens.
    #[serde(rename = "scene.covered")]
    SceneCovered,
    /// The camera looks elsewhere.
    #[serde(rename = "scene.moved")]
    SceneMoved,
    /// The camera gives fewer frames than it should.
    #[serde(rename = "scene.fps")]
    SceneFps,
    /// The camera's clock is off ours.
    #[serde(rename = "scene.clock")]
    SceneClock,
    /// Events were lost before they could be kept.
    #[serde(rename = "system.events_lost")]
    SystemEventsLost,
}

impl EventType {
    /// All types, in the order of the metrics.
    pub const ALL: [Self; 30] = [
        Self::ObjectStart,
        Self::ObjectEnd,
        Self::CameraOnline,
        Self::CameraOffline,
        Self::CameraDegraded,
        Self::IdentityProbableSame,
        Self::IdentityMerged,
        Self::IdentitySplit,
        Self::EngineSerialMode,
        Self::ZoneEnter,
        Self::ZoneExit,
        Self::ZoneDwell,
        Self::ZoneCount,
        Self::ZoneAbsence,
        Self::LineCrossed,
        Self::CrowdStart,
        Self::CrowdEnd,
        Self::ObjectWrongWay,
        Self::ObjectStopped,
        Self::ObjectAbandoned,
        Self::ObjectSpeeding,
        Self::ObjectFallen,
        Self::SceneFrozen,
        Self::SceneBlack,
        Self::SceneBlurred,
        Self::SceneCovered,
        Self::SceneMoved,
        Self::SceneFps,
        Self::SceneClock,
        Self::SystemEventsLost,
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
            Self::ZoneEnter => "zone.enter",
            Self::ZoneExit => "zone.exit",
            Self::ZoneDwell => "zone.dwell",
            Self::ZoneCount => "zone.count",
            Self::ZoneAbsence => "zone.absence",
            Self::LineCrossed => "line.crossed",
            Self::CrowdStart => "crowd.start",
            Self::CrowdEnd => "crowd.end",
            Self::ObjectWrongWay => "object.wrong_way",
            Self::ObjectStopped => "object.stopped",
            Self::ObjectAbandoned => "object.abandoned",
            Self::ObjectSpeeding => "object.speeding",
            Self::ObjectFallen => "object.fallen",
            Self::SceneFrozen => "scene.frozen",
            Self::SceneBlack => "scene.black",
            Self::SceneBlurred => "scene.blurred",
            Self::SceneCovered => "scene.covered",
            Self::SceneMoved => "scene.moved",
            Self::SceneFps => "scene.fps",
            Self::SceneClock => "scene.clock",
            Self::SystemEventsLost => "system.events_lost",
        }
    }
}

/// Part of its subject's life that an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The subject began.
    Start,
    /// More is known of a subject that has begun.
    Update,
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
    /// Zones that it is in, by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
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

/// Pictures and clips that there are of an event, or will be in a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventMedia {
    /// The event's id, by which they are kept.
    pub id: ulid::Ulid,
    /// The picture: of the whole frame, or the best one of a track.
    pub snapshot: bool,
    /// The subject, cut out.
    pub crop: bool,
    /// A clip.
    pub clip: bool,
}

/// An event as stages make it: all but its number, which the outbox gives.
#[derive(Clone, Debug)]
pub struct EventDraft {
    /// What happened.
    pub event_type: EventType,
    /// Which part of it.
    pub phase: Phase,
    /// Id of the zone, line or rule that says so; empty: none.
    pub rule: String,
    /// Camera id; empty: it is about the whole device.
    pub camera: String,
    /// When the frame was taken.
    pub capture: Timestamp,
    /// Where `capture` comes from.
    pub clock: Clock,
    /// When the frame arrived.
    pub arrival: Timestamp,
    /// The track that it is about.
    pub track: Option<EventTrack>,
    /// Facts of this type of event.
    pub data: serde_json::Map<String, serde_json::Value>,
    /// The model that saw the track.
    pub model: Option<EventModel>,
    /// What there is to see of it; `None`: nothing.
    pub media: Option<EventMedia>,
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
    /// Id of the zone, line or rule that says so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// Camera id; not there where the event is about the whole device.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub camera: String,
    /// Its times.
    pub time: EventTime,
    /// The track that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<EventTrack>,
    /// Facts of this type of event.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub data: serde_json::Map<String, serde_json::Value>,
    /// The model that saw the track.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<EventModel>,
    /// What there is to see of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaPaths>,
}

/// Where pictures and clips of an event are, on the daemon's own HTTP listener.
#[derive(Clone, Debug, Serialize)]
pub struct MediaPaths {
    /// JPEG: the whole frame, or the best view of the track.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// JPEG: the subject, cut out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<String>,
    /// MP4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
}

impl From<EventMedia> for MediaPaths {
    fn from(media: EventMedia) -> Self {
        let path = |there: bool, name: &str| there.then(|| format!("/api/v1/events/{}/{name}", media.id));
        Self {
            snapshot: path(media.snapshot, "snapshot.jpg"),
            crop: path(media.crop, "crop.jpg"),
            clip: path(media.clip, "clip.mp4"),
        }
    }
}
