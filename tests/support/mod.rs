//! Helpers that make a test of the wiring three lines.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

pub mod daemon;
pub mod rig;
pub mod rtsp_server;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Waits until `condition` holds; false after `limit`.
pub fn wait_for(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    condition()
}

/// Footage and models that are never shipped; `None`, with a word on stderr, where they are absent.
pub fn asset(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("WATCHKEEPER_ASSETS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/assets")), PathBuf::from);
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("skipped: {} is not here (set WATCHKEEPER_ASSETS)", file.display());
    None
}
