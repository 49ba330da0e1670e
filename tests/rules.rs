//! Zones, lines and gates, one matter each: what a user is told of somebody who does this or that before a camera.

#![allow(clippy::unwrap_used)]

#[path = "rules/gates.rs"]
mod gates;
#[path = "rules/invariants.rs"]
mod invariants;
#[path = "rules/line_tests.rs"]
mod line_tests;
#[path = "rules/memory.rs"]
mod memory;
#[path = "support/places.rs"]
mod places;
#[path = "rules/switches.rs"]
mod switches;
#[path = "rules/zone_tests.rs"]
mod zone_tests;

use std::time::Duration;

use watchkeeper::config::{Line, Zone};
use watchkeeper::rules::{Firing, Input, Rules};
use watchkeeper::types::observation::{Observation, Seen};
use watchkeeper::types::track::EndReason;

/// A camera at ten frames a second.
struct Street {
    rules: Rules,
    frame: u64,
    told: Vec<Firing>,
}

impl Street {
    fn new(zones: Vec<Zone>, lines: Vec<Line>) -> Self {
        let mut rules = Rules::new(&places::camera(zones, lines, Vec::new()));
        rules.take(Input::Model(&places::model()), |_| {});
        Self { rules, frame: 0, told: Vec::new() }
    }

    fn take(&mut self, frame: &Observation) {
        self.rules.take(Input::Frame(frame), |firing| self.told.push(firing));
    }

    /// The next frame: these tracks are there.
    fn see(&mut self, tracks: Vec<Seen>) {
        self.see_and_end(tracks, &[]);
    }

    fn see_and_end(&mut self, tracks: Vec<Seen>, ended: &[(u64, EndReason)]) {
        let mut frame = places::frame(Duration::from_millis(self.frame * 100), tracks);
        frame.ended.extend(ended);
        self.frame += 1;
        self.take(&frame);
    }

    /// A track with a box 0.2 high goes through these places, a frame each.
    fn walk(&mut self, number: u64, way: impl IntoIterator<Item = [f32; 2]>) {
        for place in way {
            self.see(vec![places::seen(number, place, 0.2)]);
        }
    }

    fn reset(&mut self) {
        let frame = places::frame(Duration::from_millis(self.frame * 100), Vec::new());
        let input = Input::Reset { capture: frame.capture, arrival: frame.arrival };
        self.rules.take(input, |firing| self.told.push(firing));
    }

    /// Types of what was told, and of whom.
    fn said(&self) -> Vec<(&'static str, Option<u64>)> {
        self.told.iter().map(|firing| (firing.draft.event_type.name(), firing.track)).collect()
    }

    /// A fact of an event.
    fn fact(&self, event: usize, key: &str) -> serde_json::Value {
        self.told[event].draft.data.get(key).cloned().unwrap_or_default()
    }

    /// Seconds after noon of a time that is told.
    fn time(&self, event: usize, key: &str) -> f64 {
        let time: watchkeeper::types::time::Timestamp = serde_json::from_value(self.fact(event, key)).unwrap();
        (time.0 - places::NOON) as f64 / 1e6
    }
}

/// From one place to another in so many steps, ends included.
fn way(from: [f32; 2], to: [f32; 2], steps: u16) -> Vec<[f32; 2]> {
    let part = |k: u16| f32::from(k) / f32::from(steps);
    (0..=steps).map(|k| [0, 1].map(|axis: usize| from[axis] + (to[axis] - from[axis]) * part(k))).collect()
}

/// A place, for so many frames.
fn stand(place: [f32; 2], frames: usize) -> Vec<[f32; 2]> {
    vec![place; frames]
}
