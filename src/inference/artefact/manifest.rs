//! `<plan>.json`: the birth certificate of a plan.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Platform;
use crate::inference::golden::Recording;

const SCHEMA: &str = "engine/1";
const MAX_BYTES: u64 = 8 << 20;

/// What is known of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// `engine/1`.
    pub schema: String,
    /// Name of the model in the configuration it was built with.
    pub model: String,
    /// When it was built, RFC 3339 UTC.
    pub built_at: String,
    /// Version of Watchkeeper that built it.
    pub watchkeeper: String,
    /// The model file.
    pub onnx: ModelFile,
    /// The plan.
    pub plan: PlanFile,
    /// Where it was built, and where alone it may run.
    pub platform: Platform,
    /// How it was built.
    pub options: Options,
    /// Shapes it takes, by profile and input.
    pub profiles: Vec<BTreeMap<String, Range>>,
    /// Where the ranges of 8-bit values come from; `None` for other precisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How long it took.
    pub timings: Timings,
    /// What TensorRT said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// What its layers run on, where it was built for an accelerator; `None`: the GPU, or TensorRT does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// What it takes of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// How long a run takes, by batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speed: Vec<Speed>,
    /// What it answered about the golden picture when it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<Recording>,
    /// How far it is from the model file, by `engine verify`; `None`: nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

/// An ONNX file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Its name, without a folder.
    pub file: String,
    /// Its digest, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Digest of the model that TensorRT was given, where that is not the file: typed FP16, or quantised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_sha256: Option<String>,
}

/// A plan file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// Its digest, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// What was asked of the builder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// `fp32`, `fp16`, `int8` or `best`.
    pub precision: String,
    /// Types are the model's own, as always in TensorRT 11; in 10 flags say what is allowed.
    pub strongly_typed: bool,
    /// Built with little memory: one tactic at a time, small pools.
    pub low_memory: bool,
    /// Limit of the builder's workspace; `None`: TensorRT's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_mb: Option<u64>,
    /// 0 to 5; `None`: TensorRT's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimization_level: Option<u32>,
    /// The deep-learning accelerator it was built for, which may leave layers to the GPU; `None`: the GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dla_core: Option<u32>,
    /// Builder flags that were set, by TensorRT's names.
    pub flags: Vec<String>,
}

/// Smallest, best and largest shape of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Smallest.
    pub min: Vec<i64>,
    /// The one it is tuned for.
    pub opt: Vec<i64>,
    /// Largest.
    pub max: Vec<i64>,
}

/// The pictures that 8-bit ranges were taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// Digest over model, pictures and method.
    pub id: String,
    /// The folder or recording, as it was named.
    pub source: String,
    /// Pictures seen.
    pub pictures: u32,
    /// How a range was chosen, such as `entropy`.
    pub method: String,
}

/// Seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Collecting ranges.
    pub calibrate_s: f64,
    /// Reading the model into TensorRT.
    pub parse_s: f64,
    /// TensorRT's build.
    pub build_s: f64,
    /// All of it, with the measuring afterwards.
    pub total_s: f64,
    /// A timing cache was there to begin with.
    pub timing_cache: bool,
}

/// The builder's log, `<plan>.log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Its digest, hexadecimal.
    pub sha256: String,
    /// Lines that were warnings.
    pub warnings: u32,
    /// Lines that were errors.
    pub errors: u32,
}

/// Layers after fusion, by what they run on; those that only copy from one to the other are in neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The GPU.
    pub gpu: u32,
    /// The accelerator of `options.dla_core`.
    pub dla: u32,
}

/// Device memory, bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The engine itself, once for each copy; measured, so it contains what TensorRT rounds up.
    pub engine: u64,
    /// Activations of one context (`getDeviceMemorySizeV2`); shared by all where `runtime.concurrency` is `serial`.
    pub activations: u64,
    /// What one context takes besides, measured.
    pub context: u64,
    /// In use on the device before any engine was loaded: the CUDA context and the libraries, and whatever else ran there.
    /// `None` where host and device share their memory, so that everything would be in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u64>,
    /// Inputs, then outputs, in TensorRT's order: what each context needs buffers for.
    pub tensors: Vec<Tensor>,
}

