//! What is told beside events: availability, states, counts, figures, Home Assistant's discovery. Retained at the
//! broker, said again only when it changes, taken back when its subject is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::Opening;
use super::discovery::Discovery;
use super::packets::Message;
use super::stats::{Rates, status};
use super::things::{Inventory, Survey, Things};
use super::topics;
use super::trouble::chance;
use crate::config::Mqtt;
use crate::telemetry::metrics::Metrics;

/// States and counts are told so often at most.
const STATES_EVERY: Duration = Duration::from_millis(500);
/// Figures are told so often.
const STATS_EVERY: Duration = Duration::from_secs(10);
/// Home Assistant asks everybody at once to say again what there is: answers are spread over this time.
const SPREAD: Duration = Duration::from_secs(2);

/// Retained messages, by topic.
type Retained = BTreeMap<String, Vec<u8>>;

/// See the module.
pub(super) struct Board {
    sink: String,
    prefix: String,
    client_id: String,
    discovery: Option<Discovery>,
    survey: Survey,
    metrics: Arc<Metrics>,
    /// What the broker keeps, as far as is known; without a value: left there by an earlier run.
    kept: BTreeMap<String, Option<Vec<u8>>>,
    inventory: Option<Inventory>,
    /// What earlier runs left is known.
    remembers: bool,
    states_due: Instant,
    stats_due: Instant,
    discovery_due: Option<Instant>,
    rates: Rates,
    warned: bool,
}

impl Board {
    pub(super) fn new(mqtt: &Mqtt, opening: &Opening<'_>) -> Self {
        let now = Instant::now();
        Self {
            sink: opening.sink.id.clone(),
            prefix: mqtt.prefix.clone(),
            client_id: mqtt.client_id.clone(),
            discovery: mqtt.discovery.as_ref().map(|topic| Discovery::new(topic, mqtt)),
            survey: Survey::new(opening.config, opening.metrics),
            metrics: Arc::clone(opening.metrics),
            kept: BTreeMap::new(),
            inventory: None,
            remembers: false,
            states_due: now,
            stats_due: now,
            discovery_due: None,
            rates: Rates::new(),
            warned: false,
        }
    }

    /// We are there.
    pub(super) fn here(&self) -> Message {
        Message::retained(topics::available(&self.prefix), "online")
    }

    /// We are not: the last will.
    pub(super) fn gone(&self) -> Message {
        super::gone(&self.prefix)
    }

    /// Topics to subscribe to.
    pub(super) fn wanted(&self) -> Vec<String> {
        let status = self.discovery.as_ref().map(Discovery::status);
        std::iter::once(topics::inventory(&self.prefix)).chain(status).collect()
    }

    /// A new connection: everything is told anew, for the broker may have forgotten.
    pub(super) fn connected(&mut self) {
        self.kept.values_mut().for_each(|value| *value = None);
        self.inventory = self.inventory.take().filter(|_| self.remembers);
        self.states_due = Instant::now();
        self.stats_due = Instant::now();
        self.discovery_due = None;
    }

    /// Subscriptions that the broker granted, in the order of [`Board::wanted`].
    pub(super) fn granted(&mut self, granted: &[bool]) {
        for (topic, _) in self.wanted().iter().zip(granted).filter(|(_, granted)| !**granted) {
            let sink = &self.sink;
            tracing::warn!(sink, topic, "the broker does not let this user subscribe; allow it in its access rules");
        }
    }

    /// What earlier runs left is known.
    pub(super) fn remembers(&self) -> bool {
        self.remembers
    }

    /// A message came.
    pub(super) fn heard(&mut self, topic: &str, payload: &[u8], retained: bool) {
        if self.discovery.as_ref().is_some_and(|discovery| discovery.status() == topic) {
            if payload == b"online" && !retained {
                self.discovery_due = Some(Instant::now() + SPREAD.mul_f64(chance()));
            }
        } else if topic == topics::inventory(&self.prefix)
            && let Ok(inventory) = serde_json::from_slice::<Inventory>(payload)
        {
            if inventory.client != self.client_id {
                self.warn_of(&inventory.client);
            } else if retained {
                self.remember(inventory);
            }
        }
    }

    /// Its availability would be taken for ours, and its cameras for ours by whoever listens.
    fn warn_of(&mut self, client: &str) {
        if !self.warned {
            let (sink, prefix) = (&self.sink, &self.prefix);
            tracing::warn!(
                sink,
                prefix,
                client,
                "another client publishes under the same prefix; give each device a prefix of its own"
            );
            self.warned = true;
        }
    }

