//! An event over which the server fails again and again, while it takes others.

use std::time::{Duration, Instant};

/// A server may be ill for hours, and then nothing must be lost to it; but one that fails over one event only would be
/// waited for for ever.
#[derive(Debug)]
pub(super) struct Stubborn {
    patience: Duration,
    /// Number of the first event of the attempts.
    seq: u64,
    /// So long it has answered with a failure to that one; times without an answer are left out.
    failing: Duration,
    last: Option<Instant>,
    /// When another event was tried instead.
    probed: Option<Instant>,
}

impl Stubborn {
    pub fn new(patience: Duration) -> Self {
        Self { patience, seq: 0, failing: Duration::ZERO, last: None, probed: None }
    }

    /// The server answered that it failed, over events of which this is the first. True: it is time for smaller arrays.
    pub fn failed(&mut self, seq: u64) -> bool {
        if self.seq != seq {
            *self = Self { seq, ..Self::new(self.patience) };
        }
        let now = Instant::now();
        self.failing += self.last.map_or(Duration::ZERO, |last| now - last);
        self.last = Some(now);
        self.failing >= self.patience / 4
    }

    /// Something else came of an attempt.
    pub fn otherwise(&mut self) {
        self.last = None;
    }

    /// Is another event to be tried instead of this one?
    pub fn wants_probe(&self, seq: u64) -> bool {
        let pause = self.patience / 12;
        self.seq == seq
            && self.last.is_some()
            && self.failing >= self.patience
            && self.probed.is_none_or(|probed| probed.elapsed() >= pause)
    }

    /// Another event is tried now.
    pub fn probes(&mut self) {
        self.probed = Some(Instant::now());
    }

    /// So long it went on.
    pub fn failing(&self) -> Duration {
        self.failing
    }

    /// It is settled.
    pub fn clear(&mut self) {
        *self = Self::new(self.patience);
    }
}
