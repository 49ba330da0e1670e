//! A simulated GPU for machines that have none.
//!
//! The libraries themselves are packages of their own beside this one: `cuda` (libcuda.so.1), `nvinfer10` and
//! `nvinfer11` (libnvinfer), `nvonnxparser10` and `nvonnxparser11`. Here is what they share, and what tests use:
//!
//! - [`plan`]: the engine file of the simulated TensorRT, an ONNX model with a header;
//! - [`onnx`]: inputs and outputs of an ONNX model, read without any library;
//! - [`engines`]: plans of a folder of models;
//! - [`report`]: where misuse, leaks and counters go;
//! - [`faults`]: what the `WATCHKEEPER_SIM` environment variable asks for;
//! - [`stage`]: a folder with the libraries under the names that programs load.

pub mod engines;
pub mod faults;
pub mod onnx;
pub mod plan;
pub mod report;
pub mod stage;

/// What the simulated device calls itself.
pub const DEVICE_NAME: &str = "Simulated GPU (CPU)";
