//! Serial mode outlives the process: once an engine has proven that it cannot bear parallel executions, a restart must
//! not try again. It ends when an operator says so.

use std::path::PathBuf;
use std::{fs, io};

use serde_json::{Map, json};

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
        let mode = match fs::read(&self.path) {
            Ok(text) => serde_json::from_slice::<SerialMode>(&text).map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => Err(error.to_string()),
        };
        // Whatever stands there, the file itself says that the breaker tripped.
        let mode = mode.unwrap_or_else(|error| SerialMode {
            serial: true,
            since: Timestamp::now(),
            reason: format!("{} is there, though it cannot be read: {error}", self.path.display()),
            model: None,
            recording: None,
        });
        models.resume_serial_mode(SerialMode { serial: true, ..mode });
    }

    /// Remembers the mode.
    pub(super) fn remember(&self, mode: &SerialMode) {
        if !self.kept {
            return;
        }
        let path = self.path.display();
        if mode.serial {
            if let Err(error) = state_file::write(&self.path, mode) {
                tracing::error!(%path, "serial mode will not outlive this process: {error}");
            }
        } else if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(%path, "the next start will be in serial mode again, for this file stays: {error}");
        }
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
        rule: String::new(),
        camera: String::new(),
        capture: mode.since,
        clock: Clock::Arrival,
        arrival: now,
        track: None,
        data,
        model: None,
        media: None,
    }
}
