//! Cameras in: one GStreamer pipeline per camera, rebuilt whole on failure, for ever.
//!
//! ```text
//! supervisor (run: try, warn, wait)
//!   session (run_once: one pipeline from birth to teardown)
//!     branch: source element -> depayloader -> parser -> gate -> decoder -> appsink
//!       appsink callback: due? -> Frame -> slot
//!       coded video in front of the decoder -> ring, where clips are wanted
//! ```
//!
//! A stage further on takes frames from the [`slot::FrameSlot`]; nothing in here waits for it, except
//! where a recording is to be read whole ([`Delivery::Every`]).

mod branch;
mod capture;
mod clip;
mod decoder;
mod fault;
mod frame;
mod gate;
mod intake;
mod liveness;
mod proof;
mod reach;
mod redirect;
mod ring;
mod session;
pub mod slot;
mod still;
mod supervisor;
mod teardown;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub use clip::{ClipFacts, write_clip};
pub use decoder::surfaces;
pub use fault::{Fault, FaultClass};
pub use frame::Frame;
pub use liveness::{Step, StreamFacts};
pub use proof::{DecoderIdentity, DecoderProof, prove_decoders};
pub use ring::{Cut, Limits, Ring, Ripe, Span};
use slot::FrameSlot;
pub use still::Still;

use crate::config;
use crate::telemetry::metrics::CameraMetrics;
use crate::telemetry::progress::Stage;

/// Which frames reach the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The newest wins; a frame not taken in time is replaced.
    Newest,
    /// Each one, at the pace of whoever takes them: recordings under `analyze`. The first failure or
    /// the end of the recording ends the source.
    Every,
}

/// What a source tells the rest of the daemon.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Frames flow.
    Online {
        /// Number of the session.
        run: u32,
    },
    /// Frames do not flow any more, or did not begin to.
    Offline {
        /// Why.
        fault: Fault,
        /// Wait before the next attempt.
        retry_in: Duration,
    },
    /// Frames flow, but not as they should.
    Degraded {
        /// What is wrong.
        reason: String,
    },
    /// A recording that is not repeated came to its end.
    Ended,
}

/// Takes what a source tells.
pub type Notify = Arc<dyn Fn(Notice) + Send + Sync>;

/// What a source needs to run.
pub struct Setup {
    /// The camera.
    pub camera: Arc<config::Camera>,
    /// May a software decoder run?
    pub policy: config::Policy,
    /// Which frames reach the slot.
    pub delivery: Delivery,
    /// Where frames go.
    pub slot: Arc<FrameSlot>,
    /// Counters.
    pub metrics: Arc<CameraMetrics>,
    /// Progress of the supervisor thread.
    pub stage: Arc<Stage>,
    /// Where coded video is held for clips; `None`: nowhere.
    pub ring: Option<Arc<Ring>>,
    /// Called from the supervisor's and the decoder's thread; must not block for long.
    pub notify: Notify,
}

/// A running source.
pub struct Source {
    stop: Arc<AtomicBool>,
    facts: Arc<StreamFacts>,
    thread: JoinHandle<()>,
}

impl Source {
    /// Starts the supervisor thread.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(setup: Setup) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let facts = Arc::new(StreamFacts::default());
        let thread = supervisor::start(setup, Arc::clone(&stop), Arc::clone(&facts))?;
        Ok(Self { stop, facts, thread })
    }

    /// What is known of the stream, updated while it runs.
    #[must_use]
    pub fn facts(&self) -> &Arc<StreamFacts> {
        &self.facts
    }

    /// Asks it to end; [`Source::join`] waits.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// True once its thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    pub fn join(self) {
        // A panic in there was caught and counted by the supervisor.
        let _ = self.thread.join();
    }
}

/// Prepares GStreamer, once per process; its log goes to `tracing`, target `gstreamer`.
///
/// # Errors
/// Where GStreamer cannot start.
pub fn init() -> anyhow::Result<()> {
    use anyhow::Context as _;
    static DONE: std::sync::Once = std::sync::Once::new();
    gst::log::remove_default_log_function();
    gst::init().context("GStreamer does not start; on Debian and Ubuntu run scripts/setup.sh")?;
    DONE.call_once(|| {
        gst::log::add_log_function(|category, level, _file, _function, _line, object, message| {
            let object = object.map(ToString::to_string).unwrap_or_default();
            let text = message.get().unwrap_or_default();
            match level {
                // Every failure also comes over the bus, where it is classified and counted.
                gst::DebugLevel::Error | gst::DebugLevel::Warning => {
                    tracing::debug!(target: "gstreamer", category = category.name(), %object, "{text}");
                }
                _ => tracing::trace!(target: "gstreamer", category = category.name(), %object, "{text}"),
            }
        });
    });
    Ok(())
}
