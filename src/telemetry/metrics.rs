//! Counters and histograms, in Prometheus text (exposition format 0.0.4).

mod counts;
mod models;
mod outbox;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use counts::Counts;
pub use models::ModelMetrics;
use models::Models;
pub use outbox::OutboxMetrics;

use crate::types::event::EventType;
use crate::types::track::Track;

/// A counter.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// One less, for gauges.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// For gauges: a new value.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

/// Upper bounds in microseconds.
const BUCKETS_US: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Durations in fixed buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    /// One observation.
    pub fn observe(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(at) = BUCKETS_US.iter().position(|bound| us <= *bound) {
            self.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Takes over what another one counted.
    fn absorb(&self, other: &Self) {
        for (bucket, more) in self.buckets.iter().zip(&other.buckets) {
            bucket.fetch_add(more.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.count.fetch_add(other.count(), Ordering::Relaxed);
        self.sum_us.fetch_add(other.sum_us.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Number of observations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Sum of all observations.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us.load(Ordering::Relaxed))
    }

    fn render(&self, out: &mut String, name: &str, labels: &str) {
        let mut below = 0;
        let (comma, all) = match labels {
            "" => ("", String::new()),
            labels => (",", format!("{{{labels}}}")),
        };
        for (bound, bucket) in BUCKETS_US.iter().zip(&self.buckets) {
            below += bucket.load(Ordering::Relaxed);
            let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{}\"}} {below}", *bound as f64 / 1e6);
        }
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", self.count());
        let _ = writeln!(out, "{name}_sum{all} {}", self.sum().as_secs_f64());
        let _ = writeln!(out, "{name}_count{all} {}", self.count());
    }
}

/// Steps of a frame that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the decoder to the camera thread.
    Queue,
    /// Frame to tensor.
    Preprocess,
    /// The model, waiting for a worker included.
    Infer,
    /// Tensor to detections.
    Postprocess,
    /// Detections to tracks.
    Track,
    /// Handing the result to the hub.
    Publish,
}

impl Stage {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Queue, "queue"),
        (Self::Preprocess, "preprocess"),
        (Self::Infer, "infer"),
        (Self::Postprocess, "postprocess"),
        (Self::Track, "track"),
        (Self::Publish, "publish"),
    ];
}

/// What a camera is doing, as `/readyz` and the service status tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CameraStatus {
    /// Delivers frames.
    pub online: bool,
    /// Connected sessions so far.
    pub run: u32,
    /// Codec as the stream names it.
    pub codec: String,
    /// Decoder element; empty before the first stream.
    pub decoder: String,
    /// The decoder is hardware.
    pub hardware_decoder: bool,
    /// Picture size of the last frame.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Class of the last failure; empty while online.
    pub fault: String,
    /// The last failure in words.
    pub detail: String,
}

/// Tracks of one class.
#[derive(Debug)]
struct LabelCount {
    label: String,
    now: Counter,
    /// A class never seen is left out: a model may know hundreds.
    ever: AtomicBool,
}

/// How often a rule fired.
#[derive(Clone, Copy, Debug, Default)]
struct Fired {
    told: u64,
    /// Nobody was told.
    shadow: u64,
    /// Beyond what it may fire in an hour.
    held_back: u64,
}

/// One camera.
#[derive(Debug)]
pub struct CameraMetrics {
    /// Camera id.
    pub id: String,
    /// Coded pictures in front of the decoder.
    pub coded: Counter,
    /// Frames out of the decoder.
    pub received: Counter,
    /// Frames not due under `detect_fps`.
    pub skipped: Counter,
    /// Frames that a newer one replaced before they were looked at.
    pub replaced: Counter,
    /// Frames that went through the model.
    pub inferred: Counter,
    /// Frames whose analysis failed.
    pub failed: Counter,
    /// Frames the decoder marked as damaged.
    pub corrupted: Counter,
    /// Coded pictures dropped before the decoder because it could not keep up.
    pub gated: Counter,
    /// RTP packets or coded buffers in.
    pub packets: Counter,
    /// Sessions that ended in a failure.
    pub reconnects: Counter,
    /// Pipelines whose teardown passed its deadline.
    pub slow_teardowns: Counter,
    /// Panics caught at the camera thread's edge.
    pub panics: Counter,
    /// Detections that reached the tracker.
    pub detections: Counter,
    /// Detections dropped for values that are not numbers or boxes without an area.
    pub bad_boxes: Counter,
    /// Answers that a model which does not feed the tracker failed to give.
    pub unanswered: Counter,
    /// What its rules count.
    pub counts: Counts,
    tracks: Mutex<Box<[LabelCount]>>,
    fired: Mutex<BTreeMap<String, Fired>>,
    up: AtomicBool,
    began: Instant,
    last_frame_ms: AtomicU64,
    stages: [Histogram; Stage::ALL.len()],
    /// From leaving the decoder to the hub.
    pub end_to_end: Histogram,
    status: Mutex<CameraStatus>,
}

