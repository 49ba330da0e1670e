//! One recording through the pipeline, every frame, for whoever reads the results.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use super::exit::BadInput;
use super::jpeg;
use crate::config::{Camera, Config, SourceKind, camera_from_url};
use crate::inference::{ContractReport, InferenceError, ModelManager};
use crate::pipeline::{self, CameraPipeline, Environment, FrameResult, Publish, Report};
use crate::source::{self, Delivery};
use crate::telemetry::metrics::{CameraMetrics, CameraStatus, Metrics};
use crate::telemetry::progress::Progress;

/// A device that is lost is noticed this soon.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Loaded models, ready for recordings.
pub(super) struct Player {
    config: Config,
    models: Arc<ModelManager>,
    publish: Publish,
}

/// How a recording ended.
pub(super) struct Played {
    pub(super) status: CameraStatus,
    pub(super) counters: Arc<CameraMetrics>,
}

impl Player {
    /// Loads all models of `config`, which are those that are used, in the order of a camera's.
    pub(super) fn new(config: Config, publish: Publish) -> anyhow::Result<Self> {
        // They are not opened, and need no room.
        let config = Config { cameras: Vec::new(), ..config };
        let (proofs, mut report) = (pipeline::proofs(), ContractReport::new(&config));
        let models = Arc::new(ModelManager::load_with(&config, &Metrics::default(), &proofs, &mut report)?);
        // After the device is open: GStreamer's plugins touch CUDA, too.
        source::init()?;
        Ok(Self { config, models, publish })
    }

    /// The configuration it was made with.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Plays `path` as a camera of the name `id`; `see` gets every frame, and an error of its ends the play.
    pub(super) fn play(
        &self,
        path: &Path,
        id: &str,
        mut see: impl FnMut(&FrameResult, &CameraPipeline) -> anyhow::Result<()>,
    ) -> anyhow::Result<Played> {
        let (metrics, progress) = (Metrics::default(), Progress::default());
        let camera = Camera { id: id.to_owned(), models: (0..self.config.models.len()).collect(), ..opened(path)? };
        let (reports, incoming) = match self.publish {
            Publish::Everything => pipeline::channel_with_pictures(),
            _ => pipeline::channel(),
        };
        let environment = Environment {
            config: &self.config,
            models: &self.models,
            metrics: &metrics,
            progress: &progress,
            reports,
            publish: self.publish,
            media: None,
            clips: None,
            track_log: None,
        };
        let pipeline = CameraPipeline::start(&environment, &Arc::new(camera), Delivery::Every)?;
        // The camera's own senders end with it; this one must not outlive them.
        drop(environment);
        let mut seen = Ok(());
        loop {
            if self.models.device_lost().is_some() {
                break;
            }
            // Not for ever: where every frame fails, no report comes.
            let report = match incoming.recv_timeout(LOOK_EVERY) {
                Ok(report) => report,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            for report in std::iter::once(report).chain(incoming.try_iter()) {
                if let Report::Frame(result) = report {
                    if seen.is_ok() {
                        seen = see(&result, &pipeline);
                    }
                    let _ = result.recycle.try_send(result.objects);
                }
            }
            if seen.is_err() {
                pipeline.stop();
            }
            // Few frames with pixels may wait, so that they are read as they come.
            if self.publish != Publish::Everything {
                std::thread::sleep(pipeline::READ_EVERY);
            }
        }
        if let Some(reason) = self.models.device_lost() {
            // Its threads may hang in a driver; the process ends without them.
            std::mem::forget(pipeline);
            return Err(InferenceError::DeviceLost { reason: reason.to_owned() }.into());
        }
        let played = Played { status: pipeline.metrics().status(), counters: Arc::clone(pipeline.metrics()) };
        // Also after a failure: a run that is cut off by the end of the process would cry out.
        pipeline.join();
        seen.map(|()| played)
    }
}

impl Played {
    /// Everything was decoded and analysed, or what was not.
    pub(super) fn check(&self, path: &Path) -> anyhow::Result<()> {
        let (status, counters) = (&self.status, &self.counters);
        if !status.fault.is_empty() {
            return Err(BadInput(format!("{}: {}: {}", path.display(), status.fault, status.detail)).into());
        }
        self.check_answers(path)?;
        let undecoded = counters.coded.get().saturating_sub(counters.received.get());
        if undecoded > 0 {
            let message = format!("{}: {undecoded} pictures could not be decoded; it is damaged", path.display());
            return Err(BadInput(message).into());
        }
        Ok(())
    }

    /// Every model answered for every frame it was asked about.
    pub(super) fn check_answers(&self, path: &Path) -> anyhow::Result<()> {
        let counters = &self.counters;
        let lost = counters.failed.get() + counters.unanswered.get() + counters.panics.get();
        anyhow::ensure!(lost == 0, "{}: {lost} times a model gave no answer; see the log", path.display());
        Ok(())
    }
}

/// The recording as a camera, with the decoder that reads it best; after GStreamer was started.
pub(super) fn opened(path: &Path) -> anyhow::Result<Camera> {
    // GStreamer's own decoder throws away three of four chroma samples where a picture has them all. This one has them, but
    // not those of other pictures: it crashes over some.
    const FULL_CHROMA: &str = "avdec_mjpeg";
    let mut camera = camera(path)?;
    if jpeg::has_full_chroma(path) && gst::ElementFactory::find(FULL_CHROMA).is_some() {
        camera.decoder = Some(FULL_CHROMA.to_owned());
    }
    Ok(camera)
}

/// The recording as a camera.
pub(super) fn camera(path: &Path) -> anyhow::Result<Camera> {
    let text = path.to_str().ok_or_else(|| BadInput(format!("{}: the path is not UTF-8", path.display())))?;
    let camera = camera_from_url(text, None, None)?;
    if !matches!(camera.source, SourceKind::File { .. }) {
        let message = format!("{text}: not a recording; for a live camera use run or probe");
        return Err(BadInput(message).into());
    }
    Ok(camera)
}
