//! What dialects read of an event.

use serde::Deserialize;

use super::super::Stored;
use crate::types::time::Timestamp;

/// An event of a track, as far as other dialects have words for it.
#[derive(Debug)]
pub(super) struct Telling {
    pub told: Told,
    pub track: Track,
}

#[derive(Debug, Deserialize)]
pub(super) struct Told {
    pub device: String,
    pub boot: String,
    #[serde(default)]
    pub rule: String,
    pub time: Times,
    track: Option<Track>,
    #[serde(default)]
    pub media: Media,
    #[serde(default)]
    pub data: Data,
}

#[derive(Debug, Deserialize)]
pub(super) struct Times {
    pub capture: Timestamp,
}

#[derive(Debug, Deserialize)]
pub(super) struct Track {
    pub id: String,
    pub label: String,
    pub score: f64,
    pub top_score: f64,
    #[serde(rename = "box")]
    pub bbox: [f64; 4],
    #[serde(default)]
    pub age_s: f64,
    #[serde(default)]
    pub zones: Vec<String>,
    #[serde(default)]
    pub stationary: bool,
}

/// Of the facts of an event.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Data {
    pub kmh: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Media {
    pub snapshot: Option<String>,
    pub clip: Option<String>,
}

impl Telling {
    /// `None`: the event is not about a track of a camera.
    pub fn of(event: &Stored) -> Option<Self> {
        if event.camera.is_empty() {
            return None;
        }
        let mut told: Told = match serde_json::from_str(&event.body) {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!(seq = event.seq, "this event is not told in the sink's dialect: {error}");
                return None;
            }
        };
        let track = told.track.take()?;
        Some(Self { told, track })
    }
}

impl Track {
    /// Run of the camera and number of the track within it, out of `camera:run:number`.
    pub fn run_and_number(&self) -> (u64, u64) {
        let mut parts = self.id.rsplit(':').map(|part| part.parse().unwrap_or(0));
        let number = parts.next().unwrap_or(0);
        (parts.next().unwrap_or(0), number)
    }

    /// The box in a frame of so many pixels.
    pub fn pixels(&self, frame: [u32; 2]) -> [i64; 4] {
        let [width, height] = frame.map(f64::from);
        let [x1, y1, x2, y2] = self.bbox;
        [x1 * width, y1 * height, x2 * width, y2 * height].map(|edge| edge.round() as i64)
    }
}