impl CameraMetrics {
    /// All zero.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            coded: Counter::default(),
            received: Counter::default(),
            skipped: Counter::default(),
            replaced: Counter::default(),
            inferred: Counter::default(),
            failed: Counter::default(),
            corrupted: Counter::default(),
            gated: Counter::default(),
            packets: Counter::default(),
            reconnects: Counter::default(),
            slow_teardowns: Counter::default(),
            panics: Counter::default(),
            detections: Counter::default(),
            bad_boxes: Counter::default(),
            unanswered: Counter::default(),
            counts: Counts::default(),
            fired: Mutex::default(),
            tracks: Mutex::default(),
            up: AtomicBool::new(false),
            began: Instant::now(),
            last_frame_ms: AtomicU64::new(0),
            stages: Default::default(),
            end_to_end: Histogram::default(),
            status: Mutex::default(),
        }
    }

    /// A frame left the decoder.
    pub fn frame_received(&self) {
        self.received.inc();
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_frame_ms.store(now.max(1), Ordering::Relaxed);
    }

    /// Time since the last frame; `None` before the first.
    #[must_use]
    pub fn last_frame_age(&self) -> Option<Duration> {
        match self.last_frame_ms.load(Ordering::Relaxed) {
            0 => None,
            ms => Some(self.began.elapsed().saturating_sub(Duration::from_millis(ms))),
        }
    }

    fn tracks(&self) -> MutexGuard<'_, Box<[LabelCount]>> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the classes whose tracks are counted.
    pub fn set_labels(&self, labels: &[String]) {
        let counts = labels.iter().map(|label| LabelCount {
            label: label.clone(),
            now: Counter::default(),
            ever: AtomicBool::new(false),
        });
        *self.tracks() = counts.collect();
    }

    /// Tracks after the last frame.
    pub fn set_tracks(&self, tracks: &[Track]) {
        for (class, count) in self.tracks().iter().enumerate() {
            let now = tracks.iter().filter(|track| usize::from(track.class) == class).count();
            count.now.set(now as u64);
            if now > 0 {
                count.ever.store(true, Ordering::Relaxed);
            }
        }
    }

    /// A rule fired.
    pub fn fired(&self, rule: &str, shadow: bool) {
        let mut fired = self.fired.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = match fired.get_mut(rule) {
            Some(counts) => counts,
            None => fired.entry(rule.to_owned()).or_default(),
        };
        *(if shadow { &mut counts.shadow } else { &mut counts.told }) += 1;
    }

    /// Each class with the number of its tracks now, and whether there ever was one.
    pub fn each_label(&self, mut see: impl FnMut(&str, u64, bool)) {
        self.tracks().iter().for_each(|count| see(&count.label, count.now.get(), count.ever.load(Ordering::Relaxed)));
    }

    /// A rule would have fired so often more, so far.
    pub fn held_back(&self, rule: &str, count: u64) {
        let mut fired = self.fired.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = fired.get_mut(rule) {
            counts.held_back = count;
        } else {
            fired.entry(rule.to_owned()).or_default().held_back = count;
        }
    }

    /// The histogram of a step.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> &Histogram {
        &self.stages[stage as usize]
    }

    /// A copy of the status.
    #[must_use]
    pub fn status(&self) -> CameraStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the status.
    pub fn update_status(&self, change: impl FnOnce(&mut CameraStatus)) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut status);
        self.up.store(status.online, Ordering::Relaxed);
    }
}

