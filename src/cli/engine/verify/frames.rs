//! Frames of a recording or a picture, decoded by whatever decoder is there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::exit::BadInput;
use crate::cli::recording;
use crate::config::Policy;
use crate::source::slot::{FrameSlot, Take};
use crate::source::{self, Delivery, Frame, Setup, Source};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::progress::Progress;

const WAIT: Duration = Duration::from_millis(250);

/// Shows every frame of a file to `see`, until that says false. The device is open already: GStreamer's plugins touch CUDA,
/// too.
///
/// # Errors
/// [`BadInput`] where the file cannot be read to where it was wanted; what `see` fails with.
pub(super) fn each(path: &Path, mut see: impl FnMut(&Frame) -> anyhow::Result<bool>) -> anyhow::Result<()> {
    source::init()?;
    let camera = Arc::new(recording::opened(path)?);
    let (metrics, progress) = (Metrics::default().camera(&camera.id), Progress::default());
    let slot = Arc::new(FrameSlot::new(Delivery::Every));
    let source = Source::start(Setup {
        camera,
        // Decoding is no inference: whatever can read the file may.
        policy: Policy::Any,
        delivery: Delivery::Every,
        slot: Arc::clone(&slot),
        metrics: Arc::clone(&metrics),
        ring: None,
        stage: progress.stage("pictures"),
        notify: Arc::new(|_| {}),
    })?;
    let mut seen = Ok(true);
    while let Ok(true) = seen {
        match slot.take(WAIT) {
            Take::Frame(frame) => seen = see(&frame),
            Take::Timeout => {}
            Take::Closed => break,
        }
    }
    let whole = matches!(seen, Ok(true));
    source.stop();
    slot.close();
    source.join();
    seen?;
    let status = metrics.status();
    if whole && !status.fault.is_empty() {
        return Err(BadInput(format!("{}: {}: {}", path.display(), status.fault, status.detail)).into());
    }
    Ok(())
}
