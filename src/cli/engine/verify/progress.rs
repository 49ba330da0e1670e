//! How far the comparison is: a bar on a terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

const EVERY: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    bar: ProgressBar,
    model: String,
    all: usize,
    done: usize,
    told: Instant,
}

impl Progress {
    /// Of so many pictures.
    pub(super) fn new(model: &str, all: usize) -> Self {
        let bar = ProgressBar::new(all as u64);
        Self { bar, model: model.to_owned(), all, done: 0, told: Instant::now() }
    }

    /// One more.
    pub(super) fn step(&mut self) {
        self.done += 1;
        self.bar.inc(1);
        if self.bar.is_hidden() && self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            eprintln!("{}: {} of {} pictures", self.model, self.done, self.all);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
