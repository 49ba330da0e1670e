//! How far a download is: a bar on a terminal, a line now and then elsewhere; and what an interrupted one leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

const EVERY: Duration = Duration::from_secs(10);

/// Tells of bytes that come.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    name: String,
    bytes: u64,
    here: Arc<AtomicU64>,
    /// When and with how many bytes this run began.
    began: (Instant, u64),
    told: Instant,
}

impl Progress {
    /// `bytes` are wanted.
    pub fn new(name: &str, bytes: u64) -> Self {
        let bar = std::io::IsTerminal::is_terminal(&std::io::stderr()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(5));
            let words =
                "{prefix} {bar:30} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(words) {
                bar.set_style(style);
            }
            bar.set_prefix(name.to_owned());
            bar
        });
        let here = Arc::new(AtomicU64::new(0));
        on_interruption(name, bytes, Arc::clone(&here));
        let now = Instant::now();
        Self { bar, name: name.to_owned(), bytes, here, began: (now, 0), told: now }
    }

    /// So many are here before any came.
    pub fn begin(&mut self, at: u64) {
        self.began = (Instant::now(), at);
        self.here.store(at, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_position(at);
            bar.reset_eta();
        }
    }

    /// So many are here now.
    pub fn step(&mut self, at: u64) {
        self.here.store(at, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_position(at);
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            let rate = at.saturating_sub(self.began.1) as f64 / self.began.0.elapsed().as_secs_f64().max(1e-3);
            let percent = at as f64 * 100.0 / self.bytes as f64;
            let (name, here, all) = (&self.name, megabytes(at), megabytes(self.bytes));
            eprintln!("{name}: {here} of {all} ({percent:.0} %), {}/s", megabytes(rate as u64));
        }
    }

    /// A line among the others.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
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

/// Says what is kept, then ends as the signal ends any program. Nothing is to be tidied: every byte that came is in its file.
fn on_interruption(name: &str, bytes: u64, here: Arc<AtomicU64>) {
    let name = name.to_owned();
    // A file-size limit must come back as an error of `write`, not end the process.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
    let watch = move || {
        for signal in signals.forever() {
            let (kept, all) = (megabytes(here.load(Ordering::Relaxed)), megabytes(bytes));
            eprintln!("\n{name}: stopped with {kept} of {all} here; the same command goes on from there");
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    };
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(watch);
}

/// `20.2 MB`; small files in kB.
pub(super) fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
