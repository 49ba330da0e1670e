//! Pictures of events: copied on the camera thread, made into JPEG and kept by a thread of their own. Clips are written
//! elsewhere; their files are kept here with the others.
//!
//! ```text
//! camera thread --(Job: pixels, an id; bounded, dropped when full)--> media thread --> <dir>/<day>/<id>-snapshot.jpg
//! ```
//!
//! An event's id is its name here, and the id's own time says the day: whoever has the id finds the file. An event
//! promises a picture only when its job was taken. Nothing is made durable beyond what the file system does: a power
//! cut may cost the pictures of the last seconds, never the event.

mod jpeg;
mod mosaic;
mod pixels;
mod place;
mod retention;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

pub use mosaic::coarse;
pub use pixels::Pixels;
pub use place::{Kind, path};

use crate::config;
use crate::telemetry::metrics::{Counter, Metrics};
use crate::types::frame::Picture;
use crate::types::geometry::BBox;
use worker::Worker;

/// Jobs that may wait, all cameras together: each holds a picture.
const QUEUE: usize = 32;
/// The media thread is waited for so long by whoever has told of a file.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of their pictures at most.
const QUEUE_BYTES: u64 = 128 << 20;
/// Memory of frames that is kept to be used again, pieces.
const FREE: usize = 4;

/// Pixels, and what is to be made of them.
#[derive(Debug)]
pub struct Job {
    /// The event's.
    pub id: ulid::Ulid,
    /// The frame, or the part of it that shows the subject.
    pub pixels: Arc<Pixels>,
    /// All of it is the snapshot.
    pub snapshot: bool,
    /// What is cut out of it, pixels of it.
    pub crop: Option<BBox>,
    /// Whoever is to be unrecognisable in both, pixels of it.
    pub hide: Vec<BBox>,
    /// The subject, where its own box is to be left as it is, pixels of it.
    pub plain: Option<BBox>,
}

/// What the desk and the media thread know of the disk.
#[derive(Debug, Default)]
struct State {
    /// It does not take what is written.
    failing: AtomicBool,
    /// Bytes of pixels that wait.
    waiting: Arc<AtomicU64>,
}

/// What the media thread is told.
enum Order {
    Job(Job),
    /// A file of this kind and size was written by somebody else, where [`path`] says.
    Written(ulid::Ulid, Kind, u64),
}

/// What became of jobs.
#[derive(Debug, Default)]
struct Counts {
    written: Counter,
    dropped: Counter,
    failed: Counter,
    deleted: Counter,
    bytes: Counter,
}

/// Takes jobs from camera threads.
#[derive(Clone, Debug)]
pub struct Desk {
    settings: Arc<config::Media>,
    orders: Sender<Order>,
    /// Memory that can be used again.
    free: Receiver<Vec<u8>>,
    give_back: Sender<Vec<u8>>,
    state: Arc<State>,
    counts: Arc<Counts>,
}

impl Desk {
    /// What is to be kept.
    #[must_use]
    pub fn settings(&self) -> &config::Media {
        &self.settings
    }

    /// Copies a whole frame, for snapshots, into memory that was used before where there is some. Keep it for as long
    /// as the frame: views that are held for longer have memory of their own. `None`, and counted as dropped, while the
    /// disk does not take what is written.
    #[must_use]
    pub fn copy(&self, picture: &Picture<'_>) -> Option<Arc<Pixels>> {
        if self.state.failing.load(Ordering::Relaxed) {
            self.counts.dropped.inc();
            return None;
        }
        let memory = self.free.try_recv().unwrap_or_default();
        let pixels = Pixels::copy(picture, self.settings.snapshot_px as usize, memory)?;
        Some(Arc::new(pixels.at_home(self.give_back.clone())))
    }

    /// True where the job will be done; else it is dropped and counted: too many wait, the disk does not take what is
    /// written, or nobody works any more.
    #[must_use]
    pub fn take(&self, job: Job) -> bool {
        let taken = !self.state.failing.load(Ordering::Relaxed)
            && job.pixels.wait(&self.state.waiting, QUEUE_BYTES)
            && match self.orders.try_send(Order::Job(job)) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            };
        if !taken {
            self.counts.dropped.inc();
        }
        taken
    }

    /// A file was written where [`path`] says: from now on it is kept, and counted, with the others. Waits where much is
    /// to be done. A file that nobody is told of is found at the next start.
    pub fn wrote(&self, id: ulid::Ulid, kind: Kind, bytes: u64) {
        let _ = self.orders.send_timeout(Order::Written(id, kind, bytes), PATIENCE);
    }

    /// Something else that an event could have had was left out: too much waits.
    pub fn dropped(&self) {
        self.counts.dropped.inc();
    }

    /// Something else could not be written.
    pub fn failed(&self) {
        self.counts.failed.inc();
    }
}

/// The running media thread.
pub struct Media {
    desk: Option<Desk>,
    thread: JoinHandle<()>,
}

impl Media {
    /// Makes the folder and starts the thread. No watchdog looks after it: a disk that hangs costs pictures, which are
    /// counted as dropped, and no camera.
    ///
    /// # Errors
    /// Where the folder cannot be made, or no thread be started.
    pub fn start(settings: &config::Media, metrics: &Metrics) -> std::io::Result<Self> {
        let named = |error: std::io::Error| {
            let words = format!("media.dir {}: {error}; create it, or name another folder", settings.dir.display());
            std::io::Error::new(error.kind(), words)
        };
        std::fs::create_dir_all(&settings.dir).map_err(named)?;
        let (settings, counts) = (Arc::new(settings.clone()), Arc::new(Counts::default()));
        let ((orders, incoming), (give_back, free)) = (bounded(QUEUE), bounded(FREE));
        let state = Arc::new(State::default());
        let worker = Worker::new(Arc::clone(&settings), incoming, Arc::clone(&state), Arc::clone(&counts));
        let begun = SystemTime::now();
        let thread = std::thread::Builder::new().name("media".to_owned()).spawn(move || worker.run(begun))?;
        let (shown, seen) = (Arc::clone(&counts), Arc::clone(&state));
        metrics.also(move |out| render(&shown, &seen, out));
        Ok(Self { desk: Some(Desk { settings, orders, free, give_back, state, counts }), thread })
    }

    /// Where camera threads hand in their jobs.
    #[must_use]
    pub fn desk(&self) -> Option<Desk> {
        self.desk.clone()
    }

    /// No more jobs come from here; waits for those that were taken, up to `deadline`.
    pub fn close(mut self, deadline: Instant) {
        self.desk = None;
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !self.thread.is_finished() {
            tracing::warn!("pictures of the last events were not written in time");
        }
    }
}

fn render(counts: &Counts, state: &State, out: &mut String) {
    use crate::telemetry::metrics::{counter, gauge};
    for (name, count) in [
        ("media_files_total", &counts.written),
        ("media_dropped_total", &counts.dropped),
        ("media_failed_total", &counts.failed),
        ("media_deleted_total", &counts.deleted),
    ] {
        counter(out, name, "", [("", count.get())]);
    }
    gauge(out, "media_bytes", "", [("", counts.bytes.get())]);
    gauge(out, "media_waiting_bytes", "", [("", state.waiting.load(Ordering::Relaxed))]);
    gauge(out, "media_failing", "", [("", u64::from(state.failing.load(Ordering::Relaxed)))]);
}
