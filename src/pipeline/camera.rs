//! The camera thread: takes frames from the slot, runs the models, follows what they find.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::analysis::{Analysed, Analysis};
use super::camera_motion::OwnMotion;
use super::clips::ClipDesk;
use super::extras::{Extras, Kind};
use super::handover::{FAILURES, Handover, Parcel, Part, Returned};
use super::looks::Looks;
use super::objects::Objects;
use super::shots::Shots;
use super::watching::Watching;
use super::{FrameResult, Publish, Report};
use crate::config::{Camera, Task, Tracking};
use crate::inference::{FrameRef, InferenceError, LoadedModel, ModelManager};
use crate::media::Desk;
use crate::source::slot::{FrameSlot, Take};
use crate::source::{Frame, Ring};
use crate::telemetry::metrics::{CameraMetrics, Stage};
use crate::telemetry::progress;
use crate::track_log::TrackLog;
use crate::tracking::{self, Input, Tracker};
use crate::types::event::EventDraft;
use crate::types::found::Found;
use crate::types::frame::FrameMeta;
use crate::types::objects::FrameObjects;
use crate::types::track::{Change, Ended, Track};

/// How long a silent slot is waited for before the thread looks after its tracks.
const IDLE: Duration = Duration::from_millis(250);
/// A camera that gives no frame for so long has no state that rules could go on with, however slow it is meant to be.
const SILENT: Duration = Duration::from_secs(120);
/// Pause after a panic, so that a frame that always panics does not take a whole core.
const AFTER_PANIC: Duration = Duration::from_secs(1);
/// Wait between attempts to make new contexts.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(5);
/// A frame's pixels are published this often at most.
const PICTURE_EVERY: Duration = Duration::from_millis(400);
/// Object lists on their way to the reader of frames and back.
const RECYCLED: usize = 64;

/// What a camera thread needs.
pub(super) struct Worker {
    pub(super) id: Arc<str>,
    pub(super) camera: Arc<Camera>,
    pub(super) slot: Arc<FrameSlot>,
    /// Of the model that feeds the tracker.
    pub(super) task: Task,
    /// The models that it works with, the first of which feeds the tracker, and others that it is to work with.
    pub(super) handover: Arc<Handover>,
    pub(super) models: Arc<ModelManager>,
    pub(super) tracking: Tracking,
    /// Frames in flight.
    pub(super) depth: usize,
    /// Frames come at their own pace, not at ours.
    pub(super) live: bool,
    pub(super) reports: Sender<Report>,
    /// Where pictures of events go.
    pub(super) media: Option<Desk>,
    /// Where clips of events are asked for, and what they are cut from.
    pub(super) clips: Option<(ClipDesk, Arc<Ring>)>,
    /// Where what rules are told is kept.
    pub(super) track_log: Option<Arc<TrackLog>>,
    /// What somebody reads of every frame.
    pub(super) publish: Publish,
    pub(super) metrics: Arc<CameraMetrics>,
    pub(super) stage: Arc<progress::Stage>,
}

impl Worker {
    /// Makes the camera's contexts, here and now so that a failure is known, and starts the thread.
    pub(super) fn start(self) -> anyhow::Result<JoinHandle<()>> {
        let analysis = self.analysis()?;
        let span = tracing::info_span!("camera", id = %self.id);
        let name = format!("camera {}", self.id);
        Ok(std::thread::Builder::new().name(name).spawn(move || {
            let _entered = span.entered();
            self.run(analysis);
            self.handover.ends();
            self.stage.idle();
        })?)
    }

    /// Contexts of the engines that it is to work with.
    fn analysis(&self) -> Result<Option<(Analysis, Extras)>, InferenceError> {
        loop {
            let using = self.handover.using();
            let Some((first, others)) = using.split_first() else { return Ok(None) };
            let lane = Arc::new(self.models.lane(&self.id)?);
            let analysis = Analysis::new(&lane, &self.models, first, self.depth)?;
            let extras = Extras::new(&lane, &self.models, first, others, self.depth)?;
            if self.handover.begins(&lane, &using) {
                return Ok(Some((analysis, extras)));
            }
        }
    }

