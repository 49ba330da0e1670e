//! A camera whose pictures are measured and watched.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};
use watchkeeper::config::{self, Camera, SourceKind, Transport};
use watchkeeper::rules::{Input, Rules};
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::observation::{Observation, SceneStats};
use watchkeeper::types::time::{CaptureTime, Clock, Timestamp};
use watchkeeper::vision::scene::SceneMeter;

use crate::pictures::{Luma, STEP};

/// The wall clock when all begins, microseconds.
pub const BEGIN: i64 = 1_790_000_000_000_000;

/// An event, and at which second it was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: f64,
    pub what: EventType,
    pub phase: Phase,
    pub data: Map<String, Value>,
}

pub fn camera(scene: config::Scene) -> Camera {
    let second = Duration::from_secs(1);
    Camera {
        id: "gate".to_owned(),
        source: SourceKind::File { path: PathBuf::from("gate.mp4"), repeat: false },
        credentials: None,
        models: Vec::new(),
        zones: Vec::new(),
        lines: Vec::new(),
        rules: Vec::new(),
        scene,
        detect_fps: None,
        transport: Transport::Tcp,
        latency: second,
        decoder: None,
        connect_timeout: second,
        first_frame_timeout: second,
        stall_timeout: second,
        retry_min: second,
        retry_max: second,
        retry_refused: second,
    }
}

pub struct Watched {
    pub meter: SceneMeter,
    rules: Rules,
    /// The next frame.
    pub seen: Observation,
    pub told: Vec<Told>,
}

impl Watched {
    pub fn new(scene: config::Scene) -> Self {
        let mut seen = Observation::with_capacity(0);
        (seen.run, seen.seq, seen.size) = (1, 1, (640, 360));
        let now = Timestamp(BEGIN);
        (seen.capture, seen.arrival) = (CaptureTime { time: now, clock: Clock::Ntp }, now);
        Self { meter: SceneMeter::new(), rules: Rules::new(&camera(scene)), seen, told: Vec::new() }
    }

    /// Seconds since the beginning.
    pub fn now(&self) -> f64 {
        self.seen.media_time.as_secs_f64()
    }

    /// Time passes, and so many frames.
    pub fn pass(&mut self, seconds: f64, frames: u64) {
        let micros = (seconds * 1e6) as i64;
        self.seen.media_time += Duration::from_micros(micros as u64);
        self.seen.seq += frames;
        self.seen.arrival.0 += micros;
        self.seen.capture.time.0 += micros;
    }

    /// The rules see the frame.
    pub fn see(&mut self, scene: Option<SceneStats>) {
        self.seen.scene = scene;
        let at = self.now();
        let told = &mut self.told;
        self.rules.take(Input::Frame(&self.seen), |firing| {
            let draft = firing.draft;
            assert_eq!((draft.rule.as_str(), draft.camera.as_str(), firing.track), ("scene", "gate", None));
            assert!(draft.track.is_none() && !firing.shadow);
            told.push(Told { at, what: draft.event_type, phase: draft.phase, data: draft.data });
        });
    }

    /// A picture comes.
    pub fn look(&mut self, luma: &Luma) -> SceneStats {
        self.pass(STEP, 5);
        self.seen.size = (luma.width as u32, luma.height as u32);
        assert!(self.meter.due(self.seen.media_time));
        let stats = self.meter.measure(&luma.picture(), self.seen.media_time).expect("a whole picture");
        self.see(Some(stats));
        stats
    }

    pub fn reset(&mut self) {
        let (at, told) = (self.now(), &mut self.told);
        let (capture, arrival) = (self.seen.capture, self.seen.arrival);
        self.rules.take(Input::Reset { capture, arrival }, |firing| {
            let draft = firing.draft;
            told.push(Told { at, what: draft.event_type, phase: draft.phase, data: draft.data });
        });
    }

    /// Names, phases and times, for a message.
    pub fn story(&self) -> Vec<String> {
        let told = |told: &Told| format!("{:.1} {} {:?} {:?}", told.at, told.what.name(), told.phase, told.data);
        self.told.iter().map(told).collect()
    }
}
