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
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

pub use pixels::Pixels;
pub use place::{Kind, path};

use crate::config;
use crate::telemetry::metrics::{Counter, Metrics};
use crate::telemetry::progress::Progress;
use crate::types::geometry::BBox;
use worker::Worker;

/// Jobs that may wait, all cameras together: each holds a picture.
const QUEUE: usize = 32;
/// The media thread is waited for so long by whoever has told of a file.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pixels, and what is to be made of them.
#[derive(Debug)]
pub struct Job {
    /// The event's.
    pub id: ulid::Ulid,
    /// The frame, or the part of it that shows the subject.
    pub pixels: Pixels,
    /// All of it is the snapshot.
    pub snapshot: bool,
    /// What is cut out of it, pixels of it.
    pub crop: Option<BBox>,
    /// Whoever is to be unrecognisable in the snapshot, pixels of it.
    pub hide: Vec<BBox>,
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
    counts: Arc<Counts>,
}

impl Desk {
    /// What is to be kept.
    #[must_use]
    pub fn settings(&self) -> &config::Media {
        &self.settings
    }

    /// Memory for pixels.
    #[must_use]
    pub fn memory(&self) -> Vec<u8> {
        self.free.try_recv().unwrap_or_default()
    }

    /// True where the job will be done; else it is dropped and counted: too many wait, or nobody works any more.
    #[must_use]
    pub fn take(&self, job: Job) -> bool {
        match self.orders.try_send(Order::Job(job)) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counts.dropped.inc();
                false
            }
        }
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
    /// Makes the folder and starts the thread.
    ///
    /// # Errors
    /// Where the folder cannot be made, or no thread be started.
    pub fn start(settings: &config::Media, metrics: &Metrics, progress: &Progress) -> std::io::Result<Self> {
        let named = |error: std::io::Error| {
            let words = format!("media.dir {}: {error}; create it, or name another folder", settings.dir.display());
            std::io::Error::new(error.kind(), words)
        };
        std::fs::create_dir_all(&settings.dir).map_err(named)?;
        let (settings, counts) = (Arc::new(settings.clone()), Arc::new(Counts::default()));
        let ((orders, incoming), (give_back, free)) = (bounded(QUEUE), bounded(QUEUE));
        let worker = Worker::new(Arc::clone(&settings), incoming, give_back, Arc::clone(&counts));
        let stage = progress.stage("media");
        let thread = std::thread::Builder::new().name("media".to_owned()).spawn(move || worker.run(&stage))?;
        let shown = Arc::clone(&counts);
        metrics.also(move |out| render(&shown, out));
        Ok(Self { desk: Some(Desk { settings, orders, free, counts }), thread })
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

fn render(counts: &Counts, out: &mut String) {
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
}
