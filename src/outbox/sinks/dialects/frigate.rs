//! Frigate's `frigate/events`, so that what understands Frigate understands us: Home Assistant's cards, notification
//! blueprints, bridges. Fields are those of Frigate 0.16 (its MQTT page, and `TrackedObject.to_dict`).
//!
//! | event | `type` |
//! |---|---|
//! | `object.start` | `new` |
//! | `object.end` | `end`; later events of the track are not told |
//! | any other of a track | `update` |
//! | one without a track (cameras, scenes, crowds) | no message |
//!
//! What is different from Frigate, which has the frames while we have events:
//! - `id` has Frigate's form and is no time: `<run>.<number>-<12 characters>`, such as `3.008812-k3v9qx02mw1d`. It
//!   depends on device, boot and track only, so it is the same after a restart. `start_time` is the time.
//! - `box` and `area` are in a frame of [`FRAME`] pixels whatever the camera's own size; `region` is all of it.
//! - `snapshot` is the best-scored of what was told of the track; `has_snapshot` and `has_clip` say whether there
//!   are pictures, which are fetched here and not from Frigate's HTTP API.
//! - `top_score` is the best score, not the best median. `motionless_count` is 0, or 51 where the track is stationary
//!   (Frigate's word for more than 50 frames). `position_changes` counts what was told.
//! - Speeds are in km/h, of `object.speeding`: in `current_estimated_speed` of that message only, in
//!   `average_estimated_speed` from then on; 0 where none was told. There is no sub-label, attribute or path.
//! - After a restart what was told is forgotten: `before` is then the same as `after`, once per track.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::Stored;
use super::telling::{Telling, Track};

/// Width and height that boxes are in, pixels.
pub const FRAME: [u32; 2] = [1280, 720];
/// Tracks that are remembered; those of which was heard least recently are forgotten.
pub const MAX_TRACKS: usize = 4096;
/// Messages that are remembered, for events that come again.
pub const MAX_TOLD: usize = 2048;

#[derive(Debug, Default)]
pub(super) struct Frigate {
    tracks: HashMap<String, Remembered>,
    /// By the event's number, in order.
    told: VecDeque<(u64, Option<Vec<u8>>)>,
}

#[derive(Debug)]
struct Remembered {
    /// `None`: it has ended.
    last: Option<Object>,
    /// Number of the event that told of it last.
    seq: u64,
}

#[derive(Serialize)]
struct Change<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    before: &'a Object,
    after: &'a Object,
}

#[derive(Clone, Debug, Serialize)]
struct Object {
    id: String,
    camera: String,
    frame_time: f64,
    snapshot: Option<Best>,
    label: String,
    sub_label: Option<()>,
    top_score: f64,
    false_positive: bool,
    start_time: f64,
    end_time: Option<f64>,
    score: f64,
    #[serde(rename = "box")]
    bbox: [i64; 4],
    area: i64,
    ratio: f64,
    region: [u32; 4],
    active: bool,
    stationary: bool,
    motionless_count: u32,
    position_changes: u32,
    current_zones: Vec<String>,
    entered_zones: Vec<String>,
    has_clip: bool,
    has_snapshot: bool,
    attributes: Nothing,
    current_attributes: [(); 0],
    pending_loitering: bool,
    max_severity: Option<()>,
    current_estimated_speed: f64,
    average_estimated_speed: f64,
    velocity_angle: f64,
    path_data: [(); 0],
    recognized_license_plate: Option<()>,
    thumbnail: Option<()>,
}

#[derive(Clone, Debug, Serialize)]
struct Best {
    frame_time: f64,
    #[serde(rename = "box")]
    bbox: [i64; 4],
    area: i64,
    region: [u32; 4],
    score: f64,
    attributes: [(); 0],
}

/// `{}`.
#[derive(Clone, Debug, Serialize)]
struct Nothing {}

impl Frigate {
    pub fn render(&mut self, event: &Stored) -> Option<Vec<u8>> {
        let told = Telling::of(event)?;
        if let Ok(at) = self.told.binary_search_by_key(&event.seq, |(seq, _)| *seq) {
            return self.told.get(at)?.1.clone();
        }
        if self.told.back().is_some_and(|(last, _)| *last > event.seq) {
            // Somebody has set the sink's cursor back.
            *self = Self::default();
        }
        let body = self.tell(event, &told);
        if self.told.len() >= MAX_TOLD {
            self.told.pop_front();
        }
        self.told.push_back((event.seq, body.clone()));
        body
    }

