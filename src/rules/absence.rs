//! Nobody there.

use std::time::Duration;

use super::Watch;
use super::gate::Gate;
use super::held::Pace;
use super::out::Out;
use super::place::Place;
use super::spell::Spell;
use super::view::{Moment, View};
use crate::config;
use crate::types::event::EventType;

/// `zone.absence`, start and end. The clock begins with the first frame, so a place that is empty from the start is
/// told of too, and stands still while there are no frames. A track that is only predicted is there.
pub(super) struct Absence {
    gate: Gate,
    place: Place,
    after: Duration,
    /// Since when nobody is there.
    since: Option<Moment>,
    pace: Pace,
    spell: Spell,
}

impl Absence {
    pub(super) fn new(camera: &config::Camera, rule: &config::Rule, after: Duration) -> Self {
        Self {
            gate: Gate::new(&rule.common),
            place: Place::new(camera, rule),
            after,
            since: None,
            pace: Pace::default(),
            spell: Spell::Untold,
        }
    }

    fn end(&mut self, until: Moment, reason: &str, out: &mut Out) {
        let place = &self.place;
        let over = (None, until, reason);
        self.spell.end((&self.gate, out), EventType::ZoneAbsence, over, || place.data());
    }
}

impl Watch for Absence {
    fn see(&mut self, view: &View<'_>, _: &mut [u64], out: &mut Out) {
        let now = view.now();
        if let (Some(gap), Some(since)) = (self.pace.see(now), &mut self.since) {
            let watched = gap.last.since(*since).min(self.after.saturating_sub(gap.settle));
            *since = now.earlier(watched);
        }
        let since = *self.since.get_or_insert(now);
        if self.place.those(view).next().is_some() {
            self.end(now, "present", out);
            self.since = Some(now);
        } else if now.since(since) >= self.after {
            let place = &self.place;
            self.spell.begin((&mut self.gate, out), EventType::ZoneAbsence, (None, since), || place.data());
        }
    }

    fn reset(&mut self, out: &mut Out) {
        if let Some(now) = self.pace.end() {
            self.end(now, "reset", out);
        }
        self.since = None;
    }

    fn heed(&mut self, labels: &[String]) {
        self.place.heed(labels);
    }
}
