//! Keys, ids and fields.

use redis::Pipeline;

use super::super::Stored;
use super::super::bodies::Outgoing;
use super::errors::Place;
use super::numbers::Last;
use crate::config::Redis;

/// The names of one device's events on one server.
pub(super) struct Names {
    /// `host:port`.
    pub(super) server: String,
    /// The stream.
    pub(super) key: String,
    /// Where the last event taken is noted.
    pub(super) note: String,
    config: Redis,
}

impl Names {
    pub(super) fn new(config: &Redis, device: &str) -> Self {
        Self {
            server: format!("{}:{}", config.server.host, config.server.port),
            key: format!("{}:events:{device}", config.prefix),
            note: format!("{}:last:{device}", config.prefix),
            config: config.clone(),
        }
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place { server: &self.server, config: &self.config, key: &self.key }
    }

    /// Adds the command that notes the last event taken.
    pub(super) fn note(&self, pipeline: &mut Pipeline, taken: Option<&Last>) {
        if let Some(last) = taken {
            pipeline.cmd("SET").arg(&self.note).arg(last.written());
        }
    }

    /// Adds the command that adds an entry.
    pub(super) fn entry(&self, pipeline: &mut Pipeline, event: &Stored, outgoing: &Outgoing) {
        pipeline.cmd("XADD").arg(&self.key);
        if let Some(max_len) = self.config.max_len {
            pipeline.arg("MAXLEN").arg("~").arg(max_len);
        }
        pipeline.arg(id(event, outgoing)).arg("event_id").arg(&event.id).arg("type").arg(&event.event_type);
        pipeline.arg("camera").arg(&event.camera).arg("body").arg(&outgoing.body);
    }
}

/// An entry's id.
pub(super) fn id(event: &Stored, outgoing: &Outgoing) -> String {
    format!("{}-{}", event.seq, outgoing.part)
}