    /// The same, again and again until it succeeds; `None` where the slot closes before.
    fn begin_anew(&self) -> Option<Option<(Analysis, Extras)>> {
        loop {
            match self.analysis() {
                Ok(analysis) => return Some(analysis),
                Err(error) => tracing::error!("the camera thread cannot begin anew yet: {error}"),
            }
            let next = Instant::now() + BETWEEN_ATTEMPTS;
            while Instant::now() < next {
                if self.slot.is_closed() {
                    return None;
                }
                std::thread::sleep(IDLE);
            }
        }
    }

    /// From now on events and counts are of these engines.
    fn heed(&self, kept: &mut Kept, using: &[Arc<LoadedModel>]) {
        let labels = labels(using);
        if labels != *kept.objects.labels() {
            self.metrics.set_labels(&labels);
        }
        kept.objects.heed(using);
        kept.watching.heed(&kept.objects);
        kept.shots.heed(kept.objects.labels());
    }

    /// All tracks are over.
    fn end_all(&self, kept: &mut Kept) {
        kept.watching.reset(|_, draft| self.tell(draft));
        for (number, draft) in kept.objects.end_all() {
            self.tell(EventDraft { media: kept.shots.ended(number), ..draft });
        }
        kept.shots.forget();
    }

    /// Waits where the hub is behind. It fails only when the hub has ended, at the very end of the process.
    fn tell(&self, draft: EventDraft) {
        let _ = self.reports.send(Report::Event(draft));
    }

    /// Until the slot closes; a panic costs the frames in flight and the tracks, not the camera.
    fn run(&self, mut analysis: Option<(Analysis, Extras)>) {
        let objects = Objects::new(&self.id, &self.handover.using());
        let watching = Watching::new(&self.camera, &objects, &self.metrics, self.track_log.as_deref());
        let mut shots = Shots::new(self.media.clone(), self.clips.clone());
        shots.heed(objects.labels());
        let mut kept = Kept { objects, watching, shots, numbering: Numbering::default() };
        loop {
            let attempt = AssertUnwindSafe(|| Life::new(self, analysis.take(), &mut kept).run());
            match std::panic::catch_unwind(attempt) {
                Ok(()) => return,
                Err(_) => self.metrics.panics.inc(),
            }
            tracing::error!(panics = self.metrics.panics.get(), "panic in the camera thread; it begins anew");
            self.stage.idle();
            self.handover.panicked();
            self.end_all(&mut kept);
            std::thread::sleep(AFTER_PANIC);
            // Contexts may have been lost in the panic.
            let Some(anew) = self.begin_anew() else { return };
            analysis = anew;
            self.heed(&mut kept, &self.handover.using());
        }
    }
}

/// Of the model that feeds the tracker.
fn labels(using: &[Arc<LoadedModel>]) -> Arc<[String]> {
    using.first().map_or_else(|| Arc::from([]), |first| Arc::clone(&first.model.labels))
}

/// What outlives a panic.
struct Kept {
    objects: Objects,
    watching: Watching,
    shots: Shots,
    numbering: Numbering,
}

/// Numbers of tracks: from 1 in each run, and never the same twice in one, whatever resets the tracker.
#[derive(Debug, Default)]
struct Numbering {
    /// Run in which the numbers began.
    run: u32,
    highest: u64,
    offset: u64,
}

impl Numbering {
    /// The tracker counts from 1 again.
    fn tracker_reset(&mut self, run: u32) {
        if self.run != run {
            *self = Self { run, ..Self::default() };
        }
        self.offset = self.highest;
    }

    fn published(&mut self, track: &Track) -> Track {
        let number = track.number + self.offset;
        self.highest = self.highest.max(number);
        Track { number, ..*track }
    }
}

