//! Models: each loaded once per process, each camera with contexts of its own.
//!
//! A [`Engine`] is a model deserialised for a device; a [`Context`] is one camera's right to run it,
//! with its buffers. Running is two steps, so that a camera can prepare its next frame meanwhile:
//! [`Context::submit`] gives the context away until [`Pending::wait`] hands it back, so nobody can touch
//! buffers that are in use.

mod admission;
pub mod artefact;
mod backends;
pub mod budget;
mod certificate;
mod contract;
mod device;
#[cfg(test)]
pub(crate) mod fake;
mod file;
mod flight;
pub mod golden;
mod health;
pub mod inspection;
mod library;
mod load;
mod manager;
mod onnxruntime;
mod prove;
mod swap;
mod tensorrt;

use std::path::PathBuf;
use std::time::Duration;

pub use admission::Admission;
pub use certificate::{objection, settings_sha256};
pub use contract::{Check, ContractReport, DeviceFacts, Outcome};
pub use device::Lane;
pub use gpu::kernels::Placement;
pub use health::{Notice, SerialMode};
pub use library::load as load_onnxruntime;
pub use manager::{Fits, LoadedModel, ModelManager, PipelineContexts, Proofs};
pub use swap::{Candidate, ModelStatus, Retired};
pub use tensorrt::{build, this_machine};

use crate::types::frame::Picture;
use crate::types::geometry::BBox;
use crate::types::tensor::{ModelIo, TensorRef};

/// Names a frame of a camera: run, and number within it.
pub type FrameTag = (u32, u64);

/// A frame whose pixels are to be put into a model's input.
#[derive(Clone, Copy, Debug)]
pub struct FrameRef<'a> {
    /// The same for the same frame only: what is prepared for one model serves others.
    pub tag: FrameTag,
    /// Its pixels.
    pub picture: Picture<'a>,
}

/// A model deserialised for a device. Shared by all cameras.
pub trait Engine: Send + Sync {
    /// What the model takes and gives.
    fn io(&self) -> &ModelIo;

    /// What runs it: `cpu`, `cuda`, `tensorrt`.
    fn provider(&self) -> &'static str;

    /// Activation memory that one execution needs, bytes, where its contexts may share it with those of other engines.
    fn activation_bytes(&self) -> u64 {
        0
    }

    /// What it and each context of it take of the device, measured when its first context was made. `None`: it was not
    /// yet, or nobody knows.
    fn memory(&self) -> Option<artefact::Memory> {
        None
    }

    /// What its layers run on; `None`: nobody knows.
    fn placement(&self) -> Option<artefact::Placement> {
        None
    }

    /// Buffers for one run in flight of `lane`'s camera, of 1, 2, 4 ... up to `max_batch` pictures where the model leaves its batch (the
    /// first dimension of its inputs) open; other open dimensions of inputs become 1,
    /// or what a plan was tuned for.
    ///
    /// # Errors
    /// Where the model refuses those shapes or memory is short.
    fn create_context(&self, lane: &Lane, max_batch: usize) -> Result<Box<dyn Context>, InferenceError>;
}

/// One camera's right to run an engine: buffers for one frame.
pub trait Context: Send {
    /// Most pictures in one run, a power of two; 1 where the model's batch is fixed at 1.
    fn max_batch(&self) -> usize;

    /// How many pictures the next run has, a power of two; inputs and outputs are of that size then. At first 1.
    ///
    /// # Errors
    /// Where it is none, or more than [`Context::max_batch`].
    fn set_batch(&mut self, batch: usize) -> Result<(), InferenceError>;

    /// Elements of an `f32` input.
    ///
    /// # Errors
    /// Where there is no such input or it has another type.
    fn input_f32(&mut self, index: usize) -> Result<&mut [f32], InferenceError>;

    /// Elements of an `i64` input.
    ///
    /// # Errors
    /// Where there is no such input or it has another type.
    fn input_i64(&mut self, index: usize) -> Result<&mut [i64], InferenceError>;

    /// Has the backend put a whole frame into input `index`, normalised as the model wants it. False where it leaves
    /// that to the caller, who then fills [`Context::input_f32`].
    ///
    /// # Errors
    /// Where the frame cannot be read, or the device fails.
    fn letterbox(&mut self, index: usize, frame: &FrameRef<'_>, placement: Placement) -> Result<bool, InferenceError> {
        let _ = (index, frame, placement);
        Ok(false)
    }

    /// Has the backend put boxes of a frame (pixels, each with a part in the picture) into input `index`, one after the
    /// other, stretched. False as for [`Context::letterbox`].
    ///
    /// # Errors
    /// As for [`Context::letterbox`].
    fn crops(&mut self, index: usize, frame: &FrameRef<'_>, boxes: &[BBox]) -> Result<bool, InferenceError> {
        let _ = (index, frame, boxes);
        Ok(false)
    }

