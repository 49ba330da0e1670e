//! Facts of the gallery as events.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::tracking::identity::{Fact, Reasons, TrackKey};
use crate::types::event::{EventDraft, EventType, Phase};
use crate::types::time::{Clock, Timestamp};

/// What a consumer has to know of it, in order: a new identity is told when a second track joins it, and one that is
/// forgotten changes nothing of what was said. `wall` gives the wall clock of a time of the gallery's.
pub(super) fn of(fact: &Fact, wall: impl Fn(Duration) -> Timestamp) -> Option<EventDraft> {
    match fact {
        Fact::New { .. } | Fact::Forgotten { .. } => None,
        Fact::ProbablySame { time, identity, track, score, reasons } => {
            let mut data = json!({ "identity": identity, "track": track.to_string(), "score": rounded(*score) });
            add(&mut data, Some(reasons));
            Some(draft(EventType::IdentityProbableSame, wall(*time), &track.camera, data))
        }
        Fact::Merged { time, kept, gone, score, reasons, tracks } => {
            let mut data = json!({ "identity": kept, "gone": gone, "tracks": ids(tracks), "score": rounded(*score) });
            add(&mut data, reasons.as_ref());
            Some(draft(EventType::IdentityMerged, wall(*time), camera(tracks), data))
        }
        Fact::Split { time, from, new, tracks, score, reasons } => {
            let mut data = json!({ "identity": new, "from": from, "tracks": ids(tracks) });
            if let Some(score) = score {
                data["score"] = json!(rounded(*score));
            }
            add(&mut data, reasons.as_ref());
            Some(draft(EventType::IdentitySplit, wall(*time), camera(tracks), data))
        }
    }
}

fn add(data: &mut Value, reasons: Option<&Reasons>) {
    if let Some(reasons) = reasons {
        data["with"] = json!(reasons.with.to_string());
        if reasons.earlier {
            // A track of this process may have the same name.
            data["earlier"] = json!(true);
        }
        data["reasons"] = said(reasons);
    }
}

fn camera(tracks: &[TrackKey]) -> &str {
    tracks.first().map_or("", |track| track.camera.as_str())
}

fn ids(tracks: &[TrackKey]) -> Vec<String> {
    tracks.iter().map(ToString::to_string).collect()
}

/// Without the track, which stands beside it.
fn said(reasons: &Reasons) -> Value {
    let mut said = Map::new();
    said.insert("likeness".to_owned(), json!(rounded(reasons.likeness)));
    said.insert("gap_s".to_owned(), json!(rounded(reasons.gap_s)));
    said.insert("path".to_owned(), json!(reasons.path));
    said.insert("looks".to_owned(), json!(reasons.looks));
    if let Some(margin) = reasons.margin {
        said.insert("margin".to_owned(), json!(rounded(margin)));
    }
    if let Some(ground) = reasons.ground {
        said.insert("ground".to_owned(), json!(rounded(ground)));
    }
    Value::Object(said)
}

fn draft(event_type: EventType, time: Timestamp, camera: &str, data: Value) -> EventDraft {
    EventDraft {
        event_type,
        phase: Phase::Instant,
        rule: String::new(),
        camera: camera.to_owned(),
        capture: time,
        clock: Clock::Arrival,
        arrival: time,
        track: None,
        data: if let Value::Object(data) = data { data } else { Map::new() },
        model: None,
        media: None,
    }
}

/// Three decimals as a person writes them.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1e3).round() / 1e3
}
