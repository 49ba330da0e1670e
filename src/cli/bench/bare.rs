//! The same engines without a pipeline: as many runs a frame as the pipeline needed, inputs in place, answers unread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::super::workbench::ModelUser;
use super::feed::Feed;
use crate::config::RunOn;
use crate::inference::{FrameRef, InferenceError, ModelManager};

/// What a frame costs.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// Runs a frame, by model; the first is that of every frame.
    pub(super) runs: Vec<f64>,
    /// Crops in the runs of a model that looks at crops, as they came.
    pub(super) crops: Vec<usize>,
}

/// Frames a second that `cameras` threads bring through the engines.
pub(super) fn measure(
    models: &ModelManager,
    recipe: &Recipe,
    feed: &Feed,
    cameras: usize,
    (warm_up, span): (Duration, Duration),
) -> Result<f64, InferenceError> {
    let mut threads = Vec::with_capacity(cameras);
    for camera in 1..=cameras {
        threads.push(Thread::new(models, recipe, feed, &format!("bare-{camera}"))?);
    }
    let (stop, frames) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let running: Vec<_> = threads.into_iter().map(|thread| scope.spawn(|| thread.run(&frames, &stop))).collect();
        wait(warm_up, &stop);
        let (before, began) = (frames.load(Ordering::Relaxed), Instant::now());
        wait(span, &stop);
        let (count, took) = (frames.load(Ordering::Relaxed) - before, began.elapsed());
        stop.store(true, Ordering::Relaxed);
        for thread in running {
            // A panic has told of itself.
            thread.join().unwrap_or(Ok(()))?;
        }
        Ok(count as f64 / took.as_secs_f64())
    })
}

/// Less where a thread has stopped all.
fn wait(span: Duration, stop: &AtomicBool) {
    let until = Instant::now() + span;
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(until.saturating_duration_since(Instant::now()).min(Duration::from_millis(20)));
    }
}

struct Thread<'a> {
    users: Vec<ModelUser>,
    recipe: &'a Recipe,
    /// By model: runs that are due.
    due: Vec<f64>,
    /// The next of the recipe's crops.
    next: usize,
}

impl<'a> Thread<'a> {
    fn new(models: &ModelManager, recipe: &'a Recipe, feed: &Feed, lane: &str) -> Result<Self, InferenceError> {
        let lane = models.lane(lane)?;
        let mut users = Vec::new();
        for model in (0..recipe.runs.len()).filter_map(|index| models.model(index)) {
            let mut user = ModelUser::new(models, &lane, &model)?;
            user.filter()?;
            let mut batch = 1;
            while batch <= user.max_batch() {
                let frame = FrameRef { tag: (1, 1), picture: feed.image.picture() };
                user.prepare(&frame, batch)?;
                batch *= 2;
            }
            users.push(user);
        }
        Ok(Self { due: vec![0.0; users.len()], users, recipe, next: 0 })
    }

    fn run(mut self, frames: &AtomicU64, stop: &AtomicBool) -> Result<(), InferenceError> {
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = self.frame() {
                stop.store(true, Ordering::Relaxed);
                return Err(error);
            }
            frames.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// In the pipeline's order: the first model and those for all frames, those for tracks, crops.
    fn frame(&mut self) -> Result<(), InferenceError> {
        let begin = |at: usize, user: &ModelUser| {
            !user.takes_crops() && (at == 0 || user.model.model.cadence.run_on == RunOn::Frames)
        };
        self.together(begin)?;
        self.together(|at, user| !user.takes_crops() && !begin(at, user))?;
        for (at, user) in self.users.iter_mut().enumerate().filter(|(_, user)| user.takes_crops()) {
            self.due[at] += self.recipe.runs[at];
            while self.due[at] >= 1.0 {
                self.due[at] -= 1.0;
                let crops = self.recipe.crops.get(self.next % self.recipe.crops.len().max(1)).copied().unwrap_or(1);
                self.next += 1;
                user.set_batch(crops)?;
                user.submit();
                user.wait()?;
            }
        }
        Ok(())
    }

    /// Starts those that are due, then waits for all of them.
    fn together(&mut self, which: impl Fn(usize, &ModelUser) -> bool) -> Result<(), InferenceError> {
        let Self { users, recipe, due, .. } = self;
        let mut started = [false; 64];
        for (at, user) in users.iter_mut().enumerate().filter(|(at, user)| which(*at, user)) {
            due[at] += recipe.runs[at];
            if due[at] >= 1.0 && at < started.len() {
                due[at] -= 1.0;
                started[at] = true;
                user.submit();
            }
        }
        let mut result = Ok(());
        for (_, user) in users.iter_mut().enumerate().filter(|(at, _)| started.get(*at) == Some(&true)) {
            result = result.and(user.wait());
        }
        result
    }
}
