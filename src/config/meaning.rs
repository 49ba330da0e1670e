//! The configuration as meant: right by type, defaults filled in, names resolved. After
//! [`super::load`] no stage checks any of it again.

mod rules;
mod sinks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use rules::{Anchor, Common, Directions, Line, Media, Rule, RuleKind, Scene, Schedule, TrackLog, Zone};
pub use sinks::{
    ClientCertificate, Dialect, Mqtt, MqttVersion, Nats, Outbox, Redis, Server, Sink, SinkKind, Tls, Webhook,
};

pub use crate::types::log::{Log, LogFormat};
use crate::types::secret::Secret;

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where it was read from.
    pub path: PathBuf,
    /// The process.
    pub runtime: Runtime,
    /// Where log lines go.
    pub log: Log,
    /// Health, readiness and metrics over HTTP; `None`: no listener.
    pub http: Option<Http>,
    /// In order of name.
    pub models: Vec<Arc<Model>>,
    /// The tracker, one setting for all cameras.
    pub tracking: Tracking,
    /// Who is the same on several cameras; `None`: nobody is compared, and nothing is stored.
    pub identity: Option<Identity>,
    /// In order of the files.
    pub cameras: Vec<Arc<Camera>>,
    /// The durable log of all events.
    pub outbox: Outbox,
    /// What is kept of tracks; `None`: nothing.
    pub track_log: Option<TrackLog>,
    /// Pictures and clips of events; `None`: none.
    pub media: Option<Media>,
    /// In order of the files.
    pub sinks: Vec<Sink>,
}

impl Config {
    /// Every password, so that whatever leaves the process can be searched for them.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let passwords = self.credentials().map(|credentials| credentials.password.clone());
        passwords.chain(self.sinks.iter().flat_map(Sink::secrets)).collect()
    }

    /// Every login, of cameras and sinks.
    pub fn credentials(&self) -> impl Iterator<Item = &Credentials> {
        let of_cameras = self.cameras.iter().filter_map(|camera| camera.credentials.as_ref());
        of_cameras.chain(self.sinks.iter().filter_map(Sink::login))
    }
}

/// The process.
#[derive(Clone, Debug, PartialEq)]
pub struct Runtime {
    /// May anything run on the CPU?
    pub policy: Policy,
    /// May the contexts of one engine run at once?
    pub concurrency: Concurrency,
    /// Event numbers and whatever else must outlive the process.
    pub state_dir: PathBuf,
    /// `device` in events.
    pub device: String,
    /// Of schedules.
    pub time_zone: jiff::tz::TimeZone,
    /// How long a first SIGTERM may drain.
    pub drain: Duration,
    /// Inferences that run at once on the CPU, all cameras together.
    pub inference_workers: usize,
    /// Threads inside one inference.
    pub threads_per_inference: usize,
    /// The library file; `None`: look in the usual places.
    pub onnxruntime_library: Option<PathBuf>,
    /// The library file; `None`: look in the usual places.
    pub tensorrt_library: Option<PathBuf>,
    /// Least agreement of an engine with its model file, 0..1; `None`: nobody asks.
    pub require_verified: Option<f64>,
}

/// May anything run on the CPU?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Hardware decode and GPU inference, or nothing.
    GpuOnly,
    /// Whatever the config names.
    Any,
}

/// May the contexts of one engine run at once?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Concurrency {
    /// Yes.
    Parallel,
    /// No: one inference at a time, all models together.
    Serial,
    /// Parallel until an engine proves that it cannot bear it.
    Auto,
}

/// The HTTP listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// Loopback only.
    pub listen: SocketAddr,
}

/// A model and how to use it.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The `<name>` of `[models.<name>]`.
    pub name: String,
    /// The model file; exists when the config was checked.
    pub onnx: PathBuf,
    /// The TensorRT plan; empty with other backends.
    pub plan: PathBuf,
    /// What runs it.
    pub backend: Backend,
    /// Arithmetic asked for; `None`: as the model file has it.
    pub precision: Option<Precision>,
    /// What it is for.
    pub task: Task,
    /// Output layout.
    pub head: Head,
    /// Picture to tensor.
    pub input: Input,
    /// Class names by index.
    pub labels: Arc<[String]>,
    /// Wanted classes by index, sorted; empty: all.
    pub classes: Vec<u16>,
    /// Detections below are dropped, 0..1.
    pub min_score: f32,
    /// Overlap above which the lower of two boxes is dropped, 0..1.
    pub nms_iou: f32,
    /// Boxes of different classes suppress each other.
    pub nms_across_classes: bool,
    /// Most detections kept per frame.
    pub max_detections: usize,
    /// How often it runs where it is not the model that feeds the tracker.
    pub cadence: Cadence,
    /// Most crops in one run; task `reid` only.
    pub max_batch: usize,
    /// How often its plan is deserialised; backend `tensorrt` only.
    pub engine_copies: usize,
    /// What `model.toml` beside the model file promises; `None`: there is none.
    pub manifest: Option<Manifest>,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Boxes with classes.
    Detection,
    /// Boxes with keypoints.
    Pose,
    /// Boxes with masks.
    Segmentation,
    /// A crop's embedding: like for like subjects.
    Reid,
}

