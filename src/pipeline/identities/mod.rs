//! Who is probably the same on several cameras: a thread of its own that sees the tracks of all of them.
//!
//! The hub hands it every frame's tracks and waits for nothing: where it falls behind, frames are left out and counted.
//! What it finds goes to the hub as events.

mod events;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::{FrameResult, Report};
use crate::inference::LoadedModel;
use crate::telemetry::metrics::{Counter, Metrics, counter, gauge};
use crate::telemetry::progress::Stage;
use crate::tracking::identity::{Counters, Fact, Frame, Gallery, Model, TrackKey};
use crate::types::event::{EventDraft, EventType};
use crate::types::time::Timestamp;

/// Frames that may wait, all cameras together.
const QUEUE: usize = 64;
/// A quiet site is looked after this often.
const IDLE: Duration = Duration::from_secs(1);
/// What is known is saved this often at most, and no more than a hundredth of the time goes into it.
const SAVE_EVERY: Duration = Duration::from_secs(30);
const SAVE_SHARE: u32 = 100;
/// Another engine's looks replace those of the one before when it was silent for so long: cameras change over one by
/// one.
const CHANGE_AFTER: Duration = Duration::from_secs(3);

/// Keeps bytes where they outlive the process.
pub type Save = Box<dyn FnMut(&[u8]) -> io::Result<()> + Send>;

/// The running thread.
pub struct Identities {
    work: Sender<Work>,
    thread: JoinHandle<()>,
    counts: Arc<Counts>,
}

enum Work {
    Frame(FrameResult),
    Ended(TrackKey),
}

/// What is counted of it; the rest are the gallery's own [`Counters`].
#[derive(Debug, Default)]
struct Counts {
    /// Frames left out.
    dropped: Counter,
    /// Embeddings of an engine that is not the gallery's.
    foreign: Counter,
    identities: Counter,
    embeddings: Counter,
    sightings: Counter,
    merged: Counter,
    split: Counter,
    forgotten: Counter,
}

impl Counts {
    fn note(&self, now: &Counters) {
        self.identities.set(now.identities);
        self.embeddings.set(now.embeddings);
        self.sightings.set(now.sightings);
        self.merged.set(now.merged);
        self.split.set(now.split);
        self.forgotten.set(now.expired + now.evicted);
    }

    fn render(&self, out: &mut String) {
        gauge(out, "identities", "", [("", self.identities.get())]);
        gauge(out, "identity_embeddings", "", [("", self.embeddings.get())]);
        counter(out, "identity_sightings_total", "", [("", self.sightings.get())]);
        let changes = [("merged", &self.merged), ("split", &self.split), ("forgotten", &self.forgotten)];
        counter(out, "identity_changes_total", "change", changes.map(|(name, count)| (name, count.get())));
        let dropped = [("frame", &self.dropped), ("other-engine", &self.foreign)];
        counter(out, "identity_dropped_total", "what", dropped.map(|(name, count)| (name, count.get())));
    }
}

/// The ReID model that a gallery's embeddings are of, as loaded; `None`: it is none.
#[must_use]
pub fn model_of(loaded: &LoadedModel) -> Option<Model> {
    let dim = crate::vision::heads::Embedder::new(&loaded.model, loaded.io()).ok()?.dim();
    Some(Model { digest: looks_of(loaded), dim })
}

/// Names what embeddings depend on: the model file, and how it is given crops.
pub(super) fn looks_of(loaded: &LoadedModel) -> String {
    format!("{}+{}", loaded.origin_sha256(), crate::inference::settings_sha256(&loaded.model))
}

impl Identities {
    /// Starts the thread with a gallery, empty or restored; `save` keeps what it knows.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(
        gallery: Gallery,
        model: Model,
        save: Save,
        reports: Sender<Report>,
        metrics: &Metrics,
        stage: Arc<Stage>,
    ) -> io::Result<Self> {
        let (work, waiting) = bounded(QUEUE);
        let counts = Arc::new(Counts::default());
        let rendered = Arc::clone(&counts);
        metrics.also(move |out| rendered.render(out));
        let mut desk = Desk {
            gallery,
            model,
            other: None,
            seen_own: Instant::now(),
            save,
            saved: Instant::now(),
            saving_took: Duration::ZERO,
            saved_sightings: 0,
            failing: false,
            reports,
            counts: Arc::clone(&counts),
        };
        let thread =
            std::thread::Builder::new().name("identities".to_owned()).spawn(move || desk.run(&waiting, &stage))?;
        Ok(Self { work, thread, counts })
    }

    /// A frame's tracks; they are left out where the thread is behind.
    pub(super) fn offer(&self, result: FrameResult) {
        if let Err(TrySendError::Full(Work::Frame(result)) | TrySendError::Disconnected(Work::Frame(result))) =
            self.work.try_send(Work::Frame(result))
        {
            self.counts.dropped.inc();
            let _ = result.recycle.try_send(result.objects);
        }
    }

    /// The end of a track; no others are of interest.
    pub(super) fn heed(&self, draft: &EventDraft) {
        let ended = draft.track.as_ref().filter(|_| draft.event_type == EventType::ObjectEnd);
        if let Some(key) = ended.and_then(|track| track.id.parse().ok()) {
            // A track that nobody said ended is one that was not seen for long: the gallery copes.
            let _ = self.work.try_send(Work::Ended(key));
        }
    }

    /// No more will come: what is known is revised once more and saved. Its last events are in the channel to the hub
    /// when the thread has ended.
    pub(super) fn finish(self) -> JoinHandle<()> {
        self.thread
    }
}