/// One life of the camera thread, from its start or a panic to its end or the next.
struct Life<'a> {
    worker: &'a Worker,
    analysis: Option<Analysis>,
    extras: Option<Extras>,
    /// Frames are kept until their tracks are known.
    keep_frames: bool,
    tracker: Box<dyn Tracker>,
    kept: &'a mut Kept,
    last: Option<(FrameMeta, Instant)>,
    recycle: Sender<Box<FrameObjects>>,
    recycled: Receiver<Box<FrameObjects>>,
    failing: Option<Instant>,
    /// When a frame was last published with its pixels.
    pictured: Option<Instant>,
    on_trial: Vec<Trial>,
    /// Of the frame's detections.
    looks: Looks,
    /// Of the camera itself.
    own_motion: OwnMotion,
    /// No frame came for long, and rules know it.
    silent: bool,
}

/// A new engine that has not answered yet.
struct Trial {
    place: usize,
    failures: u32,
    /// The camera had no answers from the engine before it either.
    troubled: bool,
}

/// How a frame came to nothing.
#[derive(Clone, Copy)]
enum Fault<'a> {
    /// Its pixels cannot be read.
    Unreadable(&'a str),
    /// The model that feeds the tracker failed.
    Engine(&'a str),
}

impl Fault<'_> {
    fn reason(&self) -> &str {
        match self {
            Self::Unreadable(reason) | Self::Engine(reason) => reason,
        }
    }
}

impl<'a> Life<'a> {
    fn new(worker: &'a Worker, analysis: Option<(Analysis, Extras)>, kept: &'a mut Kept) -> Self {
        let (recycle, recycled) = bounded(RECYCLED);
        // One is enough where nobody reads frames; each more costs the memory of a frame's masks.
        let _ = recycle.try_send(Box::new(FrameObjects::with_capacity(64)));
        let (analysis, extras) = analysis.unzip();
        let own_motion = OwnMotion::new(worker.tracking.camera_motion);
        let keep_frames = worker.publish.has_pictures()
            || extras.as_ref().is_some_and(|extras| !extras.is_empty())
            || own_motion.is_on()
            || kept.shots.is_on();
        Self {
            worker,
            analysis,
            extras,
            keep_frames,
            tracker: tracking::new(&worker.tracking),
            kept,
            last: None,
            recycle,
            recycled,
            failing: None,
            pictured: None,
            on_trial: Vec::new(),
            looks: Looks::new(),
            own_motion,
            silent: false,
        }
    }

    fn run(&mut self) {
        let worker = self.worker;
        loop {
            if self.analysis.as_ref().is_some_and(|analysis| !analysis.has_room()) {
                self.finish();
                continue;
            }
            if worker.handover.is_waiting() {
                if self.is_idle() {
                    self.take_over();
                } else {
                    self.finish();
                }
                continue;
            }
            if self.is_idle() {
                worker.stage.idle();
            }
            // With a frame in flight and room for another, a short wait is enough to keep both busy.
            let wait = if self.is_idle() { IDLE } else { Duration::from_millis(2) };
            match worker.slot.take(wait) {
                Take::Frame(frame) => {
                    worker.stage.busy();
                    self.begin(frame);
                }
                Take::Timeout if self.is_idle() => {
                    self.forget_lost_tracks();
                    self.analysis.iter_mut().for_each(Analysis::tidy);
                    self.extras.iter_mut().for_each(Extras::tidy);
                }
                Take::Timeout => self.finish(),
                Take::Closed if self.is_idle() => break,
                Take::Closed => self.finish(),
            }
        }
        self.end_tracks();
    }

    fn is_idle(&self) -> bool {
        self.analysis.as_ref().is_none_or(Analysis::is_idle)
    }

