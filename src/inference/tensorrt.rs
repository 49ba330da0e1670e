//! TensorRT on an NVIDIA GPU: one engine per model; a context, a stream and buffers of its own for each camera.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gpu::{Device, DeviceTensor, Driver, HostTensor, Stream};
use tensorrt_rs::enums::{DataType, TensorFormat, TensorIOMode};
use tensorrt_rs::{BoundContext, ExecutionContext, Library, Runtime, RuntimeOptions, TensorInfo};

use super::{Context, Engine, Finished, InferenceError, Pending};
use crate::config::{Concurrency, Model};
use crate::telemetry::metrics::ModelMetrics;
use crate::types::tensor::{ElementType, ModelIo, TensorData, TensorRef, TensorSpec};

/// Where TensorRT is looked for, in the loader's usual places.
const LIBRARIES: [&str; 2] = ["libnvinfer.so.10", "libnvinfer.so.11"];

/// The device and TensorRT on it, once per process.
pub(super) struct Gpu {
    /// Before the device: fields drop in this order.
    runtime: Arc<Runtime>,
    device: Device,
    /// With `concurrency = "serial"`: held from an execution's first call to its end, whatever the model.
    serial: Option<Mutex<()>>,
}

impl Gpu {
    /// Has the device prove that it computes, then loads TensorRT.
    ///
    /// # Errors
    /// The first step that fails, in one line with what to do.
    pub(super) fn open(library: Option<&Path>, concurrency: Concurrency) -> Result<Arc<Self>, InferenceError> {
        let refused = |error: &dyn std::fmt::Display| InferenceError::Gpu { reason: error.to_string() };
        let device = Driver::load().and_then(|driver| driver.open(0)).map_err(|error| refused(&error))?;
        let info = device.info();
        tracing::info!(
            device = %info.name,
            compute_capability = %format_args!("{}.{}", info.compute_capability.0, info.compute_capability.1),
            memory_mb = info.total_memory >> 20,
            driver_cuda = %format_args!("{}.{}", info.driver.0, info.driver.1),
            "GPU proven"
        );
        let library = load(library)?;
        tracing::info!(path = %library.path().display(), version = %library.version(), "TensorRT loaded");
        device.bind().map_err(|error| refused(&error))?;
        let runtime = Runtime::new(&library, &RuntimeOptions::default()).map_err(|error| refused(&error))?;
        let serial = (concurrency == Concurrency::Serial).then(Mutex::default);
        Ok(Arc::new(Self { device, runtime, serial }))
    }
}

fn load(configured: Option<&Path>) -> Result<Library, InferenceError> {
    let candidates: Vec<&Path> = configured.map_or_else(|| LIBRARIES.map(Path::new).to_vec(), |path| vec![path]);
    let mut tried = Vec::new();
    for path in candidates {
        match Library::load(path) {
            Ok(library) => return Ok(library),
            Err(error) => tried.push(error.to_string()),
        }
    }
    let reason = format!(
        "TensorRT cannot be loaded: {}; install TensorRT 10 or 11 (JetPack: nvidia-tensorrt), or name the file with \
         runtime.tensorrt_library",
        tried.join("; ")
    );
    Err(InferenceError::Gpu { reason })
}

/// A model's plan, deserialised.
pub(super) struct TrtEngine {
    name: Arc<str>,
    engine: Arc<tensorrt_rs::Engine>,
    io: ModelIo,
    gpu: Arc<Gpu>,
    metrics: Arc<ModelMetrics>,
}

