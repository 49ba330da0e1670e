//! `IEngineInspector`: what an engine is made of, as JSON.

use std::ffi::{CString, c_char, c_void};
use std::sync::Mutex;

use gpu_sim::onnx::Tensor;
use gpu_sim::report::lock;
use serde_json::json;
use sim_nvinfer_abi::{Interface, method, methods};

use crate::engine::Engine;

/// Answers prepared when it was made.
pub(crate) struct Inspector {
    engine: CString,
    layer: CString,
    context: Mutex<usize>,
    recorder: Mutex<usize>,
}

impl Inspector {
    pub(crate) fn new(engine: &Engine) -> Self {
        let header = serde_json::to_value(&engine.header).unwrap_or_default();
        let name = format!("{} (simulated)", engine.name());
        let tensor = |tensor: &Tensor| {
            json!({
                "Name": tensor.name,
                "Location": "Device",
                "Dimensions": tensor.shape,
                "Format/Datatype": format!("Row major linear {}", datatype(tensor.dtype)),
            })
        };
        let tensors = |tensors: &[Tensor]| tensors.iter().map(tensor).collect::<Vec<_>>();
        let layer = if engine.header.names_only {
            json!(name)
        } else {
            json!({
                "Name": name,
                "LayerType": if engine.header.dla_core.is_some() { "DLA" } else { "OnnxRuntime" },
                "Inputs": tensors(&engine.header.inputs),
                "Outputs": tensors(&engine.header.outputs),
                "TacticName": "",
                "StreamId": 0,
                "Metadata": "",
            })
        };
        let bindings: Vec<_> = engine.header.inputs.iter().chain(&engine.header.outputs).map(|io| &io.name).collect();
        let on_gpu = engine.header.on_gpu.iter().map(|name| json!({ "Name": name, "LayerType": "OnnxRuntime" }));
        let layers: Vec<_> = std::iter::once(layer.clone()).chain(on_gpu).collect();
        let whole = json!({ "Layers": layers, "Bindings": bindings, "Simulated": true, "Plan": header });
        let text = |value: serde_json::Value| CString::new(value.to_string()).unwrap_or_default();
        Self { engine: text(whole), layer: text(layer), context: Mutex::new(0), recorder: Mutex::new(0) }
    }
}

/// As TensorRT's inspector writes element types.
fn datatype(number: i32) -> &'static str {
    match number {
        0 => "FP32",
        1 => "FP16",
        2 => "INT8",
        3 => "INT32",
        4 => "Bool",
        5 => "UINT8",
        7 => "BF16",
        8 => "INT64",
        _ => "unknown type",
    }
}

impl Interface for Inspector {
    const CLASS: &'static str = "VEngineInspector";
    const INTERFACE: &'static str = "IEngineInspector";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "getPImpl" => get_interface,
            "setExecutionContext" => set_context,
            "getExecutionContext" => get_context,
            "getLayerInformation" => layer,
            "getEngineInformation" => engine,
            "setErrorRecorder" => set_recorder,
            "getErrorRecorder" => get_recorder,
        }
    }
}

extern "C" fn get_interface(this: *const c_void) -> *const c_void {
    (this as usize - 2 * size_of::<usize>()) as *const c_void
}

extern "C" fn set_context(this: *const c_void, context: usize) -> bool {
    *lock(&method::<Inspector>(this).context) = context;
    true
}

extern "C" fn get_context(this: *const c_void) -> usize {
    *lock(&method::<Inspector>(this).context)
}

extern "C" fn layer(this: *const c_void, index: i32, _format: i32) -> *const c_char {
    if index == 0 { method::<Inspector>(this).layer.as_ptr() } else { std::ptr::null() }
}

extern "C" fn engine(this: *const c_void, _format: i32) -> *const c_char {
    method::<Inspector>(this).engine.as_ptr()
}

extern "C" fn set_recorder(this: *const c_void, recorder: usize) {
    *lock(&method::<Inspector>(this).recorder) = recorder;
}

extern "C" fn get_recorder(this: *const c_void) -> usize {
    *lock(&method::<Inspector>(this).recorder)
}
