//! The ONNX Runtime binding's sessions on a device, with simulated providers: device memory, turns, and what is refused.

mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, OnceLock, PoisonError};

use gpu::{Device, DeviceTensor, ElementType, HostTensor, SharedTensor, Stream};
use onnxruntime::{
    ComputeStream, DeviceBinding, DeviceOptions, Provider, Runtime, Session, SessionOptions, Shapes, Tensorrt,
};
use support::{control, library, misuse, statistics};

const LIBRARY: &str = "onnxruntime/libonnxruntime.so";
const PICTURE: usize = 3 * 288 * 512;

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engines").join(name).join("model.onnx")
}

fn runtime() -> Runtime {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        gpu_sim::stage::stage(folder.path()).expect("the libraries are built");
        folder
    });
    Runtime::load(&folder.path().join(LIBRARY)).expect("the simulated library loads")
}

/// Faults are the process's, so tests take turns. The driver is initialised once in it, so its own are not reset.
fn turn() -> (MutexGuard<'static, ()>, Device) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    control(library(LIBRARY), r#"{"onnxruntime":{"reset":true}}"#);
    (turn, support::camera::device())
}

fn session(device: &Device, name: &str, provider: Provider) -> Arc<Session> {
    let stream = ComputeStream::new(Stream::new(device).expect("a stream"));
    Session::open_on(&runtime(), &model(name), &DeviceOptions { provider, ordinal: 0, stream }).expect("a session")
}

fn picture(of: usize, len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 31 + of * 97 + i / 512 * 7) as f32 % 255.0 / 255.0).collect()
}

fn on_cpu(name: &str, shape: Vec<i64>, pictures: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let session = Session::open(&runtime(), &model(name), SessionOptions { threads: 1 }).expect("a model");
    let mut binding = session.bind(&[shape]).expect("buffers");
    let answer = |picture: &Vec<f32>| {
        binding.input_mut::<f32>(0).expect("floats").copy_from_slice(picture);
        binding.run().expect("it runs");
        binding.output::<f32>(0).expect("floats").1.to_vec()
    };
    pictures.iter().map(answer).collect()
}

/// One user: a stream and buffers of its own, on both sides.
struct Camera {
    binding: DeviceBinding<DeviceTensor, Stream>,
    up: HostTensor,
    down: HostTensor,
}

fn elements(shape: &[i64]) -> usize {
    shape.iter().map(|dim| usize::try_from(*dim).expect("positive")).product()
}

fn tensor(stream: &Stream, len: usize) -> DeviceTensor {
    DeviceTensor::new(ElementType::F32, stream, &stream.device().owner("test"), len).expect("memory")
}

impl Camera {
    fn new(device: &Device, session: &Arc<Session>, shapes: Vec<Shapes>) -> Self {
        let stream = Stream::new(device).expect("a stream");
        let owner = device.owner("test");
        let largest = shapes.last().expect("shapes");
        let (input, output) = (elements(&largest.inputs[0]), elements(&largest.outputs[0]));
        let host = |len| HostTensor::new(ElementType::F32, &stream, &owner, len).expect("memory");
        let (up, down) = (host(input), host(output));
        let (inputs, outputs) = (vec![tensor(&stream, input)], vec![tensor(&stream, output)]);
        let binding = session.bind_device(stream, shapes, inputs, outputs).expect("a binding");
        Self { binding, up, down }
    }

    fn run(&mut self, picture: &[f32]) -> Result<Vec<f32>, onnxruntime::Error> {
        let stream = self.binding.stream().clone();
        let HostTensor::F32(up) = &mut self.up else { panic!("floats") };
        up.write().expect("the copy before is done")[..picture.len()].copy_from_slice(picture);
        let input = self.binding.input_mut(0).expect("an input");
        stream.upload_tensor(&mut self.up, input, picture.len()).expect("queued");
        self.binding.run()?;
        let len = elements(&self.binding.shapes().outputs[0]);
        let output = self.binding.output(0).expect("an output");
        stream.download_tensor(output, &mut self.down, len).expect("queued");
        let HostTensor::F32(down) = &self.down else { panic!("floats") };
        Ok(down.read().expect("the copy is done")[..len].to_vec())
    }
}

