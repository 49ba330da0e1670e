//! From what a stage says to what consumers get.

use serde_json::{Map, Value, json};

use super::damage::Lost;
use super::sinks::Stored;
use super::store::Entry;
use crate::types::event::{Event, EventDraft, EventTime, EventType, Phase};
use crate::types::time::{Clock, Timestamp};

/// Who says it.
pub(super) struct Envelope {
    device: String,
    boot: String,
    ids: ulid::Generator,
}

impl Envelope {
    pub fn new(device: &str) -> Self {
        let random = ulid::Ulid::generate().random();
        Self { device: device.to_owned(), boot: format!("{:04x}", random & 0xffff), ids: ulid::Generator::new() }
    }

    /// The event with this number.
    ///
    /// # Errors
    /// It cannot be written as JSON, which is our own fault.
    pub fn seal(&mut self, draft: &EventDraft, seq: u64, emit: Timestamp) -> serde_json::Result<Entry> {
        // The generator fails only when one millisecond has used up 2^80 ids.
        let fresh = || self.ids.generate().unwrap_or_else(|_| ulid::Ulid::generate());
        let id = draft.media.map_or_else(fresh, |media| media.id).to_string();
        let draft = draft.clone();
        let label = draft.track.as_ref().map(|track| track.label.clone()).unwrap_or_default();
        let event = Event {
            schema: "event/1",
            event_id: id,
            seq,
            device: self.device.clone(),
            boot: self.boot.clone(),
            event_type: draft.event_type,
            phase: draft.phase,
            rule: draft.rule,
            camera: draft.camera,
            time: EventTime { capture: draft.capture, clock: draft.clock, arrival: draft.arrival, emit },
            track: draft.track,
            data: draft.data,
            model: draft.model,
            media: draft.media.map(Into::into),
        };
        let body = serde_json::to_string(&event)?.into();
        let event_type = event.event_type.name().to_owned();
        let stored = Stored { seq, id: event.event_id, event_type, camera: event.camera, body };
        Ok(Entry { stored, emit, rule: event.rule, label })
    }
}

/// Says how many events were lost, and which numbers are theirs.
pub(super) fn lost(count: u64, first_seq: u64, since: Timestamp, until: Timestamp) -> EventDraft {
    let data = json!({
        "count": count,
        "first_seq": first_seq,
        "last_seq": first_seq + count - 1,
        "since": since.to_string(),
        "until": until.to_string(),
    });
    told(data, until)
}

/// Says that nobody knows any more what was delivered of the events up to this number.
pub(super) fn forgotten(lost: &Lost, up_to: u64, now: Timestamp) -> EventDraft {
    let data = match lost {
        Lost::Corrupt(kept) => json!({ "reason": "corrupt", "up_to_seq": up_to, "kept": kept }),
        Lost::Missing => json!({ "reason": "missing", "up_to_seq": up_to }),
    };
    told(data, now)
}

fn told(data: Value, until: Timestamp) -> EventDraft {
    EventDraft {
        event_type: EventType::SystemEventsLost,
        phase: Phase::Instant,
        rule: String::new(),
        camera: String::new(),
        capture: until,
        clock: Clock::Arrival,
        arrival: until,
        track: None,
        data: match data {
            Value::Object(data) => data,
            _ => Map::new(),
        },
        model: None,
        media: None,
    }
}

/// Bytes of memory that it takes, about.
pub(super) fn weight(draft: &EventDraft) -> usize {
    let track = draft.track.as_ref().map_or(0, |track| {
        let zones: usize = track.zones.iter().map(|zone| zone.len() + 24).sum();
        track.id.len()
            + track.label.len()
            + zones
            + track.keypoints.as_ref().map_or(0, |points| points.len() * size_of::<[f32; 3]>())
            + track.mask.as_ref().map_or(0, |mask| mask.counts.len())
            + track.embedding.as_ref().map_or(0, |e| e.model.len() + e.vector.len() * size_of::<f32>())
    });
    let model = draft.model.as_ref().map_or(0, |model| model.id.len() + model.engine.len());
    let data: usize = draft.data.iter().map(|(key, value)| key.len() + 64 + weight_of(value)).sum();
    size_of::<EventDraft>() + draft.rule.len() + draft.camera.len() + track + model + data
}

fn weight_of(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(list) => list.iter().map(weight_of).sum(),
            Value::Object(map) => map.iter().map(|(key, value)| key.len() + 64 + weight_of(value)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}