impl Task {
    /// All of them, in the order in which one of them is chosen to feed the tracker.
    pub const ALL: [Self; 4] = [Self::Detection, Self::Pose, Self::Segmentation, Self::Reid];

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Pose => "pose",
            Self::Segmentation => "segmentation",
            Self::Reid => "reid",
        }
    }
}

/// When a model runs that does not feed the tracker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cadence {
    /// Only every n-th analysed frame, from 1.
    pub every_n_frames: u64,
    /// On which of those frames, and for which tracks.
    pub run_on: RunOn,
    /// Age from which an answer is stale; with [`RunOn::Stale`].
    pub stale: Duration,
}

/// On which frames a model runs that does not feed the tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunOn {
    /// Whatever is in them.
    Frames,
    /// Those with a confirmed track it is for.
    Tracks,
    /// Those with a confirmed track whose last answer is old, or that has none.
    Stale,
}

/// What `model.toml` says of its model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Where it stands.
    pub path: PathBuf,
    /// Digest of the model file, hexadecimal, lower case.
    pub sha256: Option<String>,
    /// Width and height of the model's input, pixels.
    pub input_size: Option<[usize; 2]>,
}

/// What runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// ONNX Runtime's CPU provider.
    OnnxruntimeCpu,
    /// ONNX Runtime's CUDA provider.
    OnnxruntimeCuda,
    /// TensorRT inside ONNX Runtime, which builds its engines from the ONNX file.
    OnnxruntimeTensorrt,
    /// TensorRT, which runs the plan.
    Tensorrt,
}

/// Arithmetic inside a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    Fp32,
    /// 16-bit floats.
    Fp16,
    /// 8-bit integers.
    Int8,
    /// Whatever the builder measures to be fastest.
    Best,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fp32, Self::Fp16, Self::Int8, Self::Best];

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
            Self::Best => "best",
        }
    }
}

/// Output layout of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// YOLOv8, v9, v11: `[1, 4 + classes, n]`, cx cy w h in input pixels, scores per class.
    Yolo,
    /// YOLOv5, v7: `[1, n, 5 + classes]`, cx cy w h in input pixels, objectness, scores per class.
    Yolov5,
    /// YOLOX without decode: `[1, n, 5 + classes]`, grid offsets and log sizes at strides 8, 16, 32.
    Yolox,
    /// NMS-free YOLO (v10, 26): `[1, n, 6]`, x1 y1 x2 y2 in input pixels, score, class.
    #[serde(rename = "yolo-end2end")]
    YoloEnd2End,
    /// DETR type: inputs picture and `orig_target_sizes`, outputs `labels`, `boxes`, `scores`.
    Detr,
    /// ReID: crops `[n, 3, h, w]` to embeddings `[n, d]`.
    Embedding,
}

impl Head {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yolo => "yolo",
            Self::Yolov5 => "yolov5",
            Self::Yolox => "yolox",
            Self::YoloEnd2End => "yolo-end2end",
            Self::Detr => "detr",
            Self::Embedding => "embedding",
        }
    }
}

/// How a frame is fitted into the model's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Aspect ratio kept, centred, rest padded.
    Letterbox,
    /// Aspect ratio kept, at the top left, rest padded.
    LetterboxTopLeft,
    /// Both axes stretched to the input.
    Stretch,
}

/// Picture to tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Placement.
    pub fit: Fit,
    /// Channel order: RGB, or BGR where true.
    pub bgr: bool,
    /// Value of padding, 0..255 before normalisation.
    pub pad: u8,
    /// `value = (sample - mean[c]) * scale[c]`, sample 0..255, channels in tensor order.
    pub mean: [f32; 3],
    /// See `mean`.
    pub scale: [f32; 3],
}

/// The tracker and its settings; times in seconds, so that one setting serves every frame rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracking {
    /// Which one.
    pub tracker: TrackerKind,
    /// Detections from here up take part in the first association, 0..1. Keeper takes the scene's own measure.
    pub high_score: f32,
    /// Detections below take no part at all, 0..1. A model's `min_score` must not be higher, or low
    /// scores never arrive.
    pub low_score: f32,
    /// Unmatched detections from here up begin a track, 0..1.
    pub start_score: f32,
    /// Least overlap of prediction and detection, multiplied with the detection's score, for high-score
    /// detections, 0..1.
    pub match_iou: f32,
    /// A track is confirmed (published) once its first detection is this long ago; 0: at once. Keeper takes a share of
    /// the time between two frames off it; all but 0 asks for a second detection.
    pub confirm: Duration,
    /// A track without a detection for longer ends; low-score detections alone keep one no longer than
    /// this either. Keeper holds a track whose looks are known for twice as long, to be found by them. Must exceed the
    /// time between analysed frames.
    pub max_gap: Duration,
    /// Is the camera's own motion taken out of that of its subjects?
    pub camera_motion: CameraMotionUse,
    /// Do looks count, where there is a ReID model?
    pub appearance: AppearanceUse,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            tracker: TrackerKind::Keeper,
            high_score: 0.6,
            low_score: 0.1,
            start_score: 0.7,
            match_iou: 0.15,
            confirm: Duration::from_millis(30),
            max_gap: Duration::from_secs(2),
            camera_motion: CameraMotionUse::Off,
            appearance: AppearanceUse::Auto,
        }
    }
}