/// An input or output of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// The model takes it; else it gives it.
    pub input: bool,
    /// Type of its elements.
    pub element: Element,
    /// Dimensions. -1 is the number of pictures where the plan leaves that open; others are as the plan is tuned for.
    pub shape: Vec<i64>,
    /// Most pictures in a run, where an input leaves that open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
}

/// Type of a plan's elements, as far as contexts can be made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 8 bits.
    U8,
    /// Bool, one byte.
    Bool,
}

/// How long one run took on an idle device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Pictures in a run.
    pub batch: u32,
    /// Middle run, milliseconds.
    pub median_ms: f64,
    /// All but one in a hundred were shorter, milliseconds.
    pub p99_ms: f64,
    /// Runs measured.
    pub runs: u32,
}

/// What `engine verify` found: the plan against its ONNX file in 32-bit floats on the CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// When, RFC 3339 UTC.
    pub at: String,
    /// The data, as it was named.
    pub data: String,
    /// Pictures.
    pub pictures: u32,
    /// Boxes that the model file finds in them, or crops that both were shown: what the agreement is about.
    #[serde(default)]
    pub counted: u64,
    /// Pictures with any of those.
    #[serde(default)]
    pub counted_in: u32,
    /// Digest of the settings that both answers were read with: input, head, labels, thresholds.
    #[serde(default)]
    pub settings_sha256: String,
    /// 0 to 1: the worst of the figures in `agreements`. What `runtime.require_verified` asks for.
    pub agreement: f64,
    /// Parts of the answer and how far they agree, 0 to 1: `boxes`, `scores`, `keypoints`, `masks`, `embeddings`, `ap`.
    pub agreements: BTreeMap<String, f64>,
    /// Further figures by name, such as `mean_iou`, `score_off_mean`, `boxes_wanted`, `boxes_found`, `l2 <output>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
    /// Against ground truth, where there was some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labelled: Option<LabelledAccuracy>,
}

/// Accuracy of model file and plan on the same labelled pictures, 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelledAccuracy {
    /// What was compared with the truth: `boxes`, `masks`, `keypoints`, `embeddings`.
    pub of: String,
    /// By name of the figure (`ap50`, `ap`, `recall`; of embeddings `rank1`, `map`): the model file's in 32-bit floats.
    pub onnx: BTreeMap<String, f64>,
    /// The plan's.
    pub plan: BTreeMap<String, f64>,
}

impl Verified {
    /// Least boxes or crops that prove something: one of twenty is 0.05 of the agreement, so that a bound such as 0.9 means
    /// two that are wrong, not one.
    pub const LEAST: u64 = 20;
    /// Least pictures they are in: one picture, however crowded, is one scene and one light.
    pub const LEAST_PICTURES: u32 = 2;

    /// Whether it proves anything.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.counted >= Self::LEAST && self.counted_in >= Self::LEAST_PICTURES
    }
}

impl Manifest {
    /// An empty one for a plan that is being made.
    #[must_use]
    pub fn schema() -> String {
        SCHEMA.to_owned()
    }

    /// The accelerator that does all of its work. `None`: the GPU does some of it, or may do.
    #[must_use]
    pub fn accelerator(&self) -> Option<u32> {
        self.options
            .dla_core
            .filter(|_| self.placement.is_some_and(|placement| placement.gpu == 0 && placement.dla > 0))
    }

    /// Where the manifest of a plan lies: behind links, the plan's file with the ending `.json`.
    #[must_use]
    pub fn path(plan: &Path) -> PathBuf {
        std::fs::canonicalize(plan).unwrap_or_else(|_| plan.to_owned()).with_extension("json")
    }

    /// Reads the manifest of a plan; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read or is none.
    pub fn read(plan: &Path) -> io::Result<Option<Self>> {
        Self::read_file(&Self::path(plan))
    }

    pub(super) fn read_file(path: &Path) -> io::Result<Option<Self>> {
        let size = match std::fs::metadata(path) {
            Ok(about) => about.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if size > MAX_BYTES {
            return Err(io::Error::other(format!("{size} bytes; no manifest is so large")));
        }
        let bytes = std::fs::read(path)?;
        let schema: Schema = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        if schema.schema != SCHEMA {
            let words = format!("its schema is {:?}, and this version reads {SCHEMA:?}", schema.schema);
            return Err(io::Error::other(words));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// None that is known of.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[derive(Deserialize)]
struct Schema {
    schema: String,
}
