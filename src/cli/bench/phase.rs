//! Frames through camera threads for a while, and what came of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::super::workbench::Progress;
use super::feed::{Feed, Position};
use crate::inference::ModelManager;
use crate::inference::budget::next_batch;
use crate::pipeline::{FedCamera, FrameResult, Report};
use crate::source::slot::FrameSlot;
use crate::telemetry::metrics::Metrics;

/// Frames in flight may take so long to come to their end.
const DRAIN: Duration = Duration::from_secs(10);
/// A look whether all is well.
const LOOK: Duration = Duration::from_millis(20);
/// Most runs whose crops are remembered.
const CROPS: usize = 4096;

/// A camera, its slot, and how far its frames are.
pub(super) struct Fed {
    pub(super) camera: FedCamera,
    pub(super) slot: Arc<FrameSlot>,
    position: Position,
}

impl Fed {
    pub(super) fn new(camera: FedCamera, slot: Arc<FrameSlot>) -> Self {
        Self { camera, slot, position: Position::default() }
    }
}

/// What is summed up over phases.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    pub(super) model_cpu: Duration,
    /// By camera.
    pub(super) frames: Vec<u64>,
    pub(super) times: Vec<Duration>,
    pub(super) objects: u64,
    pub(super) replaced: u64,
    /// By model.
    pub(super) runs: Vec<u64>,
    /// Crops in the runs of models that look at crops.
    pub(super) crops: Vec<usize>,
}

/// What all cameras of a measurement share.
pub(super) struct Stage<'a> {
    pub(super) models: &'a ModelManager,
    /// Of the models.
    pub(super) metrics: &'a Metrics,
    pub(super) incoming: &'a Receiver<Report>,
    pub(super) feed: &'a Feed,
    /// By the cameras' ids.
    pub(super) numbers: &'a BTreeMap<String, usize>,
    /// Most crops in a run.
    pub(super) max_batch: usize,
}

/// Counters at a moment.
struct Mark {
    at: Instant,
    cpu: Duration,
    model_cpu: Duration,
    runs: Vec<u64>,
}

