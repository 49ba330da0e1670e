//! Stages meet here: a source, a camera thread, and the hub that all cameras report to.
//!
//! ```text
//! source --(slot of one)--> camera thread --(bounded channel)--> hub --> outbox
//!                            preprocess, infer, postprocess, track
//! ```
//!
//! In front of the model fresh beats complete; behind it complete beats fresh: the channel to the hub
//! waits.

mod analysis;
mod camera;
mod camera_motion;
mod clips;
mod crops;
mod extras;
mod fed;
mod handover;
mod hub;
pub mod identities;
mod inputs;
mod looks;
mod matcher;
mod objects;
mod proofs;
mod quality;
mod shots;
mod watching;
mod whole_frame;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use crate::config::{self, Config, Task};
use crate::inference::ModelManager;
use crate::inference::budget::Filter;
use crate::media::Desk;
use crate::source::slot::FrameSlot;
use crate::source::{Delivery, Frame, Ring, Setup, Source, StreamFacts};
use crate::telemetry::metrics::{CameraMetrics, Metrics};
use crate::telemetry::progress::Progress;
use crate::track_log::TrackLog;
use crate::types::event::EventDraft;
use crate::types::found::Found;
use crate::types::frame::FrameMeta;
use crate::types::objects::FrameObjects;
use crate::types::tensor::ModelIo;
use crate::types::track::{Change, Ended};
use crate::vision::heads::{Decoder, Embedder};

pub use clips::{ClipDesk, Clips};
pub use fed::FedCamera;
pub use handover::{EngineFor, Handover, Proof, Setback};
pub use hub::{Hub, Observer};
pub use inputs::{CropInput, FrameInput};
pub use proofs::proofs;
pub use quality::quality;

/// Results that may wait for the hub, all cameras together.
pub const HUB_QUEUE: usize = 256;
/// Of those with pixels: each holds up a buffer of its decoder.
const PICTURE_QUEUE: usize = 4;
/// A reader of every frame best looks this often: waking it for each one costs more than reading it.
pub const READ_EVERY: Duration = Duration::from_millis(20);
/// Frames a camera may have in flight where every frame counts: one in the model, one being prepared.
const DEPTH_EVERY: usize = 2;

/// What camera threads and sources report.
pub enum Report {
    /// A frame was analysed; only where [`Environment::publish`] asks for it.
    Frame(FrameResult),
    /// Something happened.
    Event(EventDraft),
    /// No camera that matters reports any more.
    Stop {
        /// What is still found out about identities is waited for until then, and half a second at least.
        deadline: Instant,
    },
}

/// What was found in one frame.
pub struct FrameResult {
    /// Camera id.
    pub camera: Arc<str>,
    /// The frame.
    pub meta: FrameMeta,
    /// Run in which the tracks began: `camera:run:number` names one.
    pub track_run: u32,
    /// Labels of the tracks' classes.
    pub labels: Arc<[String]>,
    /// Names what the embeddings depend on: those of two are of different spaces. `None` without a ReID model.
    pub looks_of: Option<Arc<str>>,
    /// Confirmed tracks and what is known of each; pixels.
    pub objects: Box<FrameObjects>,
    /// Tracks that ended with this frame; those of a run that ended are not told.
    pub ended: Vec<Ended>,
    /// How states of numbered tracks changed in this frame, and why; empty where the tracker does not tell.
    pub changes: Vec<Change>,
    /// All that each model found, tracked or not, with [`Publish::Found`].
    pub found: Vec<(Task, Found)>,
    /// The frame itself, with [`Publish::Pictures`].
    pub frame: Option<Box<Frame>>,
    /// Where `objects` goes when it has been read, so that its memory is used again.
    pub recycle: Sender<Box<FrameObjects>>,
}

/// What camera threads report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// Events only.
    Events,
    /// Each frame's objects too.
    Objects,
    /// Each frame's objects, and all that its models found.
    Found,
    /// Each frame's objects, and two or three times a second the pixels too. A frame that is not dropped soon holds
    /// up the decoder.
    Pictures,
    /// Each frame's objects, all that its models found, and its pixels: of recordings, which wait for their reader.
    Everything,
}

impl Publish {
    const fn has_found(self) -> bool {
        matches!(self, Self::Found | Self::Everything)
    }

    const fn has_pictures(self) -> bool {
        matches!(self, Self::Pictures | Self::Everything)
    }
}

/// What cameras are started with.
pub struct Environment<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The models.
    pub models: &'a Arc<ModelManager>,
    /// Counters.
    pub metrics: &'a Metrics,
    /// Who is busy.
    pub progress: &'a Progress,
    /// Where reports go.
    pub reports: Sender<Report>,
    /// What is reported.
    pub publish: Publish,
    /// Where pictures of events go; `None`: nowhere.
    pub media: Option<Desk>,
    /// Where clips of events are asked for; `None`: there are none.
    pub clips: Option<ClipDesk>,
    /// Where what rules are told is kept; `None`: nowhere.
    pub track_log: Option<Arc<TrackLog>>,
}

/// A running camera: its source and its camera thread.
pub struct CameraPipeline {
    id: String,
    source: Source,
    slot: Arc<FrameSlot>,
    thread: JoinHandle<()>,
    metrics: Arc<CameraMetrics>,
    handover: Arc<Handover>,
}

