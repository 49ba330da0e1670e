//! A camera with one zone, frames by hand, and what fired.

use std::sync::Arc;
use std::time::Duration;

use watchkeeper::config::{Camera, Common, Rule, RuleKind, Scene, SourceKind, Transport, Zone};
use watchkeeper::rules::{Firing, Input, Model, Rules};
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::observation::{Observation, SCORE_UNIT, Seen, fixed_box};
use watchkeeper::types::time::{CaptureTime, Clock, Timestamp};
use watchkeeper::types::track::EndReason;

pub const LABELS: [&str; 5] = ["person", "bicycle", "car", "suitcase", "backpack"];
pub const PERSON: u16 = 0;
pub const CAR: u16 = 2;
pub const SUITCASE: u16 = 3;
pub const BACKPACK: u16 = 4;

/// Friday, 2026-11-20, 12:00 in UTC.
pub const NOON: Timestamp = Timestamp(1_795_176_000_000_000);
pub const FPS: f64 = 10.0;

pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The whole picture's middle: 0.2 to 0.8.
pub fn yard() -> Zone {
    Zone {
        common: Common::new("yard"),
        polygon: vec![[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]],
        inertia: Duration::ZERO,
        dwell: None,
        grace: Duration::ZERO,
        distances_m: None,
        count_every: None,
    }
}

/// A rule in the yard.
pub fn rule(kind: RuleKind) -> Rule {
    Rule { common: Common::new("rule"), zone: Some(0), kind }
}

pub fn camera(zone: Zone, rules: Vec<Rule>) -> Camera {
    Camera {
        id: "gate".to_owned(),
        source: SourceKind::Test { pattern: "ball".to_owned(), width: 1600, height: 800, fps: 10 },
        credentials: None,
        models: vec![0],
        zones: vec![zone],
        lines: Vec::new(),
        rules,
        scene: Scene { enabled: false, ..Scene::default() },
        detect_fps: None,
        transport: Transport::Tcp,
        latency: Duration::ZERO,
        decoder: None,
        connect_timeout: s(1),
        first_frame_timeout: s(1),
        stall_timeout: s(1),
        retry_min: s(1),
        retry_max: s(1),
        retry_refused: s(1),
    }
}

/// Somebody in a frame: bottom middle and height, 0..1; half as wide as high in a picture twice as wide as high.
pub fn subject(number: u64, class: u16, [x, y]: [f32; 2], height: f32) -> Seen {
    of_box(number, class, &BBox::new(x - height / 8.0, y - height, x + height / 8.0, y))
}

pub fn of_box(number: u64, class: u16, bbox: &BBox) -> Seen {
    let score = (0.9 * SCORE_UNIT) as u16;
    Seen {
        number,
        class,
        bbox: fixed_box(bbox, (1, 1)),
        score,
        top_score: score,
        median_score: score,
        first_seen: Duration::ZERO,
        coasted: false,
        stationary: false,
        posture: None,
    }
}

pub fn person(number: u64, at: [f32; 2]) -> Seen {
    subject(number, PERSON, at, 0.3)
}

/// Rules at work.
pub struct Watched {
    pub rules: Rules,
    pub frame: Observation,
    /// Seconds.
    pub now: f64,
    pub fps: f64,
    /// When the first frame was taken.
    pub begin: Timestamp,
    frames: u64,
}

impl Watched {
    pub fn new(rule: Rule) -> Self {
        Self::of(&camera(yard(), vec![rule]))
    }

    pub fn of(camera: &Camera) -> Self {
        let mut frame = Observation::with_capacity(64);
        (frame.size, frame.run, frame.track_run) = ((1600, 800), 3, 3);
        let mut watched = Self { rules: Rules::new(camera), frame, now: 0.0, fps: FPS, begin: NOON, frames: 0 };
        watched.model(&LABELS);
        watched
    }

    /// From now on classes have these names.
    pub fn model(&mut self, labels: &[&str]) {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.rules.take(Input::Model(&Arc::new(Model { labels, event: None })), |_| unreachable!());
    }

