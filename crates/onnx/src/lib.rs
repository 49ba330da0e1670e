//! ONNX model files as data: nothing here runs a model.
//!
//! [`Model`] is a whole file, read and written without loss. [`Model::facts`] tells what is in it. The others make a new
//! model of one:
//!
//! - [`with_outputs`] also gives inner tensors, so that their ranges can be measured with any runtime;
//! - [`quantise`] makes layers INT8, in the explicit form that TensorRT 10 and 11 and ONNX Runtime take, from [`Ranges`]
//!   that a [`Histogram`] per tensor of [`conv_inputs`] has found;
//! - [`to_half`] makes it FP16 where TensorRT 11 takes types from the model only.
//!
//! ```no_run
//! use std::path::Path;
//!
//! let model = onnx::Model::read(Path::new("model.onnx"))?;
//! println!("{} parameters", model.facts().parameters);
//! let (half, report) = onnx::to_half(&model)?;
//! std::fs::write("model-fp16.onnx", half.to_bytes()).expect("the folder can be written");
//! println!("{} tensors are f16 now", report.converted);
//! # Ok::<(), onnx::Error>(())
//! ```
#![forbid(unsafe_code)]

mod element;
mod error;
mod facts;
mod half;
mod histogram;
mod model;
mod names;
mod opset;
mod outputs;
mod proto;
mod quantise;
mod ranges;
mod tensor;
mod types;
mod weighted;
mod wire;

pub use crate::half::{HalfReport, to_half};
pub use error::Error;
pub use facts::{Dim, Facts, TensorFacts, Weights};
pub use histogram::{Calibration, Histogram};
pub use model::{MOST_BYTES, Model};
pub use outputs::with_outputs;
pub use quantise::{QuantReport, quantise};
pub use ranges::{Ranges, RangesFile};
pub use weighted::{ActivationPoint, conv_inputs};