    fn remember(&mut self, inventory: Inventory) {
        self.survey.remember(&inventory.cameras);
        for topic in self.everything(&inventory) {
            self.kept.entry(topic).or_insert(None);
        }
        self.inventory = Some(inventory);
        self.remembers = true;
    }

    /// Every topic that belongs to these things.
    fn everything(&self, inventory: &Inventory) -> BTreeSet<String> {
        let mut topics: BTreeSet<String> = self.states(&inventory.cameras).into_keys().collect();
        for prefix in &inventory.discovery {
            topics.extend(Discovery::bare(prefix, &self.prefix).messages(&inventory.cameras).into_keys());
        }
        topics
    }

    /// What is to be said now.
    pub(super) fn due(&mut self) -> Vec<Message> {
        let now = Instant::now();
        let mut out = Vec::new();
        if now >= self.states_due {
            self.states_due = now + STATES_EVERY;
            self.remembers = true;
            self.changes(&mut out);
        }
        if now >= self.stats_due {
            self.stats_due = now + STATS_EVERY;
            let payload = self.rates.stats(&self.metrics);
            out.push(Message { topic: topics::stats(&self.prefix), payload, retain: false });
        }
        out
    }

    fn changes(&mut self, out: &mut Vec<Message>) {
        let things = self.survey.things();
        let mut wanted = self.states(&things);
        if let Some(discovery) = &self.discovery {
            let again = self.discovery_due.take_if(|due| *due <= Instant::now()).is_some();
            let messages = discovery.messages(&things);
            if again {
                messages.keys().for_each(|topic| drop(self.kept.remove(topic)));
            }
            wanted.extend(messages);
        }
        let now = Inventory {
            client: self.client_id.clone(),
            discovery: self.discovery.iter().map(|discovery| discovery.root().to_owned()).collect(),
            cameras: things,
        };
        // Told before anything new is, and after what is gone was taken back: whatever happens in between, a later
        // run finds everything.
        let mut both = now.clone();
        if let Some(before) = &self.inventory {
            both.discovery.extend(before.discovery.iter().cloned());
            both.cameras.join(&before.cameras);
        }
        self.say(both, out);
        let stale: Vec<_> = self.kept.keys().filter(|topic| !wanted.contains_key(*topic)).cloned().collect();
        for topic in stale {
            self.kept.remove(&topic);
            out.push(Message::retained(topic, ""));
        }
        for (topic, payload) in wanted {
            let kept = self.kept.entry(topic.clone()).or_default();
            if kept.as_ref() != Some(&payload) {
                *kept = Some(payload.clone());
                out.push(Message::retained(topic, payload));
            }
        }
        self.say(now, out);
    }

    /// Tells the inventory, if it is another one.
    fn say(&mut self, inventory: Inventory, out: &mut Vec<Message>) {
        if self.inventory.as_ref() == Some(&inventory) {
            return;
        }
        if let Ok(payload) = serde_json::to_vec(&inventory) {
            out.push(Message::retained(topics::inventory(&self.prefix), payload));
        }
        self.inventory = Some(inventory);
    }

    /// States and counts.
    fn states(&self, things: &Things) -> Retained {
        let cameras = self.metrics.cameras();
        let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
        let mut states = Retained::new();
        let prefix = &self.prefix;
        for (id, things) in &things.0 {
            let camera = cameras.iter().rfind(|camera| camera.id == *id);
            let status = camera.map_or("disabled", |camera| status(camera));
            states.insert(topics::status(prefix, id), status.into());
            for label in &things.labels {
                numbers.insert(topics::seen(prefix, id, label), 0);
            }
            for (zone, labels) in &things.zones {
                numbers.extend(labels.iter().map(|label| (topics::inside(prefix, id, zone, label), 0)));
            }
            for line in &things.lines {
                numbers.extend(["in", "out"].map(|way| (topics::crossed(prefix, id, line, way), 0)));
            }
            let Some(camera) = camera else { continue };
            // Two labels may be one topic.
            let mut add = |topic: String, count: u64| {
                if let Some(number) = numbers.get_mut(&topic) {
                    *number += count;
                }
            };
            camera.each_label(|label, now, _| add(topics::seen(prefix, id, label), now));
            camera.counts.each_zone(|zone, label, now| add(topics::inside(prefix, id, zone, label), now.into()));
            camera.counts.each_line(|line, [into, out]| {
                add(topics::crossed(prefix, id, line, "in"), into);
                add(topics::crossed(prefix, id, line, "out"), out);
            });
        }
        states.extend(numbers.into_iter().map(|(topic, number)| (topic, number.to_string().into_bytes())));
        states
    }
}
