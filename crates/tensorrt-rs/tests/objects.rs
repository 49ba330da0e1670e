//! Engines and contexts: values arrive whole, objects end in the right order, nothing is left.

mod common;

use std::sync::Arc;

use common::Fake;
use tensorrt_rs::enums::{
    AllocationStrategy, DataType, EngineStat, HardwareCompatibility, ProfilingVerbosity, TensorFormat, TensorIOMode,
};
use tensorrt_rs::{Dims, Engine, Error, Runtime, RuntimeOptions, lifecycle};

const PLAN: &[u8] = b"PLAN of a model";

fn engine(fake: &Fake) -> Arc<Engine> {
    let runtime = Runtime::new(&fake.library(), &RuntimeOptions::default()).expect("a runtime");
    runtime.deserialize(PLAN).expect("an engine")
}

fn dims(shape: &[i64]) -> Dims {
    Dims::new(shape).expect("at most 8")
}

#[test]
fn an_engine_describes_its_tensors() {
    for fake in Fake::both() {
        let engine = engine(&fake);
        assert_eq!((engine.name(), engine.profile_count()), ("fake engine", 2));
        let images = engine.tensor("images").expect("an input");
        assert_eq!((images.mode, images.data_type), (TensorIOMode::Input, DataType::Float));
        assert_eq!(images.shape, dims(&[-1, 3, 640, 640]));
        let batches: Vec<_> = images.ranges.iter().map(|range| range.max.as_slice()[0]).collect();
        assert_eq!(batches, [4, 5]);
        assert_eq!(images.byte_len(&dims(&[2, 3, 4, 5]), 0), Some(2 * 3 * 4 * 5 * 4));
        let features = engine.tensor("features").expect("an output");
        assert_eq!(features.layouts[1].format, TensorFormat::Chw4);
        assert_eq!(features.layouts[1].description, "a layout in words");
        // Five channels in fours are eight.
        assert_eq!(features.byte_len(&dims(&[1, 5, 2, 2]), 1), Some(8 * 2 * 2));
        assert_eq!(features.byte_len(&dims(&[-1, 5, 2, 2]), 1), None);
        let scores = engine.tensor("scores").expect("an output");
        assert_eq!(scores.shape, dims(&[-1, 7, 1 << 33]));
        let error = engine.tensor("image").expect_err("no such tensor");
        assert_eq!(error.to_string(), "tensor \"image\" is not in the engine, which has images, scores, features");
        assert_eq!((engine.inputs().count(), engine.outputs().count()), (1, 2));
    }
}

#[test]
fn an_engine_answers_questions() {
    for fake in Fake::both() {
        let engine = engine(&fake);
        assert_eq!(engine.device_memory_size().expect("bytes"), (1 << 33) + 5);
        assert_eq!(engine.device_memory_size_for_profile(1).expect("bytes"), 1001);
        let error = engine.device_memory_size_for_profile(2).expect_err("no such profile");
        assert_eq!(error.to_string(), "profile 2: the engine has 2");
        assert_eq!(engine.stat(EngineStat::StrippedWeightsSize).expect("bytes"), 51);
        assert_eq!((engine.layer_count().expect("layers"), engine.aux_stream_count().expect("streams")), (3, 4));
        assert!(engine.is_refittable().expect("an answer"));
        assert_eq!(engine.hardware_compatibility().expect("a level"), HardwareCompatibility::AmperePlus);
        assert_eq!(engine.profiling_verbosity().expect("a level"), ProfilingVerbosity::Detailed);
        assert_eq!(*engine.serialize().expect("a plan"), *PLAN);
    }
}

#[test]
fn an_inspector_writes_json_and_lets_go_of_the_context() {
    for fake in Fake::both() {
        let engine = engine(&fake);
        let mut inspector = engine.create_inspector().expect("an inspector");
        assert_eq!(inspector.engine_json().expect("json"), "{\"context\":false,\"format\":1}");
        assert_eq!(inspector.layer_json(2).expect("json"), "{\"layer\":2,\"format\":1}");
        assert!(inspector.layer_json(3).is_err());
        let mut context = engine.create_context().expect("a context");
        assert_eq!(inspector.context_json(&mut context).expect("json"), "{\"context\":true,\"format\":1}");
        drop(context);
        assert_eq!(inspector.engine_json().expect("json"), "{\"context\":false,\"format\":1}");
        drop(engine);
        drop(inspector);
        fake.assert_clean();
    }
}

