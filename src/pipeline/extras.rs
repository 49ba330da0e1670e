//! The models of a camera that do not feed its tracker: when each runs, and which track an answer is for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::crops::Crops;
use super::matcher::Matcher;
use super::whole_frame::{Running, WholeFrame};
use crate::config::{Cadence, RunOn, Task};
use crate::inference::{FrameRef, InferenceError, Lane, LoadedModel, ModelManager};
use crate::telemetry::metrics::CameraMetrics;
use crate::types::detection::Detection;
use crate::types::embedding::Embeddings;
use crate::types::found::Found;
use crate::types::frame::Picture;
use crate::types::geometry::BBox;
use crate::types::objects::FrameObjects;
use crate::types::track::Track;

/// Least overlap (IoU) of a track's box and the detection that it was given in this frame.
const SAME_DETECTION: f32 = 0.3;

/// Tracks for which there is room from the start.
pub(super) const ROOM: usize = 128;

/// All further models of one camera.
pub(super) struct Extras {
    extras: Vec<Extra>,
    /// Frames begun, and those that came to their end.
    begun: u64,
    ended: u64,
    found: Found,
    matcher: Matcher,
    /// Tracks that a model is to look at.
    wanted: Vec<usize>,
    /// Boxes that a ReID model is to look at.
    boxes: Vec<BBox>,
}

struct Extra {
    kind: Kind,
    cadence: Cadence,
    /// By class of the model that feeds the tracker: the class of this one with the same label.
    classes: Vec<Option<u16>>,
    answers: Answers,
    /// By frame in flight; `None`: its answer is not asked for, or only when tracks are known.
    running: VecDeque<Option<Running>>,
    failing: bool,
    /// How its latest run ended; kept only while somebody waits for it.
    latest: Option<Result<(), String>>,
    on_trial: bool,
}

/// A camera's use of a model.
pub(super) enum Kind {
    Frames(Box<WholeFrame>),
    Crops(Box<Crops>),
}

impl Kind {
    pub(super) fn new(
        lane: &Lane,
        models: &ModelManager,
        model: &Arc<LoadedModel>,
        depth: usize,
    ) -> Result<Self, InferenceError> {
        Ok(match model.model.task {
            Task::Reid => Self::Crops(Box::new(Crops::new(lane, models, model)?)),
            _ => Self::Frames(Box::new(WholeFrame::new(lane, models, model, depth)?)),
        })
    }
}

/// By class of the model that feeds the tracker: the class of `model` with the same label.
fn classes(first: &LoadedModel, model: &LoadedModel) -> Vec<Option<u16>> {
    let unwanted = |class: &u16| !model.model.classes.is_empty() && !model.model.classes.contains(class);
    let class_of = |label: &String| {
        let at = model.model.labels.iter().position(|other| other == label)?;
        u16::try_from(at).ok().filter(|class| !unwanted(class))
    };
    first.model.labels.iter().map(class_of).collect()
}

impl Extras {
    pub(super) fn new(
        lane: &Lane,
        models: &ModelManager,
        first: &LoadedModel,
        others: &[Arc<LoadedModel>],
        depth: usize,
    ) -> Result<Self, InferenceError> {
        let mut extras = Vec::with_capacity(others.len());
        for model in others {
            extras.push(Extra {
                kind: Kind::new(lane, models, model, depth)?,
                cadence: model.model.cadence,
                classes: classes(first, model),
                answers: Answers(Vec::with_capacity(ROOM)),
                running: VecDeque::with_capacity(depth + 1),
                failing: false,
                latest: None,
                on_trial: false,
            });
        }
        let (wanted, boxes) = (Vec::with_capacity(ROOM), Vec::with_capacity(ROOM));
        Ok(Self { extras, begun: 0, ended: 0, found: Found::default(), matcher: Matcher::new(), wanted, boxes })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.extras.is_empty()
    }

