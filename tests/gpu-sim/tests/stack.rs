//! The crates that the daemon drives a GPU with, on the simulated one: safe code only, from a plan to answers.

mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex, PoisonError};

use gpu::{Device, Stream};
use support::camera::{Camera, MAJORS, device};
use tensorrt_rs::{Engine, is_myelin_failure};

/// Faults are the process's, and the driver is initialised once in it, so no test resets it.
static TURN: Mutex<()> = Mutex::new(());

/// The shipped detector.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../engines/detection/model.onnx");
const INPUT: usize = 3 * 288 * 512;

fn picture(camera: usize) -> Vec<f32> {
    (0..INPUT).map(|i| (i * 31 + camera * 97 + i / 512 * 7) as f32 % 255.0 / 255.0).collect()
}

fn engine(device: &Device, library: &'static str, version: &str) -> Arc<Engine> {
    let model = std::fs::read(MODEL).expect("the shipped model");
    support::camera::engine(device, (library, version), model)
}

/// What is no matter of the model is quicker with a small one.
fn small(device: &Device, major: (&'static str, &str)) -> Arc<Engine> {
    support::camera::engine(device, major, test_models::blob_detector(64, 64, 32))
}

static SMALL_PICTURE: [f32; 3 * 64 * 64] = [0.3; 3 * 64 * 64];

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
    let device = device();
    let mut camera = Camera::new(&device, &small(&device, MAJORS[0]), "camera");
    let other = Stream::new(&device).expect("a stream");
    camera.run(&SMALL_PICTURE).expect("it runs");
    camera.bound().buffer_mut("output0").expect("there is one").hand_over(&other).expect("handed over");
    let error = camera.bound().enqueue().map(|_| ()).expect_err("it belongs elsewhere");
    assert!(error.to_string().contains("belongs to another stream"), "{error}");
}

#[test]
fn a_myelin_failure_is_known_as_one_and_ends_with_a_new_engine() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let picture = SMALL_PICTURE;
    for (library, version) in MAJORS {
        let device = device();
        let first = small(&device, (library, version));
        let mut camera = Camera::new(&device, &first, "camera");
        let expected = camera.run(&picture).expect("it runs").to_vec();
        support::control(support::library(library), r#"{"tensorrt":{"myelin_every":1}}"#);
        let error = camera.run(&picture).map(|_| ()).expect_err("an injected failure");
        assert!(is_myelin_failure(&error), "{error}");
        support::control(support::library(library), r#"{"tensorrt":{"myelin_every":0}}"#);
        let error = camera.run(&picture).map(|_| ()).expect_err("the engine is poisoned");
        assert!(is_myelin_failure(&error), "{error}");
        drop((camera, first));
        let mut camera = Camera::new(&device, &small(&device, (library, version)), "camera");
        assert_eq!(camera.run(&picture).expect("a new engine runs"), expected);
    }
}