/// One sink.
#[derive(Debug, Default)]
pub struct SinkMetrics {
    /// Its id.
    pub name: String,
    /// Events delivered.
    pub delivered: Counter,
    /// Attempts that failed and are tried again.
    pub retries: Counter,
    /// Events deleted from the outbox before the sink took them.
    pub dropped: Counter,
    /// Events that the far end will never take, and that were left out.
    pub refused: Counter,
    /// Events for it that are or were in the outbox since the start, whatever became of them.
    pub queued: Counter,
}

impl SinkMetrics {
    /// Events in the outbox that it is still to get.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.queued.get().saturating_sub(self.delivered.get() + self.dropped.get() + self.refused.get())
    }

    /// So many of those that seemed to wait were there already.
    pub fn unqueue(&self, events: u64) {
        self.queued.set(self.queued.get().saturating_sub(events));
    }
}

/// Everything counted in this process.
#[derive(Debug, Default)]
pub struct Metrics {
    cameras: Mutex<Vec<Arc<CameraMetrics>>>,
    models: Models,
    sinks: Mutex<Vec<Arc<SinkMetrics>>>,
    /// The durable log of all events.
    pub outbox: OutboxMetrics,
    events: [Counter; EventType::ALL.len()],
    others: Mutex<Vec<Others>>,
}

/// Writes metrics that somebody else counts.
struct Others(Box<dyn Fn(&mut String) + Send + Sync>);

impl std::fmt::Debug for Others {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Others")
    }
}

