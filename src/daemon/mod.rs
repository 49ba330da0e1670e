//! From a configuration to a running daemon and back: build, run, drain.

mod contract;
mod identities;
mod reload;
mod serial_mode;
mod state_file;
mod swap;
mod systemd;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, bounded};
use sd_notify::NotifyState;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::config::{self, Config};
use crate::inference::{Admission, ModelManager, Notice};
use crate::media::{self, Media};
use crate::outbox::{Closed, Outbox};
use crate::pipeline::{self, CameraPipeline, Clips, Environment, Hub, Observer, Publish};
use crate::source::{self, Delivery};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::progress::Progress;
use crate::telemetry::redact;
use crate::track_log::TrackLog;
use crate::web;
use reload::Reloads;
use serial_mode::Tripped;
use systemd::{Starting, notify};

/// Cameras start this far apart: connecting is the dearest thing they do.
const STAGGER: Duration = Duration::from_millis(50);
const TICK: Duration = Duration::from_millis(250);
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// A stage that is busy with one piece of work for longer is stuck, where systemd sets no limit.
const STUCK: Duration = Duration::from_secs(60);

/// The longest drain where the GPU failed for good.
const LOST: Duration = Duration::from_secs(2);

/// Why it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Asked,
    Broken,
    DeviceLost,
}

/// How a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Asked to, and everything was written.
    Drained,
    /// Asked to, but the deadline passed first.
    Overdue,
    /// A part that all cameras need is gone.
    Broken,
    /// The GPU failed for good; everything that was known by then is written.
    DeviceLost,
}

/// Runs until a signal ends it; `path` is where the configuration is from, to be read anew, and `observer` sees what
/// cameras report.
///
/// # Errors
/// What keeps it from starting.
pub fn run(config: &Config, path: Option<&Path>, observer: Option<Observer>) -> anyhow::Result<Outcome> {
    let signals = signals()?;
    register_secrets(config);
    let starting = Starting::begin();
    let running = Running::start(config, path, observer)?;
    drop(starting);
    notify(&[NotifyState::Ready]);
    tracing::info!(cameras = config.cameras.len(), models = config.models.len(), sinks = config.sinks.len(), "ready");
    let ending = running.watch(&signals);
    running.reloads.stop();
    notify(&[NotifyState::Stopping, NotifyState::Status("draining")]);
    leave_at_the_next(signals);
    let models = Arc::clone(&running.models);
    let drained = running.drain(match ending {
        // Decoders may hang on the broken device; what is behind them is written all the same.
        Ending::DeviceLost => config.runtime.drain.min(LOST),
        _ => config.runtime.drain,
    });
    Ok(match (ending, drained) {
        // Also where it was lost at the very end: nothing may touch it any more.
        _ if models.device_lost().is_some() => Outcome::DeviceLost,
        (Ending::DeviceLost, _) => Outcome::DeviceLost,
        (Ending::Broken, _) => Outcome::Broken,
        (Ending::Asked, true) => Outcome::Drained,
        (Ending::Asked, false) => Outcome::Overdue,
    })
}

/// Makes every password of the configuration known to the log's redaction.
pub fn register_secrets(config: &Config) {
    for credentials in config.credentials() {
        redact::register(&credentials.username, &credentials.password);
    }
    for secret in config.sinks.iter().flat_map(config::Sink::secrets) {
        redact::register("", &secret);
    }
}

/// What an operator reaches.
fn control(config: &Config, models: &Arc<ModelManager>, tripped: &Arc<Tripped>, reloads: &Reloads) -> web::Control {
    let dir = config.media.as_ref().map(|media| media.dir.clone());
    let [asked, told, proven, listed] = [(); 4].map(|()| Arc::clone(models));
    let (tripped, reloads) = (Arc::clone(tripped), reloads.clone());
    web::Control {
        serial_mode: Box::new(move || serde_json::json!(asked.serial_mode())),
        set_serial_mode: Box::new(move |serial| {
            let news = told.set_serial_mode(serial, "an operator's word");
            // Where it is no news, what is remembered of it may still be wrong.
            tripped.remember(&told.serial_mode());
            news
        }),
        contract: Box::new(move || serde_json::json!(proven.contract())),
        models: Box::new(move || serde_json::json!(listed.status())),
        media: Box::new(move |id, name| {
            // Only what is an id and a name of ours becomes part of a path.
            Some(media::path(dir.as_deref()?, ulid::Ulid::from_string(id).ok()?, media::Kind::of(name)?))
        }),
        reload: Box::new(move || reloads.ask_and_wait()),
    }
}

/// Starts what keeps what rules are told.
fn track_log(config: &Config, metrics: &Metrics) -> anyhow::Result<Option<Arc<TrackLog>>> {
    let Some(kept) = &config.track_log else { return Ok(None) };
    let log = TrackLog::start(&config.runtime.state_dir, kept).context("the track log cannot start")?;
    let stats = Arc::clone(log.stats());
    metrics.also(move |out| stats.render(out));
    Ok(Some(Arc::new(log)))
}