    /// The next frame, in which these are seen. What fired, but for what the zone itself tells.
    pub fn see(&mut self, tracks: &[Seen]) -> Vec<Firing> {
        let mut fired = Vec::new();
        self.see_and(tracks, |firing| fired.push(firing));
        fired.retain(|firing| firing.draft.rule != "yard");
        fired
    }

    /// The same, with all that fired.
    pub fn see_and(&mut self, tracks: &[Seen], emit: impl FnMut(Firing)) {
        self.now = self.frames as f64 / self.fps;
        let micros = (self.now * 1e6).round() as i64;
        self.frame.seq = self.frames;
        self.frame.media_time = Duration::from_micros(micros as u64);
        self.frame.capture = CaptureTime { time: Timestamp(self.begin.0 + micros), clock: Clock::Ntp };
        self.frame.arrival = self.frame.capture.time;
        self.frame.tracks.clear();
        self.frame.tracks.extend_from_slice(tracks);
        self.rules.take(Input::Frame(&self.frame), emit);
        self.frame.ended.clear();
        self.frames += 1;
    }

    /// Frames of so many seconds; `tracks` says who is seen, by time since their beginning. What fired, with when.
    pub fn run(&mut self, seconds: f64, mut tracks: impl FnMut(f64) -> Vec<Seen>) -> Vec<(f64, Firing)> {
        let mut fired = Vec::new();
        for frame in 0..(seconds * self.fps).round() as u64 {
            let seen = tracks(frame as f64 / self.fps);
            fired.extend(self.see(&seen).into_iter().map(|firing| (self.now, firing)));
        }
        fired
    }

    /// A track is over in the next frame.
    pub fn ends(&mut self, number: u64) {
        self.frame.ended.push((number, EndReason::NotSeen));
    }

    /// The picture stays away.
    pub fn skip(&mut self, seconds: f64) {
        self.frames += (seconds * self.fps).round() as u64;
    }

    pub fn reset(&mut self) -> Vec<Firing> {
        let mut fired = Vec::new();
        let (capture, arrival) = (self.frame.capture, self.frame.arrival);
        self.rules.take(Input::Reset { capture, arrival }, |firing| fired.push(firing));
        fired.retain(|firing| firing.draft.rule != "yard");
        fired
    }
}

/// What fired, in short.
pub fn told(fired: &[(f64, Firing)]) -> Vec<(EventType, Phase)> {
    fired.iter().map(|(_, firing)| (firing.draft.event_type, firing.draft.phase)).collect()
}

/// The one that fired, and when.
#[track_caller]
pub fn one(fired: &[(f64, Firing)]) -> (f64, &Firing) {
    match fired {
        [(at, firing)] => (*at, firing),
        other => {
            panic!("{:?}", other.iter().map(|(at, f)| (at, f.draft.event_type, f.draft.phase)).collect::<Vec<_>>())
        }
    }
}

#[track_caller]
pub fn near(got: f64, wanted: f64, within: f64) {
    assert!((got - wanted).abs() <= within, "{got}, not {wanted}");
}

#[track_caller]
pub fn number(firing: &Firing, key: &str) -> f64 {
    firing.draft.data[key].as_f64().unwrap()
}

/// A fixed sequence of numbers, about -1.7 to 1.7, of deviation 1.
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as f32 / (1u64 << 31) as f32 * 2.0 - 1.0) * 3f32.sqrt()
    }

    /// Each edge off by this part of the height.
    pub fn tremble(&mut self, seen: Seen, part: f32) -> Seen {
        let bbox = seen.bbox();
        let by = part * bbox.height();
        let [x1, y1, x2, y2] = [bbox.x1, bbox.y1, bbox.x2, bbox.y2].map(|edge| edge + by * self.next());
        Seen { bbox: fixed_box(&BBox::new(x1, y1, x2, y2), (1, 1)), ..seen }
    }
}