#[test]
fn a_run_sees_what_was_queued_before_and_shows_to_what_is_queued_after() {
    let (_turn, device) = turn();
    let pictures: Vec<_> = (0..3).map(|of| picture(of, PICTURE)).collect();
    let expected = on_cpu("detection", vec![1, 3, 288, 512], &pictures);
    for provider in [Provider::Cuda, Provider::Tensorrt(Tensorrt::default())] {
        let id = if matches!(provider, Provider::Cuda) { "CUDAExecutionProvider" } else { "TensorrtExecutionProvider" };
        let session = session(&device, "detection", provider);
        assert!(session.placement().expect("on a device").nodes(id) > 30);
        let shapes = session.shapes(vec![vec![1, 3, 288, 512]]).expect("it runs");
        let mut camera = Camera::new(&device, &session, vec![shapes]);
        control(library("libcuda.so.1"), r#"{"cuda":{"copy_ms":5}}"#);
        for (picture, expected) in pictures.iter().zip(&expected) {
            assert!(camera.run(picture).expect("it runs") == *expected);
        }
        control(library("libcuda.so.1"), r#"{"cuda":{"copy_ms":0}}"#);
    }
    assert_eq!(statistics(library(LIBRARY))["sessions"], 0);
    assert_eq!(statistics(library(LIBRARY))["device_tensors"], 0);
    assert!(device.memory().is_empty(), "{:?}", device.memory());
}

#[test]
fn users_of_one_session_take_turns() {
    let (_turn, device) = turn();
    let pictures: Vec<_> = (0..4).map(|of| picture(of, PICTURE)).collect();
    let expected = on_cpu("detection", vec![1, 3, 288, 512], &pictures);
    let session = session(&device, "detection", Provider::Cuda);
    control(library(LIBRARY), r#"{"onnxruntime":{"slow_ms":3}}"#);
    let shapes = session.shapes(vec![vec![1, 3, 288, 512]]).expect("it runs");
    let together = Barrier::new(pictures.len());
    std::thread::scope(|scope| {
        for (picture, expected) in pictures.iter().zip(&expected) {
            let (device, session, shapes, together) = (&device, &session, &shapes, &together);
            scope.spawn(move || {
                device.bind().expect("a context");
                let mut camera = Camera::new(device, session, vec![shapes.clone()]);
                together.wait();
                for _ in 0..4 {
                    assert!(camera.run(picture).expect("it runs") == *expected);
                }
            });
        }
    });
    assert_eq!(misuse(library(LIBRARY), "runs-overlap"), 0);
}

#[test]
fn one_set_of_buffers_serves_several_batches() {
    let (_turn, device) = turn();
    let session = session(&device, "reid", Provider::Cuda);
    let shapes = |batch| session.shapes(vec![vec![batch, 3, 128, 64]]).expect("it runs");
    let all = vec![shapes(1), shapes(2), shapes(4)];
    let mut camera = Camera::new(&device, &session, all);
    for (choice, batch) in [(2, 4_i64), (0, 1), (1, 2), (2, 4)] {
        let crops = picture(choice, 3 * 128 * 64 * batch as usize);
        camera.binding.choose(choice).expect("there are three");
        assert_eq!(camera.binding.shapes().outputs, [vec![batch, 128]]);
        let expected = on_cpu("reid", vec![batch, 3, 128, 64], std::slice::from_ref(&crops)).remove(0);
        assert!(camera.run(&crops).expect("it runs") == expected, "batch {batch}");
    }
    assert!(camera.binding.choose(3).is_err());
}

#[test]
fn buffers_that_a_run_could_harm_are_refused() {
    let (_turn, device) = turn();
    let session = session(&device, "detection", Provider::Cuda);
    let shapes = session.shapes(vec![vec![1, 3, 288, 512]]).expect("it runs");
    let (stream, other) = (Stream::new(&device).expect("a stream"), Stream::new(&device).expect("a stream"));
    let output = elements(&shapes.outputs[0]);
    let bind = |inputs, outputs| session.bind_device(stream.clone(), vec![shapes.clone()], inputs, outputs).map(|_| ());
    for (inputs, outputs, words) in [
        (
            vec![tensor(&stream, PICTURE - 1)],
            vec![tensor(&stream, output)],
            "takes 1769472 bytes, its buffer has 1769468",
        ),
        (vec![tensor(&stream, PICTURE)], vec![tensor(&stream, output - 1)], "\"output0\""),
        (vec![tensor(&stream, PICTURE)], vec![tensor(&other, output)], "belongs to another stream"),
        (vec![], vec![tensor(&stream, output)], "0 buffers for 1 inputs"),
    ] {
        let error = bind(inputs, outputs).expect_err("must be refused").to_string();
        assert!(error.contains(words), "{error}");
    }
    let owner = device.owner("test");
    let shared = |len| SharedTensor::new(ElementType::F32, &stream, &owner, len).expect("memory");
    let (input, output) = (shared(PICTURE), shared(output));
    let bound = session.bind_device(stream.clone(), vec![shapes.clone()], vec![input], vec![output]);
    assert!(bound.map(|_| ()).expect_err("must be refused").to_string().contains("is shared"));

    let mut camera = Camera::new(&device, &session, vec![shapes.clone()]);
    let replaced = tensor(camera.binding.stream(), PICTURE);
    // Kept alive: the new one could be where the old one was.
    let _before = std::mem::replace(camera.binding.input_mut(0).expect("an input"), replaced);
    let error = camera.binding.run().expect_err("must be refused").to_string();
    assert!(error.contains("was exchanged"), "{error}");
}

#[test]
fn a_failed_run_harms_no_later_one() {
    let (_turn, device) = turn();
    let picture = picture(1, PICTURE);
    let expected = on_cpu("detection", vec![1, 3, 288, 512], std::slice::from_ref(&picture)).remove(0);
    let session = session(&device, "detection", Provider::Cuda);
    let shapes = session.shapes(vec![vec![1, 3, 288, 512]]).expect("it runs");
    let mut camera = Camera::new(&device, &session, vec![shapes]);
    control(library(LIBRARY), r#"{"onnxruntime":{"fail_run":2}}"#);
    assert!(camera.run(&picture).expect("the first one runs") == expected);
    let error = camera.run(&picture).expect_err("the second one fails").to_string();
    assert!(error.contains("a failure that was asked for"), "{error}");
    assert!(camera.run(&picture).expect("the third one runs") == expected);
}
