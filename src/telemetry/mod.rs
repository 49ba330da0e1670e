//! What the operator sees: log lines, metrics, progress.

pub mod log;
pub mod metrics;
pub mod progress;
pub mod redact;