impl TrtEngine {
    pub(super) fn open(gpu: &Arc<Gpu>, model: &Model, metrics: Arc<ModelMetrics>) -> Result<Self, InferenceError> {
        let (name, path) = (model.name.clone(), model.plan.clone());
        let bytes = std::fs::read(&path).map_err(|error| InferenceError::File {
            model: name.clone(),
            path: path.clone(),
            reason: error.to_string(),
        })?;
        let unusable = |reason: String| InferenceError::Plan { model: name.clone(), path: path.clone(), reason };
        gpu.device.bind().map_err(|error| unusable(error.to_string()))?;
        let engine = gpu.runtime.deserialize(&bytes).map_err(|error| unusable(error.to_string()))?;
        let io = ModelIo { inputs: specs(engine.inputs()), outputs: specs(engine.outputs()) };
        Ok(Self { name: Arc::from(model.name.as_str()), engine, io, gpu: Arc::clone(gpu), metrics })
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> InferenceError {
        run_error(&self.name, error)
    }

    /// The shape of an input with `batch` pictures; other open dimensions are what the profile is tuned for.
    fn input_shape(tensor: &TensorInfo, batch: usize) -> Vec<i64> {
        let tuned = tensor.ranges.first().map(|range| range.opt);
        let tuned = tuned.as_ref().map_or(&[][..], |dims| dims.as_slice());
        let dims = tensor.shape.as_slice().iter().enumerate();
        dims.map(|(at, &dim)| match dim {
            0.. => dim,
            _ if at == 0 => i64::try_from(batch).unwrap_or(1),
            _ => tuned.get(at).copied().unwrap_or(1),
        })
        .collect()
    }

    /// Most pictures in a run, a power of two.
    fn most(&self, asked: usize) -> usize {
        let open = |tensor: &&TensorInfo| tensor.shape.as_slice().first().is_some_and(|dim| *dim < 0);
        let allowed = self.engine.inputs().filter(open).map(|tensor| {
            let most = tensor.ranges.first().and_then(|range| range.max.as_slice().first().copied());
            usize::try_from(most.unwrap_or(1)).unwrap_or(1)
        });
        let most = allowed.min().map_or(1, |allowed| allowed.min(asked)).max(1);
        1 << most.ilog2()
    }

    /// Sets the inputs' shapes for `batch` and asks for the outputs'.
    fn shapes(&self, context: &mut ExecutionContext, batch: usize) -> Result<Shapes, InferenceError> {
        let mut inputs = Vec::new();
        for tensor in self.engine.inputs() {
            let shape = Self::input_shape(tensor, batch);
            context.set_input_shape(&tensor.name, &shape).map_err(|error| self.failed(&error))?;
            inputs.push(shape);
        }
        context.infer_shapes().map_err(|error| self.failed(&error))?;
        let sizes = |dims: &[i64]| dims.iter().map(|dim| usize::try_from(*dim).unwrap_or(0)).collect::<Vec<_>>();
        let mut outputs = Vec::new();
        for tensor in self.engine.outputs() {
            let shape = context.tensor_shape(&tensor.name).map_err(|error| self.failed(&error))?;
            if shape.as_slice().iter().any(|dim| *dim < 0) {
                let reason =
                    format!("output {:?} is {shape}: a size that depends on the data is not read yet", tensor.name);
                return Err(self.failed(&reason));
            }
            outputs.push(sizes(shape.as_slice()));
        }
        let lengths = inputs.iter().map(|shape| sizes(shape).iter().product()).collect();
        Ok(Shapes { inputs, lengths, outputs })
    }
}

impl Drop for TrtEngine {
    fn drop(&mut self) {
        // The engine ends on this thread, which may never have met the device.
        let _ = self.gpu.device.bind();
    }
}

impl Engine for TrtEngine {
    fn io(&self) -> &ModelIo {
        &self.io
    }

    fn provider(&self) -> &'static str {
        "tensorrt"
    }