    /// Puts another model in the place of the one at `at`, and hands that back; not with frames in flight.
    pub(super) fn replace(&mut self, at: usize, kind: Kind) -> Option<Kind> {
        let extra = self.extras.get_mut(at)?;
        // What another engine answered is none of its answers: tracks are asked about at once.
        extra.answers.clear();
        Some(std::mem::replace(&mut extra.kind, kind))
    }

    /// Takes over what the configuration says of models that were replaced; `first` feeds the tracker.
    pub(super) fn heed(&mut self, first: &LoadedModel, others: &[Arc<LoadedModel>]) {
        for (extra, model) in self.extras.iter_mut().zip(others) {
            extra.cadence = model.model.cadence;
            extra.classes = classes(first, model);
        }
    }

    /// Does the model at `at` give no answers?
    pub(super) fn is_failing(&self, at: usize) -> bool {
        self.extras.get(at).is_some_and(|extra| extra.failing)
    }

    /// From now on how the runs of the model at `at` end is kept for [`Extras::verdict`], or no longer.
    pub(super) fn watch(&mut self, at: usize, on_trial: bool) {
        if let Some(extra) = self.extras.get_mut(at) {
            (extra.on_trial, extra.latest) = (on_trial, None);
        }
    }

    /// How the latest run of the model at `at` ended, told once; `None` where there was none.
    pub(super) fn verdict(&mut self, at: usize) -> Option<Result<(), String>> {
        self.extras.get_mut(at)?.latest.take()
    }

    /// For a camera that gives no frames.
    pub(super) fn tidy(&mut self) {
        self.extras.iter_mut().for_each(Extra::tidy);
    }

    /// The tracks' numbers begin anew.
    pub(super) fn reset(&mut self) {
        self.extras.iter_mut().for_each(|extra| extra.answers.clear());
    }

    /// A frame sets out: models whose turn it is and that look at all frames set out with it.
    pub(super) fn begin(&mut self, frame: &FrameRef<'_>, metrics: &CameraMetrics) {
        let number = self.begun;
        self.begun += 1;
        for extra in &mut self.extras {
            let now = extra.cadence.run_on == RunOn::Frames && extra.is_due(number);
            let running = if now { extra.begin(frame, metrics) } else { None };
            extra.running.push_back(running);
        }
    }

    /// A frame sets out that will come to nothing: no model is asked.
    pub(super) fn pass_over(&mut self) {
        self.begun += 1;
        self.extras.iter_mut().for_each(|extra| extra.running.push_back(None));
    }

    /// The oldest frame came to nothing: nobody wants to know what else was in it.
    pub(super) fn skip(&mut self) {
        self.ended += 1;
        for extra in &mut self.extras {
            if let (Some(Some(running)), Kind::Frames(model)) = (extra.running.pop_front(), &mut extra.kind) {
                model.abandon(running);
            }
        }
    }

    /// Is there a ReID model, and its turn in the oldest frame?
    pub(super) fn has_looks(&self) -> bool {
        self.extras.iter().any(|extra| matches!(extra.kind, Kind::Crops(_)) && extra.is_due(self.ended))
    }

    /// The oldest frame's detections are known, and its tracks are not: has the ReID model look at those at `wanted`,
    /// the most useful first, and puts what it makes of them into `looks`, a row for each detection. One run of the
    /// model at most; false where there is no such model.
    pub(super) fn look(
        &mut self,
        frame: &FrameRef<'_>,
        detections: &[Detection],
        wanted: &mut Vec<usize>,
        looks: &mut Embeddings,
        metrics: &CameraMetrics,
    ) -> bool {
        let Some(extra) = self.extras.iter_mut().find(|extra| matches!(extra.kind, Kind::Crops(_))) else {
            return false;
        };
        wanted.retain(|at| {
            detections.get(*at).is_some_and(|found| extra.can_see(found.class, &found.bbox, &frame.picture))
        });
        let Kind::Crops(crops) = &mut extra.kind else { return false };
        looks.begin(crops.dim(), detections.len());
        wanted.truncate(crops.most());
        self.boxes.clear();
        self.boxes.extend(wanted.iter().filter_map(|at| detections.get(*at)).map(|found| found.bbox));
        if self.boxes.is_empty() {
            return true;
        }
        let result = crops.run(frame, &self.boxes, metrics, |at, embedding| looks.set_copy(wanted[at], embedding));
        extra.ended(result, metrics);
        true
    }

