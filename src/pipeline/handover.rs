//! Another engine for a running camera.
//!
//! Its contexts are made on the thread that asks for it, while the camera goes on; they lie in a mailbox until the
//! camera thread, between two frames, takes them and leaves there what it had. Nothing else of the camera changes:
//! its tracks, their numbers and its open events go on.
//!
//! A camera thread without contexts (after a panic, or because it gave them up) makes them itself, of whatever engines it
//! is to work with by then: no mailbox is needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::extras::Kind;
use crate::inference::{InferenceError, Lane, LoadedModel, ModelManager};
use crate::telemetry::metrics::CameraMetrics;

/// A camera thread that has not come by its mailbox for so long is stuck in a frame.
const TAKEN_WITHIN: Duration = patience(30_000, 1_000);
/// A frame is in the engine for so long: it hangs. And a camera that gives it none for so long is not waited for.
const ANSWERED_WITHIN: Duration = patience(30_000, 3_000);
/// A model that does not feed the tracker may have nothing to look at; so long it is waited for.
const ASKED_WITHIN: Duration = patience(3_000, 1_500);
/// A camera without a frame for longer gives none.
const SILENT: Duration = patience(2_000, 1_000);
/// A camera thread that begins anew is waited for so long, so that it can prove an engine.
const BEGINS_WITHIN: Duration = patience(5_000, 3_000);
/// A camera thread that gave its contexts up is waited for so long until it has others.
const ANEW_WITHIN: Duration = patience(60_000, 10_000);
/// How often contexts of an engine that served before are asked for, where memory is not what they lack; and the pause between.
const BACK_ATTEMPTS: u32 = 10;
const BACK_PAUSE: Duration = patience(1_000, 50);
/// Attempts to hand an engine over to a thread that begins anew meanwhile.
const ATTEMPTS: u32 = 3;
/// Waits are cut up so that their end is noticed.
const STEP: Duration = Duration::from_millis(50);
/// Failures in a row, and no answer before, that speak against an engine. One may be any frame's bad luck.
pub(super) const FAILURES: u32 = 3;

/// Milliseconds in earnest, and in this module's tests.
const fn patience(earnest: u64, tests: u64) -> Duration {
    Duration::from_millis(if cfg!(test) { tests } else { earnest })
}

/// A camera's mailbox.
pub struct Handover {
    id: String,
    /// By place: the model's index in the configuration.
    models: Vec<usize>,
    depth: usize,
    metrics: Arc<CameraMetrics>,
    /// Something lies in it: all that the camera thread looks at.
    waiting: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// `None`: the camera thread has no contexts, and makes them of `using` when it begins (anew).
    lane: Option<Arc<Lane>>,
    /// By place: what the camera thread works with.
    using: Vec<Arc<LoadedModel>>,
    parcel: Option<Parcel>,
    /// The parcel is out, and what it replaces not yet back.
    taking: bool,
    /// Somebody waits until the parcel is taken.
    awaited: bool,
    returned: Option<Returned>,
    /// Places whose new engine has not answered yet.
    unproven: Vec<usize>,
    /// Something else than new engines keeps the camera from having answers.
    excused: bool,
    /// Since when a frame is in engines on trial.
    asked: Option<Instant>,
    failed: Option<String>,
    ended: bool,
}

impl State {
    /// For whoever waits for it; else it is the caller's.
    fn give_back(&mut self, returned: Returned) -> Option<Returned> {
        if self.awaited { self.returned.replace(returned) } else { Some(returned) }
    }

    fn use_at(&mut self, place: usize, model: &Arc<LoadedModel>) {
        if let Some(used) = self.using.get_mut(place) {
            *used = Arc::clone(model);
        }
    }
}

/// What the camera thread is to do.
pub(super) enum Parcel {
    /// Work with these from now on; they are on trial where that is true.
    Engines(Vec<Part>, bool),
    /// Give up all contexts and make others, with these engines in their places: there is no memory for both.
    Anew(Vec<(usize, Arc<LoadedModel>)>),
}

/// A model for a place.
pub(super) struct Part {
    pub(super) place: usize,
    pub(super) model: Arc<LoadedModel>,
    pub(super) kind: Kind,
}

/// What the camera thread has no use for any more; it ends on the thread that asked.
#[derive(Default)]
pub(super) struct Returned {
    pub(super) kinds: Vec<Kind>,
}

/// An engine for the model at an index of the configuration.
pub type EngineFor = (usize, Arc<LoadedModel>);

/// How a camera took to its new engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Each has answered.
    Answered,
    /// The camera gives no frames now, or none that they are asked about, or was in trouble of its own before.
    NotAsked,
}