impl CameraPipeline {
    /// Starts one camera.
    ///
    /// # Errors
    /// Where its contexts or threads cannot be made.
    pub fn start(
        environment: &Environment<'_>,
        camera: &Arc<config::Camera>,
        delivery: Delivery,
    ) -> anyhow::Result<Self> {
        let slot = Arc::new(FrameSlot::new(delivery));
        let every = delivery == Delivery::Every;
        let depth = if every { DEPTH_EVERY } else { 1 };
        let clips = environment.clips.clone().filter(|_| !every);
        let clips = clips.map(|desk| (desk.clone(), desk.ring(&camera.id)));
        let ring = clips.as_ref().map(|(_, ring)| Arc::clone(ring));
        let (thread, metrics, handover) = start_worker(environment, camera, &slot, (depth, !every), clips)?;
        let events = environment.reports.clone();
        let id = camera.id.clone();
        let source = match Source::start(Setup {
            camera: Arc::clone(camera),
            policy: environment.config.runtime.policy,
            delivery,
            slot: Arc::clone(&slot),
            metrics: Arc::clone(&metrics),
            stage: environment.progress.stage(format!("source {}", camera.id)),
            ring,
            notify: Arc::new(move |notice| {
                if let Some(draft) = objects::camera_event(&id, &notice) {
                    // Fails only when the hub has ended, at the very end of the process.
                    let _ = events.send(Report::Event(draft));
                }
            }),
        }) {
            Ok(source) => source,
            Err(error) => {
                // Its thread waits for frames that will never come.
                slot.close();
                let _ = thread.join();
                return Err(error.into());
            }
        };
        Ok(Self { id: camera.id.clone(), source, slot, thread, metrics, handover })
    }

    /// Where it takes other engines.
    #[must_use]
    pub fn handover(&self) -> &Arc<Handover> {
        &self.handover
    }

    /// Camera id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is known of its stream.
    #[must_use]
    pub fn facts(&self) -> &Arc<StreamFacts> {
        self.source.facts()
    }

    /// Its counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<CameraMetrics> {
        &self.metrics
    }

    /// Asks source and camera thread to end; what is in the slot and in flight is still analysed.
    pub fn stop(&self) {
        self.source.stop();
        self.slot.close();
    }

    /// True where its thread has ended though nobody asked: frames would go nowhere.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.thread.is_finished()
    }

    /// True once both have ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.source.is_finished() && self.thread.is_finished()
    }

    /// Waits for both.
    pub fn join(self) {
        self.source.join();
        let _ = self.thread.join();
    }
}

/// Starts a camera thread that takes its frames from `slot`, up to `depth` of them in flight, at their own pace where they
/// are `live`.
fn start_worker(
    environment: &Environment<'_>,
    camera: &Arc<config::Camera>,
    slot: &Arc<FrameSlot>,
    (depth, live): (usize, bool),
    clips: Option<(ClipDesk, Arc<Ring>)>,
) -> anyhow::Result<(JoinHandle<()>, Arc<CameraMetrics>, Arc<Handover>)> {
    let metrics = environment.metrics.camera(&camera.id);
    let camera_models: Vec<_> = camera.models.iter().filter_map(|index| environment.models.model(*index)).collect();
    if let Some(model) = camera_models.first() {
        metrics.set_labels(&model.model.labels);
    }
    let task = camera_models.first().map_or(Task::Detection, |model| model.model.task);
    let handover = Arc::new(Handover::new(&camera.id, &camera.models, &camera_models, depth, &metrics));
    let worker = camera::Worker {
        id: Arc::from(camera.id.as_str()),
        camera: Arc::clone(camera),
        slot: Arc::clone(slot),
        task,
        handover: Arc::clone(&handover),
        models: Arc::clone(environment.models),
        tracking: environment.config.tracking,
        depth,
        live,
        reports: environment.reports.clone(),
        media: environment.media.clone(),
        clips,
        track_log: environment.track_log.clone(),
        publish: environment.publish,
        metrics: Arc::clone(&metrics),
        stage: environment.progress.stage(format!("camera {}", camera.id)),
    };
    Ok((worker.start()?, metrics, handover))
}

/// What a model's head says of it: see [`Fits`](crate::inference::Fits).
///
/// # Errors
/// Why the head cannot use the model, and what to do.
pub fn fits_head(model: &config::Model, io: &ModelIo) -> Result<Option<Filter>, String> {
    let ((width, height), filter) = match model.task {
        Task::Reid => match Embedder::new(model, io) {
            Ok(head) if head.batch().is_some_and(|batch| batch > 1) => {
                return Err("its batch is fixed at more than 1; export it with an open batch, or with 1".to_owned());
            }
            head => head.map(|head| ((head.input().width, head.input().height), None)),
        },
        _ => Decoder::new(model, io).map(|head| {
            let filter = head.table().map(|table| Filter { output: table.output, classes: table.classes });
            ((head.input().width, head.input().height), filter)
        }),
    }
    .map_err(|error| error.to_string())?;
    match model.manifest.as_ref().and_then(|manifest| manifest.input_size.map(|size| (manifest, size))) {
        Some((manifest, [w, h])) if (w, h) != (width, height) => Err(format!(
            "the model takes pictures of {width}x{height} pixels, and {} says {w}x{h}; correct input_size_px",
            manifest.path.display()
        )),
        _ => Ok(filter),
    }
}

/// The channel that all cameras report into.
#[must_use]
pub fn channel() -> (Sender<Report>, Receiver<Report>) {
    crossbeam_channel::bounded(HUB_QUEUE)
}

/// The same for one reader of every frame that gets pixels, of which only a few may wait for it.
#[must_use]
pub fn channel_with_pictures() -> (Sender<Report>, Receiver<Report>) {
    crossbeam_channel::bounded(PICTURE_QUEUE)
}
