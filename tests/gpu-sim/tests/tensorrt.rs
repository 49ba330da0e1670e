//! The simulated TensorRT, both majors in one process, as a program that opens it sees it.

mod support;

use std::ffi::{CStr, CString, c_char, c_void};

use support::cuda::*;
use support::rig::*;
use support::tensorrt::*;
use support::{control, library, statistics};
use test_models::onnx::{Dim, Element, Graph};

/// The same picture through ONNX Runtime itself.
fn onnx_runtime(picture: &[f32]) -> Vec<f32> {
    let beside = || {
        let exe = std::env::current_exe().expect("a path");
        exe.ancestors().map(|dir| dir.join(".deps/onnxruntime/libonnxruntime.so")).find(|path| path.exists())
    };
    let library = std::env::var_os("ORT_DYLIB_PATH").map(std::path::PathBuf::from).or_else(beside);
    let runtime = onnxruntime::Runtime::load(&library.expect("ONNX Runtime; set ORT_DYLIB_PATH")).expect("it loads");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("blob.onnx");
    std::fs::write(&path, test_models::blob_detector(64, 64, 32)).expect("a file");
    let session =
        onnxruntime::Session::open(&runtime, &path, onnxruntime::SessionOptions { threads: 1 }).expect("a model");
    let mut binding = session.bind(&[vec![1, 3, SIDE, SIDE]]).expect("buffers");
    binding.input_mut::<f32>(0).expect("floats").copy_from_slice(picture);
    binding.run().expect("it runs");
    binding.output::<f32>(0).expect("floats").1.to_vec()
}

#[test]
fn versions_are_numeric_and_the_log_says_simulated() {
    for_both(|of| {
        assert_eq!(of.version(), if of.major == 10 { 101_601 } else { 110_400 });
        destroy(of.runtime());
        let lines = lines();
        assert!(lines.iter().any(|(severity, line)| *severity == 3 && line.contains("a simulator")), "{lines:?}");
    });
}

#[test]
fn a_model_runs_as_onnx_runtime_runs_it() {
    for_both(|of| {
        let rig = Rig::new(of);
        let answer = rig.run().expect("it runs");
        assert_eq!(answer, onnx_runtime(&picture()));
        assert_eq!(rig.run().expect("again"), answer);
        rig.drop_all();
    });
}

#[test]
fn an_engine_describes_its_tensors() {
    for_both(|of| {
        let rig = Rig::new(of);
        let name = |index: i32| {
            let name = call!(rig.engine, of.slot(31, 27), i32: index => *const c_char);
            // SAFETY: TensorRT's names are NUL-terminated and live as long as the engine.
            unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
        };
        assert_eq!(call!(rig.engine, of.slot(30, 26) => i32), 2);
        assert_eq!([name(0), name(1)], ["images", "output0"]);
        let images = c"images".as_ptr();
        assert_eq!(call!(rig.engine, of.slot(23, 19), *const c_char: images => i32), 1);
        assert_eq!(call!(rig.engine, of.slot(20, 16), *const c_char: images => i32), 0);
        let shape = call!(rig.engine, of.slot(29, 25), *const c_char: images, i32: 0, i32: 2 => Dims).shape();
        assert_eq!(shape, [1, 3, SIDE, SIDE]);
        let unknown = call!(rig.engine, of.slot(19, 15), *const c_char: c"pixels".as_ptr() => Dims);
        assert_eq!(unknown.0, -1);
        assert_logged("Given invalid tensor name: pixels");
        rig.drop_all();
    });
}