struct Desk {
    gallery: Gallery,
    model: Model,
    /// Another engine whose looks come in.
    other: Option<Model>,
    /// When a look of the gallery's own model last came.
    seen_own: Instant,
    save: Save,
    saved: Instant,
    saving_took: Duration,
    saved_sightings: u64,
    failing: bool,
    reports: Sender<Report>,
    counts: Arc<Counts>,
}

impl Desk {
    fn run(&mut self, waiting: &Receiver<Work>, stage: &Stage) {
        loop {
            stage.idle();
            match waiting.recv_timeout(IDLE) {
                Ok(work) => {
                    stage.busy();
                    self.take(work);
                }
                Err(RecvTimeoutError::Timeout) => self.gallery.advance(since_1970(Timestamp::now())),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.tell();
            if self.saved.elapsed() >= SAVE_EVERY.max(self.saving_took * SAVE_SHARE) {
                stage.busy();
                self.keep();
            }
        }
        stage.busy();
        self.gallery.settle();
        self.tell();
        self.keep();
        stage.idle();
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Frame(result) => {
                self.see(&result);
                let _ = result.recycle.try_send(result.objects);
            }
            Work::Ended(key) => self.gallery.end(&key),
        }
    }

    fn see(&mut self, result: &FrameResult) {
        let objects = &result.objects;
        let own = self.is_own(result);
        // By our own clock: a camera's may be wrong by years.
        let time = since_1970(result.meta.arrival);
        let frame = Frame {
            camera: &result.camera,
            run: result.track_run,
            time,
            media_time: result.meta.media_time,
            size: (result.meta.width, result.meta.height),
            tracks: objects.tracks(),
            labels: &result.labels,
        };
        self.gallery.see_frame(&frame, |at| objects.embedding(at).filter(|_| own));
        self.gallery.advance(time);
    }

    /// Are its embeddings of the gallery's model? Where that has been replaced, the gallery begins anew.
    fn is_own(&mut self, result: &FrameResult) -> bool {
        let objects = &result.objects;
        let Some(digest) = &result.looks_of else { return false };
        let Some(dim) = (0..objects.tracks().len()).find_map(|at| objects.embedding(at)).map(<[f32]>::len) else {
            return false;
        };
        if **digest == *self.model.digest && dim == self.model.dim {
            self.seen_own = Instant::now();
            self.other = None;
            return true;
        }
        let other = Model { digest: digest.to_string(), dim };
        if self.seen_own.elapsed() < CHANGE_AFTER && self.other.as_ref().is_none_or(|known| *known == other) {
            self.other = Some(other);
            self.counts.foreign.inc();
            return false;
        }
        tracing::warn!("another ReID engine: what was known of identities cannot be compared with it and is forgotten");
        self.tell();
        self.gallery.change_model(other.clone());
        (self.model, self.other, self.seen_own) = (other, None, Instant::now());
        true
    }

    /// Facts become events.
    fn tell(&mut self) {
        for fact in self.gallery.facts() {
            if let Some(draft) = events::of(&fact) {
                // Fails only when the hub has ended, at the very end of the process.
                let _ = self.reports.send(Report::Event(draft));
            }
            if let Fact::Forgotten { identity, because, .. } = fact {
                tracing::debug!(identity, ?because, "forgotten");
            }
        }
        self.counts.note(&self.gallery.counters());
    }

    /// One line when saving begins to fail and one when it works again.
    fn keep(&mut self) {
        let sightings = self.gallery.counters().sightings;
        let changed = sightings != self.saved_sightings;
        let began = Instant::now();
        if changed {
            match (self.save)(&self.gallery.snapshot()) {
                Ok(()) => {
                    self.saved_sightings = sightings;
                    if std::mem::take(&mut self.failing) {
                        tracing::info!("identities are saved again");
                    }
                }
                Err(error) if !std::mem::replace(&mut self.failing, true) => {
                    tracing::error!("identities cannot be saved, so a restart would forget them: {error}");
                }
                Err(_) => {}
            }
        }
        (self.saving_took, self.saved) = (began.elapsed(), Instant::now());
    }
}

/// The gallery's clock.
fn since_1970(time: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(time.0).unwrap_or(0))
}
