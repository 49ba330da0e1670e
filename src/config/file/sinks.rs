//! `[[sinks]]` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::meaning;
use crate::config::words::NAME;

/// Where events go.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["type"]))]
pub(in crate::config) struct Sink {
    /// Kind of sink. `jsonl`: one JSON object a line. `mqtt`: a broker of MQTT. `webhook`: HTTP POST. `nats`: a stream
    /// of NATS JetStream. `redis`: a Redis stream.
    #[serde(rename = "type")]
    pub kind: Option<SinkType>,
    /// Names its place in the outbox, so that it goes on where it was: lower-case letters, digits, `_` and `-`, at most
    /// 64. Unique. Default: the type; for files `jsonl-` and the name of the file.
    #[schemars(regex(pattern = NAME))]
    pub id: Option<String>,
    /// How events are written. `native`: schema `event/1`. `frigate`: as on Frigate's `frigate/events`. `deepstream`:
    /// DeepStream's minimal schema.
    #[schemars(extend("default" = "native"))]
    pub dialect: Option<meaning::Dialect>,
    /// Types that go there, such as `"line.crossed"` or `"zone.*"`; what is left out is a gap in `seq` there. Default:
    /// all.
    #[schemars(length(min = 1))]
    pub types: Option<Vec<String>>,
    /// Cameras whose events go there, by id. Default: all, and events about the device.
    #[schemars(length(min = 1))]
    pub cameras: Option<Vec<String>>,
    /// The file that lines are added to; `-` is standard output. `jsonl` only, and needed there.
    #[schemars(length(min = 1))]
    pub path: Option<String>,
    /// A new file is begun at this size, megabytes. Files only.
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = ROTATE_MB))]
    pub rotate_mb: Option<u64>,
    /// Rotated files kept; `<path>.1` is the newest. Files only.
    #[schemars(range(min = 0, max = 1000), extend("default" = ROTATED_KEPT))]
    pub keep: Option<u32>,
    /// The server, without user name and password: `mqtt://`, `mqtts://`, `http://`, `https://`, `nats://`, `tls://`
    /// (NATS), `redis://`, `rediss://`. Needed by all but `jsonl`.
    #[schemars(length(min = 1, max = 4096))]
    pub url: Option<String>,
    /// User name; needs exactly one of the three `password_` keys. Not for `jsonl`.
    #[schemars(length(min = 1, max = 256))]
    pub username: Option<String>,
    /// File that holds the password; one newline at its end is left out.
    #[schemars(length(min = 1))]
    pub password_file: Option<String>,
    /// Environment variable that holds the password.
    #[schemars(length(min = 1))]
    pub password_env: Option<String>,
    /// systemd credential that holds the password: the name in the unit's `LoadCredential=`.
    #[schemars(length(min = 1, max = 255))]
    pub password_credential: Option<String>,
    /// Certificates (PEM) of the authorities that the server's is to be from. Encrypted servers only. Default: those of
    /// the system.
    #[schemars(length(min = 1))]
    pub ca_file: Option<String>,
    /// Our certificate (PEM) for servers that ask for one; together with `key_file`.
    #[schemars(length(min = 1))]
    pub certificate_file: Option<String>,
    /// Its key (PEM).
    #[schemars(length(min = 1))]
    pub key_file: Option<String>,
    /// Longest wait for a connection and for an answer, seconds. Not for `jsonl`.
    #[schemars(range(min = 0.1, max = 300), extend("default" = TIMEOUT_S))]
    pub timeout_s: Option<f64>,
    /// Topics, subjects and keys begin with it. `mqtt`, `nats` and `redis` only.
    #[schemars(length(min = 1, max = 200), extend("default" = "watchkeeper"))]
    pub prefix: Option<String>,
    /// Version of the protocol: `3.1.1` or `5`. `mqtt` only.
    #[schemars(extend("default" = "3.1.1"))]
    pub mqtt_version: Option<meaning::MqttVersion>,
    /// Client identifier; no two clients of a broker have the same. `mqtt` only. Default: `watchkeeper-` and the device.
    #[schemars(length(min = 1, max = 128))]
    pub client_id: Option<String>,
    /// The broker hears from us at least so often, seconds. `mqtt` only.
    #[schemars(range(min = 5, max = 3600), extend("default" = KEEP_ALIVE_S))]
    pub keep_alive_s: Option<u32>,
    /// Topic prefix of Home Assistant's discovery, `homeassistant` there. `mqtt` only. Default: nothing is announced.
    #[schemars(length(min = 1, max = 200))]
    pub discovery_prefix: Option<String>,
    /// Where people reach this daemon's pages, for links in Home Assistant. `mqtt` only.
    #[schemars(length(min = 1, max = 1000))]
    pub public_url: Option<String>,
    /// File that holds the key of the signature (HMAC-SHA256). `webhook` only. Default: not signed.
    #[schemars(length(min = 1))]
    pub secret_file: Option<String>,
    /// Environment variable that holds it.
    #[schemars(length(min = 1))]
    pub secret_env: Option<String>,
    /// systemd credential that holds it.
    #[schemars(length(min = 1, max = 255))]
    pub secret_credential: Option<String>,
    /// File that holds the token of `Authorization: Bearer`. `webhook` only. Default: none is sent.
    #[schemars(length(min = 1))]
    pub bearer_file: Option<String>,
    /// Environment variable that holds it.
    #[schemars(length(min = 1))]
    pub bearer_env: Option<String>,
    /// systemd credential that holds it.
    #[schemars(length(min = 1, max = 255))]
    pub bearer_credential: Option<String>,
    /// Events in one request at most; with 1 the body is the event, else an array of them. `webhook` only.
    #[schemars(range(min = 1, max = 1000), extend("default" = 1))]
    pub batch: Option<u32>,
    /// The stream; made where it is not there. `nats` only.
    #[schemars(length(min = 1, max = 64), extend("default" = "watchkeeper"))]
    pub stream: Option<String>,
    /// Credentials file of NATS (`.creds`): token and key. `nats` only.
    #[schemars(length(min = 1))]
    pub credentials_file: Option<String>,
    /// Number of the data base. `redis` only.
    #[schemars(range(min = 0, max = 10_000), extend("default" = 0))]
    pub database: Option<u32>,
    /// Entries that the stream keeps, about. `redis` only. Default: all.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_len: Option<u64>,
}

pub(in crate::config) const ROTATE_MB: u64 = 100;
pub(in crate::config) const ROTATED_KEPT: u32 = 5;
pub(in crate::config) const TIMEOUT_S: f64 = 10.0;
pub(in crate::config) const KEEP_ALIVE_S: u32 = 30;
/// Kind of sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum SinkType {
    /// One JSON object a line.
    Jsonl,
    /// A broker of MQTT.
    Mqtt,
    /// HTTP POST.
    Webhook,
    /// A stream of NATS JetStream.
    Nats,
    /// A Redis stream.
    Redis,
}

impl SinkType {
    /// The word.
    pub(in crate::config) const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Mqtt => "mqtt",
            Self::Webhook => "webhook",
            Self::Nats => "nats",
            Self::Redis => "redis",
        }
    }
}
