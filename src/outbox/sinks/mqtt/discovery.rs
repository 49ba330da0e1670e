//! Home Assistant's MQTT discovery: one retained message per entity, an empty one takes it back.
//!
//! Topic: `<discovery>/<component>/<unique id>/config`. The unique id is made of prefix, camera, place and label only,
//! so that it stays what it is over restarts, versions and renewed hardware. Its parts are joined by `__`, which names
//! hardly have in them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::things::Things;
use super::topics;
use crate::config::Mqtt;

/// Makes the messages.
pub(super) struct Discovery {
    /// `homeassistant`, if nobody changed it.
    root: String,
    prefix: String,
    public_url: Option<String>,
    /// Begins every unique id.
    base: String,
}

/// An entity: its component, the end of its unique id, its name.
struct Entity<'a> {
    component: &'a str,
    id: String,
    name: String,
    /// What is special about it.
    more: Value,
}

const OCCUPIED: &str = "{{ 'ON' if value | int(0) > 0 else 'OFF' }}";
const CONNECTED: &str = "{{ 'ON' if value in ['online', 'degraded'] else 'OFF' }}";
const ONLINE: &str = "{{ 'online' if value in ['online', 'degraded'] else 'offline' }}";

impl Discovery {
    pub(super) fn new(root: &str, mqtt: &Mqtt) -> Self {
        Self { public_url: mqtt.public_url.clone(), ..Self::bare(root, &mqtt.prefix) }
    }

    /// For the topics only.
    pub(super) fn bare(root: &str, prefix: &str) -> Self {
        Self { root: root.to_owned(), prefix: prefix.to_owned(), public_url: None, base: topics::id(prefix) }
    }

    /// Its topics begin with it.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Where Home Assistant says that it has started.
    pub(super) fn status(&self) -> String {
        format!("{}/status", self.root)
    }

    /// One message per entity, by topic.
    pub(super) fn messages(&self, things: &Things) -> BTreeMap<String, Vec<u8>> {
        let mut out = BTreeMap::new();
        self.daemon(&mut out);
        for id in things.0.keys() {
            self.camera(id, &mut out);
        }
        for (id, camera) in &things.0 {
            for label in &camera.labels {
                let topic = topics::seen(&self.prefix, id, label);
                self.count(id, &topics::id(label), label, &topic, &mut out);
            }
            for (zone, labels) in &camera.zones {
                for label in labels {
                    let topic = topics::inside(&self.prefix, id, zone, label);
                    let entity = format!("{zone}__{}", topics::id(label));
                    self.count(id, &format!("zone__{entity}"), &format!("{zone} {label}"), &topic, &mut out);
                }
            }
            for line in &camera.lines {
                for way in ["in", "out"] {
                    let more = json!({
                        "state_topic": topics::crossed(&self.prefix, id, line, way),
                        "state_class": "total_increasing",
                        "icon": if way == "in" { "mdi:arrow-right-bold" } else { "mdi:arrow-left-bold" },
                        "availability": [self.available()],
                    });
                    let (entity, name) = (format!("line__{line}__{way}"), format!("{line} {way}"));
                    self.add(Some(id), Entity { component: "sensor", id: entity, name, more }, &mut out);
                }
            }
        }
        out
    }

    fn daemon(&self, out: &mut BTreeMap<String, Vec<u8>>) {
        let connected = json!({
            "state_topic": topics::available(&self.prefix),
            "payload_on": "online",
            "payload_off": "offline",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
        });
        let entity = Entity {
            component: "binary_sensor",
            id: "available".to_owned(),
            name: "connection".to_owned(),
            more: connected,
        };
        self.add(None, entity, out);
        let figures = [
            ("cameras_online", "cameras online", json!({"state_class": "measurement", "icon": "mdi:cctv"})),
            ("events", "events", json!({"state_class": "total_increasing", "icon": "mdi:counter"})),
            (
                "uptime_s",
                "uptime",
                json!({
                    "device_class": "duration",
                    "unit_of_measurement": "s",
                    "state_class": "measurement",
                    "enabled_by_default": false,
                }),
            ),
        ];
        for (key, name, mut more) in figures {
            more["value_template"] = json!(format!("{{{{ value_json.{key} }}}}"));
            more["state_topic"] = json!(topics::stats(&self.prefix));
            more["entity_category"] = json!("diagnostic");
            more["availability"] = json!([self.available()]);
            self.add(None, Entity { component: "sensor", id: key.to_owned(), name: name.to_owned(), more }, out);
        }
    }