/// Does the tracker go by looks, too?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AppearanceUse {
    /// Where the camera has a ReID model.
    Auto,
    /// No: by motion alone.
    Off,
}

/// Is the camera's own motion told from its pictures, for the tracker?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CameraMotionUse {
    /// No: the camera stands.
    Off,
    /// Yes, in every analysed frame.
    On,
}

/// How the same subject on several cameras is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Somebody who was not seen for longer is forgotten.
    pub ttl: Duration,
    /// Least score of "probably the same", 0..1.
    pub min_score: f32,
    /// Embeddings kept at most.
    pub capacity: usize,
    /// Which camera can follow which; empty: each can follow each at once.
    pub paths: Vec<IdentityPath>,
}

impl Default for Identity {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(3600), min_score: 0.5, capacity: 100_000, paths: Vec::new() }
    }
}

/// A way from one camera to another.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityPath {
    /// The camera that somebody leaves.
    pub from: String,
    /// The camera that he comes to.
    pub to: String,
    /// Least time between the last sight on one and the first on the other.
    pub min: Duration,
    /// Most time between them.
    pub max: Duration,
    /// Both see the same place at once; good for both directions.
    pub overlap: bool,
}

/// Which tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrackerKind {
    /// ByteTrack (Zhang et al., ECCV 2022).
    Bytetrack,
    /// OC-SORT (Cao et al., CVPR 2023).
    OcSort,
    /// Watchkeeper's own: by motion, scores relative to the scene, and looks where there are any.
    Keeper,
}

impl TrackerKind {
    /// Every one.
    pub const ALL: &[Self] = &[Self::Bytetrack, Self::OcSort, Self::Keeper];
}

/// A camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// `[a-z0-9_-]+`.
    pub id: String,
    /// Where frames come from.
    pub source: SourceKind,
    /// For RTSP and HTTP.
    pub credentials: Option<Credentials>,
    /// Models, by index into [`Config::models`]; the first feeds the tracker, the others are of other tasks.
    pub models: Vec<usize>,
    /// Parts of the picture with a name.
    pub zones: Vec<Zone>,
    /// Lines across the picture with a name.
    pub lines: Vec<Line>,
    /// What else is watched for.
    pub rules: Vec<Rule>,
    /// What is watched for in the picture itself.
    pub scene: Scene,
    /// Frames per second that are analysed at most; `None`: all.
    pub detect_fps: Option<f32>,
    /// How RTP travels.
    pub transport: Transport,
    /// Longest wait for a missing RTP packet.
    pub latency: Duration,
    /// Decoder element by name; `None`: choose.
    pub decoder: Option<String>,
    /// Each step of connecting.
    pub connect_timeout: Duration,
    /// From connected to the first decoded frame.
    pub first_frame_timeout: Duration,
    /// Longest silence once frames flow.
    pub stall_timeout: Duration,
    /// First wait before a reconnect; doubles up to `retry_max`.
    pub retry_min: Duration,
    /// See `retry_min`.
    pub retry_max: Duration,
    /// First wait after a refused password and other refusals that haste would make worse.
    pub retry_refused: Duration,
}

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// `rtsp://` or `rtsps://`, without userinfo.
    Rtsp {
        /// The address.
        url: String,
    },
    /// `http://` or `https://`, without userinfo.
    Http {
        /// The address.
        url: String,
    },
    /// A recording, played at its own pace.
    File {
        /// The file.
        path: PathBuf,
        /// Begin again at the end.
        repeat: bool,
    },
    /// `v4l2:///dev/video0`.
    V4l2 {
        /// The device node.
        device: PathBuf,
        /// Width asked for, pixels; `None`: the camera's choice.
        width: Option<u32>,
        /// Height asked for, pixels; `None` where `width` is.
        height: Option<u32>,
        /// Frames per second asked for; `None`: the camera's choice.
        fps: Option<u32>,
    },
    /// `csi://0`: a camera module of a Jetson.
    Csi {
        /// `sensor-id`.
        sensor: u32,
        /// Width asked for, pixels; `None`: the camera's choice.
        width: Option<u32>,
        /// Height asked for, pixels; `None` where `width` is.
        height: Option<u32>,
        /// Frames per second asked for; `None`: the camera's choice.
        fps: Option<u32>,
    },
    /// `test://ball`: GStreamer's test picture.
    Test {
        /// A pattern of `videotestsrc`.
        pattern: String,
        /// Width, pixels.
        width: u32,
        /// Height, pixels.
        height: u32,
        /// Frames per second.
        fps: u32,
    },
}

/// A camera's user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// How RTP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Interleaved in the RTSP connection.
    Tcp,
    /// Datagrams.
    Udp,
    /// Datagrams first, then TCP.
    Auto,
}
