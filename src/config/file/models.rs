//! `[models.<name>]` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::meaning;

/// A model and how to use it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["onnx", "head"]))]
pub(in crate::config) struct Model {
    /// The model file (ONNX).
    #[schemars(length(min = 1))]
    pub onnx: Option<String>,
    /// What runs it. This version has `onnxruntime` only.
    pub backend: Backend,
    /// Where ONNX Runtime runs it; only with `backend = "onnxruntime"`. This version has `cpu` only.
    #[schemars(extend("default" = "cpu"))]
    pub provider: Option<Provider>,
    /// Arithmetic asked for. Default: as the model file has it. Has no effect yet.
    pub precision: Option<meaning::Precision>,
    /// Output layout: `yolo` (v8, v9, v11), `yolov5` (v5, v7), `yolox`, `yolo-end2end` (without NMS: v10, 26), `detr`
    /// (RT-DETR and kin).
    pub head: Option<meaning::Head>,
    /// Text file with one class name per line, in the order of the model's classes. Default: the 80 names of COCO.
    #[schemars(length(min = 1))]
    pub labels: Option<String>,
    /// Class names wanted; detections of others are dropped. Default: all.
    #[schemars(length(min = 1))]
    pub classes: Option<Vec<String>>,
    /// Detections below this score are dropped, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub min_score: f64,
    /// Of two boxes that overlap (IoU) by more, the one with the lower score is dropped, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub nms_iou: f64,
    /// Boxes of different classes suppress each other too.
    pub nms_across_classes: bool,
    /// Most detections kept per frame.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_detections: u32,
    /// From picture to tensor.
    pub input: Input,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            onnx: None,
            backend: Backend::Tensorrt,
            provider: None,
            precision: None,
            head: None,
            labels: None,
            classes: None,
            min_score: 0.1,
            nms_iou: 0.6,
            nms_across_classes: false,
            max_detections: 300,
            input: Input::default(),
        }
    }
}

/// From picture to tensor: `value = (sample - mean) / std`, samples 0 to 255. The defaults follow the head.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Input {
    /// How the picture is fitted into the model's input. Default: `letterbox`; for head `yolox`
    /// `letterbox-top-left`, for `detr` `stretch`.
    pub fit: Option<meaning::Fit>,
    /// Channel order of the model. Default: `rgb`; for head `yolox` `bgr`.
    pub channels: Option<Channels>,
    /// Value of padding, 0 to 255.
    pub pad: u8,
    /// Subtracted from each sample, by channel in the model's order. Default: `[0, 0, 0]`.
    #[schemars(extend("items" = serde_json::json!({ "type": "number", "minimum": -1000, "maximum": 1000 })))]
    pub mean: Option<[f64; 3]>,
    /// Divides each sample, by channel in the model's order. Default: `[255, 255, 255]`; for head `yolox` `[1, 1, 1]`.
    #[schemars(extend("items" = serde_json::json!({ "type": "number", "minimum": 0.001, "maximum": 1000 })))]
    pub std: Option<[f64; 3]>,
}

impl Default for Input {
    fn default() -> Self {
        Self { fit: None, channels: None, pad: 114, mean: None, std: None }
    }
}

/// What runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Backend {
    /// NVIDIA TensorRT. Not in this version.
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
    /// CUDA. Not in this version.
    Cuda,
    /// TensorRT through ONNX Runtime. Not in this version.
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
