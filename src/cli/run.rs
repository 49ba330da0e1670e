//! `watchkeeper run`

use std::path::Path;

use super::Exit;
use crate::daemon::{self, Outcome};
use crate::telemetry::log;

pub(super) fn main(path: &Path) -> anyhow::Result<Exit> {
    let loaded = super::load(path)?;
    let _log = log::init(&loaded.config.log)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = %path.display(), "watchkeeper starts");
    Ok(match daemon::run(&loaded.config, Some(path), None)? {
        Outcome::Drained => Exit::Done,
        Outcome::Overdue => Exit::TryAgain,
        Outcome::Broken => Exit::Internal,
        Outcome::DeviceLost => Exit::DeviceLost,
    })
}