struct Running {
    models: Arc<ModelManager>,
    tripped: Arc<Tripped>,
    cameras: Vec<CameraPipeline>,
    _admissions: Vec<Admission>,
    hub: Hub,
    media: Option<Media>,
    clips: Option<Clips>,
    track_log: Option<Arc<TrackLog>>,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
    web: Option<web::Server>,
    reloads: Reloads,
    /// Held so that the hub lives even without cameras.
    reports: crossbeam_channel::Sender<pipeline::Report>,
}

impl Running {
    fn start(config: &Config, path: Option<&Path>, observer: Option<Observer>) -> anyhow::Result<Self> {
        identities::delete_if_off(config)?;
        let metrics = Arc::new(Metrics::default());
        let progress = Arc::new(Progress::default());
        let models = contract::load(config, &metrics)?;
        // After the device is open: GStreamer's plugins touch CUDA, too.
        source::init()?;
        let tripped = Arc::new(Tripped::new(&config.runtime));
        tripped.resume(&models);
        let outbox = Outbox::open(&Arc::new(config.clone()), &metrics)?;
        let media = config.media.as_ref().map(|media| Media::start(media, &metrics)).transpose()?;
        let desk = media.as_ref().and_then(Media::desk);
        let clips = desk.as_ref().map(|desk| Clips::start(desk, &metrics, &progress)).transpose()?.flatten();
        let track_log = track_log(config, &metrics)?;
        let (reports, incoming) = pipeline::channel();
        let identities = identities::start(config, &models, &metrics, &progress, reports.clone())?;
        let publish = match observer.as_ref().map_or(Publish::Events, |observer| observer.publish) {
            Publish::Events if identities.is_some() => Publish::Objects,
            publish => publish,
        };
        let stage = progress.stage("hub");
        let hub = Hub::start(incoming, outbox, stage, observer, identities).context("the hub cannot start")?;
        let (reloads, requests) = reload::channel(&metrics);
        let readiness = Arc::new(web::Readiness::default());
        let web = match &config.http {
            Some(http) => {
                let (metrics, readiness) = (Arc::clone(&metrics), Arc::clone(&readiness));
                Some(web::Server::start(http.listen, metrics, readiness, control(config, &models, &tripped, &reloads))?)
            }
            None => None,
        };
        let environment = Environment {
            config,
            models: &models,
            metrics: &metrics,
            progress: &progress,
            reports: reports.clone(),
            publish,
            media: desk,
            clips: clips.as_ref().map(Clips::desk),
            track_log: track_log.clone(),
        };
        let mut cameras = Vec::with_capacity(config.cameras.len());
        // All before the first begins: what decoders take is not known beforehand.
        let admissions = config.cameras.iter().map(|camera| models.admit(camera)).collect::<Result<Vec<_>, _>>()?;
        for camera in &config.cameras {
            let pipeline = CameraPipeline::start(&environment, camera, Delivery::Newest)
                .with_context(|| format!("camera {:?} cannot start", camera.id))?;
            cameras.push(pipeline);
            std::thread::sleep(STAGGER);
        }
        let handovers = cameras.iter().map(|camera| Arc::clone(camera.handover())).collect();
        requests.answer(reload::Daemon {
            config: config.clone(),
            path: path.map(Path::to_owned),
            models: Arc::clone(&models),
            metrics: Arc::clone(&metrics),
            cameras: handovers,
        })?;
        readiness.ready();
        drop(environment);
        Ok(Self {
            models,
            tripped,
            cameras,
            _admissions: admissions,
            hub,
            media,
            clips,
            track_log,
            metrics,
            progress,
            web,
            reloads,
            reports,
        })
    }

    /// Until a signal, or until a part that everybody needs is gone.
    fn watch(&self, signals: &Receiver<i32>) -> Ending {
        let watchdog = sd_notify::watchdog_enabled();
        let limit = watchdog.unwrap_or(STUCK);
        let feed = watchdog.map_or(Duration::from_secs(1), |limit| limit / 3).min(Duration::from_secs(1));
        let (mut fed, mut told) = (None::<Instant>, None::<Instant>);
        let mut stuck_told = false;
        loop {
            match signals.recv_timeout(TICK) {
                Ok(SIGHUP) => self.reloads.ask(),
                Ok(signal) => {
                    tracing::info!(signal = name(signal), "draining");
                    return Ending::Asked;
                }
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return Ending::Broken,
            }
            heed(&self.models, &self.tripped, &self.reports);
            if self.models.device_lost().is_some() {
                return Ending::DeviceLost;
            }
            if let Some(camera) = self.cameras.iter().find(|camera| camera.is_broken()) {
                tracing::error!(
                    camera = camera.id(),
                    "the camera's thread is gone; the daemon ends so that it is started anew"
                );
                return Ending::Broken;
            }
            if self.hub.is_finished() {
                tracing::error!("the hub is gone; the daemon ends so that it is started anew");
                return Ending::Broken;
            }
            match self.progress.stuck(limit / 2) {
                None => {
                    stuck_told = false;
                    if fed.is_none_or(|at| at.elapsed() >= feed) {
                        fed = Some(Instant::now());
                        self.reloads.feed(limit);
                    }
                }
                Some((stage, time)) if !stuck_told => {
                    stuck_told = true;
                    tracing::error!(stage, busy_s = time.as_secs(), "no progress; the watchdog is not fed");
                }
                Some(_) => {}
            }
            if told.is_none_or(|at| at.elapsed() >= STATUS_EVERY) {
                told = Some(Instant::now());
                notify(&[NotifyState::Status(&self.status())]);
            }
        }
    }

