//! Ctrl-C: the first ends the build and leaves everything as it was, the second ends the program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::cli::Exit;
use crate::inference::build::Job;

/// Somebody ended the build.
#[derive(Debug, thiserror::Error)]
#[error("stopped; the engine in use is as it was")]
pub(in crate::cli) struct Interrupted;

/// Whether somebody wants the end.
pub(super) struct Interrupt {
    wanted: Arc<AtomicBool>,
    job: Arc<Mutex<Option<Arc<Job>>>>,
}

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on, and for SIGHUP, which a lost terminal sends.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let this = Self { wanted: Arc::default(), job: Arc::default() };
        let mut signals =
            signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]).context("signal handlers cannot be set")?;
        // A file-size limit must come back as an error of `write`, not end the process.
        signal_hook::flag::register(SIGXFSZ, Arc::default()).context("signal handlers cannot be set")?;
        let (wanted, job) = (Arc::clone(&this.wanted), Arc::clone(&this.job));
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for _ in signals.forever() {
                if wanted.swap(true, Ordering::SeqCst) {
                    process::exit_now(Exit::Interrupted as i32);
                }
                eprintln!("stopping with the next step; once more to leave at once");
                if let Some(job) = job.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                    job.cancel();
                }
            }
        })?;
        Ok(this)
    }

    /// A build that ends when somebody wants it.
    pub(super) fn job(&self) -> Arc<Job> {
        let job = Arc::new(Job::default());
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&job));
        if self.is_wanted() {
            job.cancel();
        }
        job
    }

    pub(super) fn check(&self) -> Result<(), Interrupted> {
        if self.is_wanted() { Err(Interrupted) } else { Ok(()) }
    }

    /// Sleeps, unless somebody wants the end.
    pub(super) fn sleep(&self, time: Duration) -> Result<(), Interrupted> {
        std::thread::sleep(time);
        self.check()
    }

    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }
}
