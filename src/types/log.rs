//! Where log lines go: asked for by the configuration, done by telemetry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where log lines go.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// `tracing_subscriber::EnvFilter` directives.
    pub filter: String,
    /// Shape and destination.
    pub format: LogFormat,
}

/// Shape and destination of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Journald where stderr is connected to it, else text.
    Auto,
    /// Text on stderr.
    Text,
    /// One JSON object a line on stderr.
    Json,
    /// Text on stderr with the level as journald reads it.
    Journald,
}
