//! What there is to tell of: cameras, what they see, zones and lines. It grows as classes are seen for the first time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::telemetry::metrics::Metrics;

/// By camera.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Things(pub(super) BTreeMap<String, CameraThings>);

/// Of one camera.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CameraThings {
    /// Classes seen so far: a model may know hundreds.
    pub(super) labels: BTreeSet<String>,
    /// Zones, each with the classes that are counted in it.
    pub(super) zones: BTreeMap<String, BTreeSet<String>>,
    pub(super) lines: BTreeSet<String>,
}

impl Things {
    /// These and those.
    pub(super) fn join(&mut self, others: &Self) {
        for (id, other) in &others.0 {
            let camera = self.0.entry(id.clone()).or_default();
            camera.labels.extend(other.labels.iter().cloned());
            camera.lines.extend(other.lines.iter().cloned());
            for (zone, labels) in &other.zones {
                camera.zones.entry(zone.clone()).or_default().extend(labels.iter().cloned());
            }
        }
    }
}

/// What is left with the broker, told there in a retained message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inventory {
    /// The client id of whoever wrote it.
    pub(super) client: String,
    /// Prefixes of Home Assistant's discovery.
    #[serde(default)]
    pub(super) discovery: BTreeSet<String>,
    #[serde(default)]
    pub(super) cameras: Things,
}

/// Looks for what there is.
pub(super) struct Survey {
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    /// Classes seen, by camera, those of earlier runs included.
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl Survey {
    pub(super) fn new(config: &Arc<Config>, metrics: &Arc<Metrics>) -> Self {
        Self { config: Arc::clone(config), metrics: Arc::clone(metrics), seen: BTreeMap::new() }
    }

    /// An earlier run has seen these; what the config no longer knows is passed over.
    pub(super) fn remember(&mut self, things: &Things) {
        for (id, camera) in &things.0 {
            let known = self.labels(id);
            // A model without labels says nothing about what it may see.
            let possible = |label: &&String| known.is_empty() || known.contains(*label);
            let labels = camera.labels.iter().filter(possible).cloned();
            self.seen.entry(id.clone()).or_default().extend(labels);
        }
    }

    fn labels(&self, camera: &str) -> BTreeSet<String> {
        let camera = self.config.cameras.iter().find(|known| known.id == camera);
        let model = camera.and_then(|camera| self.config.models.get(*camera.models.first()?));
        model.map(|model| model.labels.iter().cloned().collect()).unwrap_or_default()
    }

    /// What there is now.
    pub(super) fn things(&mut self) -> Things {
        let mut things = Things::default();
        for camera in self.metrics.cameras() {
            let seen = self.seen.entry(camera.id.clone()).or_default();
            camera.each_label(|label, _, ever| {
                if ever && !seen.contains(label) {
                    seen.insert(label.to_owned());
                }
            });
            let here = things.0.entry(camera.id.clone()).or_default();
            camera.counts.each_zone(|zone, label, count| {
                if !here.zones.contains_key(zone) {
                    here.zones.insert(zone.to_owned(), BTreeSet::new());
                }
                if count > 0 && !seen.contains(label) {
                    seen.insert(label.to_owned());
                }
            });
            camera.counts.each_line(|line, _| {
                here.lines.insert(line.to_owned());
            });
        }
        for camera in &self.config.cameras {
            let here = things.0.entry(camera.id.clone()).or_default();
            for zone in &camera.zones {
                here.zones.entry(zone.common.id.clone()).or_default().extend(zone.common.classes.iter().cloned());
            }
            here.lines.extend(camera.lines.iter().map(|line| line.common.id.clone()));
        }
        for (id, here) in &mut things.0 {
            here.labels = self.seen.get(id).cloned().unwrap_or_default();
            for labels in here.zones.values_mut().filter(|labels| labels.is_empty()) {
                labels.clone_from(&here.labels);
            }
        }
        things
    }
}
