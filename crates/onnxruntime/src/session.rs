use std::ffi::CString;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::{Arc, Mutex};

use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use tensorrt_rs::{DeviceBuffer, Stream, lifecycle};

use crate::placement::fixed_sizes;
use crate::registration::{is_about_machine, register, unavailable};
use crate::run::MOST;
use crate::{
    Binding, ComputeStream, DeviceBinding, DeviceOptions, Error, ModelInfo, Placement, Provider, Runtime, Shapes,
    TensorInfo,
};

/// How a session runs on the CPU.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// Threads inside one `run`.
    pub threads: usize,
}

/// A model loaded once, shared by any number of [`Binding`]s and [`DeviceBinding`]s.
#[derive(Debug)]
pub struct Session {
    /// Ends before the stream of `device`.
    pub(crate) inner: ManuallyDrop<ort::session::Session>,
    pub(crate) device: Option<OnDevice>,
    pub(crate) input_names: Vec<CString>,
    pub(crate) output_names: Vec<CString>,
    info: ModelInfo,
}

/// What a session on a device has more.
#[derive(Debug)]
pub(crate) struct OnDevice {
    /// Held by the run under way.
    pub(crate) turn: Mutex<()>,
    pub(crate) stream: ComputeStream,
    pub(crate) memory: MemoryInfo<'static>,
    placement: Placement,
}

impl Session {
    /// Loads a model for the CPU provider.
    ///
    /// # Errors
    /// [`Error::Runtime`] with ONNX Runtime's words where it cannot read or prepare the model.
    pub fn open(runtime: &Runtime, model: &Path, options: SessionOptions) -> Result<Arc<Self>, Error> {
        let inner = builder(runtime, options.threads)?.commit_from_file(model)?;
        Ok(Arc::new(Self::new(inner)?))
    }

    /// Loads a model for a provider on an NVIDIA GPU, and runs it once on zeros to see that all of it runs there.
    /// With TensorRT that builds the engine, which can take minutes where none is cached.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the provider cannot be used on this machine or with this library,
    /// [`Error::Placement`] where it does not run the model, [`Error::Runtime`] with ONNX Runtime's words where the
    /// model is at fault, [`Error::Profile`] where the first run cannot be recorded in the folder for temporary files.
    pub fn open_on(runtime: &Runtime, model: &Path, options: &DeviceOptions) -> Result<Arc<Self>, Error> {
        // Until the end, that of a session which is refused included.
        let _one_at_a_time = lifecycle::lock();
        let words = |error: std::io::Error| Error::Profile(format!("{}: {error}", std::env::temp_dir().display()));
        let folder = tempfile::Builder::new().prefix("onnxruntime-").tempdir().map_err(words)?;
        let builder = builder(runtime, 1)?
            .with_disable_cpu_fallback()
            .map_err(plain)?
            // Weights lie outside of the arena, which then grows by what runs need.
            .with_device_allocated_initializers()
            .map_err(plain)?
            .with_profiling(folder.path().join("run"))
            .map_err(plain)?;
        // SAFETY: `Self` drops `inner` before `device`, which has the stream; where the session is not made, nothing is
        // left that could use it.
        let mut builder = unsafe { register(builder, options) }?;
        let inner = builder.commit_from_file(model).map_err(|error| refusal(&options.provider, error))?;
        let mut session = Self::new(inner)?;
        let device = i32::try_from(options.ordinal).unwrap_or(i32::MAX);
        session.device = Some(OnDevice {
            turn: Mutex::new(()),
            stream: options.stream.clone(),
            memory: MemoryInfo::new(AllocationDevice::CUDA, device, AllocatorType::Device, MemoryType::Default)?,
            placement: Placement::default(),
        });
        let ran = session.host_inputs(&session.info.smallest()).and_then(|inputs| session.output_shapes(&inputs));
        // Ended before anything else can go wrong, or the profiler would write beside the folder's end.
        let file = session.inner.end_profiling();
        ran.map_err(|error| match error {
            Error::Runtime(error) => refusal(&options.provider, error),
            error => error,
        })?;
        let profile = std::fs::read_to_string(file?).map_err(|error| Error::Profile(error.to_string()))?;
        let placement = Placement::of(&profile)?;
        placement.check(&options.provider)?;
        if let Some(device) = &mut session.device {
            device.placement = placement;
        }
        Ok(Arc::new(session))
    }

