//! TensorRT's objects as a library makes them: vtables laid out by the slot table of the version that is simulated,
//! objects that notice use after destruction, and the way to a caller's logger and error recorder.

mod dims;
mod logger;
mod missing;
mod object;
mod slots;
mod version;

pub use dims::{Dims, text};
pub use logger::{ErrorCode, Logger, Recorder, Severity, Sink};
pub use object::{Class, Interface, Object, live, method};
pub use version::{Version, version};
