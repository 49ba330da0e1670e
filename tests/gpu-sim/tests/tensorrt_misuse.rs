//! What the simulated TensorRT does not let pass.

mod support;

use gpu_sim::plan::{Plan, Profile, Range, Target};
use support::cuda::*;
use support::rig::*;
use support::tensorrt::*;
use support::{control, library, misuse, turn};

#[test]
fn what_was_not_set_is_named() {
    for_both(|of| {
        let rig = Rig::new(of);
        let bare = of.context(rig.engine, 0);
        assert!(!of.enqueue(bare, rig.stream));
        assert_logged("Address is not set for input tensor images");
        assert!(of.set_address(bare, "images", rig.input));
        assert!(!of.enqueue(bare, rig.stream));
        assert_logged("Neither address or allocator is set for output tensor output0");
        assert!(!of.set_address(bare, "images", rig.input + 4));
        assert_logged("not aligned to 256 bytes");
        assert!(!of.set_shape(bare, "images", &[1, 3, 32, 32]));
        assert_logged("Static dimension mismatch");
        assert_eq!(misuse(of.library, "address-not-set"), 2);
        assert_eq!((misuse(of.library, "misaligned"), misuse(of.library, "shape-outside-profile")), (1, 1));
        destroy(bare);
        rig.drop_all();
    });
}

#[test]
fn profiles_limit_dynamic_shapes() {
    for_both(|of| {
        let model = test_models::wrong::batch_is_dynamic();
        let graph = gpu_sim::onnx::read(&model).expect("a model");
        let input = &graph.inputs[0];
        let of_batch =
            |batch| input.shape.iter().map(|extent| if *extent < 0 { batch } else { *extent }).collect::<Vec<_>>();
        let range = Range { min: of_batch(1), opt: of_batch(2), max: of_batch(3) };
        let profile: Profile = [(input.name.clone(), range)].into();
        let version = of.version();
        let target = Target {
            tensorrt: format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100),
            compute_capability: "8.7".to_owned(),
            precision: "fp32".to_owned(),
        };
        let plan = Plan::build("batch", model, &[profile], &target).expect("it fits").to_bytes();
        let runtime = of.runtime();
        let engine = of.deserialize(runtime, &plan);
        let context = of.context(engine, 0);
        assert!(!of.enqueue(context, 0));
        assert_logged("Not all shapes are specified");
        assert!(!of.set_shape(context, &input.name, &of_batch(4)));
        assert_logged("does not satisfy any optimization profiles. Valid range for profile 0");
        assert!(of.set_shape(context, &input.name, &of_batch(2)));
        assert_eq!(of.shape(context, &input.name), of_batch(2));
        destroy(context);
        destroy(engine);
        destroy(runtime);
    });
}

#[test]
fn a_context_in_flight_may_not_be_enqueued_elsewhere_or_destroyed() {
    for_both(|of| {
        let rig = Rig::new(of);
        rig.run();
        control(of.library, r#"{"tensorrt":{"slow_ms":60}}"#);
        let other = stream();
        assert!(of.enqueue(rig.context, rig.stream));
        assert!(!of.enqueue(rig.context, other));
        assert_logged("has not finished");
        assert!(of.enqueue(rig.context, rig.stream), "the same stream keeps the order");
        rig.drop_context();
        assert_eq!(misuse(of.library, "context-in-flight"), 1);
        assert_eq!(misuse(of.library, "destroyed-in-flight"), 1);
        assert_eq!(cuStreamDestroy_v2(other), 0);
        destroy(rig.engine);
        destroy(rig.runtime);
    });
}

#[test]
fn destruction_out_of_order_is_counted() {
    for_both(|of| {
        let rig = Rig::new(of);
        destroy(rig.runtime);
        destroy(rig.engine);
        assert_eq!(misuse(of.library, "destroyed-before-children"), 2);
        rig.drop_context();
    });
}

#[test]
fn user_managed_scratch_is_checked() {
    for_both(|of| {
        let runtime = of.runtime();
        let engine = of.deserialize(runtime, &plan(of));
        let first = Rig::with(of, runtime, engine, 2);
        let second = Rig::with(of, runtime, engine, 2);
        let size = of.scratch(engine);
        assert!(first.run().is_none());
        assert_logged("needs");
        let scratch = device(size as usize);
        of.set_memory(first.context, scratch, size - 256);
        assert!(first.run().is_none());
        of.set_memory(first.context, scratch, size);
        of.set_memory(second.context, scratch, size);
        assert!(first.run().is_some());
        assert_eq!((misuse(of.library, "scratch-not-set"), misuse(of.library, "scratch-too-small")), (1, 1));
        control(of.library, r#"{"tensorrt":{"slow_ms":80}}"#);
        assert!(of.enqueue(first.context, first.stream));
        assert!(of.enqueue(second.context, second.stream));
        assert_eq!((cuStreamSynchronize(first.stream), cuStreamSynchronize(second.stream)), (0, 0));
        assert_eq!(misuse(of.library, "scratch-shared"), 1);
        first.drop_context();
        second.drop_context();
        assert_eq!(cuMemFree_v2(scratch), 0);
        destroy(engine);
        destroy(runtime);
    });
}

#[test]
fn two_threads_in_one_context_are_noticed() {
    for_both(|of| {
        let rig = Rig::new(of);
        rig.run();
        control(of.library, r#"{"tensorrt":{"slow_ms":200}}"#);
        let (context, addresses) = (rig.context as usize, [rig.input, rig.output]);
        // It returns when the execution is done.
        let executing = std::thread::spawn(
            move || call!((context as Object), of.slot(16, 15), *const usize: addresses.as_ptr() => bool),
        );
        while !executing.is_finished() && misuse(of.library, "context-two-threads") == 0 {
            of.shape(rig.context, "output0");
        }
        assert!(executing.join().expect("no panic"));
        assert!(misuse(of.library, "context-two-threads") > 0);
        rig.drop_all();
    });
}

#[test]
fn an_address_of_freed_memory_is_an_illegal_access() {
    let _turn = turn();
    for of in both() {
        let ready = Ready::new();
        let rig = Rig::new(of);
        rig.run();
        assert_eq!(cuMemFree_v2(rig.input), 0);
        assert!(of.enqueue(rig.context, rig.stream), "errors of an execution come later");
        assert_eq!(cuStreamSynchronize(rig.stream), 700);
        drop(ready);
        control(library("libcuda.so.1"), r#"{"cuda":{"reset":true}}"#);
        let _ready = Ready::new();
        [rig.context, rig.engine, rig.runtime].into_iter().for_each(destroy);
        assert_eq!((cuMemFree_v2(rig.output), cuMemFreeHost(rig.host), cuStreamDestroy_v2(rig.stream)), (0, 0, 0));
    }
}
