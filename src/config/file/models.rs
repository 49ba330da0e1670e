//! `[models.<name>]` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::meaning;

/// A model and how to use it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["onnx"]))]
pub(in crate::config) struct Model {
    /// The model file (ONNX). Where a `model.toml` beside it names it, that gives the defaults of the other keys.
    #[schemars(length(min = 1))]
    pub onnx: Option<String>,
    /// What runs it.
    pub backend: Backend,
    /// The model's TensorRT plan; only with `backend = "tensorrt"`. Default: the file of `onnx` with the ending `.plan`.
    #[schemars(length(min = 1))]
    pub plan: Option<String>,
    /// Where ONNX Runtime runs it: `cpu`, `cuda`, or `tensorrt` (TensorRT inside ONNX Runtime, `cuda` for what that does
    /// not take); only with `backend = "onnxruntime"`.
    #[schemars(extend("default" = "cpu"))]
    pub provider: Option<Provider>,
    /// Arithmetic asked for. Default: as the model file has it. Has an effect with `provider = "tensorrt"` only.
    pub precision: Option<meaning::Precision>,
    /// What it is for: `detection` (boxes), `pose` (boxes and keypoints), `segmentation` (boxes and masks), `reid`
    /// (embeddings of crops). Default: as `model.toml` says, else the name of the section where it is one of these
    /// words, else `detection`.
    pub task: Option<meaning::Task>,
    /// Output layout: `yolo` (v8, v9, v11), `yolov5` (v5, v7), `yolox`, `yolo-end2end` (without NMS: v10, 26), `detr`
    /// (RT-DETR and kin), `embedding` (for task `reid`, and its default). Needed where `model.toml` does not say it.
    pub head: Option<meaning::Head>,
    /// Text file with one class name per line, in the order of the model's classes; for task `reid` the labels of
    /// tracks that it is for. Default: as `model.toml` says, else the 80 names of COCO; for tasks `pose` and `reid`
    /// `person`.
    #[schemars(length(min = 1))]
    pub labels: Option<String>,
    /// Class names wanted; detections of others are dropped. Default: all.
    #[schemars(length(min = 1))]
    pub classes: Option<Vec<String>>,
    /// Detections below this score are dropped, 0 to 1.
    #[schemars(range(min = 0, max = 1), extend("default" = 0.1))]
    pub min_score: Option<f64>,
    /// Of two boxes that overlap (IoU) by more, the one with the lower score is dropped, 0 to 1.
    #[schemars(range(min = 0, max = 1), extend("default" = 0.6))]
    pub nms_iou: Option<f64>,
    /// Boxes of different classes suppress each other too.
    pub nms_across_classes: bool,
    /// Most detections kept per frame.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_detections: u32,
    /// Where the model does not feed the tracker: it looks at every n-th analysed frame only.
    #[schemars(range(min = 1, max = 100_000))]
    pub every_n_frames: u32,
    /// Where the model does not feed the tracker, it runs on: `frames` (all), `tracks` (frames with a confirmed track
    /// it is for; for `reid`: each of them), `stale` (frames with such a track whose last answer is older than
    /// `stale_s`; for `reid`: only those). Default: `frames`; for task `reid` `stale`.
    pub run_on: Option<meaning::RunOn>,
    /// Age from which an answer is stale, seconds; with `run_on = "stale"`.
    #[schemars(range(min = 0, max = 3600))]
    pub stale_s: f64,
    /// Most crops in one run, where the model's batch is open; task `reid` only.
    #[schemars(range(min = 1, max = 64))]
    pub max_batch: u32,
    /// How often the model is loaded on the GPU, cameras taking turns with the copies: for an engine that cannot bear to
    /// be shared, or ONNX Runtime's runs that are to overlap. Each copy has weights of its own.
    #[schemars(range(min = 1, max = 64))]
    pub engine_copies: u32,
    /// From picture to tensor.
    pub input: Input,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            onnx: None,
            backend: Backend::Tensorrt,
            plan: None,
            provider: None,
            precision: None,
            task: None,
            head: None,
            labels: None,
            classes: None,
            min_score: None,
            nms_iou: None,
            nms_across_classes: false,
            max_detections: 300,
            every_n_frames: 1,
            run_on: None,
            stale_s: 1.0,
            max_batch: 8,
            engine_copies: 1,
            input: Input::default(),
        }
    }
}

/// From picture to tensor: `value = (sample - mean) / std`, samples 0 to 255. The defaults follow `model.toml`, or else
/// the head.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Input {
    /// How the picture is fitted into the model's input. Default: `letterbox`; for head `yolox`
    /// `letterbox-top-left`, for `detr` `stretch`; crops for `embedding` are always stretched.
    pub fit: Option<meaning::Fit>,
    /// Channel order of the model. Default: `rgb`; for head `yolox` `bgr`.
    pub channels: Option<Channels>,
    /// Value of padding, 0 to 255.
    #[schemars(extend("default" = 114))]
    pub pad: Option<u8>,
    /// Subtracted from each sample, by channel in the model's order. Default: `[0, 0, 0]`; for head `embedding` ImageNet's
    /// `[123.675, 116.28, 103.53]`.
    #[schemars(extend("items" = serde_json::json!({ "type": "number", "minimum": -1000, "maximum": 1000 })))]
    pub mean: Option<[f64; 3]>,
    /// Divides each sample, by channel in the model's order. Default: `[255, 255, 255]`; for head `yolox` `[1, 1, 1]`,
    /// for `embedding` ImageNet's `[58.395, 57.12, 57.375]`.
    #[schemars(extend("items" = serde_json::json!({ "type": "number", "minimum": 0.001, "maximum": 1000 })))]
    pub std: Option<[f64; 3]>,
}

/// What runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Backend {
    /// NVIDIA TensorRT 10 or 11, which runs the plan.
    Tensorrt,
    /// ONNX Runtime.
    Onnxruntime,
}

/// Where ONNX Runtime runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Provider {
    /// The CPU.
    Cpu,
    /// CUDA.
    Cuda,
    /// TensorRT inside ONNX Runtime.
    Tensorrt,
}

/// Channel order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}
