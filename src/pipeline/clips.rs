//! Clips of events: cut from what a camera's [`Ring`] holds, and written by one thread for all cameras.
//!
//! ```text
//! camera thread --(Request: id, moment; bounded, dropped when full)--> clip thread: waits for what comes after,
//!                                                                       cuts, writes, tells the media thread
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use ulid::Ulid;

use crate::config;
use crate::media::{self, Desk};
use crate::source::{Limits, Ring, Ripe, Span, write_clip};
use crate::telemetry::metrics::{Metrics, counter, gauge};
use crate::telemetry::progress::{Progress, Stage};
use crate::types::frame::FrameMeta;

/// Requests that may wait for what comes after their event, all cameras together.
const MOST: usize = 64;
/// And those that the thread has not seen yet.
const QUEUE: usize = 16;
/// What is waited for is looked after this often.
const POLL: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_secs(5);
/// What comes after an event may be so late.
const GRACE: Duration = Duration::from_secs(5);
/// Coded video is held longer than clips need it: an event comes after its frame, and clips wait for each other.
const MARGIN: Duration = Duration::from_secs(15);
/// A clip is written within this time, or not at all.
const LIMIT: Duration = Duration::from_secs(10);
/// Trouble that goes on is told this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// By camera.
type Rings = Arc<Mutex<Vec<(String, Weak<Ring>)>>>;

/// Takes requests from camera threads.
#[derive(Clone)]
pub struct ClipDesk {
    settings: Arc<config::Media>,
    media: Desk,
    requests: Sender<Request>,
    rings: Rings,
}

/// A clip that an event promises.
struct Request {
    id: Ulid,
    ring: Arc<Ring>,
    span: Span,
    /// Then it is cut, whatever is there.
    latest: Instant,
}

impl ClipDesk {
    /// A new ring, for a camera of this id.
    pub(super) fn ring(&self, camera: &str) -> Arc<Ring> {
        let config::Media { pre_roll, post_roll, buffer_bytes, .. } = *self.settings;
        let ring = Arc::new(Ring::new(Limits { bytes: buffer_bytes, span: pre_roll + post_roll + MARGIN }));
        let mut rings = self.rings.lock();
        rings.retain(|(_, ring)| ring.strong_count() > 0);
        rings.push((camera.to_owned(), Arc::downgrade(&ring)));
        ring
    }

    /// True where there will be a clip of this frame's moment; false where its coded video is not held (another codec,
    /// or too little room), or too many wait.
    pub(super) fn ask(&self, ring: &Arc<Ring>, id: Ulid, meta: &FrameMeta) -> bool {
        let (before, after) = (self.settings.pre_roll, self.settings.post_roll);
        let span = Span { run: meta.run, at: meta.media_time, before, after };
        if !ring.covers(&span) {
            return false;
        }
        let request = Request { id, ring: Arc::clone(ring), span, latest: Instant::now() + after + GRACE };
        let taken = self.requests.try_send(request).is_ok();
        if !taken {
            self.media.dropped();
        }
        taken
    }
}

/// The running clip thread.
pub struct Clips {
    desk: ClipDesk,
    thread: JoinHandle<()>,
    closing: Arc<Closing>,
}

#[derive(Default)]
struct Closing {
    begun: AtomicBool,
    deadline: Mutex<Option<Instant>>,
}

