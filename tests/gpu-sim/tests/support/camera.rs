//! What one camera has of an engine, by the crates that the daemon drives a GPU with: safe code only.

use std::path::Path;
use std::sync::Arc;

use gpu::{Device, DeviceBuffer, Driver, PinnedBuffer, Stream};
use gpu_sim::plan::{Plan, Target};
use tensorrt_rs::enums::{AllocationStrategy, DataType};
use tensorrt_rs::{BoundContext, Engine, InFlight, Library, Runtime, RuntimeOptions, Scratch};

/// Library and version of both majors.
pub const MAJORS: [(&str, &str); 2] = [("libnvinfer.so.10", "10.16.1"), ("libnvinfer.so.11", "11.4.0")];

/// The simulated device, opened anew: it starts with nothing.
pub fn device() -> Device {
    super::library("libcuda.so.1");
    Driver::load_from(Path::new("libcuda.so.1")).expect("the simulated driver").open(0).expect("the simulated device")
}

/// An engine of an ONNX model with fixed shapes.
pub fn engine(device: &Device, (library, version): (&'static str, &str), model: Vec<u8>) -> Arc<Engine> {
    let target =
        Target { tensorrt: version.to_owned(), compute_capability: "8.7".to_owned(), precision: "fp32".to_owned() };
    let plan = Plan::build("detection", model, &[], &target).expect("a plan").to_bytes();
    super::library(library);
    device.bind().expect("a context");
    let library = Library::load(library).expect("the simulated TensorRT");
    Runtime::new(&library, &RuntimeOptions::default()).expect("a runtime").deserialize(&plan).expect("an engine")
}

/// One camera's context, buffers and stream.
pub struct Camera {
    bound: BoundContext<DeviceBuffer<f32>, Stream>,
    stream: Stream,
    picture: PinnedBuffer<f32>,
    answer: PinnedBuffer<f32>,
}

/// A frame under way.
pub struct Running<'a> {
    in_flight: InFlight<'a, DeviceBuffer<f32>, Stream>,
    answer: &'a PinnedBuffer<f32>,
}

impl<'a> Running<'a> {
    /// One wait for all of it.
    pub fn wait(self) -> Result<&'a [f32], tensorrt_rs::Error> {
        self.in_flight.wait()?;
        Ok(self.answer.read().expect("the answer"))
    }
}

impl Camera {
    pub fn new(device: &Device, engine: &Arc<Engine>, label: &str) -> Self {
        Self::with(device, engine, label, None)
    }

    /// With a block of activation memory that others use, too.
    pub fn with(device: &Device, engine: &Arc<Engine>, label: &str, scratch: Option<Scratch>) -> Self {
        let (stream, owner) = (Stream::new(device).expect("a stream"), device.owner(label));
        let strategy = if scratch.is_some() { AllocationStrategy::UserManaged } else { AllocationStrategy::Static };
        let context = engine.create_context_with(strategy).expect("a context");
        let mut lengths = Vec::new();
        let buffers: Vec<_> = engine
            .tensors()
            .iter()
            .map(|tensor| {
                assert_eq!(tensor.data_type, DataType::Float);
                let len = tensor.shape.as_slice().iter().product::<i64>() as usize;
                lengths.push(len);
                (tensor.name.clone(), DeviceBuffer::new(&stream, &owner, len).expect("device memory"))
            })
            .collect();
        Self {
            bound: BoundContext::new(context, stream.clone(), buffers, scratch).expect("buffers that fit"),
            picture: PinnedBuffer::new(&stream, &owner, lengths[0]).expect("pinned memory"),
            answer: PinnedBuffer::new(&stream, &owner, lengths[1]).expect("pinned memory"),
            stream,
        }
    }

    /// One frame: up, through, down.
    pub fn enqueue(&mut self, picture: &[f32]) -> Result<Running<'_>, tensorrt_rs::Error> {
        let Self { bound, stream, picture: from, answer } = self;
        from.write().expect("free").copy_from_slice(picture);
        stream.upload(from, 0..picture.len(), bound.buffer_mut("images")?.view_mut()).expect("an upload");
        let in_flight = bound.enqueue()?;
        stream.download(in_flight.buffer("output0")?.view(), answer, 0).expect("a download");
        Ok(Running { in_flight, answer })
    }

    /// A frame and its answer.
    pub fn run(&mut self, picture: &[f32]) -> Result<&[f32], tensorrt_rs::Error> {
        self.enqueue(picture)?.wait()
    }

    /// For what a test does itself.
    pub fn bound(&mut self) -> &mut BoundContext<DeviceBuffer<f32>, Stream> {
        &mut self.bound
    }
}