/// Why a camera has no new engine, or not for long.
#[derive(Debug, thiserror::Error)]
pub enum Setback {
    /// Contexts cannot be made.
    #[error(transparent)]
    Contexts(#[from] InferenceError),
    /// Its first frames with the new engine failed, or the camera cannot take it.
    #[error("{0}")]
    Failed(String),
    /// Whoever asked was told not to go on.
    #[error("interrupted")]
    Interrupted,
}

impl Handover {
    pub(super) fn new(
        id: &str,
        models: &[usize],
        using: &[Arc<LoadedModel>],
        depth: usize,
        metrics: &Arc<CameraMetrics>,
    ) -> Self {
        Self {
            id: id.to_owned(),
            models: models.to_vec(),
            depth,
            metrics: Arc::clone(metrics),
            waiting: AtomicBool::new(false),
            state: Mutex::new(State { using: using.to_vec(), ..State::default() }),
            changed: Condvar::new(),
        }
    }

    /// Camera id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Does the camera use one of them, by index in the configuration?
    #[must_use]
    pub fn concerns(&self, engines: &[EngineFor]) -> bool {
        engines.iter().any(|(index, _)| self.models.contains(index))
    }

    /// Does the camera work with one of these very engines?
    #[must_use]
    pub fn uses(&self, engines: &[EngineFor]) -> bool {
        let state = self.state.lock();
        engines.iter().any(|(_, engine)| state.using.iter().any(|used| Arc::ptr_eq(used, engine)))
    }

    /// Why an engine that the camera took has failed since, where it has.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.state.lock().failed.clone()
    }

    /// Has the camera work with these engines, and waits for the first frame that each has analysed. `go_on` is asked
    /// again and again.
    ///
    /// # Errors
    /// Why it does not, or not well: [`Handover::uses`] tells whether it has taken them.
    pub fn move_to(
        &self,
        models: &ModelManager,
        engines: &[EngineFor],
        go_on: &dyn Fn() -> bool,
    ) -> Result<Proof, Setback> {
        self.wait_for_lane(BEGINS_WITHIN, go_on)?;
        self.hand_over(models, engines, true, go_on)?;
        self.wait_for_answers(go_on)
    }

