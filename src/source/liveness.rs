//! How far a session has come and when something last moved. Written by streaming threads, read by the
//! supervisor, `probe` and the status.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Step {
    /// Nothing yet.
    Begun = 0,
    /// Address resolved, TCP connected, or the file opened.
    Reached = 1,
    /// The camera agreed to play.
    Playing = 2,
    /// Packets come.
    Packets = 3,
    /// Whole coded pictures come.
    Pictures = 4,
    /// Decoded frames come.
    Frames = 5,
}

impl Step {
    fn from_u32(n: u32) -> Self {
        match n {
            0 => Self::Begun,
            1 => Self::Reached,
            2 => Self::Playing,
            3 => Self::Packets,
            4 => Self::Pictures,
            _ => Self::Frames,
        }
    }
}

/// What is known of a stream.
#[derive(Debug, Default)]
pub struct StreamFacts {
    /// Encoding, as the stream names it.
    pub codec: Mutex<String>,
    /// Decoder element, and whether it is hardware.
    pub decoder: Mutex<(String, bool)>,
    /// Frames per second the stream promises; `None`: it does not say.
    pub promised_fps: Mutex<Option<f64>>,
    /// Length of a recording; `None`: unknown or endless.
    pub duration: Mutex<Option<Duration>>,
    /// Coded pictures from one key frame to the next.
    pub key_interval: AtomicU32,
    /// Camera clock minus ours in milliseconds, from sender reports; `None`: none came.
    pub clock_skew_ms: Mutex<Option<i64>>,
    step: AtomicU32,
}

impl StreamFacts {
    /// How far the current session has come.
    #[must_use]
    pub fn step(&self) -> Step {
        Step::from_u32(self.step.load(Ordering::Relaxed))
    }

    pub(super) fn reach(&self, step: Step) {
        self.step.fetch_max(step as u32, Ordering::Relaxed);
    }

    pub(super) fn restart(&self) {
        self.step.store(Step::Begun as u32, Ordering::Relaxed);
    }
}

/// When something last moved, in one session.
#[derive(Debug)]
pub(super) struct Liveness {
    began: Instant,
    playing: Mark,
    packet: Mark,
    packets: AtomicU64,
    picture: Mark,
    frame: Mark,
    frames: AtomicU64,
}

/// Milliseconds since the session began, plus one; 0: never.
#[derive(Debug, Default)]
struct Mark(AtomicU64);

impl Mark {
    fn set(&self, began: Instant) {
        self.0.store(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1, Ordering::Relaxed);
    }

    fn age(&self, began: Instant) -> Option<Duration> {
        let at = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(began.elapsed().saturating_sub(Duration::from_millis(at)))
    }
}

impl Liveness {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            playing: Mark::default(),
            packet: Mark::default(),
            packets: AtomicU64::new(0),
            picture: Mark::default(),
            frame: Mark::default(),
            frames: AtomicU64::new(0),
        }
    }

    pub(super) fn playing(&self) {
        if self.playing.age(self.began).is_none() {
            self.playing.set(self.began);
        }
    }

    pub(super) fn packet(&self) {
        self.packet.set(self.began);
        self.packets.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn picture(&self) {
        self.picture.set(self.began);
    }

    pub(super) fn frame(&self) {
        self.frame.set(self.began);
        self.frames.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn playing_for(&self) -> Option<Duration> {
        self.playing.age(self.began)
    }

    pub(super) fn packet_age(&self) -> Option<Duration> {
        self.packet.age(self.began)
    }

    pub(super) fn picture_age(&self) -> Option<Duration> {
        self.picture.age(self.began)
    }

    pub(super) fn frame_age(&self) -> Option<Duration> {
        self.frame.age(self.began)
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Mean time between frames so far.
    pub(super) fn frame_interval(&self) -> Option<Duration> {
        let frames = self.frames();
        (frames >= 2).then(|| self.began.elapsed() / u32::try_from(frames).unwrap_or(u32::MAX))
    }
}
