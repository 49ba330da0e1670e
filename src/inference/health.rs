//! What befalls inference as a whole: the breaker, a lost device, and whoever has to be told.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::{Deserialize, Serialize};

use super::flight::FlightRecorder;
use crate::types::time::Timestamp;

/// News that nobody fetched in time; the state they tell of can be asked for.
const NEWS: usize = 64;

/// Something that the whole process has to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Executions are one at a time from now on, or in parallel again.
    SerialMode(SerialMode),
    /// The device failed for good.
    DeviceLost {
        /// What it said.
        reason: String,
    },
}

/// Is it one execution at a time?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SerialMode {
    /// It is.
    pub serial: bool,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
    /// The model whose engine failed, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The flight recording, where one was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
}

/// The state of inference, one per manager.
pub(super) struct Health {
    pub(super) flight: FlightRecorder,
    serial_mode: Mutex<SerialMode>,
    lost: OnceLock<String>,
    sender: Sender<Notice>,
    receiver: Receiver<Notice>,
}

impl Health {
    pub(super) fn new(state_dir: &Path, serial: bool) -> Self {
        let (sender, receiver) = bounded(NEWS);
        let reason = if serial { "runtime.concurrency = \"serial\"" } else { "" };
        let serial_mode =
            SerialMode { serial, since: Timestamp::now(), reason: reason.to_owned(), model: None, recording: None };
        let (flight, serial_mode) = (FlightRecorder::new(state_dir), Mutex::new(serial_mode));
        Self { flight, serial_mode, lost: OnceLock::new(), sender, receiver }
    }

    pub(super) fn notices(&self) -> &Receiver<Notice> {
        &self.receiver
    }

    pub(super) fn serial_mode(&self) -> SerialMode {
        self.serial_mode.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_serial_mode(&self, mode: SerialMode) {
        *self.serial_mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// Tells whoever listens; where something broke (`words`), with a flight recording.
    pub(super) fn tell_serial_mode(&self, words: Option<&str>) {
        let recording = words.and_then(|words| self.record("serial-mode", words));
        let mut mode = self.serial_mode.lock().unwrap_or_else(PoisonError::into_inner);
        if recording.is_some() && mode.model.is_some() {
            mode.recording = recording;
        }
        // A full channel means that nobody listens.
        let _ = self.sender.try_send(Notice::SerialMode(mode.clone()));
    }

    /// The device failed for good: nothing is asked of it any more, not even by destructors.
    pub(super) fn device_is_lost(&self, reason: &str) {
        if self.lost.set(reason.to_owned()).is_err() {
            return;
        }
        tracing::error!("the GPU failed for good: {reason}");
        self.record("device-lost", reason);
        let _ = self.sender.try_send(Notice::DeviceLost { reason: reason.to_owned() });
    }

    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    fn record(&self, reason: &str, words: &str) -> Option<String> {
        match self.flight.dump(reason, words) {
            Ok(path) => {
                tracing::info!(path = %path.display(), "flight recording written");
                Some(path.display().to_string())
            }
            Err(error) => {
                tracing::warn!("no flight recording: {error}");
                None
            }
        }
    }
}