    /// Has the camera work with these engines again, which served it before. Where there is no memory for both, it gives
    /// up what it has first, and makes its contexts itself as soon as it can.
    ///
    /// # Errors
    /// [`Setback::Interrupted`]; or why it does not work with them now. [`Setback::Contexts`]: it goes on as it is.
    pub fn move_back(
        &self,
        models: &ModelManager,
        engines: &[EngineFor],
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), Setback> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.hand_over(models, engines, false, go_on) {
                Err(Setback::Contexts(error)) if error.lacks_memory() => {
                    tracing::warn!(camera = self.id, "waits for its contexts, for there is no room for both: {error}");
                    return self.begin_anew(engines, go_on);
                }
                // The old engine may be about to be loaded anew.
                Err(Setback::Contexts(error)) if attempt < BACK_ATTEMPTS => {
                    tracing::warn!(camera = self.id, attempt, "not back at the old engine yet: {error}");
                }
                done => return done,
            }
            for _ in 0..BACK_PAUSE.as_millis() / STEP.as_millis() {
                if !go_on() {
                    return Err(Setback::Interrupted);
                }
                std::thread::sleep(STEP);
            }
        }
    }

    /// Has the thread give up its contexts and make others with these engines, which is waited for.
    fn begin_anew(&self, engines: &[EngineFor], go_on: &dyn Fn() -> bool) -> Result<(), Setback> {
        let places = || self.models.iter().enumerate();
        let of =
            |(place, index)| engines.iter().find(|(of, _)| of == index).map(|(_, model)| (place, Arc::clone(model)));
        while let Some(lane) = self.lane_or_assign(engines)? {
            let taken = self.offer(&lane, Parcel::Anew(places().filter_map(of).collect()), go_on)?;
            if taken && self.uses_all(engines) {
                break;
            }
        }
        if self.wait_for_lane(ANEW_WITHIN, go_on)? {
            return Ok(());
        }
        let why = "has no contexts of the old engine yet, and no analysis; it tries again and again";
        Err(Setback::Failed(format!("camera {:?} {why}", self.id)))
    }

    /// Gives a thread that begins anew the time to do so; true where it has contexts.
    fn wait_for_lane(&self, limit: Duration, go_on: &dyn Fn() -> bool) -> Result<bool, Setback> {
        let deadline = Instant::now() + limit;
        let mut state = self.state.lock();
        while state.lane.is_none() {
            if state.ended || !go_on() {
                return Err(Setback::Interrupted);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.changed.wait_for(&mut state, STEP);
        }
        Ok(true)
    }

    /// Has the camera use these engines, whatever state its thread is in.
    fn hand_over(
        &self,
        models: &ModelManager,
        engines: &[EngineFor],
        on_trial: bool,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), Setback> {
        for _ in 0..ATTEMPTS {
            let Some(lane) = self.lane_or_assign(engines)? else { return Ok(()) };
            let parts = self.pack(&lane, models, engines)?;
            let taken = self.offer(&lane, Parcel::Engines(parts, on_trial), go_on)?;
            // One that was lost in a panic is no answer where it must be taken, and one where it may fail.
            if taken && (on_trial || self.uses_all(engines)) {
                return Ok(());
            }
        }
        Err(Setback::Failed(format!("camera {:?}: its thread panics again and again", self.id)))
    }

    /// The lane of the thread's contexts; where it has none, it is to make them of these engines, and that is all.
    fn lane_or_assign(&self, engines: &[EngineFor]) -> Result<Option<Arc<Lane>>, Setback> {
        let mut state = self.state.lock();
        if state.ended {
            return Err(Setback::Interrupted);
        }
        if state.lane.is_none() {
            for (place, index) in self.models.iter().enumerate() {
                for (_, model) in engines.iter().filter(|(of, _)| of == index) {
                    state.use_at(place, model);
                }
            }
            state.unproven.clear();
            (state.failed, state.excused) = (None, true);
        }
        Ok(state.lane.clone())
    }

    /// Does the camera work with all of these that concern it?
    #[must_use]
    pub fn uses_all(&self, engines: &[EngineFor]) -> bool {
        let state = self.state.lock();
        let mut used = self.models.iter().zip(&state.using);
        used.all(|(index, used)| engines.iter().all(|(of, engine)| of != index || Arc::ptr_eq(used, engine)))
    }

    /// Makes contexts in the camera's own lane.
    fn pack(&self, lane: &Lane, models: &ModelManager, engines: &[EngineFor]) -> Result<Vec<Part>, InferenceError> {
        let mut parts = Vec::new();
        for (place, index) in self.models.iter().enumerate() {
            for (_, model) in engines.iter().filter(|(of, _)| of == index) {
                let kind = Kind::new(lane, models, model, self.depth);
                if kind.is_err() {
                    parts.clear();
                    lane.tidy();
                }
                parts.push(Part { place, model: Arc::clone(model), kind: kind? });
            }
        }
        Ok(parts)
    }

    /// Lays a parcel into the mailbox and waits until it was taken; false where the thread's contexts are not in that lane
    /// any more, for it began anew.
    fn offer(&self, lane: &Arc<Lane>, parcel: Parcel, go_on: &dyn Fn() -> bool) -> Result<bool, Setback> {
        let served_before = !matches!(parcel, Parcel::Engines(_, true));
        let deadline = Instant::now() + TAKEN_WITHIN;
        let mut state = self.state.lock();
        // An older one may just be taken: that is no answer to this one.
        while state.taking && !state.ended && go_on() {
            self.changed.wait_for(&mut state, STEP);
        }
        if state.ended || !go_on() {
            return Err(Setback::Interrupted);
        }
        if !state.lane.as_ref().is_some_and(|now| Arc::ptr_eq(now, lane)) {
            return Ok(false);
        }
        let never_taken = state.parcel.replace(parcel);
        (state.failed, state.excused, state.awaited) = (None, false, true);
        state.unproven.clear();
        self.waiting.store(true, Ordering::Release);
        let returned = loop {
            if let Some(returned) = state.returned.take() {
                break Ok(returned);
            }
            if state.ended || !go_on() {
                break Err(Setback::Interrupted);
            }
            // One that is out will be back.
            if Instant::now() >= deadline && !state.taking {
                let then = if served_before { ", and takes the old engine when it goes on" } else { "" };
                break Err(Setback::Failed(format!("camera {:?} is stuck in a frame{then}", self.id)));
            }
            self.changed.wait_for(&mut state, STEP);
        };
        state.awaited = false;
        let left = match &returned {
            Err(Setback::Failed(_)) if served_before => None,
            _ => state.parcel.take(),
        };
        drop(state);
        // Contexts end here, outside the lock.
        drop((never_taken, left));
        returned.map(drop)?;
        lane.tidy();
        Ok(true)
    }

    fn wait_for_answers(&self, go_on: &dyn Fn() -> bool) -> Result<Proof, Setback> {
        let began = Instant::now();
        let mut state = self.state.lock();
        loop {
            if let Some(reason) = &state.failed {
                return Err(Setback::Failed(format!("camera {:?}: {reason}", self.id)));
            }
            if state.unproven.is_empty() {
                return Ok(if state.excused { Proof::NotAsked } else { Proof::Answered });
            }
            if state.ended || !go_on() {
                return Err(Setback::Interrupted);
            }
            let asked = state.asked.map_or(Duration::ZERO, |at| at.elapsed());
            if asked > ANSWERED_WITHIN {
                let seconds = ANSWERED_WITHIN.as_secs();
                return Err(Setback::Failed(format!("camera {:?}: a frame had no answer within {seconds} s", self.id)));
            }
            // Frames that leave the decoder may not be due to be analysed for a long time.
            let silent = self.metrics.last_frame_age().is_none_or(|age| age > SILENT);
            let limit = if state.unproven.contains(&0) { ANSWERED_WITHIN } else { ASKED_WITHIN };
            if asked < SILENT && (silent || began.elapsed() > limit) {
                return Ok(Proof::NotAsked);
            }
            self.changed.wait_for(&mut state, STEP);
        }
    }
}

