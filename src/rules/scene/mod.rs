//! What befalls the picture itself: `scene.*`.
//!
//! One cause, one event: a black picture is not also covered, moved, blurred or frozen, a covered one not also moved,
//! blurred or frozen, and a view that is another is not also blurred. While the one is so, the others cannot be told:
//! none of them begins, and one that goes on goes on.

mod hold;
mod picture;
mod rate;
mod still;

use std::time::Duration;

use serde_json::{Map, Value, json};

use self::hold::{Change, Hold, Sign};
use self::picture::Usual;
use self::rate::Rate;
use self::still::Stillness;
use super::Watch;
use super::gate::Gate;
use super::out::Out;
use super::view::View;
use crate::config;
use crate::types::event::{EventType, Phase};
use crate::types::observation::{Observation, SceneStats};
use crate::types::time::Clock;

/// Longer gaps between measurements count as so long: nobody looked.
const GAP: Duration = Duration::from_secs(2);
/// The camera's clock is told to be off after so long.
const SKEWED_AFTER: Duration = Duration::from_secs(5);
/// An open `scene.clock` ends where the camera has not told the time for so long.
const UNTOLD_AFTER: Duration = Duration::from_secs(60);

/// Watches a camera's picture.
pub(super) struct Scene {
    config: config::Scene,
    gate: Gate,
    usual: Usual,
    size: (u32, u32),
    /// Media time of the latest frame, and of the latest that was measured.
    latest: Option<Duration>,
    measured: Option<Duration>,
    frozen: Stillness,
    black: Hold,
    covered: Hold,
    moved: Hold,
    blurred: Hold,
    fps: Hold,
    rate: Rate,
    clock: Hold,
    /// As it was told last beside the picture, seconds.
    told_skew: Option<f64>,
    /// For how long the camera has not told the time.
    untold: Duration,
    /// What goes on, and since when.
    open: Vec<(EventType, Duration)>,
}

impl Scene {
    /// One for a camera; `None` where nothing is watched for.
    pub(super) fn new(config: &config::Scene) -> Option<Self> {
        config.enabled.then(|| Self {
            config: config.clone(),
            gate: Gate::new(&config::Common::new("scene")),
            usual: Usual::default(),
            size: (0, 0),
            latest: None,
            measured: None,
            frozen: Stillness::default(),
            black: Hold::default(),
            covered: Hold::default(),
            moved: Hold::default(),
            blurred: Hold::default(),
            fps: Hold::default(),
            rate: Rate::new(),
            clock: Hold::default(),
            untold: Duration::ZERO,
            told_skew: None,
            open: Vec::with_capacity(7),
        })
    }

    fn tell(&mut self, what: EventType, change: Option<Change>, now: Duration, out: &mut Out, data: &[(&str, f64)]) {
        let Some(change) = change else { return };
        let mut told: Map<String, Value> =
            data.iter().map(|(name, value)| ((*name).to_owned(), number(*value))).collect();
        let phase = match change {
            Change::Began => {
                self.open.push((what, now));
                Phase::Start
            }
            Change::Ended => {
                self.lasted(what, now, &mut told);
                told.insert("reason".to_owned(), json!("over"));
                Phase::End
            }
        };
        out.tell(&self.gate, what, phase, None, told);
    }

    fn lasted(&mut self, what: EventType, now: Duration, data: &mut Map<String, Value>) {
        if let Some(at) = self.open.iter().position(|(open, _)| *open == what) {
            let (_, since) = self.open.remove(at);
            data.insert("lasted_s".to_owned(), number(now.saturating_sub(since).as_secs_f64()));
        }
    }

    /// Ends what goes on for another reason than that it is over.
    fn end(&mut self, which: impl Fn(EventType) -> bool, reason: &str, out: &mut Out) {
        let now = self.latest.unwrap_or_default();
        for what in EventType::ALL.into_iter().filter(|what| which(*what)) {
            if self.open.iter().any(|(open, _)| *open == what) {
                let mut data = Map::new();
                self.lasted(what, now, &mut data);
                data.insert("reason".to_owned(), json!(reason));
                out.tell(&self.gate, what, Phase::End, None, data);
            }
            match what {
                EventType::SceneFrozen => self.frozen.close(),
                EventType::SceneBlack => self.black.close(),
                EventType::SceneCovered => self.covered.close(),
                EventType::SceneMoved => self.moved.close(),
                EventType::SceneBlurred => self.blurred.close(),
                EventType::SceneFps => self.fps.close(),
                EventType::SceneClock => self.clock.close(),
                _ => (),
            }
        }
    }

