//! Small ONNX models for tests and benches, made without any machine learning.
//!
//! [`blob_detector`] really looks at its picture and finds bright blobs; [`lookup_detector`] always gives the same
//! answer and costs nothing, so that everything around inference can be measured; [`wrong`] holds models that a loader
//! must refuse. All use opset 13, which ONNX Runtime and TensorRT 10 both read.
//!
//! [`shipped`] is the blob detector that comes with the source. [`onnx`] writes the models and `protobuf` the bytes.

mod blob;
mod lookup;
pub mod onnx;
mod protobuf;
pub mod shipped;
pub mod wrong;

pub use blob::blob_detector;
pub use lookup::{Layout, Object, lookup_detector};

/// The name of the input of every model here: `f32[1, 3, height, width]`, RGB, 0..1.
pub const INPUT: &str = "images";
/// The name of the output of every model here.
pub const OUTPUT: &str = "output0";
