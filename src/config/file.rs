//! The configuration as written: these types mirror the TOML. A field's comment is its manual.
//!
//! What every key must be is said here, in attributes, and nowhere else: the schema is made from them and the check
//! walks the schema. A key that must be there is an `Option` with `required`, so that what was refused can be left
//! out while the rest is checked further.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::meaning;
use super::words::NAME;

mod cameras;
mod identity;
mod keeping;
mod models;
mod rules;
mod sinks;

pub(super) use cameras::Camera;
pub(super) use identity::Identity;
pub(super) use keeping::{Media, Outbox, TrackLog};
pub(super) use models::{Backend, Channels, Input, Model, Provider};
pub(super) use rules::{Common, Line, Rule, RuleType, Scene, SceneFault, Zone};
pub(super) use sinks::{KEEP_ALIVE_S, ROTATE_MB, ROTATED_KEPT, Sink, SinkType, TIMEOUT_S};

/// A configuration file of Watchkeeper.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    /// The process.
    pub runtime: Runtime,
    /// Log lines.
    pub log: Log,
    /// Health, readiness and metrics over HTTP. Without this section there is no listener.
    pub http: Option<Http>,
    /// Models by name: lower-case letters, digits, `_` and `-`, at most 64.
    #[schemars(extend("propertyNames" = json!({ "pattern": NAME })))]
    pub models: BTreeMap<String, Model>,
    /// The tracker, one setting for all cameras.
    pub tracking: Tracking,
    /// Who is probably the same on several cameras. Without this section nobody is compared, and what was stored is
    /// deleted.
    pub identity: Option<Identity>,
    /// What is watched for in every camera's picture itself.
    pub scene: Scene,
    /// The durable log of all events.
    pub outbox: Outbox,
    /// What is kept of tracks.
    pub track_log: TrackLog,
    /// Pictures and clips of events. Without this section none are kept.
    pub media: Option<Media>,
    /// Cameras; files in `conf.d` add theirs.
    pub cameras: Vec<Camera>,
    /// Where events go; files in `conf.d` add theirs.
    pub sinks: Vec<Sink>,
}

/// The process.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Runtime {
    /// May anything run on the CPU? `gpu-only`: hardware decode and GPU inference, or nothing. `any`: whatever the
    /// config names.
    pub policy: meaning::Policy,
    /// How inferences of one engine share a GPU: `parallel`, `serial` (one at a time, all models together), or `auto`
    /// (parallel until an engine proves that it cannot bear it).
    pub concurrency: meaning::Concurrency,
    /// Folder for event numbers and whatever else must outlive the process.
    #[schemars(length(min = 1))]
    pub state_dir: String,
    /// Name of this device in events. Default: the host name.
    #[schemars(length(min = 1, max = 64))]
    pub device: Option<String>,
    /// Time zone of schedules, such as `Europe/Berlin`. Default: the system's.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// How long a first SIGTERM may take to finish work in hand, seconds.
    #[schemars(range(min = 0, max = 600))]
    pub drain_s: f64,
    /// Inferences that run at once on the CPU, all cameras together. Default: the number of CPUs.
    #[schemars(range(min = 1, max = 1024))]
    pub inference_workers: Option<u32>,
    /// Threads inside one inference on the CPU.
    #[schemars(range(min = 1, max = 256))]
    pub threads_per_inference: u32,
    /// The file of the ONNX Runtime library (`libonnxruntime.so`). Default: looked for in the usual places.
    #[schemars(length(min = 1))]
    pub onnxruntime_library: Option<String>,
    /// The file of the TensorRT library (`libnvinfer.so.10` or `.11`). Default: looked for where the system's loader does.
    #[schemars(length(min = 1))]
    pub tensorrt_library: Option<String>,
    /// Least agreement of a TensorRT engine with its model file, as `watchkeeper engine verify` measured it, 0 to 1: an
    /// engine below it, or one that nobody verified, is not used. Default: nobody asks.
    #[schemars(range(min = 0, max = 1))]
    pub require_verified: Option<f64>,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            policy: meaning::Policy::GpuOnly,
            concurrency: meaning::Concurrency::Auto,
            state_dir: "/var/lib/watchkeeper".to_owned(),
            device: None,
            time_zone: None,
            drain_s: 4.0,
            inference_workers: None,
            threads_per_inference: 1,
            onnxruntime_library: None,
            tensorrt_library: None,
            require_verified: None,
        }
    }
}

/// Log lines.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`) or a list such as
    /// `info,watchkeeper::source=debug`.
    #[schemars(length(min = 1))]
    pub filter: String,
    /// Shape and destination. `auto`: the journal where stderr is connected to it, else text.
    pub format: meaning::LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: meaning::LogFormat::Auto }
    }
}

/// Health, readiness and metrics over HTTP.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Http {
    /// Address and port. Loopback only in this version.
    pub listen: String,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8780".to_owned() }
    }
}

/// The tracker, one setting for all cameras; times in seconds, so that it serves every frame rate.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tracking {
    /// Which one. `keeper` is our own and measures scores by what is usual in the scene: `high_score`, `start_score`
    /// and `match_iou` are of the two others alone.
    pub tracker: meaning::TrackerKind,
    /// Detections from this score up take part in the first association, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub high_score: f64,
    /// Detections below this score take no part at all, 0 to 1. A model's `min_score` should not be higher, or low
    /// scores never arrive.
    #[schemars(range(min = 0, max = 1))]
    pub low_score: f64,
    /// Unmatched detections from this score up begin a track, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub start_score: f64,
    /// Least overlap (IoU) of prediction and detection, multiplied with the detection's score, for high-score
    /// detections, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub match_iou: f64,
    /// A track is published once its first detection is this long ago, seconds; 0: at once, and anything else asks for
    /// a second frame.
    #[schemars(range(min = 0, max = 60))]
    pub confirm_s: f64,
    /// A track without a detection for longer ends, seconds; low-score detections alone keep one no longer than this
    /// either. With `keeper` and a ReID model, one whose looks are known is held for twice as long, to be found by
    /// them. Must exceed the time between analysed frames.
    #[schemars(range(min = 0, max = 3600))]
    pub max_gap_s: f64,
    /// `on`: how a camera itself shakes, pans, turns or zooms is told from its pictures and taken out of its subjects'
    /// motion. For cameras on masts in the wind, on pan-tilt heads and with zoom; costs about half a millisecond of one
    /// CPU core per analysed frame. A camera that stands loses nothing by it but that time.
    pub camera_motion: meaning::CameraMotionUse,
    /// `auto`: looks count where the camera has a ReID model (`keeper` only): beyond what that model's `run_on` says, it
    /// looks at detections that could be of several tracks or of a new one, at most one batch a frame. `off`: motion
    /// alone.
    pub appearance: meaning::AppearanceUse,
}

impl Default for Tracking {
    fn default() -> Self {
        let meant = meaning::Tracking::default();
        Self {
            tracker: meant.tracker,
            high_score: short(meant.high_score),
            low_score: short(meant.low_score),
            start_score: short(meant.start_score),
            match_iou: short(meant.match_iou),
            confirm_s: meant.confirm.as_secs_f64(),
            max_gap_s: meant.max_gap.as_secs_f64(),
            camera_motion: meant.camera_motion,
            appearance: meant.appearance,
        }
    }
}

/// 0.6 as a person writes it, and not 0.6000000238418579.
fn short(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| value.into())
}