    /// Gives tracks what [`Extras::look`] saw of their detections: nobody need look again in this frame.
    pub(super) fn keep_looks(
        &mut self,
        detections: &[Detection],
        looks: &Embeddings,
        now: Duration,
        objects: &mut FrameObjects,
    ) {
        let Some(extra) = self.extras.iter_mut().find(|extra| matches!(extra.kind, Kind::Crops(_))) else { return };
        for at in 0..objects.tracks().len() {
            let track = objects.tracks()[at];
            if track.coasted {
                continue;
            }
            // A tracker may smooth boxes; scores it leaves as they are.
            let overlap = |found: &Detection| found.bbox.iou(&track.bbox);
            let of_score =
                detections.iter().enumerate().filter(|(_, found)| found.score.min(1.0) == track.score.min(1.0));
            let its = of_score.max_by(|(_, a), (_, b)| overlap(a).total_cmp(&overlap(b)));
            let its = its.filter(|(_, found)| overlap(found) >= SAME_DETECTION);
            let look = its.and_then(|(place, _)| looks.get(place));
            if let Some(embedding) = look {
                objects.set_embedding(at, embedding);
                extra.answers.note(track.number, now);
            }
        }
    }

    /// The oldest frame's tracks are known: asks each model whose turn it is and that waited for them, all at once,
    /// and gives the tracks what all answer. One that fails costs its answer only. `collect` gets all that was found,
    /// for whoever asked for it.
    pub(super) fn finish(
        &mut self,
        frame: &FrameRef<'_>,
        now: Duration,
        objects: &mut FrameObjects,
        metrics: &CameraMetrics,
        mut collect: Option<&mut Vec<(Task, Found)>>,
    ) {
        let number = self.ended;
        self.ended += 1;
        let picture = &frame.picture;
        for extra in &mut self.extras {
            let mut running = extra.running.pop_front().flatten();
            let waited = extra.cadence.run_on != RunOn::Frames && extra.is_due(number);
            if waited && objects.tracks().iter().any(|track| extra.wants(track, picture, now)) {
                running = extra.begin(frame, metrics);
            }
            // The frame's own place, for the loop below.
            extra.running.push_front(running);
        }
        for extra in &mut self.extras {
            let running = extra.running.pop_front().flatten();
            if !extra.is_due(number) {
                continue;
            }
            self.wanted.clear();
            let tracks = objects.tracks().iter().enumerate();
            let crops = matches!(extra.kind, Kind::Crops(_));
            // What the tracker asked for is there already.
            let is_new = |at: usize| !crops || objects.embedding(at).is_none();
            let wanted = tracks.filter(|(at, track)| is_new(*at) && extra.wants(track, picture, now));
            self.wanted.extend(wanted.map(|(at, _)| at));
            let result = match (&mut extra.kind, running) {
                (Kind::Frames(model), Some(running)) => {
                    let result = model.finish(running, metrics, &mut self.found);
                    let task = model.model.model.task;
                    if let Some(collect) = &mut collect {
                        collect.push((task, self.found.clone()));
                    }
                    self.matcher.attach(&self.found, task, &extra.classes, objects);
                    result
                }
                (Kind::Crops(crops), _) if !self.wanted.is_empty() => {
                    self.boxes.clear();
                    self.boxes.extend(self.wanted.iter().map(|at| objects.tracks()[*at].bbox));
                    let wanted = &self.wanted;
                    crops.run(frame, &self.boxes, metrics, |at, embedding| objects.set_embedding(wanted[at], embedding))
                }
                _ => {
                    extra.tidy();
                    continue;
                }
            };
            if result.is_ok() {
                // Asked is answered: a subject that the model cannot make out is no reason to ask in every frame.
                self.wanted.iter().for_each(|at| extra.answers.note(objects.tracks()[*at].number, now));
            }
            extra.answers.forget(now, extra.cadence.stale);
            extra.ended(result, metrics);
        }
    }

