//! ONNX Runtime on an NVIDIA GPU: one session per model, or as many as `engine_copies` says. The runs of a session take
//! turns on a stream of its own; each camera copies and prepares on its own stream meanwhile.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gpu::{Held, Kind, Stream};
use onnxruntime::{
    ComputeStream, DeviceOptions, Error, ModelInfo, Provider, Runtime, Session, ShapeRange, Shapes, Tensorrt,
};

use super::device_context::DeviceContext;
use super::turns::Turns;
use super::{fixed, io, run_error, spec};
use crate::config::{Backend, Input, Model, Precision, Task};
use crate::inference::device::Gpu;
use crate::inference::{Context, Engine, InferenceError, Lane};
use crate::telemetry::metrics::ModelMetrics;
use crate::types::tensor::{ElementType, ModelIo, TensorSpec};

/// A model loaded into ONNX Runtime on a GPU.
pub(in crate::inference) struct OrtDeviceEngine {
    model: Arc<Loaded>,
    copies: Vec<SessionCopy>,
    /// The copy that the next context uses.
    next: AtomicUsize,
}

/// What all contexts of a model share.
pub(super) struct Loaded {
    pub(super) name: Arc<str>,
    /// As heads see it.
    io: ModelIo,
    /// As memory has it.
    pub(super) tensors: ModelIo,
    pub(super) input: Input,
    /// It looks at frames, not at crops.
    pub(super) whole_frames: bool,
    pub(super) gpu: Arc<Gpu>,
    pub(super) metrics: Arc<ModelMetrics>,
    provider: &'static str,
}

/// One session and its thread.
struct SessionCopy {
    session: Arc<Session>,
    /// Of what ran already, by power of two of the batch.
    shapes: Mutex<Vec<Shapes>>,
    turns: Turns,
    _weights: Held,
}

impl OrtDeviceEngine {
    /// The provider that a model asks for.
    pub(in crate::inference) fn provider_of(model: &Model) -> &'static str {
        if model.backend == Backend::OnnxruntimeTensorrt { "tensorrt" } else { "cuda" }
    }

    /// `sha256`: of the model file. What TensorRT builds is kept in `state_dir`.
    ///
    /// # Errors
    /// [`InferenceError::Gpu`] where the provider cannot be used or does not run the model, [`InferenceError::Load`]
    /// where the model is at fault.
    pub(in crate::inference) fn open(
        gpu: &Arc<Gpu>,
        runtime: &Runtime,
        model: &Model,
        sha256: &str,
        state_dir: &Path,
        metrics: Arc<ModelMetrics>,
    ) -> Result<Self, InferenceError> {
        let refused = |error| refused(model, runtime, error);
        let provider = match model.backend {
            Backend::OnnxruntimeTensorrt => {
                Provider::Tensorrt(tensorrt(runtime, model, sha256, state_dir).map_err(refused)?)
            }
            _ => Provider::Cuda,
        };
        let (mut copies, mut tensors) = (Vec::new(), ModelIo::default());
        for _ in 0..model.engine_copies.max(1) {
            let copy = open_copy(gpu, runtime, model, &provider)?;
            tensors = io(copy.session.inputs(), copy.session.outputs());
            copies.push(copy);
        }
        let loaded = Loaded {
            name: Arc::from(model.name.as_str()),
            io: ModelIo { inputs: widened(&tensors.inputs), outputs: widened(&tensors.outputs) },
            tensors,
            input: model.input,
            whole_frames: model.task != Task::Reid,
            gpu: Arc::clone(gpu),
            metrics,
            provider: Self::provider_of(model),
        };
        Ok(Self { model: Arc::new(loaded), copies, next: AtomicUsize::new(0) })
    }
}

/// Half precision stays on the device: pictures are prepared in it, outputs widened.
fn widened(specs: &[TensorSpec]) -> Vec<TensorSpec> {
    let element = |element| if element == ElementType::F16 { ElementType::F32 } else { element };
    specs.iter().map(|spec| TensorSpec { element: element(spec.element), ..spec.clone() }).collect()
}

fn unusable(model: &Model, error: &dyn std::fmt::Display) -> InferenceError {
    InferenceError::Gpu { reason: format!("model {:?}: {error}", model.name) }
}

fn refused(model: &Model, runtime: &Runtime, error: Error) -> InferenceError {
    match error {
        Error::Unavailable { .. } => {
            let library = runtime.path().display();
            unusable(model, &format!("{error} (this is {library}; runtime.onnxruntime_library names another)"))
        }
        Error::Runtime(_) | Error::Tensor { .. } => {
            let (name, path) = (model.name.clone(), model.onnx.clone());
            InferenceError::Load { model: name, path, reason: error.to_string() }
        }
        _ => unusable(model, &error),
    }
}