impl Clips {
    /// Starts the thread where clips are wanted.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(media: &Desk, metrics: &Metrics, progress: &Progress) -> std::io::Result<Option<Self>> {
        if !media.settings().clips {
            return Ok(None);
        }
        let (requests, incoming) = bounded(QUEUE);
        let settings = Arc::new(media.settings().clone());
        let desk = ClipDesk { settings, media: media.clone(), requests, rings: Arc::default() };
        let rings = Arc::clone(&desk.rings);
        metrics.also(move |out| render(&rings.lock(), out));
        let closing = Arc::<Closing>::default();
        let cutter = Cutter {
            media: media.clone(),
            incoming,
            waiting: Vec::with_capacity(MOST),
            closing: Arc::clone(&closing),
            told: None,
        };
        let stage = progress.stage("clips");
        let thread = std::thread::Builder::new().name("clips".to_owned()).spawn(move || cutter.run(&stage))?;
        Ok(Some(Self { desk, thread, closing }))
    }

    /// Where camera threads ask for clips.
    #[must_use]
    pub fn desk(&self) -> ClipDesk {
        self.desk.clone()
    }

    /// Cuts what waits with what there is, up to `deadline`. Cameras have ended before.
    pub fn close(self, deadline: Instant) {
        let Self { desk, thread, closing } = self;
        *closing.deadline.lock() = Some(deadline);
        closing.begun.store(true, Ordering::Release);
        drop(desk);
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !thread.is_finished() {
            tracing::warn!("clips of the last events were not written in time");
        }
    }
}

fn render(rings: &[(String, Weak<Ring>)], out: &mut String) {
    let rings: Vec<_> = rings.iter().filter_map(|(id, ring)| Some((id.as_str(), ring.upgrade()?))).collect();
    gauge(out, "clip_buffer_bytes", "camera", rings.iter().map(|(id, ring)| (*id, ring.bytes())));
    counter(out, "clip_buffer_dropped_bytes_total", "camera", rings.iter().map(|(id, ring)| (*id, ring.dropped())));
}

/// Works on the clip thread.
struct Cutter {
    media: Desk,
    incoming: Receiver<Request>,
    waiting: Vec<Request>,
    closing: Arc<Closing>,
    told: Option<Instant>,
}

impl Cutter {
    fn run(mut self, stage: &Stage) {
        while !self.closing.begun.load(Ordering::Acquire) && self.wait() {
            self.cut_ripe(stage);
            stage.idle();
        }
        // What an event promises, as far as there is time for it.
        let last: Vec<Request> = self.waiting.drain(..).chain(self.incoming.try_iter()).collect();
        for request in last {
            let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
            let left = self.closing.deadline.lock().map_or(LIMIT, left).min(LIMIT);
            if left.is_zero() {
                self.media.dropped();
                continue;
            }
            stage.busy();
            self.write(&request, left);
        }
        stage.idle();
    }

    /// Takes what is asked for, as long as there is room. False where nobody can ask any more.
    fn wait(&mut self) -> bool {
        if self.waiting.len() >= MOST {
            std::thread::sleep(POLL);
            return true;
        }
        match self.incoming.recv_timeout(if self.waiting.is_empty() { IDLE } else { POLL }) {
            Ok(request) => self.waiting.push(request),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        let room = MOST - self.waiting.len();
        self.waiting.extend(self.incoming.try_iter().take(room));
        true
    }

    fn cut_ripe(&mut self, stage: &Stage) {
        let mut at = 0;
        while let Some(request) = self.waiting.get(at) {
            if request.ring.ripe(&request.span) == Ripe::NotYet && Instant::now() < request.latest {
                at += 1;
                continue;
            }
            let request = self.waiting.swap_remove(at);
            stage.busy();
            self.write(&request, LIMIT);
        }
    }

    fn write(&mut self, request: &Request, limit: Duration) {
        let path = media::path(&self.media.settings().dir, request.id, media::Kind::Clip);
        let cut = request.ring.cut(&request.span);
        let cut = cut.ok_or_else(|| anyhow::anyhow!("its video was dropped before; give media.buffer_mb more"));
        match cut.and_then(|cut| write_clip(&cut, &path, limit)) {
            Ok(facts) => {
                let (pictures, bytes, seconds) = (facts.pictures, facts.bytes, facts.duration.as_secs_f64());
                tracing::debug!(id = %request.id, pictures, bytes, seconds, "clip written");
                self.media.wrote(request.id, media::Kind::Clip, bytes);
            }
            Err(error) => {
                self.media.failed();
                if self.told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                    self.told = Some(Instant::now());
                    tracing::error!("{}: a clip cannot be written: {error:#}", path.display());
                }
            }
        }
    }
}