    fn tell(&mut self, event: &Stored, told: &Telling) -> Option<Vec<u8>> {
        let id = id(told);
        let known = self.tracks.get(&id);
        if known.is_some_and(|known| known.last.is_none()) {
            return None;
        }
        let before = known.and_then(|known| known.last.as_ref());
        let after = Object::new(id.clone(), event, told, before);
        let kind = match event.event_type.as_str() {
            "object.start" => "new",
            "object.end" => "end",
            _ => "update",
        };
        let first = (kind == "new").then(|| after.unsure());
        let before = first.as_ref().or(before).unwrap_or(&after);
        let body = serde_json::to_vec(&Change { kind, before, after: &after }).ok();
        self.forget_some();
        self.tracks.insert(id, Remembered { last: (kind != "end").then_some(after), seq: event.seq });
        body
    }

    /// Makes room: the older half goes at once, so that it is not looked for with every track.
    fn forget_some(&mut self) {
        if self.tracks.len() >= MAX_TRACKS {
            let mut seqs: Vec<u64> = self.tracks.values().map(|track| track.seq).collect();
            let (_, median, _) = seqs.select_nth_unstable(MAX_TRACKS / 2);
            let median = *median;
            self.tracks.retain(|_, track| track.seq >= median);
        }
    }
}

impl Object {
    fn new(id: String, event: &Stored, Telling { told, track }: &Telling, before: Option<&Self>) -> Self {
        let frame_time = told.time.capture.0 as f64 / 1e6;
        let bbox = track.pixels(FRAME);
        let (width, height) = ((bbox[2] - bbox[0]).max(0), (bbox[3] - bbox[1]).max(0));
        let (area, region) = (width * height, [0, 0, FRAME[0], FRAME[1]]);
        let best = Best { frame_time, bbox, area, region, score: track.score, attributes: [] };
        let kept = before.and_then(|before| before.snapshot.clone()).filter(|kept| kept.score >= best.score);
        let is_object = matches!(event.event_type.as_str(), "object.start" | "object.end");
        let current_zones = match before {
            // These two may come without zones.
            Some(before) if is_object && track.zones.is_empty() => before.current_zones.clone(),
            _ => track.zones.clone(),
        };
        let mut entered_zones = before.map(|before| before.entered_zones.clone()).unwrap_or_default();
        for zone in &current_zones {
            if !entered_zones.contains(zone) {
                entered_zones.push(zone.clone());
            }
        }
        Self {
            id,
            camera: event.camera.clone(),
            frame_time,
            snapshot: Some(kept.unwrap_or(best)),
            label: track.label.clone(),
            sub_label: None,
            top_score: track.top_score,
            false_positive: false,
            start_time: before.map_or_else(|| start_time(frame_time, track), |before| before.start_time),
            end_time: (event.event_type == "object.end").then_some(frame_time),
            score: track.score,
            bbox,
            area,
            ratio: (width as f64 / height.max(1) as f64 * 1e6).round() / 1e6,
            region,
            active: !track.stationary,
            stationary: track.stationary,
            motionless_count: if track.stationary { 51 } else { 0 },
            position_changes: position_changes(track, before),
            current_zones,
            entered_zones,
            has_clip: told.media.clip.is_some() || before.is_some_and(|before| before.has_clip),
            has_snapshot: told.media.snapshot.is_some() || before.is_some_and(|before| before.has_snapshot),
            attributes: Nothing {},
            current_attributes: [],
            pending_loitering: false,
            max_severity: None,
            current_estimated_speed: told.data.kmh.unwrap_or(0.0),
            average_estimated_speed: told
                .data
                .kmh
                .or(before.map(|before| before.average_estimated_speed))
                .unwrap_or(0.0),
            velocity_angle: 0.0,
            path_data: [],
            recognized_license_plate: None,
            thumbnail: None,
        }
    }

    /// What Frigate has before the first message: it was not sure of the object yet.
    fn unsure(&self) -> Self {
        Self {
            snapshot: None,
            top_score: 0.0,
            false_positive: true,
            position_changes: 0,
            current_zones: Vec::new(),
            entered_zones: Vec::new(),
            has_clip: false,
            has_snapshot: false,
            ..self.clone()
        }
    }
}

fn start_time(frame_time: f64, track: &Track) -> f64 {
    ((frame_time - track.age_s) * 1e6).round() / 1e6
}

/// As Frigate counts: the first move, and then each one after a rest.
fn position_changes(track: &Track, before: Option<&Object>) -> u32 {
    let (so_far, rested) = before.map_or((0, true), |before| (before.position_changes, before.stationary));
    if rested && !track.stationary { so_far.saturating_add(1) } else { so_far }
}

/// The same for a track for ever, and of no other: two boots number their runs alike.
fn id(Telling { told, track }: &Telling) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digest = Sha256::digest(format!("{}\n{}\n{}", told.device, told.boot, track.id));
    let mut rest = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let (run, number) = track.run_and_number();
    let mut id = format!("{run}.{number:06}-");
    for _ in 0..12 {
        id.push(char::from(DIGITS[usize::try_from(rest % 36).unwrap_or(0)]));
        rest /= 36;
    }
    id
}