/// `max(x, 0)` of 16-bit floats.
fn half_relu(shape: &[i64]) -> Vec<u8> {
    let dims: Vec<_> = shape.iter().map(|length| Dim::Fixed(*length)).collect();
    let mut graph = Graph::new();
    let input = graph.input("images", Element::F32, &dims);
    graph.node("output0", "Relu", &[&input], &[]);
    graph.output("output0", Element::F32, &dims);
    let mut model = graph.into_model("half", "Written by hand, for tests.");
    // `elem_type: 1, shape` of both tensors becomes 10, which is FLOAT16.
    let float: Vec<_> = (0..model.len() - 2).filter(|at| model[*at..at + 3] == [0x08, 1, 0x12]).collect();
    assert_eq!(float.len(), 2);
    float.into_iter().for_each(|at| model[at + 1] = 10);
    model
}

#[test]
fn tensors_of_half_precision_pass() {
    for_both(|of| {
        let (runtime, stream) = (of.runtime(), stream());
        let engine = of.deserialize(runtime, &plan_of("half", half_relu(&[2, 16]), of));
        assert!(!engine.is_null(), "{:#?}", lines());
        let context = of.context(engine, 0);
        assert_eq!(call!(engine, of.slot(20, 16), *const c_char: c"output0".as_ptr() => i32), 1);
        // 1, -2, 0.5 and the largest finite number, in IEEE 754 binary16.
        let halves = [0x3c00_u16, 0xc000, 0x3800, 0x7bff].repeat(8);
        let (input, output) = (device(64), device(64));
        assert_eq!(cuMemcpyHtoD_v2(input, halves.as_ptr() as usize, 64), 0);
        assert!(of.set_address(context, "images", input) && of.set_address(context, "output0", output));
        assert!(of.enqueue(context, stream), "{:#?}", lines());
        assert_eq!(cuStreamSynchronize(stream), 0);
        let mut answer = vec![0_u16; 32];
        assert_eq!(cuMemcpyDtoH_v2(answer.as_mut_ptr() as usize, output, 64), 0);
        assert_eq!(answer, [0x3c00, 0, 0x3800, 0x7bff].repeat(8));
        [context, engine, runtime].into_iter().for_each(destroy);
        assert_eq!((cuMemFree_v2(input), cuMemFree_v2(output), cuStreamDestroy_v2(stream)), (0, 0, 0));
    });
}