    fn camera(&self, id: &str, out: &mut BTreeMap<String, Vec<u8>>) {
        let connected = json!({
            "state_topic": topics::status(&self.prefix, id),
            "value_template": CONNECTED,
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "availability": [self.available()],
        });
        let entity = Entity {
            component: "binary_sensor",
            id: "status".to_owned(),
            name: "connection".to_owned(),
            more: connected,
        };
        self.add(Some(id), entity, out);
        let fps = json!({
            "state_topic": topics::stats(&self.prefix),
            "value_template": format!("{{{{ value_json.cameras['{id}'].inferred_fps }}}}"),
            "unit_of_measurement": "fps",
            "state_class": "measurement",
            "entity_category": "diagnostic",
            "enabled_by_default": false,
            "availability": self.both(id),
            "availability_mode": "all",
        });
        let entity =
            Entity { component: "sensor", id: "fps".to_owned(), name: "analysed frames".to_owned(), more: fps };
        self.add(Some(id), entity, out);
    }

    /// A number, and whether it is more than none.
    fn count(&self, camera: &str, entity: &str, name: &str, topic: &str, out: &mut BTreeMap<String, Vec<u8>>) {
        let number = json!({
            "state_topic": topic,
            "state_class": "measurement",
            "icon": "mdi:counter",
            "availability": self.both(camera),
            "availability_mode": "all",
        });
        let occupied = json!({
            "state_topic": topic,
            "value_template": OCCUPIED,
            "device_class": "occupancy",
            "availability": self.both(camera),
            "availability_mode": "all",
        });
        let parts = [("sensor", "count", number), ("binary_sensor", "occupancy", occupied)];
        for (component, what, more) in parts {
            let (id, name) = (format!("{entity}__{what}"), format!("{name} {what}"));
            self.add(Some(camera), Entity { component, id, name, more }, out);
        }
    }

    /// Of a camera, or of the daemon.
    fn add(&self, camera: Option<&str>, entity: Entity<'_>, out: &mut BTreeMap<String, Vec<u8>>) {
        let of = camera.map_or_else(|| self.base.clone(), |camera| format!("{}__{camera}", self.base));
        let unique = format!("{of}__{}", entity.id);
        let mut payload = Map::new();
        payload.insert("name".to_owned(), json!(entity.name));
        payload.insert("unique_id".to_owned(), json!(unique));
        if let Value::Object(more) = entity.more {
            payload.extend(more);
        }
        payload.insert("device".to_owned(), self.device(camera));
        payload.insert("origin".to_owned(), json!({"name": "watchkeeper", "sw_version": env!("CARGO_PKG_VERSION")}));
        let topic = format!("{}/{}/{unique}/config", self.root, entity.component);
        out.insert(topic, Value::Object(payload).to_string().into_bytes());
    }

    fn device(&self, camera: Option<&str>) -> Value {
        let mut device = json!({
            "identifiers": [camera.map_or_else(|| self.base.clone(), |camera| format!("{}__{camera}", self.base))],
            "name": camera.map_or_else(|| self.prefix.clone(), str::to_owned),
            "manufacturer": "Watchkeeper",
            "model": if camera.is_some() { "Camera" } else { "Daemon" },
            "sw_version": env!("CARGO_PKG_VERSION"),
        });
        if camera.is_some() {
            device["via_device"] = json!(self.base);
        }
        if let Some(url) = &self.public_url {
            device["configuration_url"] = json!(url);
        }
        device
    }

    fn available(&self) -> Value {
        json!({"topic": topics::available(&self.prefix)})
    }

    fn both(&self, camera: &str) -> Value {
        json!([self.available(), {"topic": topics::status(&self.prefix, camera), "value_template": ONLINE}])
    }
}
