//! A model's plan, deserialised: once, or as many times as `engine_copies` says, and anew where it was poisoned.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gpu::{Held, Kind};

use super::context::TrtContext;
use super::{TensorRt, inspect, io};
use crate::config::{Input, Model, Task};
use crate::inference::artefact::{Memory, Placement, Tensor};
use crate::inference::device::{Failure, Lane};
use crate::inference::file::{KeptPlan, PlanFile};
use crate::inference::flight::{Step, Who};
use crate::inference::{Context, Engine, InferenceError};
use crate::telemetry::metrics::ModelMetrics;
use crate::types::tensor::ModelIo;

/// An engine that is poisoned again within this time waits before it is loaded anew, longer each time.
const RELAPSE: Duration = Duration::from_secs(60);
const SHORTEST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Wait after a failed attempt to load an engine anew.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A model that TensorRT runs.
pub(in crate::inference) struct TrtEngine {
    plan: Arc<Plan>,
}

/// What all contexts of a model share.
pub(super) struct Plan {
    pub(super) name: Arc<str>,
    path: PathBuf,
    /// Open for as long as the engine may have to be loaded anew: another plan may take its place, and it may be deleted.
    file: KeptPlan,
    sha256: String,
    /// How its picture is to be prepared; `None` where it looks at crops.
    pub(super) whole_frames: bool,
    pub(super) input: Input,
    pub(super) io: ModelIo,
    activation_bytes: u64,
    pub(super) trt: Arc<TensorRt>,
    pub(super) metrics: Arc<ModelMetrics>,
    copies: Vec<EngineCopy>,
    /// Of the first context, which is made before any camera works.
    measured: OnceLock<Measured>,
    /// The copy that the next context uses.
    next: AtomicUsize,
}

/// One deserialised engine and what becomes of it.
struct EngineCopy {
    /// Grows when the engine is poisoned: contexts of an older one must not be used.
    generation: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    loaded: Option<Arc<Loaded>>,
    /// Not to be loaded before.
    not_before: Option<Instant>,
    poisoned: Option<Instant>,
    wait: Duration,
}

/// What a context takes.
#[derive(Debug)]
pub(super) struct Measured {
    /// As the engine says.
    pub(super) activations: u64,
    /// Besides.
    pub(super) context: u64,
    pub(super) tensors: Vec<Tensor>,
}

/// A deserialised engine; ends with the last context of it.
pub(super) struct Loaded {
    pub(super) engine: Arc<tensorrt_rs::Engine>,
    pub(super) weights: Held,
}

impl TrtEngine {
    /// Deserialises the plan.
    ///
    /// # Errors
    /// Where the file is none, or none for this device and this TensorRT.
    pub(in crate::inference) fn open(
        trt: &Arc<TensorRt>,
        model: &Model,
        file: &PlanFile,
        metrics: Arc<ModelMetrics>,
    ) -> Result<Self, InferenceError> {
        let mut copies = Vec::new();
        let (mut io, mut activation_bytes) = (ModelIo::default(), 0);
        for _ in 0..model.engine_copies.max(1) {
            let loaded = deserialise(trt, model.name.as_str(), file)
                .map_err(|error| trt.gpu.unless_lost_now(unusable(model, &error)))?;
            io = ModelIo { inputs: io::specs(loaded.engine.inputs()), outputs: io::specs(loaded.engine.outputs()) };
            activation_bytes = activations(&loaded.engine).unwrap_or(0);
            let state = Mutex::new(State { loaded: Some(Arc::new(loaded)), ..State::default() });
            copies.push(EngineCopy { generation: AtomicU64::new(1), state });
        }
        let plan = Plan {
            name: Arc::from(model.name.as_str()),
            path: model.plan.clone(),
            file: file.keep(&model.name, &model.plan)?,
            sha256: file.sha256().to_owned(),
            whole_frames: model.task != Task::Reid,
            input: model.input,
            io,
            activation_bytes,
            trt: Arc::clone(trt),
            metrics,
            copies,
            measured: OnceLock::new(),
            next: AtomicUsize::new(0),
        };
        Ok(Self { plan: Arc::new(plan) })
    }
}

/// Activation memory of one execution, bytes.
pub(super) fn activations(engine: &tensorrt_rs::Engine) -> Result<u64, tensorrt_rs::Error> {
    engine.device_memory_size_for_profile(0).or_else(|_| engine.device_memory_size())
}

fn unusable(model: &Model, reason: &tensorrt_rs::Error) -> InferenceError {
    InferenceError::Plan { model: model.name.clone(), path: model.plan.clone(), reason: reason.to_string() }
}

pub(super) fn deserialise(trt: &TensorRt, name: &str, file: &PlanFile) -> Result<Loaded, tensorrt_rs::Error> {
    let device = &trt.gpu.device;
    let bound = device.bind().and_then(|()| device.free_memory());
    let (before, _) = bound.map_err(|error| tensorrt_rs::Error::Argument(error.to_string()))?;
    let engine = trt.runtime(file.dla_core())?.deserialize(file.bytes())?;
    // What other processes took or gave back meanwhile is counted too: nobody else tells.
    let after = device.free_memory().map_or(before, |(after, _)| after);
    let weights = device.owner(&format!("engine {name}")).hold(Kind::Device, before.saturating_sub(after));
    Ok(Loaded { engine, weights })
}