#[test]
fn outputs_are_old_until_the_stream_gets_there() {
    for_both(|of| {
        let rig = Rig::new(of);
        rig.run();
        control(of.library, r#"{"tensorrt":{"slow_ms":80}}"#);
        assert_eq!(cuMemsetD8Async(rig.output, 0, rig.output_bytes, rig.stream), 0);
        assert!(of.enqueue(rig.context, rig.stream));
        assert_eq!(cuMemcpyDtoHAsync_v2(rig.host, rig.output, rig.output_bytes, rig.stream), 0);
        // SAFETY: pinned memory of this size.
        unsafe { std::ptr::write_bytes(rig.host as *mut u8, 0xEE, rig.output_bytes) };
        assert_eq!(bytes(rig.host, 4), [0xEE; 4]);
        assert_eq!(cuStreamSynchronize(rig.stream), 0);
        assert_ne!(bytes(rig.host, rig.output_bytes), vec![0xEE; rig.output_bytes]);
        rig.drop_all();
    });
}

#[test]
fn plans_that_do_not_fit_are_refused_in_words() {
    for_both(|of| {
        let runtime = of.runtime();
        let good = plan(of);
        let mut flipped = good.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        let cases = [
            (good[..good.len() / 2].to_vec(), "Size specified in header does not match archive size"),
            (b"ftrt and so on".to_vec(), "Magic tag does not match"),
            (flipped, "Checksum does not match"),
            (
                plan_for("10.3.0", "8.7"),
                "Error Code 6: API Usage Error (The engine plan file is not compatible with this version of TensorRT, \
                 expecting library version",
            ),
            (
                plan_for(&format!("{}.{}.{}", of.major, of.version() / 100 % 100, of.version() % 100), "8.6"),
                "Error Code 6: API Usage Error (The engine plan file is generated on an incompatible device, \
                 expecting compute 8.7 got compute 8.6, please rebuild.)",
            ),
        ];
        for (plan, words) in cases {
            assert!(of.deserialize(runtime, &plan).is_null(), "{words}");
            assert_logged(words);
        }
        destroy(runtime);
    });
}

#[test]
fn memory_is_accounted_by_owner() {
    for_both(|of| {
        let runtime = of.runtime();
        let plan = plan(of);
        let engine = of.deserialize(runtime, &plan);
        let context = of.context(engine, 0);
        let memory = statistics(library("libcuda.so.1"))["memory"].clone();
        assert_eq!(memory["TensorRT weights"]["bytes"], plan.len());
        assert_eq!(memory["TensorRT context, scratch"]["bytes"], of.scratch(engine));
        let managed = of.context(engine, 2);
        let memory = statistics(library("libcuda.so.1"))["memory"].clone();
        assert_eq!(memory["TensorRT context, scratch"]["count"], 1);
        assert_eq!(memory["TensorRT context, persistent"]["count"], 2);
        [context, managed, engine, runtime].into_iter().for_each(destroy);
    });
}

fn parser(of: TensorRt, network: Object, logger_owner: Object) -> Object {
    let name = if of.major == 10 { "libnvonnxparser.so.10" } else { "libnvonnxparser.so.11" };
    let logger = call!(logger_owner, of.slot(16, 13) => *mut c_void);
    // SAFETY: the entry has this type.
    unsafe {
        let create: libloading::Symbol<unsafe extern "C" fn(Object, *mut c_void, i32) -> Object> =
            library(name).get(b"createNvOnnxParser_INTERNAL\0").expect("an entry");
        create(network, logger, 100)
    }
}

#[test]
fn builder_and_parser_make_a_plan_that_runs() {
    for_both(|of| {
        let builder = of.builder();
        let network = call!(builder, of.slot(8, 6), u32: 0 => Object);
        let parser = parser(of, network, builder);
        let rubbish = b"no model";
        assert!(
            !call_bare!(parser, 0, *const u8: rubbish.as_ptr(), usize: rubbish.len(), *const c_char: std::ptr::null() => bool)
        );
        assert_eq!(call_bare!(parser, of.slot(5, 3) => i32), 1);
        let error = call_bare!(parser, of.slot(6, 4), i32: 0 => Object);
        let words = call_bare!(error, 1 => *const c_char);
        // SAFETY: the parser's words are NUL-terminated and live until its errors are cleared.
        assert!(unsafe { CStr::from_ptr(words) }.to_string_lossy().contains("not an ONNX model"));
        call_bare!(parser, of.slot(7, 5) => ());
        let model = test_models::blob_detector(64, 64, 32);
        assert!(
            call_bare!(parser, 0, *const u8: model.as_ptr(), usize: model.len(), *const c_char: std::ptr::null() => bool)
        );
        assert_eq!(call!(network, 14 => i32), 1);
        let input = call!(network, 15, i32: 0 => Object);
        assert_eq!(call!(input, 5 => Dims).shape(), [1, 3, SIDE, SIDE]);
        let name = CString::new("blob").expect("no NUL");
        call!(network, 30, *const c_char: name.as_ptr() => ());
        let config = call!(builder, of.slot(7, 5) => Object);
        let memory = call!(builder, of.slot(14, 11), Object: network, Object: config => Object);
        assert!(!memory.is_null(), "{:#?}", lines());
        let (data, size) = (call!(memory, 2 => *const u8), call!(memory, 3 => usize));
        // SAFETY: the memory is alive and has this size.
        let plan = unsafe { std::slice::from_raw_parts(data, size) }.to_vec();
        [memory, config].into_iter().for_each(destroy);
        call_bare!(parser, of.slot(9, 7) => ());
        [network, builder].into_iter().for_each(destroy);
        let runtime = of.runtime();
        let engine = of.deserialize(runtime, &plan);
        let rig = Rig::with(of, runtime, engine, 0);
        assert!(rig.run().is_some());
        rig.drop_all();
    });
}