    /// A picture was measured.
    fn measure(&mut self, stats: &SceneStats, now: Duration, out: &mut Out) {
        let passed = self.measured.map_or(Duration::ZERO, |before| now.saturating_sub(before)).min(GAP);
        self.measured = Some(now);
        if stats.likeness.is_nan() && self.moved.is_open() {
            self.end(|what| what == EventType::SceneMoved, "accepted", out);
            self.usual = Usual::default();
        }
        let usual = self.usual.stats;
        let signs = self.usual.judge(stats, passed);
        let all = |number: fn(&SceneStats) -> f32| (f64::from(number(stats)), f64::from(number(&usual)));

        if let Some(after) = self.config.black {
            let change = self.black.look(signs.black, passed, after);
            let (mean, usually) = all(|stats| stats.mean);
            let data = [("mean", mean), ("usual_mean", usually), ("deviation", f64::from(stats.deviation))];
            self.tell(EventType::SceneBlack, change, now, out, &data);
        }
        if let Some(after) = self.config.covered {
            let change = self.covered.look(signs.covered, passed, after);
            let (covered, usually) = all(|stats| stats.covered);
            let data = [("covered", covered), ("usual_covered", usually)];
            self.tell(EventType::SceneCovered, change, now, out, &data);
        }
        if let Some(after) = self.config.moved {
            let change = self.moved.look(signs.moved, passed, after);
            let (likeness, usually) = all(|stats| stats.likeness);
            let data = [("likeness", likeness), ("usual_likeness", usually)];
            self.tell(EventType::SceneMoved, change, now, out, &data);
        }
        if let Some(after) = self.config.blurred {
            let change = self.blurred.look(signs.blurred, passed, after);
            let (sharpness, usually) = all(|stats| stats.sharpness);
            let data = [("sharpness", sharpness), ("usual_sharpness", usually)];
            self.tell(EventType::SceneBlurred, change, now, out, &data);
        }
        if let Some(after) = self.config.frozen.filter(|_| signs.clear || self.frozen.is_open()) {
            let needed = self.frozen.needed(after);
            let change = self.frozen.look(stats.difference, passed, after);
            let (difference, usually) = all(|stats| stats.difference);
            let still = needed.as_secs_f64();
            let data = [("difference", difference), ("usual_difference", usually), ("still_s", still)];
            self.tell(EventType::SceneFrozen, change, now, out, &data[..if self.frozen.is_open() { 3 } else { 2 }]);
        }
    }

    /// How many frames there are.
    fn count(&mut self, seen: &Observation, out: &mut Out) {
        let Some(least) = self.config.min_fps else { return };
        let Some(fps) = self.rate.see(seen) else { return };
        let change = self.fps.look(Rate::sign(fps, least), Duration::ZERO, Duration::ZERO);
        let data = [("fps", f64::from(fps)), ("min_fps", f64::from(least))];
        self.tell(EventType::SceneFps, change, seen.media_time, out, &data);
    }

    /// What the camera's clock shows.
    fn compare(&mut self, seen: &Observation, passed: Duration, out: &mut Out) {
        let Some(limit) = self.config.clock_skew else { return };
        if let Some(stats) = &seen.scene {
            self.told_skew = Some(f64::from(stats.clock_skew_s)).filter(|skew| skew.is_finite());
        }
        // A clock that is far off is not used for capture times, and is told beside the picture.
        let told = match seen.capture.clock {
            Clock::Ntp => Some(seen.capture.time.seconds_since(seen.arrival)),
            Clock::Arrival => self.told_skew,
            Clock::Free => None,
        };
        let Some(skew) = told else {
            self.untold = self.untold.saturating_add(passed);
            if self.untold >= UNTOLD_AFTER {
                self.end(|what| what == EventType::SceneClock, "unknown", out);
            }
            return;
        };
        self.untold = Duration::ZERO;
        let limit = limit.as_secs_f64();
        let sign = Sign::below(-skew.abs() as f32, -limit as f32, -0.9 * limit as f32);
        let change = self.clock.look(sign, passed, SKEWED_AFTER);
        self.tell(EventType::SceneClock, change, seen.media_time, out, &[("skew_s", skew), ("limit_s", limit)]);
    }
}

impl Watch for Scene {
    fn see(&mut self, view: &View<'_>, _: &mut [u64], out: &mut Out) {
        let seen = view.seen;
        let now = seen.media_time;
        let passed = self.latest.map_or(Duration::ZERO, |before| now.saturating_sub(before)).min(GAP);
        self.latest = Some(now);
        if self.size != seen.size {
            self.size = seen.size;
            let picture = |what| !matches!(what, EventType::SceneFps | EventType::SceneClock);
            self.end(picture, "resized", out);
            self.usual = Usual::default();
        }
        self.count(seen, out);
        self.compare(seen, passed, out);
        if let Some(stats) = &seen.scene {
            self.measure(stats, now, out);
        }
    }

    fn reset(&mut self, out: &mut Out) {
        self.end(|_| true, "reset", out);
        (self.latest, self.measured, self.untold) = (None, None, Duration::ZERO);
        self.rate.forget();
    }

    fn heed(&mut self, _: &[String]) {}
}

/// With as many digits as mean something.
fn number(value: f64) -> Value {
    if value.is_finite() { json!((value * 1e3).round() / 1e3) } else { Value::Null }
}