impl Plan {
    pub(super) fn failed(&self, error: &dyn std::fmt::Display) -> InferenceError {
        InferenceError::Run { model: self.name.to_string(), reason: error.to_string() }
    }

    /// An error of ours, judged.
    pub(super) fn broken(&self, error: &gpu::Error) -> InferenceError {
        match self.trt.gpu.judge(error) {
            Failure::DeviceLost => self.trt.gpu.lost_error(),
            _ => self.failed(error),
        }
    }

    pub(super) fn measured(&self) -> Option<&Measured> {
        self.measured.get()
    }

    /// Once is enough.
    pub(super) fn measure(&self, measured: impl FnOnce() -> Measured) {
        self.measured.get_or_init(measured);
    }

    /// Bytes of the first copy.
    fn weights(&self) -> Option<u64> {
        let state = self.copies.first()?.state.lock().unwrap_or_else(PoisonError::into_inner);
        Some(state.loaded.as_ref()?.weights.bytes() as u64)
    }

    /// The copy that a new context is to use.
    pub(super) fn assign(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % self.copies.len()
    }

    /// The generation of a copy: a context of another one must be made anew.
    pub(super) fn generation(&self, copy: usize) -> u64 {
        self.copies[copy].generation.load(Ordering::SeqCst)
    }

    /// A copy's engine and its generation; loads it where it was poisoned.
    pub(super) fn engine(&self, copy: usize, who: &Who) -> Result<(Arc<Loaded>, u64), InferenceError> {
        let copy = &self.copies[copy];
        let mut state = copy.state.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = copy.generation.load(Ordering::SeqCst);
        if let Some(loaded) = &state.loaded {
            return Ok((Arc::clone(loaded), generation));
        }
        let now = Instant::now();
        if let Some(wait) = state.not_before.and_then(|at| at.checked_duration_since(now)) {
            return Err(InferenceError::Reloading { model: self.name.to_string(), wait });
        }
        let began = Instant::now();
        match self.reload() {
            Ok(loaded) => {
                let loaded = Arc::new(loaded);
                state.loaded = Some(Arc::clone(&loaded));
                self.metrics.reloads.inc();
                let health = &self.trt.gpu.health;
                health.flight.note(Step::EngineReloaded, who, self.trt.gpu.gate.is_serial(), 0, Some(began.elapsed()));
                tracing::warn!(model = %self.name, took_ms = began.elapsed().as_millis(), "engine loaded anew");
                Ok((loaded, generation))
            }
            Err(error) => {
                state.not_before = Some(Instant::now() + AFTER_FAILURE);
                Err(error)
            }
        }
    }

    fn reload(&self) -> Result<Loaded, InferenceError> {
        let file = self.file.open(&self.name, &self.path)?;
        if file.sha256() != self.sha256 {
            let path = self.path.display();
            let words = format!("{path} was written over since it was loaded; reload, and next time move a plan there");
            return Err(self.failed(&words));
        }
        deserialise(&self.trt, &self.name, &file).map_err(|error| self.failed(&error))
    }

    /// The copy's engine cannot be trusted any more, if it is still that one.
    pub(super) fn poison(&self, copy: usize, generation: u64) {
        let copy = &self.copies[copy];
        let mut state = copy.state.lock().unwrap_or_else(PoisonError::into_inner);
        if copy.generation.load(Ordering::SeqCst) != generation {
            return;
        }
        copy.generation.store(generation + 1, Ordering::SeqCst);
        state.loaded = None;
        let now = Instant::now();
        let relapse = state.poisoned.is_some_and(|at| now.saturating_duration_since(at) < RELAPSE);
        state.wait = if relapse { (state.wait * 2).clamp(SHORTEST_WAIT, LONGEST_WAIT) } else { Duration::ZERO };
        state.not_before = Some(now + state.wait);
        state.poisoned = Some(now);
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // Engines end on this thread, which may never have met the device.
        self.trt.gpu.bind_to_end();
    }
}

impl Engine for TrtEngine {
    fn io(&self) -> &ModelIo {
        &self.plan.io
    }

    fn provider(&self) -> &'static str {
        "tensorrt"
    }

    fn activation_bytes(&self) -> u64 {
        self.plan.activation_bytes
    }

    fn memory(&self) -> Option<Memory> {
        let Measured { activations, context, tensors } = self.plan.measured()?;
        Some(Memory {
            engine: self.plan.weights()?,
            activations: *activations,
            context: *context,
            process: self.plan.trt.process_bytes,
            tensors: tensors.clone(),
        })
    }

    fn placement(&self) -> Option<Placement> {
        let state = self.plan.copies.first()?.state.lock().unwrap_or_else(PoisonError::into_inner);
        inspect::placement(&state.loaded.as_ref()?.engine)
    }

    fn create_context(&self, lane: &Lane, max_batch: usize) -> Result<Box<dyn Context>, InferenceError> {
        let Some(device) = lane.device() else { return Err(self.plan.failed(&"the camera has no stream")) };
        Ok(Box::new(TrtContext::new(&self.plan, lane.camera(), device, max_batch)?))
    }
}
