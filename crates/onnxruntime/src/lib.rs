//! ONNX Runtime, found at run time.
//!
//! The `ort` crate does the loading and owns the objects. This crate adds what it lacks here: one session for many
//! threads, device memory that the caller owns, and proof that a provider really runs the model.
//!
//! # On the CPU
//!
//! `ort`'s `Session::run` wants `&mut self`, so a session could serve one thread only. ONNX Runtime itself documents
//! `Run` as safe to call from several threads on one session, and sharing it is both the fastest and the leanest
//! arrangement. [`Session::open`] gives a [`Session`] that is shared; a [`Binding`] has the buffers of one user and is
//! used through `&mut`.
//!
//! # On an NVIDIA GPU
//!
//! [`Session::open_on`] takes a [`Provider`], a device and a [`ComputeStream`]. The session that comes back runs on
//! that provider, or there is an error that says what is missing and what to do:
//!
//! - Registration must succeed. The CPU build of the library, a missing `libcudnn.so.9`, a driver that is too old: each
//!   is [`Error::Unavailable`], with ONNX Runtime's words.
//! - `session.disable_cpu_ep_fallback` is set: a model of which a node would be left for the CPU is
//!   [`Error::Placement`]. Arithmetic on shapes counts too where it cannot be done beforehand, which is so for open
//!   dimensions only: export such models with fixed ones.
//! - The first run is recorded by ONNX Runtime's profiler, which names the provider of each node that ran.
//!   [`Placement`] is what it said, and a session whose provider ran nothing is not handed out.
//!
//! A [`DeviceBinding`] binds inputs and outputs to device memory that the caller owns, so nothing passes through the
//! host. Memory and streams are known by the traits of `tensorrt-rs`, [`DeviceBuffer`] and [`Stream`], so that whoever
//! drives CUDA keeps one promise for both.
//!
//! ## One run at a time
//!
//! A run has finished when it returns, and the runs of a session take turns. ONNX Runtime allows concurrent `Run` on
//! the CUDA provider, yet a session has one user stream and, for it, one cuBLAS and one cuDNN handle, neither of which
//! bears two threads; and users who run one CUDA session from several threads report illegal addresses (`ort` issue
//! 348). The TensorRT provider serialises runs anyway, and waits for the stream inside (ONNX Runtime pull request
//! 19301). So work of several users overlaps between sessions, not inside one. A second session of the same model
//! buys overlap for a second copy of weights and work space in device memory.
//!
//! Sessions are opened and ended one after the other in the whole process, also beside `tensorrt-rs`'s objects: two
//! CUDA sessions that are created at once can break each other. After `tensorrt_rs::lifecycle::abandon` sessions on a
//! device are leaked, not ended.

mod binding;
mod device;
mod error;
mod library;
mod model;
mod placement;
mod provider;
mod registration;
mod run;
mod session;
mod stream;
mod value;

pub use binding::Binding;
pub use device::DeviceBinding;
pub use error::Error;
pub use library::{LoadError, Runtime};
pub use model::{ModelInfo, Shapes, TensorInfo};
pub use placement::Placement;
pub use provider::{DeviceOptions, Provider, ShapeRange, Tensorrt};
pub use session::{Session, SessionOptions};
pub use stream::ComputeStream;

pub use ort::value::TensorElementType as ElementType;
pub use tensorrt_rs::{DeviceBuffer, Stream};
