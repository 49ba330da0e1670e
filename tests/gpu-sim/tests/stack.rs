//! The crates that the daemon drives a GPU with, on the simulated one: safe code only, from a plan to answers.

mod support;

use gpu::{Device, DeviceBuffer, Driver, PinnedBuffer, Stream};
use gpu_sim::plan::{Plan, Target};
use tensorrt_rs::enums::DataType;
use tensorrt_rs::{BoundContext, Engine, Library, Runtime, RuntimeOptions, is_myelin_failure};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex, PoisonError};

/// Faults are the process's, and the driver is initialised once in it, so no test resets it.
static TURN: Mutex<()> = Mutex::new(());

/// The shipped detector.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../engines/detection/model.onnx");
const INPUT: usize = 3 * 288 * 512;
const MAJORS: [(&str, &str); 2] = [("libnvinfer.so.10", "10.16.1"), ("libnvinfer.so.11", "11.4.0")];

fn picture(camera: usize) -> Vec<f32> {
    (0..INPUT).map(|i| (i * 31 + camera * 97 + i / 512 * 7) as f32 % 255.0 / 255.0).collect()
}

fn by_onnx_runtime(pictures: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let beside = || {
        let exe = std::env::current_exe().expect("a path");
        exe.ancestors().map(|dir| dir.join(".deps/onnxruntime/libonnxruntime.so")).find(|path| path.exists())
    };
    let library = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from).or_else(beside);
    let runtime = onnxruntime::Runtime::load(&library.expect("ONNX Runtime; set ORT_DYLIB_PATH")).expect("it loads");
    let session = onnxruntime::Session::open(&runtime, Path::new(MODEL), onnxruntime::SessionOptions { threads: 1 })
        .expect("a model");
    let mut binding = session.bind(&[vec![1, 3, 288, 512]]).expect("buffers");
    let answer = |picture: &Vec<f32>| {
        binding.input_mut::<f32>(0).expect("floats").copy_from_slice(picture);
        binding.run().expect("it runs");
        binding.output::<f32>(0).expect("floats").1.to_vec()
    };
    pictures.iter().map(answer).collect()
}

/// The simulated device, opened anew: it starts with nothing.
fn device() -> Device {
    support::library("libcuda.so.1");
    Driver::load_from(Path::new("libcuda.so.1")).expect("the simulated driver").open(0).expect("the simulated device")
}

fn engine(device: &Device, library: &str, version: &str) -> Arc<Engine> {
    let target =
        Target { tensorrt: version.to_owned(), compute_capability: "8.7".to_owned(), precision: "fp32".to_owned() };
    let model = std::fs::read(MODEL).expect("the shipped model");
    let plan = Plan::build("detection", model, &[], &target).expect("a plan").to_bytes();
    support::library(if library.ends_with("10") { "libnvinfer.so.10" } else { "libnvinfer.so.11" });
    device.bind().expect("a context");
    let library = Library::load(library).expect("the simulated TensorRT");
    Runtime::new(&library, &RuntimeOptions::default()).expect("a runtime").deserialize(&plan).expect("an engine")
}

/// What one camera has of an engine.
struct Camera {
    bound: BoundContext<DeviceBuffer<f32>, Stream>,
    stream: Stream,
    picture: PinnedBuffer<f32>,
    answer: PinnedBuffer<f32>,
}

impl Camera {
    fn new(device: &Device, engine: &Arc<Engine>, label: &str) -> Self {
        let (stream, owner) = (Stream::new(device).expect("a stream"), device.owner(label));
        let context = engine.create_context().expect("a context");
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
            bound: BoundContext::new(context, stream.clone(), buffers, None).expect("buffers that fit"),
            picture: PinnedBuffer::new(&stream, &owner, lengths[0]).expect("pinned memory"),
            answer: PinnedBuffer::new(&stream, &owner, lengths[1]).expect("pinned memory"),
            stream,
        }
    }

    /// One frame: up, through, down, and one wait for all of it.
    fn run(&mut self, picture: &[f32]) -> Result<&[f32], tensorrt_rs::Error> {
        let Self { bound, stream, picture: from, answer } = self;
        from.write().expect("free").copy_from_slice(picture);
        let input = bound.buffer_mut("images")?;
        stream.upload(from, 0..INPUT, input.view_mut()).expect("an upload");
        let running = bound.enqueue()?;
        stream.download(running.buffer("output0")?.view(), answer, 0).expect("a download");
        running.wait()?;
        Ok(answer.read().expect("the answer"))
    }
}

#[test]
fn four_cameras_share_one_engine_and_get_what_onnx_runtime_gives() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let pictures: Vec<_> = (0..4).map(picture).collect();
    let expected = by_onnx_runtime(&pictures);
    for (library, version) in MAJORS {
        let device = device();
        let engine = engine(&device, library, version);
        let together = Barrier::new(pictures.len());
        std::thread::scope(|scope| {
            for (number, picture) in pictures.iter().enumerate() {
                let (device, engine, together, expected) = (&device, &engine, &together, &expected[number]);
                scope.spawn(move || {
                    device.bind().expect("a context");
                    let mut camera = Camera::new(device, engine, &format!("camera {number}"));
                    together.wait();
                    for _ in 0..3 {
                        assert_eq!(camera.run(picture).expect("it runs"), expected, "camera {number}, {library}");
                    }
                });
            }
        });
        drop(engine);
        assert!(device.memory().is_empty(), "{:?}", device.memory());
    }
}

#[test]
fn memory_of_another_stream_is_not_executed_on() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (library, version) = MAJORS[0];
    let device = device();
    let mut camera = Camera::new(&device, &engine(&device, library, version), "camera");
    let other = Stream::new(&device).expect("a stream");
    camera.run(&picture(0)).expect("it runs");
    camera.bound.buffer_mut("output0").expect("there is one").hand_over(&other).expect("handed over");
    let error = camera.bound.enqueue().map(|_| ()).expect_err("it belongs elsewhere");
    assert!(error.to_string().contains("belongs to another stream"), "{error}");
}

#[test]
fn a_myelin_failure_is_known_as_one_and_ends_with_a_new_engine() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let picture = picture(0);
    let expected = by_onnx_runtime(std::slice::from_ref(&picture)).remove(0);
    for (library, version) in MAJORS {
        let device = device();
        let first = engine(&device, library, version);
        let mut camera = Camera::new(&device, &first, "camera");
        let name = if library.ends_with("10") { "libnvinfer.so.10" } else { "libnvinfer.so.11" };
        support::control(support::library(name), r#"{"tensorrt":{"myelin_every":1}}"#);
        let error = camera.run(&picture).map(|_| ()).expect_err("an injected failure");
        assert!(is_myelin_failure(&error), "{error}");
        support::control(support::library(name), r#"{"tensorrt":{"myelin_every":0}}"#);
        let error = camera.run(&picture).map(|_| ()).expect_err("the engine is poisoned");
        assert!(is_myelin_failure(&error), "{error}");
        drop((camera, first));
        let mut camera = Camera::new(&device, &engine(&device, library, version), "camera");
        assert_eq!(camera.run(&picture).expect("a new engine runs"), expected);
    }
}