    fn create_context(&self, max_batch: usize) -> Result<Box<dyn Context>, InferenceError> {
        let failed = |error: &dyn std::fmt::Display| self.failed(error);
        self.gpu.device.bind().map_err(|error| failed(&error))?;
        let stream = Stream::new(&self.gpu.device).map_err(|error| failed(&error))?;
        let owner = self.gpu.device.owner(&self.name);
        let mut context = self.engine.create_context().map_err(|error| failed(&error))?;
        let powers = self.most(max_batch).ilog2();
        // The largest last, so that its shapes are known when buffers are made; then back to one picture.
        let shapes = (0..=powers).map(|power| self.shapes(&mut context, 1 << power)).collect::<Result<Vec<_>, _>>();
        let shapes = shapes?;
        self.shapes(&mut context, 1)?;
        let Some(largest) = shapes.last() else { return Err(failed(&"no shapes")) };
        let lengths = largest.lengths.iter().copied().chain(largest.outputs.iter().map(|dims| dims.iter().product()));
        let tensors = self.engine.inputs().chain(self.engine.outputs());
        let (mut buffers, mut inputs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        for (tensor, len) in tensors.zip(lengths) {
            let Some(element) = gpu_element(tensor.data_type) else {
                let reason = format!(
                    "tensor {:?} has type {:?}, which is not read or written yet",
                    tensor.name, tensor.data_type
                );
                return Err(failed(&reason));
            };
            if let Some(layout) = tensor.layouts.first().filter(|layout| layout.format != TensorFormat::Linear) {
                let reason =
                    format!("tensor {:?} is laid out as {}; only row by row is known", tensor.name, layout.description);
                return Err(failed(&reason));
            }
            let device = DeviceTensor::new(element, &stream, &owner, len).map_err(|error| failed(&error))?;
            let host = HostTensor::new(element, &stream, &owner, len).map_err(|error| failed(&error))?;
            buffers.push((tensor.name.clone(), device));
            let place = if tensor.mode == TensorIOMode::Input { &mut inputs } else { &mut outputs };
            place.push((tensor.name.clone(), host));
        }
        let bound = BoundContext::new(context, stream.clone(), buffers, None).map_err(|error| failed(&error))?;
        self.metrics.contexts.inc();
        Ok(Box::new(TrtContext {
            bound,
            stream,
            inputs,
            outputs,
            shapes,
            batch: 1,
            run: Ok(Run { began: Instant::now(), took: None }),
            name: Arc::clone(&self.name),
            gpu: Arc::clone(&self.gpu),
            metrics: Arc::clone(&self.metrics),
        }))
    }
}

/// Shapes with one size of batch.
struct Shapes {
    inputs: Vec<Vec<i64>>,
    /// Elements of each input.
    lengths: Vec<usize>,
    outputs: Vec<Vec<usize>>,
}

/// An execution, copies included.
struct Run {
    began: Instant,
    /// Known where it was waited for already.
    took: Option<Duration>,
}

struct TrtContext {
    bound: BoundContext<DeviceTensor, Stream>,
    stream: Stream,
    inputs: Vec<(String, HostTensor)>,
    outputs: Vec<(String, HostTensor)>,
    /// By power of two.
    shapes: Vec<Shapes>,
    batch: usize,
    run: Result<Run, InferenceError>,
    name: Arc<str>,
    gpu: Arc<Gpu>,
    metrics: Arc<ModelMetrics>,
}

impl Drop for TrtContext {
    fn drop(&mut self) {
        // What belongs to TensorRT ends on this thread, which may never have met the device.
        let _ = self.gpu.device.bind();
        self.metrics.contexts.dec();
    }
}

impl TrtContext {
    fn power(&self) -> usize {
        self.batch.trailing_zeros() as usize
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> InferenceError {
        run_error(&self.name, error)
    }

    fn input(&mut self, index: usize) -> Result<(&mut HostTensor, usize), InferenceError> {
        let missing = || run_error(&self.name, &format!("there is no input {index}"));
        let len = self.shapes[self.batch.trailing_zeros() as usize].lengths.get(index).copied().ok_or_else(missing)?;
        let (_, host) = self.inputs.get_mut(index).ok_or_else(missing)?;
        Ok((host, len))
    }

    /// Inputs up, through, outputs down: all queued, nothing awaited.
    fn start(&mut self) -> Result<(), InferenceError> {
        let name = Arc::clone(&self.name);
        let failed = |error: &dyn std::fmt::Display| run_error(&name, error);
        self.gpu.device.bind().map_err(|error| failed(&error))?;
        let shapes = &self.shapes[self.batch.trailing_zeros() as usize];
        for ((name, host), len) in self.inputs.iter_mut().zip(&shapes.lengths) {
            let device = self.bound.buffer_mut(name).map_err(|error| failed(&error))?;
            self.stream.upload_tensor(host, device, *len).map_err(|error| failed(&error))?;
        }
        let running = self.bound.enqueue().map_err(|error| failed(&error))?;
        for ((name, host), dims) in self.outputs.iter_mut().zip(&shapes.outputs) {
            // Where this fails, dropping `running` waits for the execution.
            let device = running.buffer(name).map_err(|error| failed(&error))?;
            self.stream.download_tensor(device, host, dims.iter().product()).map_err(|error| failed(&error))?;
        }
        // Dropped, it would wait here; the context waits in `wait` instead, and before anything else touches it.
        std::mem::forget(running);
        Ok(())
    }
}

impl Context for TrtContext {
    fn max_batch(&self) -> usize {
        1 << self.shapes.len().saturating_sub(1)
    }

    fn set_batch(&mut self, batch: usize) -> Result<(), InferenceError> {
        if batch == self.batch {
            return Ok(());
        }
        if !batch.is_power_of_two() || batch > self.max_batch() {
            return Err(
                self.failed(&format!("a batch of {batch}; powers of two up to {} are possible", self.max_batch()))
            );
        }
        let name = Arc::clone(&self.name);
        self.gpu.device.bind().map_err(|error| run_error(&name, &error))?;
        for ((input, _), shape) in self.inputs.iter().zip(&self.shapes[batch.trailing_zeros() as usize].inputs) {
            if let Err(error) = self.bound.set_input_shape(input, shape) {
                for ((input, _), shape) in self.inputs.iter().zip(&self.shapes[self.power()].inputs) {
                    let _ = self.bound.set_input_shape(input, shape);
                }
                return Err(run_error(&name, &error));
            }
        }
        self.batch = batch;
        Ok(())
    }