    fn begin(&mut self, frame: Frame) {
        let metrics = &self.worker.metrics;
        metrics.stage(Stage::Queue).observe(frame.meta.received.elapsed());
        let veiled = self.worker.media.as_ref().is_some_and(|desk| desk.settings().blur);
        self.kept.watching.look(&frame, veiled);
        let Some(analysis) = self.analysis.as_mut() else {
            // A camera without models is only watched.
            let objects = self.recycled.try_recv().unwrap_or_default();
            self.publish(frame.meta, objects, Vec::new(), Some(frame));
            return;
        };
        let readable = frame.picture().is_some();
        if !self.on_trial.is_empty() {
            self.worker.handover.asks(true);
        }
        if let Err(error) = analysis.begin(frame, self.keep_frames, self.extras.as_mut(), metrics) {
            let reason = error.to_string();
            self.failed(if readable { Fault::Engine(&reason) } else { Fault::Unreadable(&reason) });
        }
    }

    fn finish(&mut self) {
        let worker = self.worker;
        worker.stage.busy();
        let Some(result) = self.analysis.as_mut().and_then(|analysis| analysis.finish(&worker.metrics)) else { return };
        let Analysed { meta, frame, found } = match result {
            Ok(analysed) => analysed,
            Err(error) => {
                self.extras.iter_mut().for_each(Extras::skip);
                return self.failed(Fault::Engine(&error.to_string()));
            }
        };
        let began = Instant::now();
        let mut objects = self.recycled.try_recv().unwrap_or_default();
        if self.last.is_none_or(|(last, _)| must_forget(&last, &meta, worker.tracking.max_gap)) {
            self.tracker.reset();
            self.own_motion.reset();
            self.kept.numbering.tracker_reset(meta.run);
            self.extras.iter_mut().for_each(Extras::reset);
            worker.end_all(self.kept);
        }
        let frame_ref = frame.as_ref().and_then(Frame::picture);
        let frame_ref = frame_ref.map(|picture| FrameRef { tag: (meta.run, meta.seq), picture });
        let size = Some((meta.width, meta.height));
        let camera_motion = self.own_motion.since_last(frame_ref.as_ref().map(|frame| &frame.picture));
        let input = Input { size, camera_motion, ..Input::new(meta.media_time, &found.detections) };
        let (appearance, looked_for) =
            self.looks.take(&mut *self.tracker, self.extras.as_mut(), frame_ref.as_ref(), &input, &worker.metrics);
        let seen = self.tracker.update(&Input { appearance, ..input });
        self.own_motion.follow(seen);
        objects.set_tracks(seen.iter().map(|track| self.kept.numbering.published(track)));
        worker.metrics.stage(Stage::Track).observe(began.elapsed().saturating_sub(looked_for));
        if let (Some(extras), Some(looks)) = (&mut self.extras, appearance) {
            extras.keep_looks(&found.detections, looks, meta.media_time, &mut objects);
        }
        let mut collected = Vec::new();
        if let Some(extras) = &mut self.extras {
            let task = worker.task;
            extras.attach_own(found, task, &mut objects);
            let mut collect = worker.publish.has_found().then_some(&mut collected);
            if let Some(collected) = &mut collect {
                collected.push((task, found.clone()));
            }
            match frame_ref.filter(|_| !extras.is_empty()) {
                Some(frame) => extras.finish(&frame, meta.media_time, &mut objects, &worker.metrics, collect),
                None => extras.skip(),
            }
        }
        worker.metrics.inferred.inc();
        self.judge(Ok(()));
        if let Some(since) = self.failing.take() {
            tracing::info!(after_s = since.elapsed().as_secs(), "inference works again");
        }
        self.publish(meta, objects, collected, frame);
    }