    fn status(&self) -> String {
        let online = self.cameras.iter().filter(|camera| camera.metrics().status().online).count();
        format!("{online}/{} cameras online, {} events", self.cameras.len(), self.metrics.events_total())
    }

    /// Stops upstream; later stages end when their input does. True where all was written in time.
    fn drain(self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let Self { models, tripped, cameras, hub, media, clips, track_log, metrics, web, reloads, reports, .. } = self;
        for camera in &cameras {
            camera.stop();
        }
        let mut in_time = true;
        for camera in cameras {
            // A teardown may hang in a driver; everything behind the camera can still be written.
            while !camera.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            if camera.is_finished() {
                camera.join();
            } else {
                tracing::warn!(camera = camera.id(), "did not end in time and is left behind");
                in_time = false;
            }
        }
        // A plan that is being loaded cannot be hurried.
        if !reloads.join(deadline) {
            tracing::warn!("a reload did not end in time and is left behind");
            in_time = false;
        }
        // The last frames may have broken something, and the next start must know.
        heed(&models, &tripped, &reports);
        // Without this word the hub would not end: the thread of identities reports to it until it does.
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(500));
        if reports.send_timeout(pipeline::Report::Stop { deadline }, left).is_err() {
            tracing::warn!("the hub takes no more reports and is left behind");
            in_time = false;
        }
        drop(reports);
        let patience = deadline.max(Instant::now()) + Duration::from_secs(1);
        while !hub.is_finished() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut closed = Closed::default();
        if hub.is_finished() {
            match hub.join() {
                Some(outbox) => {
                    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(500));
                    closed = outbox.close(left);
                }
                None => in_time = false,
            }
        } else {
            tracing::warn!("the hub did not end in time and is left behind");
            in_time = false;
        }
        // Events come first; pictures and what rules were told have what time is left.
        let at_least = Instant::now() + Duration::from_millis(300);
        if let Some(clips) = clips {
            // What comes after the last events is not waited for.
            clips.close(deadline.max(at_least));
        }
        if let Some(media) = media {
            media.close(deadline.max(at_least));
        }
        drop(track_log);
        if let Some(web) = web {
            web.stop();
        }
        // What waits is durable, and delivered after the next start.
        let Closed { lost, waiting } = closed;
        tracing::info!(events = metrics.events_total(), lost, waiting, "drained");
        in_time && lost == 0
    }
}

/// Takes note of what befell inference. A lost device is asked for itself: it must not be missed.
fn heed(models: &ModelManager, tripped: &Tripped, reports: &crossbeam_channel::Sender<pipeline::Report>) {
    for notice in models.notices().try_iter() {
        if let Notice::SerialMode(mode) = notice {
            tripped.remember(&mode);
            let event = pipeline::Report::Event(serial_mode::event(&mode));
            if reports.send_timeout(event, Duration::from_secs(1)).is_err() {
                tracing::error!("the hub takes no event: engine.serial_mode is lost");
            }
        }
    }
}

/// Whatever the drain is waiting for, a second signal ends it.
fn leave_at_the_next(signals: Receiver<i32>) {
    let waiting = std::thread::Builder::new().name("second signal".to_owned()).spawn(move || {
        if signals.iter().any(|signal| signal != SIGHUP) {
            tracing::warn!("second signal: leaving at once");
            // The line is written by another thread.
            std::thread::sleep(Duration::from_millis(20));
            process::exit_now(0);
        }
    });
    if let Err(error) = waiting {
        tracing::warn!("a second signal will not be heard: {error}");
    }
}

/// Signals, as a channel.
fn signals() -> anyhow::Result<Receiver<i32>> {
    let mut signals =
        signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP]).context("signal handlers cannot be set")?;
    // A file-size limit must come back as an error of `write`, not end the process.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).context("signal handlers cannot be set")?;
    let (sender, receiver) = bounded(16);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let _ = sender.send(signal);
        }
    })?;
    Ok(receiver)
}

fn name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("signal")
}