#[test]
fn a_context_takes_shapes_addresses_and_memory() {
    for fake in Fake::both() {
        let engine = engine(&fake);
        let mut context = engine.create_context_with(AllocationStrategy::UserManaged).expect("a context");
        context.set_name("gate").expect("a name");
        assert_eq!(context.name().expect("a name"), "gate");
        let error = context.infer_shapes().expect_err("no shape yet");
        assert!(error.to_string().contains("\"images\" among them"), "{error}");
        let error = context.set_input_shape("images", &[5, 3, 640, 640]).expect_err("profile 0 ends at 4");
        assert_eq!(error.to_string(), "tensor \"images\" is 5x3x640x640, profile 0 allows 1x3x640x640 to 4x3x640x640");
        // SAFETY: the fake has no streams.
        unsafe { context.set_optimization_profile_async(1, std::ptr::null_mut()).expect("profile 1") };
        assert!(!context.all_input_dimensions_specified().expect("an answer"));
        context.set_input_shape("images", &[5, 3, 640, 640]).expect("profile 1 allows 5");
        assert!(context.all_input_dimensions_specified().expect("an answer"));
        context.infer_shapes().expect("all shapes");
        assert_eq!(context.tensor_shape("scores").expect("a shape"), dims(&[5, 7, 1 << 33]));
        assert_eq!(context.tensor_strides("images").expect("strides").as_slice()[3], 1);
        assert_eq!(context.max_output_size("scores").expect("bytes"), 7777);
        assert_eq!(context.required_bytes("features").expect("bytes"), 5 * 8 * 2 * 2);
        assert_eq!(context.update_device_memory_size_for_shapes().expect("bytes"), 1000);
        let address: *mut std::ffi::c_void = std::ptr::without_provenance_mut(0x7f00_0000_1000);
        // SAFETY: the fake only keeps addresses.
        unsafe {
            let error = context.set_tensor_address("images", address.wrapping_byte_add(16)).expect_err("misaligned");
            assert!(error.to_string().ends_with("TensorRT needs it aligned to 256 bytes"), "{error}");
            context.set_tensor_address("images", address).expect("aligned");
            context.set_device_memory_v2(address, 1000).expect("user-managed");
            context.enqueue_v3(std::ptr::null_mut()).expect("queued");
        }
        assert_eq!(context.tensor_address("images").expect("an address"), address.cast_const());
        let mut other = engine.create_context().expect("a context");
        // SAFETY: as above.
        let error = unsafe { other.set_device_memory_v2(address, 1000) }.expect_err("static");
        assert!(matches!(error, Error::Argument(_)));
    }
}

#[test]
fn a_failure_to_make_a_context_says_why() {
    for fake in Fake::both() {
        let engine = engine(&fake);
        fake.set("no-context", 1);
        let error = engine.create_context().expect_err("no memory");
        assert!(error.to_string().ends_with("Error Code 2: OutOfMemory (no device memory)"), "{error}");
    }
}

#[test]
fn objects_end_contexts_first_in_whatever_order_they_are_dropped() {
    for fake in Fake::both() {
        let runtime = Runtime::new(&fake.library(), &RuntimeOptions::default()).expect("a runtime");
        let engine = runtime.deserialize(PLAN).expect("an engine");
        let first = engine.create_context().expect("a context");
        let second = engine.create_context().expect("a context");
        fake.journal();
        drop(runtime);
        drop(engine);
        assert_eq!(fake.journal(), [""; 0], "the contexts hold both");
        drop(first);
        assert_eq!(fake.journal(), ["~context"]);
        drop(second);
        assert_eq!(fake.journal(), ["~context", "~engine", "~runtime"]);
        fake.assert_clean();
    }
}

#[test]
fn a_plan_outlives_its_engine() {
    for fake in Fake::both() {
        let engine = engine(&fake);
        let plan = engine.serialize().expect("a plan");
        drop(engine);
        assert_eq!(*plan, *PLAN);
        drop(plan);
        fake.assert_clean();
    }
}

#[test]
fn copies_are_engines_of_their_own() {
    for fake in Fake::both() {
        let runtime = Runtime::new(&fake.library(), &RuntimeOptions::default()).expect("a runtime");
        let copies = runtime.deserialize_copies(PLAN, 3).expect("three engines");
        assert!(!Arc::ptr_eq(&copies[0], &copies[1]));
        fake.journal();
        drop(copies);
        assert_eq!(fake.journal(), ["~engine"; 3]);
    }
}

#[test]
fn contexts_can_live_on_other_threads_and_engines_be_shared() {
    for fake in Fake::both() {
        let engine = engine(&fake);
        std::thread::scope(|scope| {
            for batch in 1..=4 {
                let engine = &engine;
                scope.spawn(move || {
                    for _ in 0..20 {
                        let mut context = engine.create_context().expect("a context");
                        context.set_input_shape("images", &[batch, 3, 640, 640]).expect("in the profile");
                        assert_eq!(context.tensor_shape("scores").expect("a shape").as_slice()[0], batch);
                    }
                });
            }
        });
        drop(engine);
        fake.assert_clean();
    }
}

#[test]
fn the_life_cycle_lock_holds_off_other_threads_and_not_its_own() {
    let fake = Fake::new(10);
    let engine = engine(&fake);
    let outer = lifecycle::lock();
    let inner = lifecycle::lock();
    let context = engine.create_context().expect("this thread has the lock");
    drop(outer);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(engine.create_context().expect("a context"));
            sender.send(()).expect("somebody listens");
        });
        let waited = receiver.recv_timeout(std::time::Duration::from_millis(50));
        assert!(waited.is_err(), "the inner guard still holds the lock");
        drop(inner);
        receiver.recv().expect("now it goes on");
    });
    drop(context);
}
