//! How far a replay is: a bar on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::types::time::Timestamp;

/// Frames between two looks at the clock.
const EVERY: u64 = 1024;

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    first: Timestamp,
}

impl Progress {
    pub(super) fn new(camera: &str, first: Timestamp, until: Timestamp) -> Self {
        let bar = std::io::IsTerminal::is_terminal(&std::io::stderr()).then(|| {
            let seconds = until.seconds_since(first).max(0.0) as u64;
            let bar = ProgressBar::with_draw_target(Some(seconds), ProgressDrawTarget::stderr_with_hz(5));
            if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:40} {percent:>3}%") {
                bar.set_style(style);
            }
            bar.set_prefix(camera.to_owned());
            bar
        });
        Self { bar, first }
    }

    pub(super) fn step(&self, frames: u64, at: Timestamp) {
        if let Some(bar) = self.bar.as_ref().filter(|_| frames.is_multiple_of(EVERY)) {
            bar.set_position(at.seconds_since(self.first).max(0.0) as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