fn lock<T>(list: &Mutex<Vec<Arc<T>>>) -> std::sync::MutexGuard<'_, Vec<Arc<T>>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metrics {
    /// A new camera.
    pub fn camera(&self, id: &str) -> Arc<CameraMetrics> {
        let camera = Arc::new(CameraMetrics::new(id));
        lock(&self.cameras).push(Arc::clone(&camera));
        camera
    }

    /// A new model.
    pub fn model(&self, model: ModelMetrics) -> Arc<ModelMetrics> {
        let model = Arc::new(model);
        self.models.add(&model);
        model
    }

    /// Counters of an engine that is loaded beside the one of the same model: they count for the model from now on.
    pub fn join(&self, model: &Arc<ModelMetrics>) {
        self.models.join(model);
    }

    /// The engine of `now` serves in place of that of `before`, which is gone; what it counted stays the model's.
    pub fn replace(&self, before: &Arc<ModelMetrics>, now: &Arc<ModelMetrics>) {
        self.models.replace(before, now);
    }

    /// An engine that had joined is gone; what it counted stays the model's.
    pub fn leave(&self, model: &Arc<ModelMetrics>) {
        self.models.leave(model);
    }

    /// Metrics that `write` renders, as [`gauge`] does, whenever somebody asks.
    pub fn also(&self, write: impl Fn(&mut String) + Send + Sync + 'static) {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(Others(Box::new(write)));
    }

    /// A new sink.
    pub fn sink(&self, name: String) -> Arc<SinkMetrics> {
        // As a label value: a path may hold what would end it.
        let name = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let sink = Arc::new(SinkMetrics { name, ..SinkMetrics::default() });
        lock(&self.sinks).push(Arc::clone(&sink));
        sink
    }

    /// All cameras.
    #[must_use]
    pub fn cameras(&self) -> Vec<Arc<CameraMetrics>> {
        lock(&self.cameras).clone()
    }

    /// All models, each with the engine that serves.
    #[must_use]
    pub fn models(&self) -> Vec<Arc<ModelMetrics>> {
        self.models.serving()
    }

    /// An event was numbered.
    pub fn event(&self, event_type: EventType) {
        self.events[event_type as usize].inc();
    }

    /// All events so far.
    #[must_use]
    pub fn events_total(&self) -> u64 {
        self.events.iter().map(Counter::get).sum()
    }

    /// All of it as Prometheus text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        let _ = writeln!(out, "# TYPE watchkeeper_build_info gauge");
        let _ = writeln!(out, "watchkeeper_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        self.render_cameras(&mut out);
        self.models.render(&mut out);
        for others in self.others.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            (others.0)(&mut out);
        }
        header(&mut out, "log_lines_dropped_total", "counter");
        let _ = writeln!(out, "watchkeeper_log_lines_dropped_total {}", super::log::dropped_lines());
        header(&mut out, "events_total", "counter");
        for (event_type, counter) in EventType::ALL.iter().zip(&self.events) {
            let _ = writeln!(out, "watchkeeper_events_total{{type=\"{}\"}} {}", event_type.name(), counter.get());
        }
        type Field = fn(&SinkMetrics) -> u64;
        self.outbox.render(&mut out);
        let fields: [(&str, &str, Field); 5] = [
            ("sink_delivered_total", "counter", |s| s.delivered.get()),
            ("sink_retries_total", "counter", |s| s.retries.get()),
            ("sink_dropped_total", "counter", |s| s.dropped.get()),
            ("sink_refused_total", "counter", |s| s.refused.get()),
            ("sink_waiting", "gauge", SinkMetrics::waiting),
        ];
        for (name, kind, field) in fields {
            header(&mut out, name, kind);
            for sink in lock(&self.sinks).iter() {
                let _ = writeln!(out, "watchkeeper_{name}{{sink=\"{}\"}} {}", sink.name, field(sink));
            }
        }
        out
    }

    fn render_cameras(&self, out: &mut String) {
        let cameras = self.cameras();
        header(out, "camera_up", "gauge");
        for camera in &cameras {
            let up = u8::from(camera.up.load(Ordering::Relaxed));
            let _ = writeln!(out, "watchkeeper_camera_up{{camera=\"{}\"}} {up}", camera.id);
        }
        header(out, "camera_frames_total", "counter");
        for camera in &cameras {
            for (outcome, counter) in [
                ("coded", &camera.coded),
                ("received", &camera.received),
                ("skipped", &camera.skipped),
                ("replaced", &camera.replaced),
                ("inferred", &camera.inferred),
                ("failed", &camera.failed),
                ("corrupted", &camera.corrupted),
                ("gated", &camera.gated),
            ] {
                let _ = writeln!(
                    out,
                    "watchkeeper_camera_frames_total{{camera=\"{}\",outcome=\"{outcome}\"}} {}",
                    camera.id,
                    counter.get()
                );
            }
        }
        type Field = fn(&CameraMetrics) -> u64;
        let fields: [(&str, &str, Field); 7] = [
            ("camera_packets_total", "counter", |c| c.packets.get()),
            ("camera_reconnects_total", "counter", |c| c.reconnects.get()),
            ("camera_slow_teardowns_total", "counter", |c| c.slow_teardowns.get()),
            ("camera_panics_total", "counter", |c| c.panics.get()),
            ("camera_detections_total", "counter", |c| c.detections.get()),
            ("camera_bad_boxes_total", "counter", |c| c.bad_boxes.get()),
            ("camera_unanswered_total", "counter", |c| c.unanswered.get()),
        ];
        for (name, kind, field) in fields {
            header(out, name, kind);
            for camera in &cameras {
                let _ = writeln!(out, "watchkeeper_{name}{{camera=\"{}\"}} {}", camera.id, field(camera));
            }
        }
        header(out, "tracks_active", "gauge");
        for camera in &cameras {
            for count in camera.tracks().iter().filter(|c| c.ever.load(Ordering::Relaxed)) {
                let _ = writeln!(
                    out,
                    "watchkeeper_tracks_active{{camera=\"{}\",label=\"{}\"}} {}",
                    camera.id,
                    count.label,
                    count.now.get()
                );
            }
        }
        header(out, "rule_fired_total", "counter");
        for camera in &cameras {
            for (rule, fired) in camera.fired.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                for (shadow, count) in [(false, fired.told), (true, fired.shadow)] {
                    let labels = format!("camera=\"{}\",rule=\"{rule}\",shadow=\"{shadow}\"", camera.id);
                    let _ = writeln!(out, "watchkeeper_rule_fired_total{{{labels}}} {count}");
                }
            }
        }
        header(out, "rule_held_back_total", "counter");
        for camera in &cameras {
            for (rule, fired) in camera.fired.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let labels = format!("camera=\"{}\",rule=\"{rule}\"", camera.id);
                let _ = writeln!(out, "watchkeeper_rule_held_back_total{{{labels}}} {}", fired.held_back);
            }
        }
        header(out, "zone_objects", "gauge");
        for camera in &cameras {
            camera.counts.each_zone_ever(|zone, label, count| {
                let labels = format!("camera=\"{}\",zone=\"{zone}\",label=\"{label}\"", camera.id);
                let _ = writeln!(out, "watchkeeper_zone_objects{{{labels}}} {count}");
            });
        }
        header(out, "line_crossings_total", "counter");
        for camera in &cameras {
            camera.counts.each_line(|line, counts| {
                for (direction, count) in ["in", "out"].into_iter().zip(counts) {
                    let labels = format!("camera=\"{}\",line=\"{line}\",direction=\"{direction}\"", camera.id);
                    let _ = writeln!(out, "watchkeeper_line_crossings_total{{{labels}}} {count}");
                }
            });
        }
        header(out, "camera_last_frame_age_seconds", "gauge");
        for camera in &cameras {
            if let Some(age) = camera.last_frame_age() {
                let _ = writeln!(
                    out,
                    "watchkeeper_camera_last_frame_age_seconds{{camera=\"{}\"}} {:.3}",
                    camera.id,
                    age.as_secs_f64()
                );
            }
        }
        header(out, "stage_duration_seconds", "histogram");
        for camera in &cameras {
            for (stage, name) in Stage::ALL {
                let labels = format!("stage=\"{name}\",camera=\"{}\"", camera.id);
                camera.stage(stage).render(out, "watchkeeper_stage_duration_seconds", &labels);
            }
        }
        header(out, "end_to_end_seconds", "histogram");
        for camera in &cameras {
            camera.end_to_end.render(out, "watchkeeper_end_to_end_seconds", &format!("camera=\"{}\"", camera.id));
        }
    }
}

