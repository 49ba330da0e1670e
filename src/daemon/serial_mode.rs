//! Serial mode outlives the process: once an engine has proven that it cannot bear parallel executions, a restart must
//! not try again. It ends when an operator says so.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Map, Value, json};

use super::state_file;
use crate::config::{Concurrency, Runtime};
use crate::inference::{ModelManager, SerialMode};
use crate::types::event::{EventDraft, EventType, Phase};
use crate::types::time::{Clock, Timestamp};

/// The file that says so.
pub(super) struct Tripped {
    path: PathBuf,
    /// With `concurrency = "auto"` only: else the configuration says what is.
    kept: bool,
}

impl Tripped {
    pub(super) fn new(runtime: &Runtime) -> Self {
        let path = runtime.state_dir.join("serial-mode.json");
        Self { path, kept: runtime.concurrency == Concurrency::Auto }
    }

    /// Goes on in serial mode where the last run ended in it.
    pub(super) fn resume(&self, models: &ModelManager) {
        if !self.kept {
            return;
        }
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return tracing::warn!(path = %self.path.display(), "cannot be read: {error}"),
        };
        // Whatever stands there, the file itself says that the breaker tripped.
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        let (since, model) = (said["since"].as_str().unwrap_or("earlier"), said["model"].as_str().unwrap_or("a model"));
        let reason = format!("the engine of {model} failed in parallel, {since}; kept by {}", self.path.display());
        models.set_serial_mode(true, &reason);
    }

    /// Remembers the mode.
    pub(super) fn remember(&self, mode: &SerialMode) {
        if !self.kept {
            return;
        }
        let done = if mode.serial { state_file::write(&self.path, mode) } else { remove(&self.path) };
        if let Err(error) = done {
            tracing::error!(path = %self.path.display(), "serial mode will not outlive this process: {error}");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The event that tells of it.
pub(super) fn event(mode: &SerialMode) -> EventDraft {
    let mut data = Map::new();
    data.insert("serial".to_owned(), json!(mode.serial));
    data.insert("reason".to_owned(), json!(mode.reason));
    for (key, value) in [("model", &mode.model), ("recording", &mode.recording)] {
        if let Some(value) = value {
            data.insert(key.to_owned(), json!(value));
        }
    }
    let now = Timestamp::now();
    EventDraft {
        event_type: EventType::EngineSerialMode,
        phase: Phase::Instant,
        camera: String::new(),
        capture: mode.since,
        clock: Clock::Arrival,
        arrival: now,
        track: None,
        data,
        model: None,
    }
}
