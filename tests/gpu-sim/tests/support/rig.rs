//! A small engine with all that it needs to run.

use gpu_sim::plan::{Plan, Target};

use super::cuda::*;
use super::tensorrt::*;
use super::{control, library, statistics, turn};

pub const SIDE: i64 = 64;
const PIXELS: usize = 3 * 64 * 64;
pub const INPUT_BYTES: usize = PIXELS * 4;

/// The blob detector's plan.
pub fn plan(of: TensorRt) -> Vec<u8> {
    plan_for(&format!("{}.{}.{}", of.major, of.version() / 100 % 100, of.version() % 100), "8.7")
}

pub fn plan_for(tensorrt: &str, compute_capability: &str) -> Vec<u8> {
    let target = Target {
        tensorrt: tensorrt.to_owned(),
        compute_capability: compute_capability.to_owned(),
        precision: "fp32".to_owned(),
    };
    Plan::build("blob", test_models::blob_detector(64, 64, 32), &[], &target).expect("it fits").to_bytes()
}

/// A plan of any model with fixed shapes.
pub fn plan_of(name: &str, model: Vec<u8>, of: TensorRt) -> Vec<u8> {
    let target = Target {
        tensorrt: format!("{}.{}.{}", of.major, of.version() / 100 % 100, of.version() % 100),
        compute_capability: "8.7".to_owned(),
        precision: "fp16".to_owned(),
    };
    Plan::build(name, model, &[], &target).expect("it fits").to_bytes()
}

/// A grey picture with a bright square.
pub fn picture() -> Vec<f32> {
    let bright = |i: usize| (24..40).contains(&(i % 64)) && (24..40).contains(&(i / 64 % 64));
    (0..PIXELS).map(|i| if bright(i) { 1.0 } else { 0.2 }).collect()
}

/// An engine with one context, its buffers and stream.
pub struct Rig {
    pub of: TensorRt,
    pub runtime: Object,
    pub engine: Object,
    pub context: Object,
    pub stream: usize,
    pub input: usize,
    pub output: usize,
    pub host: usize,
    pub output_bytes: usize,
}

impl Rig {
    pub fn new(of: TensorRt) -> Self {
        let runtime = of.runtime();
        let engine = of.deserialize(runtime, &plan(of));
        assert!(!engine.is_null(), "{:#?}", lines());
        Self::with(of, runtime, engine, 0)
    }

    pub fn with(of: TensorRt, runtime: Object, engine: Object, strategy: i32) -> Self {
        let context = of.context(engine, strategy);
        assert!(!context.is_null(), "{:#?}", lines());
        let shape = of.shape(context, "output0");
        let output_bytes = shape.iter().product::<i64>() as usize * 4;
        let rig = Self {
            of,
            runtime,
            engine,
            context,
            stream: stream(),
            input: device(INPUT_BYTES),
            output: device(output_bytes),
            host: pinned(output_bytes, 0xEE),
            output_bytes,
        };
        assert_eq!(cuMemcpyHtoD_v2(rig.input, picture().as_ptr() as usize, INPUT_BYTES), 0);
        assert!(of.set_address(context, "images", rig.input));
        assert!(of.set_address(context, "output0", rig.output));
        rig
    }

    pub fn run(&self) -> Option<Vec<f32>> {
        if !self.of.enqueue(self.context, self.stream) {
            return None;
        }
        assert_eq!(cuMemcpyDtoHAsync_v2(self.host, self.output, self.output_bytes, self.stream), 0);
        assert_eq!(cuStreamSynchronize(self.stream), 0);
        Some(
            bytes(self.host, self.output_bytes)
                .as_chunks::<4>()
                .0
                .iter()
                .map(|word| f32::from_ne_bytes(*word))
                .collect(),
        )
    }

    /// All but engine and runtime.
    pub fn drop_context(&self) {
        destroy(self.context);
        let gone = [
            cuMemFree_v2(self.input),
            cuMemFree_v2(self.output),
            cuMemFreeHost(self.host),
            cuStreamDestroy_v2(self.stream),
        ];
        assert_eq!(gone, [0; 4]);
    }

    pub fn drop_all(self) {
        self.drop_context();
        destroy(self.engine);
        destroy(self.runtime);
    }
}

/// Runs a test for each major, faults reset and nothing left behind.
pub fn for_both(test: impl Fn(TensorRt)) {
    let _turn = turn();
    for of in both() {
        let _ready = Ready::new();
        control(of.library, r#"{"tensorrt":{"reset":true}}"#);
        lines();
        test(of);
        control(of.library, r#"{"tensorrt":{"reset":true}}"#);
        let left = &statistics(of.library)["objects"];
        assert_eq!(left, &serde_json::json!({}), "left behind in {}", of.major);
        assert_eq!(statistics(library("libcuda.so.1"))["used_bytes"], 0);
    }
}
