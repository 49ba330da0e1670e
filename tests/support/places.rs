//! A camera for rules to be tried on, and what it sees.

#![allow(dead_code, reason = "no test uses all of it")]

use std::time::Duration;

use watchkeeper::config::{Camera, Line, Rule, Scene, SourceKind, Transport, Zone};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::observation::{Model, Observation, Seen, fixed_box, fixed_score};
use watchkeeper::types::time::{CaptureTime, Clock, Timestamp};

/// 2026-11-20T12:00:00Z, a Friday.
pub const NOON: i64 = 1_795_176_000_000_000;

/// A camera with these.
pub fn camera(zones: Vec<Zone>, lines: Vec<Line>, rules: Vec<Rule>) -> Camera {
    Camera {
        id: "gate".to_owned(),
        source: SourceKind::Test { pattern: "ball".to_owned(), width: 1280, height: 720, fps: 10 },
        credentials: None,
        models: vec![0],
        zones,
        lines,
        rules,
        scene: Scene { enabled: false, ..Scene::default() },
        detect_fps: None,
        transport: Transport::Tcp,
        latency: Duration::ZERO,
        decoder: None,
        connect_timeout: Duration::from_secs(5),
        first_frame_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_secs(5),
        retry_min: Duration::from_secs(1),
        retry_max: Duration::from_secs(1),
        retry_refused: Duration::from_secs(1),
    }
}

/// A zone without delays.
pub fn zone(id: &str, polygon: &[[f32; 2]]) -> Zone {
    Zone {
        common: watchkeeper::config::Common::new(id),
        polygon: polygon.to_vec(),
        inertia: Duration::ZERO,
        dwell: None,
        grace: Duration::ZERO,
        distances_m: None,
        count_every: None,
    }
}

/// A line that asks for two frames on each side.
pub fn line(id: &str, from: [f32; 2], to: [f32; 2]) -> Line {
    let direction = watchkeeper::config::Directions::Both;
    Line { common: watchkeeper::config::Common::new(id), from, to, direction, frames: 2 }
}

/// Persons, bicycles and cars.
pub fn model() -> std::sync::Arc<Model> {
    let labels = ["person", "bicycle", "car"].map(str::to_owned).to_vec();
    std::sync::Arc::new(Model { labels, event: None })
}

/// A person's box by the middle of its lower edge and its height, 0..1 of a picture of 1280x720.
pub fn seen(number: u64, [x, y]: [f32; 2], height: f32) -> Seen {
    let half = height * 0.35 / 2.0 * 720.0 / 1280.0;
    Seen {
        number,
        class: 0,
        bbox: fixed_box(&BBox::new(x - half, y - height, x + half, y), (1, 1)),
        score: fixed_score(0.8),
        top_score: fixed_score(0.9),
        median_score: fixed_score(0.8),
        first_seen: Duration::ZERO,
        coasted: false,
        stationary: false,
        posture: None,
    }
}

/// A frame so long after the first one, which was taken at noon.
pub fn frame(at: Duration, tracks: Vec<Seen>) -> Observation {
    let time = Timestamp(NOON + i64::try_from(at.as_micros()).unwrap_or(i64::MAX));
    let mut frame = Observation::with_capacity(tracks.len());
    (frame.run, frame.track_run, frame.size, frame.media_time) = (1, 1, (1280, 720), at);
    (frame.capture, frame.arrival) = (CaptureTime { time, clock: Clock::Ntp }, time);
    frame.tracks = tracks;
    frame
}
