//! DeepStream's minimal schema, version 4.0, as `nvmsgconv` writes it with `payload-type = 1`:
//!
//! ```json
//! {"version":"4.0","id":"184233","@timestamp":"2026-11-20T17:08:37.214Z","sensorId":"gate",
//!  "objects":["12884910700|787|238|902|594|person|#|line.crossed|door|0.83"]}
//! ```
//!
//! A message has one object: the track that the event is about. Events without a track have no such form.
//!
//! | field | here |
//! |---|---|
//! | `id` | the event's `seq`, where DeepStream has the number of the frame |
//! | `sensorId` | the camera |
//! | tracking id | run * 2^32 + number, as numbers begin again with each run of a camera |
//! | box | left, top, right, bottom in a frame of [`FRAME`] pixels, whatever the camera's own size |
//! | after `#` | type of the event, id of the rule (may be empty), score; the last one is the score there too |

use serde::Serialize;

use super::super::Stored;
use super::telling::Telling;
use crate::types::time::Timestamp;

/// Width and height that boxes are in, pixels: what the muxer of DeepStream's samples is set to.
pub const FRAME: [u32; 2] = [1920, 1080];

#[derive(Serialize)]
struct Minimal<'a> {
    version: &'static str,
    id: String,
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    #[serde(rename = "sensorId")]
    sensor_id: &'a str,
    objects: [String; 1],
}

pub(super) fn render(event: &Stored) -> Option<Vec<u8>> {
    let Telling { told, track } = Telling::of(event)?;
    let (run, number) = track.run_and_number();
    let id = run.wrapping_shl(32).wrapping_add(number);
    let [x1, y1, x2, y2] = track.pixels(FRAME);
    let (label, event_type, rule) = (field(&track.label), field(&event.event_type), field(&told.rule));
    let object = format!("{id}|{x1}|{y1}|{x2}|{y2}|{label}|#|{event_type}|{rule}|{}", track.score);
    serde_json::to_vec(&Minimal {
        version: "4.0",
        id: event.seq.to_string(),
        timestamp: told.time.capture,
        sensor_id: &event.camera,
        objects: [object],
    })
    .ok()
}

/// Bars part the fields.
fn field(text: &str) -> String {
    text.replace('|', "_")
}