/// The camera thread's side.
impl Handover {
    /// Does something lie in the mailbox?
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    /// What lies there.
    pub(super) fn collect(&self) -> Option<Parcel> {
        let mut state = self.state.lock();
        self.waiting.store(false, Ordering::Release);
        let parcel = state.parcel.take();
        state.taking = parcel.is_some();
        parcel
    }

    /// A parcel was taken: what is used from now on, which places are on trial, and what is left over.
    pub(super) fn taken(&self, using: Vec<Arc<LoadedModel>>, unproven: Vec<usize>, returned: Returned) {
        let left = {
            let mut state = self.state.lock();
            (state.using, state.unproven, state.taking, state.asked) = (using, unproven, false, None);
            let left = state.give_back(returned);
            self.changed.notify_all();
            left
        };
        // Late, and nobody waits for it any more.
        drop(left);
    }

    /// Contexts were given up: others are made, with these engines in their places.
    pub(super) fn gave_up(&self, engines: &[(usize, Arc<LoadedModel>)]) {
        let lane = {
            let mut state = self.state.lock();
            engines.iter().for_each(|(place, model)| state.use_at(*place, model));
            state.taking = false;
            state.give_back(Returned::default());
            self.changed.notify_all();
            state.lane.take()
        };
        drop(lane);
    }

    /// A frame is given to engines on trial, or has left them.
    pub(super) fn asks(&self, asks: bool) {
        self.state.lock().asked = asks.then(Instant::now);
    }

    /// What becomes of the camera's frames says nothing of the engine on trial.
    pub(super) fn excused(&self, place: usize) {
        self.state.lock().excused = true;
        self.answered(place);
    }

    /// An engine on trial has answered.
    pub(super) fn answered(&self, place: usize) {
        self.state.lock().unproven.retain(|unproven| *unproven != place);
        self.changed.notify_all();
    }

    /// An engine on trial fails.
    pub(super) fn failed(&self, reason: String) {
        self.state.lock().failed = Some(reason);
        self.changed.notify_all();
    }

    /// By place: what the camera thread works with.
    pub(super) fn using(&self) -> Vec<Arc<LoadedModel>> {
        self.state.lock().using.clone()
    }

    /// The camera thread has contexts of these engines, in this lane. False where it is to work with others by now: nothing
    /// was changed then.
    pub(super) fn begins(&self, lane: &Arc<Lane>, of: &[Arc<LoadedModel>]) -> bool {
        let mut state = self.state.lock();
        let current = state.using.len() == of.len() && state.using.iter().zip(of).all(|(a, b)| Arc::ptr_eq(a, b));
        if current {
            state.lane = Some(Arc::clone(lane));
            self.changed.notify_all();
        }
        current
    }

    /// The camera thread has lost its contexts and begins anew: with the engines that waited for it, where there are any.
    pub(super) fn panicked(&self) {
        let left = {
            let mut state = self.state.lock();
            self.waiting.store(false, Ordering::Release);
            state.asked = None;
            let lost = std::mem::take(&mut state.taking);
            if lost || !state.unproven.is_empty() {
                state.failed = Some("its thread panicked".to_owned());
                state.unproven.clear();
            }
            let mut returned = Returned::default();
            let waited = state.parcel.take();
            let answer = lost || waited.is_some();
            match waited {
                Some(Parcel::Engines(parts, _)) => {
                    for Part { place, model, kind } in parts {
                        state.use_at(place, &model);
                        // Its contexts are in a lane that nobody uses any more.
                        returned.kinds.push(kind);
                    }
                    state.excused = true;
                }
                Some(Parcel::Anew(engines)) => engines.iter().for_each(|(place, model)| state.use_at(*place, model)),
                None => {}
            }
            let returned = if answer { state.give_back(returned) } else { None };
            self.changed.notify_all();
            (returned, state.lane.take())
        };
        drop(left);
    }

    /// The camera thread ends.
    pub(super) fn ends(&self) {
        let left = {
            let mut state = self.state.lock();
            state.ended = true;
            self.changed.notify_all();
            (state.parcel.take(), state.returned.take(), state.lane.take())
        };
        drop(left);
    }
}

#[cfg(test)]
mod tests;