    /// From now on only those boxes of output `index`, a table of `f32[1, 4 + classes + extras, boxes]`, need to come to
    /// the host that score at least `min_score` in one of the `classes`: [`Context::output`] then gives
    /// [`Survivors`](crate::types::tensor::Survivors). False where the backend gives all of it.
    ///
    /// # Errors
    /// Where the device has no room.
    fn filter(&mut self, index: usize, classes: usize, min_score: f32) -> Result<bool, InferenceError> {
        let _ = (index, classes, min_score);
        Ok(false)
    }

    /// Gives up what can be of no use any more, such as the share of an engine that has been replaced. For contexts that
    /// have nothing to do.
    fn tidy(&mut self) {}

    /// An output of the last run.
    ///
    /// # Errors
    /// Where there is no such output, or its type is none that heads read.
    fn output(&self, index: usize) -> Result<TensorRef<'_>, InferenceError>;

    /// Starts a run and returns at once.
    fn submit(self: Box<Self>) -> Box<dyn Pending>;
}

/// A run in flight.
pub trait Pending: Send {
    /// True where it is known already that the run failed. `false` says nothing.
    fn has_failed(&self) -> bool {
        false
    }

    /// Waits for its end and hands the context back.
    ///
    /// # Errors
    /// Where the context is gone together with whatever ran it.
    fn wait(self: Box<Self>) -> Result<Finished, InferenceError>;
}

/// A context back from its run, and how the run went.
pub type Finished = (Box<dyn Context>, Result<(), InferenceError>);

/// What can go wrong with models.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// No usable ONNX Runtime.
    #[error(
        "ONNX Runtime cannot be loaded:\n{tried}\nrun scripts/setup.sh, or name the file with runtime.onnxruntime_library"
    )]
    Library {
        /// Each path and why not, one per line.
        tried: String,
    },
    /// The model file cannot be read.
    #[error("model {model:?}: {path}: {reason}")]
    File {
        /// Name in the config.
        model: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The model cannot be prepared.
    #[error("model {model:?}: {path} is not a usable ONNX model: {reason}")]
    Load {
        /// Name in the config.
        model: String,
        /// The file.
        path: PathBuf,
        /// The runtime's words.
        reason: String,
    },
    /// No usable GPU, or no TensorRT on it.
    #[error("no GPU inference: {reason}")]
    Gpu {
        /// The step that failed, and what to do.
        reason: String,
    },
    /// A check of the GPU contract failed.
    #[error("GPU contract failed: {0}")]
    Contract(Box<Check>),
    /// The device failed in a way that no process survives.
    #[error("the GPU failed for good: {reason}; this process must end and be started again")]
    DeviceLost {
        /// What it said.
        reason: String,
    },
    /// The plan cannot be deserialised.
    #[error("model {model:?}: {path} is not a usable TensorRT plan: {reason}")]
    Plan {
        /// Name in the config.
        model: String,
        /// The file.
        path: PathBuf,
        /// TensorRT's words.
        reason: String,
    },
    /// The plan is for another machine, of another model, or not good enough.
    #[error("model {model:?}: {path}: {reason}")]
    Manifest {
        /// Name in the config.
        model: String,
        /// The plan.
        path: PathBuf,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// The model does not fit the head.
    #[error("model {model:?}: {reason}")]
    Head {
        /// Name in the config.
        model: String,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// The engine failed again soon after it was loaded anew, and rests.
    #[error(
        "model {model:?}: its engine failed again soon after it was loaded anew, and is next loaded in {:.1} s",
        wait.as_secs_f64()
    )]
    Reloading {
        /// Name in the config.
        model: String,
        /// Time left.
        wait: Duration,
    },
    /// A run failed.
    #[error("model {model:?}: inference failed: {reason}")]
    Run {
        /// Name in the config.
        model: String,
        /// The runtime's words.
        reason: String,
    },
}

impl InferenceError {
    /// Is it memory that was missing?
    #[must_use]
    pub fn lacks_memory(&self) -> bool {
        // TensorRT and ONNX Runtime tell by their words only: TensorRT's error code and CUDA's text in its log, the name of
        // CUDA's error, ONNX Runtime's arena.
        const WORDS: [&str; 5] =
            ["OutOfMemory", "out of memory", "CUDA_ERROR_OUT_OF_MEMORY", "Failed to allocate memory", "bad_alloc"];
        matches!(self, Self::Run { reason, .. } if WORDS.iter().any(|words| reason.contains(words)))
    }
}
