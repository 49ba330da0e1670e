//! The latest picture of a camera, beside its log: what zones and lines are drawn on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::files::folder;
use super::writer::{CameraLog, Message};
use crate::types::time::Timestamp;

/// A picture is taken this often, microseconds.
const EVERY: i64 = 3_600_000_000;

/// Keeps one picture of a camera, an hour old at most while it delivers.
pub struct ViewKeeper {
    camera: Arc<CameraLog>,
    out: Sender<Message>,
    taken: Option<Timestamp>,
}

impl ViewKeeper {
    pub(super) fn new(camera: Arc<CameraLog>, out: Sender<Message>) -> Self {
        Self { camera, out, taken: None }
    }

    /// Is it time for a picture? The first one is wanted at once.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.taken.is_none_or(|taken| now.0.saturating_sub(taken.0).saturating_abs() >= EVERY)
    }

    /// Hands a JPEG over to be written. Where the writer is behind it is dropped, and the next one is due at once.
    pub fn keep(&mut self, jpeg: Vec<u8>, now: Timestamp) {
        if self.out.try_send(Message::View { camera: Arc::clone(&self.camera), jpeg }).is_ok() {
            self.taken = Some(now);
        }
    }
}

/// Where a camera's picture is, if there is one.
#[must_use]
pub fn view_path(state_dir: &Path, camera: &str) -> PathBuf {
    in_folder(&folder(state_dir, camera))
}

pub(super) fn in_folder(folder: &Path) -> PathBuf {
    folder.join("view.jpg")
}

/// Whole or not at all: whoever looks sees the old one or the new one.
pub(super) fn write(folder: &Path, jpeg: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let (path, part) = (in_folder(folder), folder.join("view.jpg.part"));
    std::fs::write(&part, jpeg)?;
    std::fs::rename(&part, &path)
}