    /// What the model that feeds the tracker found besides boxes.
    pub(super) fn attach_own(&mut self, found: &Found, task: Task, objects: &mut FrameObjects) {
        if matches!(task, Task::Pose | Task::Segmentation) {
            self.matcher.attach(found, task, &[], objects);
        }
    }
}

impl Extra {
    fn tidy(&mut self) {
        match &mut self.kind {
            Kind::Frames(model) => model.tidy(),
            Kind::Crops(crops) => crops.tidy(),
        }
    }

    fn is_due(&self, frame: u64) -> bool {
        frame.is_multiple_of(self.cadence.every_n_frames)
    }

    /// Starts on a frame, where the model looks at whole ones.
    fn begin(&mut self, frame: &FrameRef<'_>, metrics: &CameraMetrics) -> Option<Running> {
        let Kind::Frames(model) = &mut self.kind else { return None };
        match model.begin(frame, metrics) {
            Ok(running) => Some(running),
            Err(error) => {
                self.ended(Err(error), metrics);
                None
            }
        }
    }

    /// Is the model to look at this track now?
    fn wants(&self, track: &Track, picture: &Picture<'_>, now: Duration) -> bool {
        let fresh = |age: Duration| age < self.cadence.stale;
        // Where a track was not seen, or lies outside the picture, there is nothing to look at.
        !track.coasted
            && self.can_see(track.class, &track.bbox, picture)
            && (self.cadence.run_on != RunOn::Stale || !self.answers.age(track.number, now).is_some_and(fresh))
    }

    /// Is it a model for this class, and is anything of the box in the picture?
    fn can_see(&self, class: u16, bbox: &BBox, picture: &Picture<'_>) -> bool {
        self.classes.get(usize::from(class)).copied().flatten().is_some()
            && bbox.clip(picture.width as f32, picture.height as f32).is_valid()
    }

    /// One line when it begins to fail and one when it works again; what is between is counted.
    fn ended(&mut self, result: Result<(), InferenceError>, metrics: &CameraMetrics) {
        if self.on_trial {
            self.latest = Some(result.as_ref().map(|_| ()).map_err(ToString::to_string));
        }
        match result {
            Ok(()) if std::mem::take(&mut self.failing) => tracing::info!(model = self.name(), "answers again"),
            Ok(()) => {}
            Err(error) => {
                metrics.unanswered.inc();
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!("no answer for a frame: {error}");
                }
            }
        }
    }

    fn name(&self) -> &str {
        match &self.kind {
            Kind::Frames(model) => &model.model.model.name,
            Kind::Crops(crops) => &crops.model.model.name,
        }
    }
}

/// When a model last answered for each track.
struct Answers(Vec<(u64, Duration)>);

impl Answers {
    fn clear(&mut self) {
        self.0.clear();
    }

    fn age(&self, number: u64, now: Duration) -> Option<Duration> {
        self.0.iter().find(|(n, _)| *n == number).map(|(_, at)| now.saturating_sub(*at))
    }

    fn note(&mut self, number: u64, now: Duration) {
        match self.0.iter_mut().find(|(n, _)| *n == number) {
            Some((_, at)) => *at = now,
            None => self.0.push((number, now)),
        }
    }

    /// A stale answer is as good as none.
    fn forget(&mut self, now: Duration, stale: Duration) {
        self.0.retain(|(_, at)| now.saturating_sub(*at) < stale);
    }
}
