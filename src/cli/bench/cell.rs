//! One line of the table: so many cameras in one mode.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::workbench::{Mode, OpenDevice, Progress};
use super::bare::{self, Recipe};
use super::feed::Feed;
use super::latency::Latency;
use super::phase::{Fed, Figures, Stage};
use super::report::{Figure, Memory, Row};
use crate::config::{Camera, Config, camera_from_url};
use crate::inference::ModelManager;
use crate::pipeline::{self, Environment, FedCamera, Publish};
use crate::source::slot::FrameSlot;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::progress;

/// Frames before figures are taken, as a part of what follows, and for so long at least.
const WARM_UP: f64 = 0.1;
const SHORTEST_WARM_UP: Duration = Duration::from_millis(300);

/// Loaded models in one mode, and what goes through them.
pub(super) struct Cells<'a> {
    pub(super) mode: Mode,
    pub(super) config: &'a Config,
    pub(super) models: &'a Arc<ModelManager>,
    /// Of the models.
    pub(super) metrics: &'a Metrics,
    pub(super) device: Option<&'a OpenDevice>,
    pub(super) feed: &'a Feed,
    pub(super) span: Duration,
}

impl Cells<'_> {
    /// Measures with `count` cameras.
    pub(super) fn measure(&self, count: usize) -> Row {
        let (mode, cameras) = (self.mode, count);
        match self.try_measure(count) {
            Ok(figure) => Row { mode, cameras, error: None, figure: Some(figure) },
            Err(error) => Row { mode, cameras, error: Some(format!("{error:#}")), figure: None },
        }
    }

    fn memory(&self) -> Memory {
        Memory::new(self.models.device_memory(), self.device.and_then(OpenDevice::used))
    }

    fn try_measure(&self, count: usize) -> anyhow::Result<Figure> {
        let (counters, busy) = (Metrics::default(), progress::Progress::default());
        let (reports, incoming) = pipeline::channel();
        let environment = Environment {
            config: self.config,
            models: self.models,
            metrics: &counters,
            progress: &busy,
            reports,
            publish: Publish::Objects,
            media: None,
            clips: None,
            track_log: None,
        };
        let (mut fed, mut numbers) = (Cameras(Vec::with_capacity(count)), BTreeMap::new());
        let template = camera_from_url("test://ball", None, None)?;
        for number in 0..count {
            let (id, models) = (format!("bench-{}", number + 1), (0..self.config.models.len()).collect());
            let camera = Arc::new(Camera { id: id.clone(), models, ..template.clone() });
            let slot = Arc::new(FrameSlot::new(self.feed.delivery()));
            fed.0.push(Fed::new(FedCamera::start(&environment, &camera, &slot)?, slot));
            numbers.insert(id, number);
        }
        drop(environment);
        let max_batch = self.config.models.iter().map(|model| model.max_batch).max().unwrap_or(1);
        let max_batch = 1 << max_batch.max(1).ilog2();
        let stage = Stage {
            models: self.models,
            metrics: self.metrics,
            incoming: &incoming,
            feed: self.feed,
            numbers: &numbers,
            max_batch,
        };
        let times = |span: Duration| (span.mul_f64(WARM_UP).max(SHORTEST_WARM_UP), span);
        let (half, mut figures) = (self.span / 2, Figures::default());
        let paced = self.feed.is_paced();
        let parts = if paced { vec![self.span] } else { vec![half, half, half] };
        let whole = parts.iter().map(|part| times(*part)).fold(Duration::ZERO, |sum, (a, b)| sum + a + b);
        let what = format!("{}, {count} {}", self.mode.name(), if count == 1 { "camera" } else { "cameras" });
        let mut progress = Progress::new(what, whole);
        // Pipeline, bare engines, pipeline: a machine that slows down meanwhile slows both alike.
        stage.run(&mut fed.0, times(parts[0]), &mut figures, &mut progress);
        let (memory, resident) = (self.memory(), process::resident_bytes());
        let bare = (!paced && figures.count() > 0 && self.models.device_lost().is_none())
            .then(|| bare::measure(self.models, &recipe(&figures), self.feed, count, times(half)));
        if !paced {
            stage.run(&mut fed.0, times(half), &mut figures, &mut progress);
        }
        drop(progress);
        let sum = |of: fn(&crate::telemetry::metrics::CameraMetrics) -> u64| -> u64 {
            fed.0.iter().map(|fed| of(fed.camera.metrics())).sum()
        };
        let failed = sum(|metrics| metrics.failed.get() + metrics.panics.get());
        let unanswered = sum(|metrics| metrics.unanswered.get());
        drop(fed);
        anyhow::ensure!(figures.count() > 0, "no frame came to its end; see the log");
        let (frames, seconds) = (figures.count() as f64, figures.wall.as_secs_f64());
        let (fps, per_frame) = (frames / seconds, |time: Duration| time.as_secs_f64() * 1e3 / frames);
        let names = self.config.models.iter().map(|model| model.name.clone());
        let bare_fps = bare.and_then(Result::ok);
        Ok(Figure {
            seconds,
            frames: figures.count(),
            fps,
            fps_per_camera: fps / count as f64,
            slowest_camera_fps: slowest(&figures, count) as f64 / seconds,
            latency_ms: Latency::of(&mut figures.times).unwrap_or_default(),
            cpu_percent: figures.cpu.as_secs_f64() / seconds * 100.0,
            cpu_ms_per_frame: per_frame(figures.cpu),
            model_cpu_ms_per_frame: per_frame(figures.model_cpu),
            resident_bytes: resident,
            memory,
            bare_fps,
            ratio: bare_fps.map(|bare| fps / bare),
            objects_per_frame: figures.objects as f64 / frames,
            runs_per_frame: names.zip(&figures.runs).map(|(name, runs)| (name, *runs as f64 / frames)).collect(),
            replaced: figures.replaced,
            failed,
            unanswered,
        })
    }
}

/// The camera that got the least.
fn slowest(figures: &Figures, count: usize) -> u64 {
    let silent = figures.frames.len() < count;
    if silent { 0 } else { figures.frames.iter().copied().min().unwrap_or(0) }
}

fn recipe(figures: &Figures) -> Recipe {
    let frames = figures.count() as f64;
    let mut runs: Vec<f64> = figures.runs.iter().map(|runs| *runs as f64 / frames).collect();
    // Frames that were under way at the ends make it 0.98 or 1.02.
    if let Some(first) = runs.first_mut() {
        *first = 1.0;
    }
    Recipe { runs, crops: figures.crops.clone() }
}

/// Ended when dropped: a camera thread that is left waits for ever.
struct Cameras(Vec<Fed>);

impl Drop for Cameras {
    fn drop(&mut self) {
        self.0.iter().for_each(|fed| fed.camera.stop());
        self.0.drain(..).for_each(|fed| fed.camera.join());
    }
}