    /// Hands tracks and events to the hub; waits where the hub is behind.
    fn publish(
        &mut self,
        meta: FrameMeta,
        objects: Box<FrameObjects>,
        found: Vec<(Task, Found)>,
        frame: Option<Frame>,
    ) {
        let worker = self.worker;
        let began = Instant::now();
        self.last = Some((meta, began));
        self.silent = false;
        worker.metrics.set_tracks(objects.tracks());
        let Kept { objects: known, watching, shots, numbering } = &mut *self.kept;
        let (run, offset) = (numbering.run, numbering.offset);
        let mut of_run = |ended: &Ended| Ended { track: numbering.published(&ended.track), ..*ended };
        let tell = |draft| worker.tell(draft);
        known.see(&meta, run, &objects, tell);
        let ended = self.tracker.ended();
        let (pixels, tracks) = (frame.as_ref(), objects.tracks());
        watching.see(&meta, run, &objects, ended.iter().map(&mut of_run), |about, draft| {
            tell(EventDraft { media: shots.fired(&meta, pixels, tracks, (about, draft.event_type)), ..draft });
        });
        if let Some(frame) = pixels {
            shots.see(frame, tracks);
        }
        known.end(ended.iter().map(&mut of_run), |number, draft| {
            tell(EventDraft { media: shots.ended(number), ..draft });
        });
        if worker.publish == Publish::Events {
            let _ = self.recycle.try_send(objects);
        } else {
            let (camera, recycle) = (Arc::clone(&worker.id), self.recycle.clone());
            let ended = self.tracker.ended().iter().map(of_run).collect();
            let numbered = self.tracker.changes().iter().filter(|change| change.number.is_some());
            let changes =
                numbered.map(|change| Change { number: change.number.map(|n| n + offset), ..*change }).collect();
            let due = match worker.publish {
                Publish::Everything => true,
                Publish::Pictures => self.pictured.is_none_or(|at| at.elapsed() >= PICTURE_EVERY),
                _ => false,
            };
            if due {
                self.pictured = Some(Instant::now());
            }
            let frame = frame.filter(|_| due).map(Box::new);
            let (labels, looks_of) = (Arc::clone(known.labels()), known.looks_of());
            let result = FrameResult {
                camera,
                meta,
                track_run: run,
                labels,
                looks_of,
                objects,
                ended,
                changes,
                found,
                frame,
                recycle,
            };
            let _ = worker.reports.send(Report::Frame(result));
        }
        worker.metrics.stage(Stage::Publish).observe(began.elapsed());
        worker.metrics.end_to_end.observe(meta.received.elapsed());
    }

    /// One line when it begins to fail; the rest is counted.
    fn failed(&mut self, fault: Fault<'_>) {
        self.worker.metrics.failed.inc();
        self.judge(Err(fault));
        if self.failing.is_none() {
            self.failing = Some(Instant::now());
            tracing::error!("frame not analysed: {}", fault.reason());
        }
    }

    /// Other engines wait, and no frame is in flight.
    fn take_over(&mut self) {
        match self.worker.handover.collect() {
            Some(Parcel::Engines(parts, on_trial)) => self.exchange(parts, on_trial),
            Some(Parcel::Anew(engines)) => self.begin_anew(&engines),
            None => {}
        }
    }

    /// Gives up all contexts, and makes others with these engines; tracks go on.
    fn begin_anew(&mut self, engines: &[(usize, Arc<LoadedModel>)]) {
        let worker = self.worker;
        self.on_trial.clear();
        (self.analysis, self.extras) = (None, None);
        worker.handover.gave_up(engines);
        worker.stage.idle();
        let Some(analysis) = worker.begin_anew() else {
            // The slot is closed: what lies in it is not analysed any more.
            while let Take::Frame(_) = worker.slot.take(Duration::ZERO) {
                worker.metrics.failed.inc();
            }
            return;
        };
        (self.analysis, self.extras) = analysis.unzip();
        self.heed(&worker.handover.using());
    }

    /// Events and counts are of these engines from now on.
    fn heed(&mut self, using: &[Arc<LoadedModel>]) {
        if labels(using) != *self.kept.objects.labels() {
            // A class that was a person may be a car now.
            self.end_tracks();
        }
        let before = self.kept.objects.looks_of();
        self.worker.heed(self.kept, using);
        if self.kept.objects.looks_of() != before {
            // Looks of another engine cannot be compared with those to come.
            self.tracker.forget_appearance();
        }
    }

