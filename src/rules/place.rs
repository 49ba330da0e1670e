//! Where a rule looks, and whom it looks at.

use serde_json::{Map, Value};

use super::gate::Filter;
use super::geometry;
use super::view::View;
use crate::config;
use crate::types::observation::Seen;

/// A zone or the whole picture, and who counts there. Who is inside is asked of each frame by itself, with the rule's own
/// anchor and filter; the zone's own are for the zone's events.
#[derive(Debug)]
pub(super) struct Place {
    filter: Filter,
    zone: Option<(String, Vec<[f32; 2]>)>,
}

impl Place {
    pub(super) fn new(camera: &config::Camera, rule: &config::Rule) -> Self {
        let zone = rule.zone.and_then(|zone| camera.zones.get(zone));
        Self {
            filter: Filter::new(&rule.common),
            zone: zone.map(|zone| (zone.common.id.clone(), zone.polygon.clone())),
        }
    }

    /// Classes have these names now.
    pub(super) fn heed(&mut self, labels: &[String]) {
        self.filter.heed(labels);
    }

    /// Where it is, where it counts and is inside.
    pub(super) fn of(&self, track: &Seen) -> Option<[f32; 2]> {
        let at = self.filter.place(track);
        (self.filter.counts(track) && self.contains(at)).then_some(at)
    }

    /// Those that count and are inside, with where they are.
    pub(super) fn those<'a>(&self, view: &View<'a>) -> impl Iterator<Item = (&'a Seen, [f32; 2])> {
        self.filter.those(view).filter(|(_, at)| self.contains(*at))
    }

    fn contains(&self, at: [f32; 2]) -> bool {
        self.zone.as_ref().is_none_or(|(_, polygon)| geometry::contains(polygon, at))
    }

    /// What all events of the rule say: the zone, where there is one.
    pub(super) fn data(&self) -> Map<String, Value> {
        let zone = self.zone.iter().map(|(id, _)| ("zone".to_owned(), Value::from(id.as_str())));
        zone.collect()
    }

    /// The same with more.
    pub(super) fn data_with<const N: usize>(&self, more: [(&str, Value); N]) -> Map<String, Value> {
        let mut data = self.data();
        data.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        data
    }
}

/// Classes by name.
#[derive(Debug)]
pub(super) struct Labels {
    names: Vec<String>,
    /// By class.
    classes: Vec<bool>,
}

impl Labels {
    pub(super) fn new(names: &[String]) -> Self {
        Self { names: names.to_vec(), classes: Vec::new() }
    }

    /// Classes have these names now.
    pub(super) fn heed(&mut self, labels: &[String]) {
        self.classes.clear();
        self.classes.extend(labels.iter().map(|label| self.names.contains(label)));
    }

    /// Is its class one of these?
    pub(super) fn has(&self, track: &Seen) -> bool {
        self.classes.get(usize::from(track.class)).copied().unwrap_or(false)
    }

    /// The class with the same name as before; where there is none, one that nothing is called.
    pub(super) fn renumber(track: &mut Seen, before: &[String], labels: &[String]) {
        let name = before.get(usize::from(track.class));
        let class = name.and_then(|name| labels.iter().position(|label| label == name));
        track.class = class.and_then(|class| u16::try_from(class).ok()).unwrap_or(u16::MAX);
    }
}
