//! How far a sweep is: a bar on a terminal, a line now and then elsewhere.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

const EVERY: Duration = Duration::from_secs(10);

/// Tells of runs; several threads may step at once.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    all: usize,
    done: AtomicUsize,
    told: Mutex<Instant>,
}

impl Progress {
    pub(super) fn new(all: usize) -> Self {
        let bar = std::io::IsTerminal::is_terminal(&std::io::stderr()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(all as u64), ProgressDrawTarget::stderr_with_hz(5));
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} runs, eta {eta}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, all, done: AtomicUsize::new(0), told: Mutex::new(Instant::now()) }
    }

    /// One more is done.
    pub(super) fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        } else if let Some(mut told) = self.told.try_lock().filter(|told| told.elapsed() >= EVERY) {
            *told = Instant::now();
            eprintln!("{done} of {} runs", self.all);
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
