//! From an ONNX model to a plan: what `engine build` does with TensorRT.
//!
//! Nothing here touches files: bytes come in, a plan, a log and a timing cache go out.

mod examine;
mod explain;
mod limits;
mod phases;
mod profile;
mod workshop;

pub use examine::Examined;
pub(in crate::inference) use examine::examine;
pub use limits::Limits;
pub use phases::{Phases, View, remaining};
pub use workshop::{Arithmetic, BuildError, Built, Dla, Job, Request, Workshop};