/// A gauge `watchkeeper_<name>`, its values by the value of the one label, or a single one without label.
pub fn gauge<'a>(out: &mut String, name: &str, label: &str, values: impl IntoIterator<Item = (&'a str, u64)>) {
    family(out, (name, "gauge"), label, values);
}

/// The same for a counter; its name ends with `_total`.
pub fn counter<'a>(out: &mut String, name: &str, label: &str, values: impl IntoIterator<Item = (&'a str, u64)>) {
    family(out, (name, "counter"), label, values);
}

fn family<'a>(
    out: &mut String,
    (name, kind): (&str, &str),
    label: &str,
    values: impl IntoIterator<Item = (&'a str, u64)>,
) {
    header(out, name, kind);
    for (of, value) in values {
        let _ = match label {
            "" => writeln!(out, "watchkeeper_{name} {value}"),
            _ => writeln!(out, "watchkeeper_{name}{{{label}=\"{of}\"}} {value}"),
        };
    }
}

fn header(out: &mut String, name: &str, kind: &str) {
    let _ = writeln!(out, "# TYPE watchkeeper_{name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_the_last_counts_everything() {
        let metrics = Metrics::default();
        let camera = metrics.camera("gate");
        for ms in [1, 1, 40, 60_000] {
            camera.stage(Stage::Infer).observe(Duration::from_millis(ms));
        }
        let text = metrics.render();
        let line = |le: &str| {
            let start =
                format!("watchkeeper_stage_duration_seconds_bucket{{stage=\"infer\",camera=\"gate\",le=\"{le}\"}} ");
            text.lines().find_map(|l| l.strip_prefix(&start)).map(str::to_owned)
        };
        assert_eq!(line("0.001").as_deref(), Some("2"));
        assert_eq!(line("0.05").as_deref(), Some("3"));
        assert_eq!(line("5").as_deref(), Some("3"));
        assert_eq!(line("+Inf").as_deref(), Some("4"));
    }

    #[test]
    fn unknown_is_absent() {
        let metrics = Metrics::default();
        let camera = metrics.camera("gate");
        assert!(!metrics.render().contains("camera_last_frame_age_seconds{"));
        camera.frame_received();
        assert!(metrics.render().contains("camera_last_frame_age_seconds{camera=\"gate\"}"));
    }
}
