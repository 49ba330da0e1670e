//! `INetworkDefinition` and its tensors. A network is what a parser put into it; layers cannot be added one by one.

mod tensor;

use std::ffi::{CString, c_char, c_void};
use std::sync::Mutex;

use gpu_sim::onnx;
use gpu_sim::report::lock;
use sim_nvinfer_abi::{Interface, Object, method, methods, text};

use crate::library::current;
use tensor::Tensor;

/// A network and the tensors that belong to it.
pub(crate) struct Network {
    flags: u32,
    builder: usize,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    name: CString,
    model: Vec<u8>,
    layers: i32,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    recorder: usize,
}

impl Network {
    pub(crate) fn new(builder: *const c_void, flags: u32) -> Self {
        Self { flags, builder: builder as usize, content: Mutex::default() }
    }

    /// Types are the model's own: a flag in 10.x, always so in 11.x.
    pub(crate) fn is_strongly_typed(&self) -> bool {
        current().major > 10 || self.flags & 1 << 1 != 0
    }

    /// Its name and ONNX model; an empty model: nothing was parsed.
    pub(crate) fn content(&self) -> (String, Vec<u8>) {
        let content = lock(&self.content);
        (content.name.to_string_lossy().into_owned(), content.model.clone())
    }
}

/// Fills a network; `false` where it is null or the model cannot be read.
pub(crate) fn set_model(network: *mut c_void, model: &[u8]) -> bool {
    let (Some(network), Ok(graph)) = (Object::behind::<Network>(network), onnx::read(model)) else {
        return false;
    };
    let mut content = lock(&network.content);
    let create = |tensors: &[onnx::Tensor], input| -> Vec<usize> {
        let object = |tensor: &onnx::Tensor| Object::create(current(), Tensor::new(tensor, input).into()) as usize;
        tensors.iter().map(object).collect()
    };
    content.inputs = create(&graph.inputs, true);
    content.outputs = create(&graph.outputs, false);
    content.layers = graph.nodes.len() as i32;
    content.model = model.to_vec();
    true
}

impl Drop for Network {
    fn drop(&mut self) {
        let content = lock(&self.content);
        for tensor in content.inputs.iter().chain(&content.outputs) {
            Object::destroy::<Tensor>(*tensor as *mut Object);
        }
    }
}

impl Interface for Network {
    const CLASS: &'static str = "VNetworkDefinition";
    const INTERFACE: &'static str = "INetworkDefinition";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "getNbLayers" => layers,
            "getNbInputs" => inputs,
            "getInput" => input,
            "getNbOutputs" => outputs,
            "getOutput" => output,
            "setName" => set_name,
            "getName" => get_name,
            "hasImplicitBatchDimension" => no,
            "setErrorRecorder" => set_recorder,
            "getErrorRecorder" => get_recorder,
            "getBuilder" => builder,
            "getFlags" => flags,
            "getFlag" => flag,
        }
    }
}

extern "C" fn no(_: *const c_void) -> bool {
    false
}

extern "C" fn layers(this: *const c_void) -> i32 {
    lock(&method::<Network>(this).content).layers
}

extern "C" fn inputs(this: *const c_void) -> i32 {
    lock(&method::<Network>(this).content).inputs.len() as i32
}

extern "C" fn outputs(this: *const c_void) -> i32 {
    lock(&method::<Network>(this).content).outputs.len() as i32
}

fn at(tensors: &[usize], index: i32) -> usize {
    usize::try_from(index).ok().and_then(|index| tensors.get(index)).copied().unwrap_or(0)
}

extern "C" fn input(this: *const c_void, index: i32) -> usize {
    at(&lock(&method::<Network>(this).content).inputs, index)
}

extern "C" fn output(this: *const c_void, index: i32) -> usize {
    at(&lock(&method::<Network>(this).content).outputs, index)
}

extern "C" fn set_name(this: *const c_void, name: *const c_char) {
    // SAFETY: TensorRT asks its callers for NUL-terminated names.
    lock(&method::<Network>(this).content).name = CString::new(unsafe { text(name) }).unwrap_or_default();
}

extern "C" fn get_name(this: *const c_void) -> *const c_char {
    lock(&method::<Network>(this).content).name.as_ptr()
}

extern "C" fn set_recorder(this: *const c_void, recorder: usize) {
    lock(&method::<Network>(this).content).recorder = recorder;
}

extern "C" fn get_recorder(this: *const c_void) -> usize {
    lock(&method::<Network>(this).content).recorder
}

extern "C" fn builder(this: *const c_void) -> usize {
    method::<Network>(this).builder
}

extern "C" fn flags(this: *const c_void) -> u32 {
    method::<Network>(this).flags
}

extern "C" fn flag(this: *const c_void, flag: u32) -> bool {
    method::<Network>(this).flags & 1 << (flag & 31) != 0
}
