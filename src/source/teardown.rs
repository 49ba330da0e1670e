//! Taking a pipeline down can block for seconds (an unresponsive peer, a driver that waits): it is done
//! on a throw-away thread, waited for up to a deadline, and then left behind and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gst::prelude::*;

/// Usual teardowns take 0 to 100 ms, up to 2 s after garbage.
const DEADLINE: Duration = Duration::from_secs(3);
/// With this many left behind, no new pipeline is built until one of them ends.
const MOST_LEFT_BEHIND: usize = 3;

/// A camera's teardowns that passed their deadline and have not ended yet.
#[derive(Debug, Default)]
pub(super) struct Teardowns {
    left_behind: Arc<AtomicUsize>,
}

impl Teardowns {
    /// True where too many are left behind to build another pipeline.
    pub(super) fn exhausted(&self) -> bool {
        self.left_behind.load(Ordering::SeqCst) >= MOST_LEFT_BEHIND
    }

    /// Takes the pipeline down. False where it passed its deadline and was left behind.
    pub(super) fn run(&self, pipeline: gst::Pipeline, bus: gst::Bus) -> bool {
        let (done, wait) = crossbeam_channel::bounded::<()>(1);
        let left_behind = Arc::clone(&self.left_behind);
        left_behind.fetch_add(1, Ordering::SeqCst);
        let ends = Arc::clone(&left_behind);
        let started = std::thread::Builder::new().name("teardown".to_owned()).spawn(move || {
            bus.set_flushing(true);
            let _ = pipeline.set_state(gst::State::Null);
            drop(pipeline);
            drop(bus);
            ends.fetch_sub(1, Ordering::SeqCst);
            drop(done);
        });
        if started.is_err() {
            // No thread to be had: the closure, and the pipeline in it, were dropped here and now.
            left_behind.fetch_sub(1, Ordering::SeqCst);
            return false;
        }
        let deadline = Instant::now() + DEADLINE;
        // Disconnected: it has ended. Timed out: it has not.
        matches!(wait.recv_deadline(deadline), Err(crossbeam_channel::RecvTimeoutError::Disconnected))
    }
}
