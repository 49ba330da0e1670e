//! Where events are kept, and where they go.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::types::secret::Secret;

/// The durable log of all events.
#[derive(Clone, Debug, PartialEq)]
pub struct Outbox {
    /// Older events are deleted, delivered or not.
    pub keep: Duration,
    /// The oldest are deleted beyond so many bytes, delivered or not.
    pub max_bytes: u64,
    /// Events of so long are made durable together: what a power cut may cost, and what a sink waits.
    pub commit_every: Duration,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(30 * 86_400),
            max_bytes: 1_000_000_000,
            commit_every: Duration::from_millis(50),
        }
    }
}

/// Where events go.
#[derive(Clone, Debug, PartialEq)]
pub struct Sink {
    /// `[a-z0-9_-]+`: names its cursor, so that it goes on where it was after a restart. Unique.
    pub id: String,
    /// How events are written.
    pub dialect: Dialect,
    /// Types that go there, such as `line.crossed` or `zone.*`; empty: all. Others are gaps in what it gets of `seq`.
    pub types: Vec<String>,
    /// Cameras whose events go there; empty: all, and those about the device.
    pub cameras: Vec<String>,
    /// What it is.
    pub kind: SinkKind,
}

impl Sink {
    /// User and password.
    #[must_use]
    pub fn login(&self) -> Option<&super::Credentials> {
        match &self.kind {
            SinkKind::Jsonl { .. } => None,
            SinkKind::Mqtt(mqtt) => mqtt.server.login.as_ref(),
            SinkKind::Webhook(webhook) => webhook.login.as_ref(),
            SinkKind::Nats(nats) => nats.server.login.as_ref(),
            SinkKind::Redis(redis) => redis.server.login.as_ref(),
        }
    }

    /// Secrets beside the password.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        match &self.kind {
            SinkKind::Webhook(webhook) => webhook.secret.iter().chain(&webhook.bearer).cloned().collect(),
            _ => Vec::new(),
        }
    }
}

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Schema `event/1`.
    #[default]
    Native,
    /// As Frigate's `frigate/events`: `before` and `after`.
    Frigate,
    /// DeepStream's minimal schema, version 4.0.
    Deepstream,
}

/// What a sink is.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkKind {
    /// One JSON object a line.
    Jsonl {
        /// The file; `None`: standard output.
        path: Option<PathBuf>,
        /// A new file is begun at this size.
        rotate_bytes: u64,
        /// Rotated files kept (`<path>.1` is the newest).
        keep: u32,
    },
    /// A broker of MQTT.
    Mqtt(Box<Mqtt>),
    /// HTTP POST.
    Webhook(Box<Webhook>),
    /// A stream of NATS JetStream.
    Nats(Box<Nats>),
    /// A stream of Redis.
    Redis(Box<Redis>),
}

impl SinkKind {
    /// The word in the config.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Jsonl { .. } => "jsonl",
            Self::Mqtt(_) => "mqtt",
            Self::Webhook(_) => "webhook",
            Self::Nats(_) => "nats",
            Self::Redis(_) => "redis",
        }
    }
}

/// A server, and how to be let in.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `None`: not encrypted.
    pub tls: Option<Tls>,
    /// User and password.
    pub login: Option<super::Credentials>,
    /// Each step of connecting, and an answer that is waited for.
    pub timeout: Duration,
}

/// Whom to believe, and who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates (PEM) of authorities to believe; `None`: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Our certificate (PEM), and its key.
    pub client: Option<ClientCertificate>,
}

/// A certificate of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM.
    pub certificate_file: PathBuf,
    /// PEM.
    pub key_file: PathBuf,
}

/// MQTT.
#[derive(Clone, Debug, PartialEq)]
pub struct Mqtt {
    /// The broker.
    pub server: Server,
    /// 3.1.1 or 5.
    pub version: MqttVersion,
    /// Topics begin with it.
    pub prefix: String,
    /// Client identifier. Default: the prefix and the device.
    pub client_id: String,
    /// The broker hears from us at least so often.
    pub keep_alive: Duration,
    /// Topic prefix of Home Assistant's discovery; `None`: none.
    pub discovery: Option<String>,
    /// Where the device's own pages are, for links in Home Assistant.
    pub public_url: Option<String>,
}

/// Version of MQTT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MqttVersion {
    /// 3.1.1.
    #[default]
    #[serde(rename = "3.1.1")]
    V311,
    /// 5.
    #[serde(rename = "5")]
    V5,
}

/// HTTP POST.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// `http://` or `https://`, without userinfo.
    pub url: String,
    /// Basic authentication.
    pub login: Option<super::Credentials>,
    /// Whom to believe.
    pub tls: Tls,
    /// Key of the HMAC-SHA256 over time stamp and body; `None`: not signed.
    pub secret: Option<Secret>,
    /// Sent as `Authorization: Bearer`.
    pub bearer: Option<Secret>,
    /// Events in one request at most; 1: the object itself, more: an array.
    pub batch: usize,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// NATS JetStream.
#[derive(Clone, Debug, PartialEq)]
pub struct Nats {
    /// The server.
    pub server: Server,
    /// Credentials file (`.creds`): user JWT and key.
    pub credentials_file: Option<PathBuf>,
    /// Name of the stream; made where it is not there.
    pub stream: String,
    /// Subjects begin with it: `<prefix>.events.<device>.<camera>.<type>`.
    pub prefix: String,
}

/// Redis Streams.
#[derive(Clone, Debug, PartialEq)]
pub struct Redis {
    /// The server.
    pub server: Server,
    /// Number of the data base.
    pub database: u32,
    /// Keys begin with it: `<prefix>:events:<device>`.
    pub prefix: String,
    /// Entries kept in the stream, about; `None`: all.
    pub max_len: Option<u64>,
}