    fn exchange(&mut self, parts: Vec<Part>, on_trial: bool) {
        let worker = self.worker;
        let mut using = worker.handover.using();
        let (mut places, mut returned) = (Vec::new(), Returned::default());
        self.on_trial.clear();
        for Part { place, model, kind } in parts {
            if on_trial {
                let troubled = match (place.checked_sub(1), &self.extras) {
                    (Some(at), Some(extras)) => extras.is_failing(at),
                    _ => self.failing.is_some(),
                };
                self.on_trial.push(Trial { place, failures: 0, troubled });
                places.push(place);
            }
            let replaced = match (place.checked_sub(1), kind, &mut self.analysis, &mut self.extras) {
                (None, Kind::Frames(model), Some(analysis), _) => {
                    Some(Kind::Frames(Box::new(analysis.replace(*model))))
                }
                (Some(at), kind, _, Some(extras)) => {
                    extras.watch(at, on_trial);
                    extras.replace(at, kind)
                }
                (_, kind, ..) => Some(kind),
            };
            returned.kinds.extend(replaced);
            if let Some(used) = using.get_mut(place) {
                *used = model;
            }
        }
        self.heed(&using);
        if let (Some(extras), Some((first, others))) = (&mut self.extras, using.split_first()) {
            extras.heed(first, others);
        }
        worker.handover.taken(using, places, returned);
    }

    /// A frame was analysed, or could not be: what that says of engines on trial.
    fn judge(&mut self, tracker: Result<(), Fault<'_>>) {
        let Self { on_trial, extras, worker, .. } = self;
        let handover = &worker.handover;
        if !on_trial.is_empty() {
            handover.asks(false);
        }
        on_trial.retain_mut(|Trial { place, failures, troubled }| {
            let verdict = match (place.checked_sub(1), extras.as_mut()) {
                (None, _) => Some(tracker.map_err(|fault| fault.reason().to_owned())),
                (Some(at), Some(extras)) => extras.verdict(at),
                (Some(_), None) => None,
            };
            match verdict {
                None => return true,
                Some(Ok(())) => handover.answered(*place),
                Some(Err(reason)) => {
                    *failures += 1;
                    if *failures < FAILURES {
                        return true;
                    }
                    let own = *place == 0 && matches!(tracker, Err(Fault::Unreadable(_)));
                    if *troubled || own { handover.excused(*place) } else { handover.failed(reason) }
                }
            }
            if let (Some(at), Some(extras)) = (place.checked_sub(1), extras.as_mut()) {
                extras.watch(at, false);
            }
            false
        });
    }

    /// A camera that went silent has lost its subjects.
    fn forget_lost_tracks(&mut self) {
        let gap = self.worker.tracking.max_gap + Duration::from_secs(1);
        let silent = self.last.as_ref().is_some_and(|(_, at)| at.elapsed() > gap);
        if self.worker.live && silent && !self.kept.objects.is_empty() {
            self.end_tracks();
        }
        // What rules hold open without a track does not wait for the camera to come back.
        if self.worker.live && self.last.is_some_and(|(_, at)| at.elapsed() > gap.max(SILENT)) && !self.silent {
            self.silent = true;
            self.end_tracks();
        }
    }

    fn end_tracks(&mut self) {
        // Else the tracker, which knows media time only, might go on with one that was told to have ended.
        self.tracker.reset();
        self.own_motion.reset();
        let run = self.kept.numbering.run;
        self.kept.numbering.tracker_reset(run);
        self.worker.metrics.set_tracks(&[]);
        self.worker.end_all(self.kept);
    }
}

/// True where tracks cannot go on: a new run after more than a short gap, or a picture of another size,
/// in whose pixels old boxes mean nothing.
fn must_forget(last: &FrameMeta, now: &FrameMeta, max_gap: Duration) -> bool {
    let gap = now.media_time.saturating_sub(last.media_time);
    (last.run != now.run && gap > max_gap) || (last.width, last.height) != (now.width, now.height)
}