impl Stage<'_> {
    /// Feeds the cameras for `warm_up` and then for `span`, of which figures are taken.
    pub(super) fn run(
        &self,
        cameras: &mut [Fed],
        (warm_up, span): (Duration, Duration),
        figures: &mut Figures,
        progress: &mut Progress,
    ) {
        let (stop, count) = (AtomicBool::new(false), cameras.len());
        let mut ends = vec![Instant::now(); count];
        let before: Vec<u64> = cameras.iter().map(|fed| fed.position.replaced).collect();
        std::thread::scope(|scope| {
            let stop = &stop;
            let feeders: Vec<_> = cameras
                .iter_mut()
                .enumerate()
                .map(|(at, fed)| {
                    let Fed { slot, position, .. } = fed;
                    scope.spawn(move || self.feed.run(slot, (at, count), position, stop))
                })
                .collect();
            self.collect(Instant::now() + warm_up, &mut ends, None, progress);
            let began = self.mark();
            self.collect(Instant::now() + span, &mut ends, Some(figures), progress);
            let ended = self.mark();
            figures.add(&began, &ended);
            stop.store(true, Ordering::Relaxed);
            // A feeder may wait for room, which there is when results are taken.
            while feeders.iter().any(|feeder| !feeder.is_finished()) {
                self.collect(Instant::now() + LOOK, &mut ends, None, progress);
            }
        });
        // Of the warm-up, too: frames are replaced at an even rate.
        let replaced = cameras.iter().zip(before).map(|(fed, before)| fed.position.replaced - before).sum::<u64>();
        figures.replaced += scaled(replaced, span, warm_up + span);
        let until = Instant::now() + DRAIN;
        while cameras.iter().any(|fed| !fed.is_idle()) && Instant::now() < until && self.models.device_lost().is_none()
        {
            self.collect(Instant::now() + LOOK, &mut ends, None, progress);
        }
    }

    /// Takes results until a moment; counts them where `figures` are wanted.
    fn collect(
        &self,
        until: Instant,
        ends: &mut [Instant],
        mut figures: Option<&mut Figures>,
        progress: &mut Progress,
    ) {
        while Instant::now() < until && self.models.device_lost().is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if let Ok(report) = self.incoming.recv_timeout(left.min(LOOK)) {
                self.take(report, ends, figures.as_deref_mut());
            }
            progress.step(String::new);
        }
        // What is there already belongs to the time that has passed.
        for report in self.incoming.try_iter().take(self.incoming.len()) {
            self.take(report, ends, figures.as_deref_mut());
        }
    }

    fn take(&self, report: Report, ends: &mut [Instant], figures: Option<&mut Figures>) {
        let Report::Frame(result) = report else { return };
        let now = Instant::now();
        if let Some(&camera) = self.numbers.get(&*result.camera) {
            if let Some(figures) = figures {
                figures.see(camera, self.time(&result, ends[camera], now), &result, self.max_batch);
            }
            ends[camera] = now;
        }
        let _ = result.recycle.try_send(result.objects);
    }

    /// From leaving the decoder to the result. Where frames lie ready all the time, a frame's time begins when its camera is
    /// done with the one before.
    fn time(&self, result: &FrameResult, end_of_last: Instant, now: Instant) -> Duration {
        let received = result.meta.received;
        let began = if self.feed.is_paced() { received } else { received.max(end_of_last) };
        now.saturating_duration_since(began)
    }

    fn mark(&self) -> Mark {
        let models = self.metrics.models();
        let count = |index: usize| {
            let loaded = self.models.model(index);
            let name = loaded.as_ref().map(|loaded| loaded.model.name.as_str());
            models.iter().find(|model| Some(model.name.as_str()) == name).map_or(0, |model| model.infer.count())
        };
        Mark {
            at: Instant::now(),
            cpu: process::cpu_time(),
            model_cpu: Duration::from_micros(models.iter().map(|model| model.infer_cpu_us.get()).sum()),
            runs: (0..models.len()).map(count).collect(),
        }
    }
}

fn scaled(count: u64, part: Duration, whole: Duration) -> u64 {
    (count as f64 * part.as_secs_f64() / whole.as_secs_f64().max(1e-9)).round() as u64
}

impl Fed {
    /// Every frame that was handed over came to an end.
    fn is_idle(&self) -> bool {
        let (metrics, Position { put, replaced }) = (self.camera.metrics(), self.position);
        metrics.inferred.get() + metrics.failed.get() + metrics.panics.get() + replaced >= put
    }
}

impl Figures {
    fn see(&mut self, camera: usize, time: Duration, result: &FrameResult, max_batch: usize) {
        if self.frames.len() <= camera {
            self.frames.resize(camera + 1, 0);
        }
        self.frames[camera] += 1;
        self.times.push(time);
        let tracks = result.objects.tracks().len();
        self.objects += tracks as u64;
        let mut crops = (0..tracks).filter(|&at| result.objects.embedding(at).is_some()).count();
        while crops > 0 && self.crops.len() < CROPS {
            // As the pipeline cuts them: 7 are 4, 2 and 1.
            let batch = next_batch(crops, max_batch);
            self.crops.push(batch);
            crops -= batch;
        }
    }

    fn add(&mut self, began: &Mark, ended: &Mark) {
        self.wall += ended.at - began.at;
        self.cpu += ended.cpu.saturating_sub(began.cpu);
        self.model_cpu += ended.model_cpu.saturating_sub(began.model_cpu);
        self.runs.resize(ended.runs.len(), 0);
        for (sum, (before, after)) in self.runs.iter_mut().zip(began.runs.iter().zip(&ended.runs)) {
            *sum += after.saturating_sub(*before);
        }
    }

    /// Frames of all cameras.
    pub(super) fn count(&self) -> u64 {
        self.frames.iter().sum()
    }
}
