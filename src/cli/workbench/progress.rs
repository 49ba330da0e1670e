//! How far long work is: a bar on a terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const EVERY: Duration = Duration::from_secs(10);

/// Tells of work that takes a known time.
pub(in crate::cli) struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    span: Duration,
    began: Instant,
    told: Instant,
}

impl Progress {
    /// `what` is done for so long.
    pub(in crate::cli) fn new(what: String, span: Duration) -> Self {
        let bar = std::io::IsTerminal::is_terminal(&std::io::stderr()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(millis(span)), ProgressDrawTarget::stderr_with_hz(5));
            if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:40} {percent:>3}% {msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(what.clone());
            bar
        });
        let now = Instant::now();
        Self { bar, what, span, began: now, told: now }
    }

    /// Tells, where it is time to.
    pub(in crate::cli) fn step(&mut self, message: impl FnOnce() -> String) {
        let at = self.began.elapsed().min(self.span);
        if let Some(bar) = &self.bar {
            bar.set_position(millis(at));
            bar.set_message(message());
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            let (at, span) = (at.as_secs_f64(), self.span.as_secs_f64());
            let message = message();
            let comma = if message.is_empty() { "" } else { ", " };
            eprintln!("{}: {at:.0} of {span:.0} s{comma}{message}", self.what);
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
