//! What a library without a GPU behind it answers: the build for CPUs, and on machines that have one the build for GPUs.

use std::ffi::c_void;
use std::sync::Arc;

use onnxruntime::{DeviceBuffer, Error, ModelInfo, Provider, Session, SessionOptions, ShapeRange, Shapes, Tensorrt};

mod common;

use common::{Idle, model, on, runtime};

struct NoMemory;

// SAFETY: it claims no byte.
unsafe impl DeviceBuffer for NoMemory {
    fn device_ptr(&self) -> *mut c_void {
        std::ptr::null_mut()
    }

    fn byte_len(&self) -> usize {
        0
    }
}

fn providers() -> [Provider; 2] {
    let range = ShapeRange { input: "images".into(), min: vec![1], opt: vec![1], max: vec![1] };
    [Provider::Cuda, Provider::Tensorrt(Tensorrt { fp16: true, cache: None, ranges: vec![range] })]
}

#[test]
fn a_provider_that_cannot_be_used_is_an_error_that_says_what_to_do_and_never_the_cpu() {
    let runtime = runtime();
    let gpu_build = runtime.providers().iter().any(|name| name == "CUDAExecutionProvider");
    for provider in providers() {
        let Err(error) = Session::open_on(&runtime, &model("detection/model.onnx"), &on(provider.clone())) else {
            panic!("a session on {} without a GPU", provider.name());
        };
        assert!(matches!(error, Error::Unavailable { provider: named, .. } if named == provider.name()), "{error}");
        let words = error.to_string();
        assert!(!words.contains('\n'), "{words}");
        if gpu_build {
            assert!(words.contains(".so"), "{words}");
        } else {
            assert!(words.contains("execution provider is not enabled in this build"), "{words}");
            assert!(words.contains("install ONNX Runtime's GPU build"), "{words}");
        }
        println!("{words}");
    }
}

#[test]
fn the_cpu_provider_is_in_every_build() {
    assert!(runtime().providers().iter().any(|name| name == "CPUExecutionProvider"));
}

#[test]
fn a_cache_folder_that_cannot_be_made_is_named() {
    let tensorrt = Tensorrt { cache: Some("/proc/no/such/folder".into()), ..Tensorrt::default() };
    let options = on(Provider::Tensorrt(tensorrt));
    let error = Session::open_on(&runtime(), &model("detection/model.onnx"), &options).expect_err("no folder in /proc");
    let words = error.to_string();
    assert!(words.contains("/proc/no/such/folder") && words.contains("make that folder writable"), "{words}");
}

#[test]
fn device_memory_is_not_bound_to_a_session_of_the_cpu() {
    let session = Session::open(&runtime(), &model("detection/model.onnx"), SessionOptions { threads: 1 });
    let session = session.expect("the model loads");
    assert!(session.placement().is_none());
    let shapes = session.shapes(vec![vec![1, 3, 288, 512]]).expect("it runs");
    assert_eq!(shapes, Shapes { inputs: vec![vec![1, 3, 288, 512]], outputs: vec![vec![1, 7, 3024]] });
    let bound = session.bind_device(Idle::default(), vec![shapes], vec![NoMemory], vec![NoMemory]);
    let error = bound.err().expect("must be refused").to_string();
    assert!(error.contains("runs on the CPU"), "{error}");
    assert_eq!(Arc::strong_count(&session), 1, "a refused binding keeps nothing");
}

#[test]
fn what_a_model_takes_and_gives_is_read_without_running_it() {
    let info = ModelInfo::read(&runtime(), &model("reid/model.onnx")).expect("the model is read");
    assert_eq!((info.inputs[0].name.as_str(), info.inputs[0].shape.as_slice()), ("images", &[-1, 3, 128, 64][..]));
    assert_eq!((info.outputs[0].name.as_str(), info.outputs[0].shape.as_slice()), ("embedding", &[-1, 128][..]));
}
