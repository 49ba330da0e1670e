//! An outbox in a temporary folder, without the daemon around it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use watchkeeper::config::{
    Concurrency, Config, Dialect, Log, LogFormat, Outbox as Kept, Policy, Runtime, Sink, SinkKind, Tracking,
};
use watchkeeper::outbox::Outbox;
use watchkeeper::outbox::reader::{Query, Reader};
use watchkeeper::outbox::sinks::{Failure, Stored, Target};
use watchkeeper::telemetry::metrics::Metrics;
use watchkeeper::types::event::{EventDraft, EventTrack, EventType, Phase};
use watchkeeper::types::time::{Clock, Timestamp};

pub const SOON: Duration = Duration::from_secs(20);

pub fn wait_for(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    condition()
}

/// A configuration of sinks and nothing else.
pub fn config(state_dir: &Path, sinks: Vec<Sink>) -> Config {
    Config {
        path: PathBuf::new(),
        runtime: Runtime {
            policy: Policy::Any,
            concurrency: Concurrency::Auto,
            state_dir: state_dir.to_owned(),
            device: "lab".to_owned(),
            drain: Duration::from_secs(5),
            time_zone: jiff::tz::TimeZone::UTC,
            inference_workers: 1,
            threads_per_inference: 1,
            onnxruntime_library: None,
            tensorrt_library: None,
            require_verified: None,
        },
        log: Log { filter: "info".to_owned(), format: LogFormat::Auto },
        http: None,
        models: Vec::new(),
        tracking: Tracking::default(),
        identity: None,
        cameras: Vec::new(),
        outbox: Kept { commit_every: Duration::from_millis(5), ..Kept::default() },
        track_log: None,
        media: None,
        sinks,
    }
}

pub fn jsonl(id: &str, path: &Path) -> Sink {
    Sink {
        id: id.to_owned(),
        dialect: Dialect::Native,
        types: Vec::new(),
        cameras: Vec::new(),
        kind: SinkKind::Jsonl { path: Some(path.to_owned()), rotate_bytes: 1 << 40, keep: 1 },
    }
}

/// What event `n` is: all of it follows from the number.
pub fn draft(n: u64) -> EventDraft {
    let types = [EventType::ZoneEnter, EventType::ZoneExit, EventType::LineCrossed, EventType::ObjectStart];
    let event_type = types[n as usize % types.len()];
    let camera = ["gate", "yard", "hall"][n as usize % 3];
    let time = Timestamp(1_795_000_000_000_000 + n as i64 * 1000);
    EventDraft {
        event_type,
        phase: Phase::Instant,
        rule: ["door", "fence"][n as usize % 2].to_owned(),
        camera: camera.to_owned(),
        capture: time,
        clock: Clock::Ntp,
        arrival: time,
        track: Some(EventTrack {
            id: format!("{camera}:1:{n}"),
            label: ["person", "car", "dog", "bus", "cat"][n as usize % 5].to_owned(),
            score: 0.8,
            top_score: 0.9,
            median_score: 0.85,
            bbox: [0.1, 0.2, 0.3, 0.4],
            age_s: n as f64,
            zones: Vec::new(),
            stationary: false,
            keypoints: None,
            mask: None,
            embedding: None,
        }),
        data: json!({ "n": n, "check": check(n), "direction": "in" }).as_object().unwrap().clone(),
        model: None,
        media: None,
    }
}

/// A word that only event `n` has.
pub fn check(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12
}

/// True where the event is as it was published.
pub fn is_whole(event: &Value) -> bool {
    let n = event["data"]["n"].as_u64().unwrap();
    let made = draft(n);
    event["data"]["check"] == check(n)
        && event["type"] == made.event_type.name()
        && event["camera"] == made.camera.as_str()
        && event["track"]["id"] == made.track.unwrap().id.as_str()
        && event["event_id"].as_str().unwrap().len() == 26
}

pub fn read_jsonl(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// All that is kept, in order.
pub fn kept(state_dir: &Path) -> Vec<Stored> {
    let reader = Reader::open(state_dir).unwrap();
    let (mut all, mut query) = (Vec::new(), Query::default());
    loop {
        let page = reader.page(&query).unwrap();
        all.extend(page.events);
        query.after = page.reached;
        if !page.more {
            return all;
        }
    }
}

/// What a test's far end does with events.
pub type Deliver = Box<dyn FnMut(&[Stored]) -> (usize, Result<(), Failure>) + Send>;

/// A far end that is a closure.
pub struct Scripted(pub Deliver);

impl Target for Scripted {
    fn deliver(&mut self, events: &[Stored]) -> (usize, Result<(), Failure>) {
        (self.0)(events)
    }
}

/// What arrived.
pub type Arrived = Arc<Mutex<Vec<Stored>>>;

/// A far end that takes everything.
pub fn taking(arrived: &Arrived) -> Deliver {
    let arrived = Arc::clone(arrived);
    Box::new(move |events| {
        arrived.lock().unwrap().extend_from_slice(events);
        (events.len(), Ok(()))
    })
}

/// An outbox, and what it counts.
pub struct Rig {
    pub outbox: Outbox,
    pub metrics: Arc<Metrics>,
}

impl Rig {
    pub fn open(config: Config) -> Self {
        let metrics = Arc::new(Metrics::default());
        Self { outbox: Outbox::open(&Arc::new(config), &metrics).unwrap(), metrics }
    }

    /// With these far ends, and those of the configuration for all other sinks.
    pub fn scripted(config: Config, far_ends: Vec<(&str, Deliver)>) -> Self {
        let metrics = Arc::new(Metrics::default());
        let far_ends = Mutex::new(far_ends);
        let outbox = Outbox::open_with(&Arc::new(config), &metrics, |opening| {
            let mut far_ends = far_ends.lock().unwrap();
            match far_ends.iter().position(|(id, _)| *id == opening.sink.id) {
                Some(at) => Ok(Box::new(Scripted(far_ends.swap_remove(at).1))),
                None => watchkeeper::outbox::sinks::open(opening),
            }
        });
        Self { outbox: outbox.unwrap(), metrics }
    }

    pub fn publish(&self, range: std::ops::Range<u64>) {
        range.for_each(|n| self.outbox.publish(draft(n)));
    }

    /// Waits until so many events are durable.
    pub fn committed(&self, last: u64) {
        assert!(wait_for(SOON, || self.outbox.committed().last() >= last), "{}", self.outbox.committed().last());
    }

    pub fn close(self) -> watchkeeper::outbox::Closed {
        self.outbox.close(SOON)
    }

    /// The value of a metric without labels.
    pub fn metric(&self, line: &str) -> Option<f64> {
        let start = format!("watchkeeper_{line} ");
        self.metrics.render().lines().find_map(|l| l.strip_prefix(&start)?.parse().ok())
    }
}