    fn input_f32(&mut self, index: usize) -> Result<&mut [f32], InferenceError> {
        let name = Arc::clone(&self.name);
        let (host, len) = self.input(index)?;
        match host {
            HostTensor::F32(host) => Ok(&mut host.write().map_err(|error| run_error(&name, &error))?[..len]),
            _ => Err(run_error(&name, &format!("input {index} is not f32"))),
        }
    }

    fn input_i64(&mut self, index: usize) -> Result<&mut [i64], InferenceError> {
        let name = Arc::clone(&self.name);
        let (host, len) = self.input(index)?;
        match host {
            HostTensor::I64(host) => Ok(&mut host.write().map_err(|error| run_error(&name, &error))?[..len]),
            _ => Err(run_error(&name, &format!("input {index} is not i64"))),
        }
    }

    fn output(&self, index: usize) -> Result<TensorRef<'_>, InferenceError> {
        let missing = || self.failed(&format!("there is no output {index}"));
        let shape = self.shapes[self.power()].outputs.get(index).ok_or_else(missing)?;
        let (_, host) = self.outputs.get(index).ok_or_else(missing)?;
        let len: usize = shape.iter().product();
        let failed = |error: gpu::CudaError| self.failed(&error);
        let data = match host {
            HostTensor::F32(host) => TensorData::F32(&host.read().map_err(failed)?[..len]),
            HostTensor::I64(host) => TensorData::I64(&host.read().map_err(failed)?[..len]),
            HostTensor::I32(host) => TensorData::I32(&host.read().map_err(failed)?[..len]),
            HostTensor::U8(host) => TensorData::U8(&host.read().map_err(failed)?[..len]),
            HostTensor::F16(_) | HostTensor::Bool(_) => {
                return Err(self.failed(&format!("output {index} has {}, which are not read yet", host.element())));
            }
        };
        Ok(TensorRef { shape, data })
    }

    fn submit(mut self: Box<Self>) -> Box<dyn Pending> {
        let gpu = Arc::clone(&self.gpu);
        let alone = gpu.serial.as_ref().map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner));
        let began = Instant::now();
        self.run = self.start().map(|()| Run { began, took: None });
        if alone.is_some() {
            // Until the stream has finished, not until it was told to begin.
            let waited = self.bound.wait().map_err(|error| self.failed(&error));
            if self.run.is_ok() {
                self.run = waited.map(|()| Run { began, took: Some(began.elapsed()) });
            }
        }
        drop(alone);
        self
    }
}

impl Pending for TrtContext {
    fn wait(mut self: Box<Self>) -> Result<Finished, InferenceError> {
        let name = Arc::clone(&self.name);
        let result = match std::mem::replace(&mut self.run, Ok(Run { began: Instant::now(), took: None })) {
            Ok(run) => self.bound.wait().map(|()| run).map_err(|error| run_error(&name, &error)),
            Err(error) => Err(error),
        };
        match &result {
            Ok(run) => self.metrics.infer.observe(run.took.unwrap_or_else(|| run.began.elapsed())),
            Err(_) => self.metrics.errors.inc(),
        }
        Ok((self, result.map(|_| ())))
    }
}

fn specs<'a>(tensors: impl Iterator<Item = &'a TensorInfo>) -> Vec<TensorSpec> {
    let spec = |tensor: &TensorInfo| TensorSpec {
        name: tensor.name.clone(),
        shape: tensor.shape.as_slice().to_vec(),
        element: match tensor.data_type {
            DataType::Float => ElementType::F32,
            DataType::Half => ElementType::F16,
            DataType::Bf16 => ElementType::Bf16,
            DataType::Int64 => ElementType::I64,
            DataType::Int32 => ElementType::I32,
            DataType::Int8 => ElementType::I8,
            DataType::Uint8 => ElementType::U8,
            DataType::Bool => ElementType::Bool,
            _ => ElementType::Other,
        },
    };
    tensors.map(spec).collect()
}

fn gpu_element(element: DataType) -> Option<gpu::ElementType> {
    match element {
        DataType::Float => Some(gpu::ElementType::F32),
        DataType::Int64 => Some(gpu::ElementType::I64),
        DataType::Int32 => Some(gpu::ElementType::I32),
        DataType::Uint8 => Some(gpu::ElementType::U8),
        _ => None,
    }
}

fn run_error(name: &str, error: &dyn std::fmt::Display) -> InferenceError {
    InferenceError::Run { model: name.to_owned(), reason: error.to_string() }
}
