//! Who is probably the same on several cameras: a thread of its own that sees the tracks of all of them.
//!
//! The hub hands it every frame's tracks and waits for nothing: where it falls behind, frames are left out and counted.
//! What it finds goes to the hub as events.

mod engine;
mod events;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use self::engine::{Engine, Look};
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
/// What is known is saved this often at most. No more than a hundredth of the time goes into it, and on average no
/// more than 1 MB/s onto the disk, 86 GB a day: 200 MB are saved every 200 s.
const SAVE_EVERY: Duration = Duration::from_secs(30);
const SAVE_SHARE: u32 = 100;
const SAVE_BYTES_PER_S: u64 = 1_000_000;
/// So many numbers given since are saved at once: a snapshot has ten thousand to spare.
const SAVE_NUMBERS: u64 = 5_000;

/// Keeps a gallery's snapshot where it outlives the process, and says how many bytes that took.
pub type Save = Box<dyn FnMut(&Gallery) -> io::Result<u64> + Send>;

/// The running thread.
pub struct Identities {
    work: Sender<Work>,
    thread: JoinHandle<()>,
    counts: Arc<Counts>,
}

#[allow(clippy::large_enum_variant, reason = "nearly all are frames, and none is to be allocated")]
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
    late: Counter,
}

impl Counts {
    fn note(&self, now: &Counters) {
        self.identities.set(now.identities);
        self.embeddings.set(now.embeddings);
        self.sightings.set(now.sightings);
        self.merged.set(now.merged);
        self.split.set(now.split);
        self.forgotten.set(now.expired + now.evicted);
        self.late.set(now.late);
    }

    fn render(&self, out: &mut String) {
        gauge(out, "identities", "", [("", self.identities.get())]);
        gauge(out, "identity_embeddings", "", [("", self.embeddings.get())]);
        counter(out, "identity_sightings_total", "", [("", self.sightings.get())]);
        let changes = [("merged", &self.merged), ("split", &self.split), ("forgotten", &self.forgotten)];
        counter(out, "identity_changes_total", "change", changes.map(|(name, count)| (name, count.get())));
        let dropped = [("frame", &self.dropped), ("other-engine", &self.foreign), ("late", &self.late)];
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
        mut gallery: Gallery,
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
        let clock = Steady::now();
        gallery.no_later_than(clock.anchor.1);
        let mut desk = Desk {
            gallery,
            engine: Engine::new(model),
            clock,
            save,
            saved: None,
            save_at: Instant::now(),
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
    engine: Engine,
    clock: Steady,
    save: Save,
    /// As last saved; `None`: not yet by this process.
    saved: Option<Counters>,
    save_at: Instant,
    failing: bool,
    reports: Sender<Report>,
    counts: Arc<Counts>,
}

impl Desk {
    fn run(&mut self, waiting: &Receiver<Work>, stage: &Stage) {
        // At once: numbers that are given from now on may not be given again after a crash.
        stage.busy();
        self.keep();
        loop {
            stage.idle();
            match waiting.recv_timeout(IDLE) {
                Ok(work) => {
                    stage.busy();
                    self.take(work);
                }
                Err(RecvTimeoutError::Timeout) => self.gallery.advance(self.clock.at(Instant::now())),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.tell();
            if Instant::now() >= self.save_at || self.has_given_many() {
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
        // By our own clock: a camera's may be wrong by years, and the wall clock may be set.
        let time = self.clock.at(result.meta.received);
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
        match self.engine.look(digest, dim, result.meta.received) {
            Look::Own => true,
            Look::Foreign => {
                self.counts.foreign.inc();
                false
            }
            Look::Changed(model) => {
                tracing::warn!(
                    "another ReID engine: what was known of identities cannot be compared with it and is forgotten"
                );
                self.tell();
                self.gallery.change_model(model);
                true
            }
        }
    }

    /// Facts become events.
    fn tell(&mut self) {
        let clock = Steady::now();
        let wall = |time| self.clock.wall(time, &clock);
        for fact in self.gallery.facts() {
            if let Some(draft) = events::of(&fact, wall) {
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
        let now = self.gallery.counters();
        let began = Instant::now();
        let mut bytes = 0;
        if self.saved != Some(now) {
            match (self.save)(&self.gallery) {
                Ok(written) => {
                    bytes = written;
                    self.saved = Some(now);
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
        let rest = Duration::from_secs(bytes / SAVE_BYTES_PER_S);
        self.save_at = Instant::now() + SAVE_EVERY.max(began.elapsed() * SAVE_SHARE).max(rest);
    }

    fn has_given_many(&self) -> bool {
        let given = self.gallery.counters().given;
        !self.failing && self.saved.is_some_and(|saved| given >= saved.given + SAVE_NUMBERS)
    }
}

/// The gallery's clock: the wall clock as it was at the start, and steady from then on, whoever sets the other.
#[derive(Clone, Copy, Debug)]
struct Steady {
    anchor: (Instant, Duration),
}

impl Steady {
    fn now() -> Self {
        let micros = u64::try_from(Timestamp::now().0).unwrap_or(0);
        Self { anchor: (Instant::now(), Duration::from_micros(micros)) }
    }

    fn at(&self, moment: Instant) -> Duration {
        let (start, wall) = self.anchor;
        match moment.checked_duration_since(start) {
            Some(since) => wall + since,
            None => wall.saturating_sub(start - moment),
        }
    }

    /// What the wall clock, which is `now` now, said at a time of this one.
    fn wall(&self, time: Duration, now: &Self) -> Timestamp {
        let (moment, wall) = now.anchor;
        let ago = self.at(moment).saturating_sub(time);
        Timestamp(i64::try_from(wall.saturating_sub(ago).as_micros()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gallery_s_clock_goes_on_where_the_wall_clock_is_set_back_and_events_tell_the_wall_clock() {
        let (start, second) = (Instant::now() + Duration::from_secs(100), Duration::from_secs(1));
        let clock = Steady { anchor: (start, 1000 * second) };
        assert_eq!(clock.at(start + 5 * second), 1005 * second);
        assert_eq!(clock.at(start - 5 * second), 995 * second, "a frame from before the start");
        // Set back by 600 s since.
        let now = Steady { anchor: (start + 10 * second, 410 * second) };
        assert_eq!(clock.wall(1008 * second, &now), Timestamp(408_000_000));
    }
}
