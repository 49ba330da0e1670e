//! So many at once.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Watch;
use super::gate::Gate;
use super::held::{Held, Pace, lapse};
use super::out::Out;
use super::place::Place;
use super::spell::Spell;
use super::view::{Moment, View};
use crate::config;
use crate::types::event::EventType;

/// `crowd.start`, `crowd.end`. Begins once `from` or more have been there for `hold`, ends once it has been `until` or
/// fewer for as long; between the two nothing changes. Tracks that are only predicted count.
pub(super) struct Crowd {
    gate: Gate,
    place: Place,
    from: u32,
    until: u32,
    hold: Duration,
    many: Held,
    few: Held,
    /// Since when it is one.
    began: Option<Moment>,
    peak: u32,
    /// In this frame, by class.
    counts: Vec<u32>,
    pace: Pace,
    /// How many were there in the latest frame.
    count: u32,
    spell: Spell,
}

impl Crowd {
    pub(super) fn new(camera: &config::Camera, rule: &config::Rule, (from, until): (u32, u32), hold: Duration) -> Self {
        Self {
            gate: Gate::new(&rule.common),
            place: Place::new(camera, rule),
            from: from.max(1),
            until: until.min(from.max(1) - 1),
            hold,
            many: Held::default(),
            few: Held::default(),
            began: None,
            peak: 0,
            counts: Vec::with_capacity(128),
            pace: Pace::default(),
            count: 0,
            spell: Spell::Untold,
        }
    }

    /// Counts who is there.
    fn count_all(&mut self, view: &View<'_>) -> u32 {
        self.counts.clear();
        self.counts.resize(view.labels.len(), 0);
        let mut all = 0;
        for (track, _) in self.place.those(view) {
            all += 1;
            if let Some(count) = self.counts.get_mut(usize::from(track.class)) {
                *count += 1;
            }
        }
        all
    }

    fn end(&mut self, count: u32, (until, reason): (Moment, &str), out: &mut Out) {
        let (place, peak) = (&self.place, self.peak);
        let over = (None, until, reason);
        self.spell.end((&self.gate, out), EventType::CrowdEnd, over, || {
            place.data_with([("count", count.into()), ("peak", peak.into())])
        });
        (self.many, self.few, self.peak, self.began) = (Held::default(), Held::default(), 0, None);
    }
}

impl Watch for Crowd {
    fn see(&mut self, view: &View<'_>, _: &mut [u64], out: &mut Out) {
        let now = view.now();
        if self.pace.see(now).is_some() {
            self.many.clear();
            self.few.clear();
        }
        let count = self.count_all(view);
        self.count = count;
        self.many.see(count >= self.from, now, lapse(self.hold));
        self.peak = if self.began.or(self.many.since()).is_some() { self.peak.max(count) } else { 0 };
        self.began = self.began.or(self.many.held(self.hold, now));
        let Some(began) = self.began else { return };
        self.few.see(count <= self.until, now, lapse(self.hold));
        if let Some(until) = self.few.held(self.hold, now) {
            return self.end(count, (until, "few"), out);
        }
        let (place, counts) = (&self.place, &self.counts);
        self.spell.begin((&mut self.gate, out), EventType::CrowdStart, (None, began), || {
            place.data_with([("count", count.into()), ("labels", by_label(view.labels, counts))])
        });
    }

    fn reset(&mut self, out: &mut Out) {
        if let Some(now) = self.pace.end() {
            self.end(self.count, (now, "reset"), out);
        }
    }

    fn heed(&mut self, labels: &[String]) {
        self.place.heed(labels);
    }
}

/// How many of each; those of whom there are none are left out.
fn by_label(labels: &[String], counts: &[u32]) -> Value {
    let some = labels.iter().zip(counts).filter(|(_, count)| **count > 0);
    Value::Object(some.map(|(label, count)| (label.clone(), Value::from(*count))).collect::<Map<_, _>>())
}