    fn new(inner: ort::session::Session) -> Result<Self, Error> {
        let info = ModelInfo::of(&inner);
        // In its owner first: where a name is refused, the session ends as sessions do.
        let mut session = Self {
            inner: ManuallyDrop::new(inner),
            device: None,
            input_names: Vec::new(),
            output_names: Vec::new(),
            info,
        };
        (session.input_names, session.output_names) = (names(session.inputs())?, names(session.outputs())?);
        Ok(session)
    }

    /// Inputs in the model's order.
    #[must_use]
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.info.inputs
    }

    /// Outputs in the model's order.
    #[must_use]
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.info.outputs
    }

    /// Which provider ran which nodes, on a device; `None`: on the CPU.
    #[must_use]
    pub fn placement(&self) -> Option<&Placement> {
        self.device.as_ref().map(|device| &device.placement)
    }

    /// Runs the model once, on zeros, so that ONNX Runtime says what shapes the outputs have.
    ///
    /// # Errors
    /// Where the shapes, in the model's order and without -1, do not fit the model or memory is short.
    pub fn shapes(&self, inputs: Vec<Vec<i64>>) -> Result<Shapes, Error> {
        let outputs = self.output_shapes(&self.host_inputs(&inputs)?)?;
        Ok(Shapes { inputs, outputs })
    }

    /// Host buffers for one user: `input_shapes` in the model's order, without -1.
    ///
    /// Runs the model once, as [`Session::shapes`] does.
    ///
    /// # Errors
    /// As for [`Session::shapes`].
    pub fn bind(self: &Arc<Self>, input_shapes: &[Vec<i64>]) -> Result<Binding, Error> {
        Binding::new(self, input_shapes)
    }

    /// Binds device memory of one user: a buffer for each input and output in the model's order, large enough for
    /// each of `shapes`. `stream` is the one on which the user works on these buffers.
    ///
    /// # Errors
    /// [`Error::Tensor`] where a buffer is too short, shared, or belongs to another stream, or the session is one of
    /// the CPU.
    pub fn bind_device<B: DeviceBuffer, S: Stream>(
        self: &Arc<Self>,
        stream: S,
        shapes: Vec<Shapes>,
        inputs: Vec<B>,
        outputs: Vec<B>,
    ) -> Result<DeviceBinding<B, S>, Error> {
        DeviceBinding::new(self, stream, shapes, inputs, outputs)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // On a device that is given up, destructors hang or end the process.
        if self.device.is_some() && lifecycle::is_abandoned() {
            return;
        }
        let _one_at_a_time = self.device.is_some().then(lifecycle::lock);
        // SAFETY: dropped here only, and not touched afterwards. No run is under way: each borrows the session.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
    }
}

/// What all sessions have in common.
fn builder(runtime: &Runtime, threads: usize) -> Result<SessionBuilder, Error> {
    ort::session::Session::builder(runtime.environment())?
        .with_intra_threads(threads)
        .map_err(plain)?
        .with_inter_threads(1)
        .map_err(plain)?
        // Spinning workers take the CPU from decoders and from other cameras.
        .with_intra_op_spinning(false)
        .map_err(plain)?
        .with_inter_op_spinning(false)
        .map_err(plain)?
        .with_optimization_level(GraphOptimizationLevel::Level3)
        .map_err(plain)?
        // Noise makes denormals, and denormals cost a third more time.
        .with_flush_to_zero()
        .map_err(plain)
}

/// A session that is not made, or whose first run fails.
fn refusal(provider: &Provider, error: ort::Error) -> Error {
    let words = error.to_string();
    if words.contains("fallback to CPU EP has been explicitly disabled") {
        return Error::Placement { provider: provider.name(), found: words, next: fixed_sizes() };
    }
    if is_about_machine(&words) {
        return unavailable(provider, &words);
    }
    Error::Runtime(error)
}

pub(crate) fn plain(error: ort::Error<SessionBuilder>) -> Error {
    Error::Runtime(error.into())
}

fn names(infos: &[TensorInfo]) -> Result<Vec<CString>, Error> {
    if infos.len() > MOST {
        return Err(Error::tensor("", format!("more than {MOST} inputs or outputs")));
    }
    let name = |info: &TensorInfo| CString::new(info.name.as_str());
    infos.iter().map(|info| name(info).map_err(|_| Error::tensor(&info.name, "has a NUL in its name"))).collect()
}
