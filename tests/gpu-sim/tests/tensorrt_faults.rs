//! Faults of the simulated TensorRT.

mod support;

use support::cuda::*;
use support::rig::*;
use support::tensorrt::*;
use support::{control, library, turn};

#[test]
fn a_runtime_without_cuda_is_a_small_number() {
    let _turn = turn();
    for of in both() {
        control(library("libcuda.so.1"), r#"{"cuda":{"devices":0}}"#);
        lines();
        assert_eq!(of.runtime() as usize, 0x228);
        assert_logged("CUDA initialization failure with error: 100");
    }
}

#[test]
fn a_runtime_can_be_refused_alone() {
    for_both(|of| {
        control(of.library, r#"{"tensorrt":{"fail_runtime":true}}"#);
        assert_eq!(of.runtime() as usize, 0x228);
        assert_logged("CUDA initialization failure");
        control(of.library, r#"{"tensorrt":{"fail_runtime":false}}"#);
        destroy(of.runtime());
    });
}

#[test]
fn a_plan_of_another_model_of_gpu_is_loaded_with_a_warning() {
    for_both(|of| {
        let runtime = of.runtime();
        let mut plan = gpu_sim::plan::Plan::from_bytes(&plan(of)).expect("whole");
        plan.header.device = "Orin".to_owned();
        let engine = of.deserialize(runtime, &plan.to_bytes());
        assert!(!engine.is_null());
        let words = "Using an engine plan file across different models of devices is not recommended";
        assert!(lines().iter().any(|(severity, line)| *severity == 2 && line.contains(words)));
        destroy(engine);
        destroy(runtime);
    });
}

#[test]
fn a_myelin_failure_can_come_later_than_its_enqueue() {
    for_both(|of| {
        let rig = Rig::new(of);
        let good = rig.run().expect("it runs");
        let faults = r#"{"tensorrt":{"myelin_every":1,"myelin_heals":true,"myelin_asynchronous":true}}"#;
        control(of.library, faults);
        lines();
        assert_eq!(cuMemsetD8Async(rig.output, 0, rig.output_bytes, rig.stream), 0);
        let answer = rig.run().expect("enqueue says that all is well");
        assert_logged("Error Code 1: Myelin ([executor.cpp:myelinGraphLoad");
        assert!(answer.iter().all(|value| *value == 0.0), "outputs stay as they were");
        control(of.library, r#"{"tensorrt":{"reset":true}}"#);
        assert_eq!(rig.run(), Some(good));
        rig.drop_all();
    });
}

#[test]
fn overlapping_enqueues_fail_as_myelin_does_until_the_engine_is_loaded_anew() {
    for_both(|of| {
        let runtime = of.runtime();
        let engine = of.deserialize(runtime, &plan(of));
        let first = Rig::with(of, runtime, engine, 0);
        let second = Rig::with(of, runtime, engine, 0);
        control(of.library, r#"{"tensorrt":{"myelin_overlap":true,"slow_ms":60}}"#);
        assert!(first.run().is_some() && second.run().is_some(), "one after the other works");
        assert!(of.enqueue(first.context, first.stream));
        assert!(!of.enqueue(second.context, second.stream));
        assert_logged("Error Code 1: Myelin ([executor.cpp:myelinGraphLoad");
        assert_eq!(cuStreamSynchronize(first.stream), 0);
        assert!(first.run().is_none(), "the engine is poisoned");
        first.drop_context();
        second.drop_context();
        destroy(engine);
        let engine = of.deserialize(runtime, &plan(of));
        let again = Rig::with(of, runtime, engine, 0);
        assert!(again.run().is_some());
        again.drop_context();
        destroy(engine);
        destroy(runtime);
    });
}

#[test]
fn one_engine_can_fail_every_other_run() {
    for_both(|of| {
        let rig = Rig::new(of);
        control(of.library, r#"{"tensorrt":{"engine":"pose","myelin_every":2,"myelin_heals":true}}"#);
        assert!((0..4).all(|_| rig.run().is_some()), "another engine is meant");
        control(of.library, r#"{"tensorrt":{"engine":"blob"}}"#);
        let runs: Vec<bool> = (0..4).map(|_| rig.run().is_some()).collect();
        assert_eq!(runs, [true, false, true, false]);
        rig.drop_all();
    });
}

#[test]
fn enqueues_contexts_and_deserialisation_fail_on_demand() {
    for_both(|of| {
        let rig = Rig::new(of);
        control(of.library, r#"{"tensorrt":{"fail_enqueue":2,"fail_context":1,"fail_deserialize":1}}"#);
        assert!(rig.run().is_some());
        assert!(rig.run().is_none());
        assert!(rig.run().is_some());
        lines();
        assert!(of.context(rig.engine, 0).is_null());
        assert_logged("OutOfMemory");
        assert!(of.deserialize(rig.runtime, &plan(of)).is_null());
        control(of.library, r#"{"tensorrt":{"reset":true,"wrong_outputs":true}}"#);
        let wrong = rig.run();
        control(of.library, r#"{"tensorrt":{"fail_enqueue":2,"fail_enqueue_onwards":true}}"#);
        assert_eq!([0; 4].map(|_| rig.run().is_some()), [true, false, false, false]);
        control(of.library, r#"{"tensorrt":{"fail_enqueue":0}}"#);
        control(of.library, r#"{"tensorrt":{"wrong_outputs":false}}"#);
        assert_ne!(rig.run(), wrong);
        rig.drop_all();
    });
}

#[test]
fn no_device_memory_no_engine() {
    for_both(|of| {
        let runtime = of.runtime();
        control(library("libcuda.so.1"), r#"{"cuda":{"fail_allocation":1}}"#);
        assert!(of.deserialize(runtime, &plan(of)).is_null());
        assert_logged("OutOfMemory");
        control(library("libcuda.so.1"), r#"{"cuda":{"fail_allocation":0}}"#);
        destroy(runtime);
    });
}