fn open_copy(
    gpu: &Arc<Gpu>,
    runtime: &Runtime,
    model: &Model,
    provider: &Provider,
) -> Result<SessionCopy, InferenceError> {
    let device = &gpu.device;
    let bound = device.bind().and_then(|()| device.free_memory());
    let (before, _) = bound.map_err(|error| unusable(model, &error))?;
    let stream = Stream::new(device).map_err(|error| unusable(model, &error))?;
    let options = DeviceOptions { provider: provider.clone(), ordinal: 0, stream: ComputeStream::new(stream.clone()) };
    let session = Session::open_on(runtime, &model.onnx, &options)
        .map_err(|error| gpu.unless_lost(&stream, refused(model, runtime, error)))?;
    if let Some(placement) = session.placement() {
        tracing::info!(model = %model.name, nodes = %placement, "the first run was where it should be");
    }
    // What other processes took or gave back meanwhile is counted too: nobody else tells.
    let after = device.free_memory().map_or(before, |(after, _)| after);
    let weights = device.owner(&format!("engine {}", model.name)).hold(Kind::Device, before.saturating_sub(after));
    let turns = Turns::start(&model.name, gpu).map_err(|error| unusable(model, &error))?;
    Ok(SessionCopy { session, shapes: Mutex::default(), turns, _weights: weights })
}

/// What TensorRT is told of a model: its precision, where its engines are kept, and the batches to come.
fn tensorrt(runtime: &Runtime, model: &Model, sha256: &str, state_dir: &Path) -> Result<Tensorrt, Error> {
    let fp16 = matches!(model.precision, Some(Precision::Fp16 | Precision::Best));
    let info = ModelInfo::read(runtime, &model.onnx)?;
    let inputs: Vec<TensorSpec> = info.inputs.iter().map(spec).collect();
    let reid = model.task == Task::Reid && is_open(&inputs);
    let most = if reid { 1 << model.max_batch.max(1).ilog2() } else { 1 };
    let open = inputs.iter().filter(|input| input.shape.iter().any(|dim| *dim < 0));
    let range = |input: &TensorSpec| ShapeRange {
        input: input.name.clone(),
        min: fixed(input, 1),
        opt: fixed(input, most),
        max: fixed(input, most),
    };
    // A folder for each file's content and setting: ONNX Runtime itself does not look at the weights.
    let precision = if fp16 { "fp16" } else { "fp32" };
    let folder = format!("{}-{}-{precision}-{most}", model.name, sha256.get(..16).unwrap_or(sha256));
    Ok(Tensorrt { fp16, cache: Some(state_dir.join("engines").join(folder)), ranges: open.map(range).collect() })
}

/// May the batch be chosen?
fn is_open(inputs: &[TensorSpec]) -> bool {
    inputs.iter().any(|spec| spec.shape.first().is_some_and(|dim| *dim < 0))
}

impl SessionCopy {
    /// Shapes for batches of 1, 2, 4 ... of which there are `powers + 1`; each runs once to learn them.
    fn shapes(&self, model: &Loaded, powers: u32) -> Result<Vec<Shapes>, InferenceError> {
        let mut known = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        for power in known.len()..=powers as usize {
            let batch = 1 << power;
            let inputs = model.tensors.inputs.iter().map(|spec| fixed(spec, batch)).collect();
            // It runs, so it needs leave like every run.
            let _pass = model.gpu.gate.enter();
            let shapes = self.session.shapes(inputs).map_err(|error| match run_error(&model.name, &error) {
                InferenceError::Run { model, reason } if batch > 1 => {
                    let reason =
                        format!("takes no batch of {batch}, though it declares any; set max_batch = 1: {reason}");
                    InferenceError::Head { model, reason }
                }
                error => error,
            })?;
            known.push(shapes);
        }
        Ok(known[..=powers as usize].to_vec())
    }
}

impl Drop for SessionCopy {
    fn drop(&mut self) {
        // The session ends on this thread, which may never have met the device.
        self.turns.bind();
    }
}

impl Engine for OrtDeviceEngine {
    fn io(&self) -> &ModelIo {
        &self.model.io
    }

    fn provider(&self) -> &'static str {
        self.model.provider
    }

    fn create_context(&self, lane: &Lane, max_batch: usize) -> Result<Box<dyn Context>, InferenceError> {
        let failed = |error: &dyn std::fmt::Display| run_error(&self.model.name, error);
        let Some(device) = lane.device() else { return Err(failed(&"the camera has no stream")) };
        self.model.gpu.device.bind().map_err(|error| failed(&error))?;
        let number = self.next.fetch_add(1, Ordering::Relaxed) % self.copies.len();
        let copy = &self.copies[number];
        let powers = if is_open(&self.model.io.inputs) { max_batch.max(1).ilog2() } else { 0 };
        let made = copy.shapes(&self.model, powers).and_then(|shapes| {
            let turns = copy.turns.clone();
            DeviceContext::new(&self.model, &copy.session, turns, number, lane.camera(), device, shapes)
        });
        Ok(Box::new(made.map_err(|error| self.model.gpu.unless_lost(device.stream(), error))?))
    }
}
