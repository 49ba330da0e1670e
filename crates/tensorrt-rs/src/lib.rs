//! TensorRT 10 and 11 without its headers: found at run time, called through its vtables.
//!
//! A machine without TensorRT builds and tests this crate; a machine with it needs no SDK, no C++ compiler
//! and no rebuild for another version.
//!
//! ```no_run
//! use tensorrt_rs::{Library, Runtime, RuntimeOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // CUDA must be initialised, its context current.
//! let library = Library::load("libnvinfer.so.10")?;
//! let runtime = Runtime::new(&library, &RuntimeOptions::default())?;
//! let engine = runtime.deserialize(&std::fs::read("detection.plan")?)?;
//! for tensor in engine.tensors() {
//!     println!("{} {:?} {}", tensor.name, tensor.mode, tensor.shape);
//! }
//! let context = engine.create_context()?;
//! # drop(context);
//! # Ok(())
//! # }
//! ```
//!
//! # The tour
//!
//! - [`sys`]: the binary interface as data. Slot tables for both majors with the version that brought each
//!   method, shapes and enums, "call slot n", and the layout of objects that the caller implements.
//! - [`result`]: every method used, once, as a typed function on raw handles. It looks up its slot for the
//!   loaded version, refuses where the version lacks it, and makes errors of null, false and of pointers
//!   into the first page.
//! - [`safe`]: owners, re-exported here. [`Library`] > [`Runtime`] > [`Engine`] > [`ExecutionContext`] to
//!   execute plans, [`BoundContext`] to do so without `unsafe`, [`Builder`] and what it makes to build them.
//!
//! # What keeps what alive
//!
//! A context holds its engine, the engine its runtime, the runtime its allocator and error recorder, and
//! all of them the library with the logger, which live as long as the process. In whatever order they are dropped,
//! contexts end before engines and engines before runtimes, the only order that TensorRT allows. Networks,
//! configurations, profiles and timing caches hold their builder; a network holds the parsers that filled it,
//! which own its weights.
//!
//! # Threads
//!
//! | object | may be sent | may be shared | why |
//! |---|---|---|---|
//! | [`Library`], [`Runtime`], [`Engine`], [`HostMemory`] | yes | yes | read-only calls, deserialisation and context creation may overlap; there are no setters on a shared object |
//! | [`ExecutionContext`], [`BoundContext`], [`EngineInspector`] | yes | no | no two calls on one context may overlap; what changes it takes `&mut` |
//! | [`Builder`] and what it makes | no | no | a build is one thread's work |
//! | logger, allocator, progress monitor, error recorder | | | called from TensorRT's own threads: `Send + Sync` is asked for |
//!
//! Source: NVIDIA's developer guide, "How TensorRT Works", Threading, and the comments in TensorRT's headers.
//! Creation and end of runtimes, engines, contexts and builders take the [`lifecycle`] lock on top of that.
//! Contexts of one engine may execute at the same time, one thread and one stream each.
//!
//! # Work under way
//!
//! `enqueueV3` returns before the device has done anything. Until the stream has finished, the context and
//! all its memory are in use. [`ExecutionContext::enqueue_v3`] is therefore `unsafe`: it cannot know whose
//! memory the addresses are. [`BoundContext`] owns the context, the buffers and the stream, waits before it
//! lets anybody change or free them, and is safe; what it asks in return is an `unsafe impl` of
//! [`DeviceBuffer`] and [`Stream`] in the crate that drives CUDA. Contexts of one stream may read the same buffer as
//! their input ([`DeviceBuffer::is_shared`]). [`Scratch`] is activation memory that
//! user-managed contexts share by taking turns.
//!
//! After a sticky CUDA error (700, 719 and kin) nothing can be saved: [`lifecycle::abandon`] everything and leave the
//! process. After a Myelin failure ([`is_myelin_failure`]) drop the context and the engine and load
//! the plan again.
//!
//! # Errors
//!
//! TensorRT answers null or false and writes why to its log. Every line of that log goes to `tracing`, target
//! `tensorrt` (errors as ERROR, warnings as WARN, information as DEBUG, the rest as TRACE), and an [`Error`]
//! quotes the lines that the failed call wrote: those of the calling thread, and where there is no error among
//! them, the errors of other threads, which can be another caller's.
//!
//! # What was checked, and how
//!
//! - Slots, signatures, struct size, enum numbers: against TensorRT's headers by a C++ compiler
//!   (`tests/conformance.rs`; last run with 10.0, 10.1, 10.3, 10.6 to 10.9, 10.13, 10.16, 11.0, 11.1 and 11.4), and
//!   against vtables that g++ lays out for a fake TensorRT of our own (`tests/methods.rs`): every method of the
//!   tables is called in both majors and reaches the method of its name. The parser's header was at hand for 10.16
//!   and 11.x only; its slots used here are taken as equal in 10.3 to 10.13.
//! - Owners: order of destruction, objects left alive, log lines and errors from other threads, failures of
//!   all kinds, with the fake.
//! - The real lean libraries 10.16.1 and 11.4.0 on a machine without a GPU: they load, log through our logger in
//!   both layouts, and their failure is reported (`tests/lean.rs`).
//! - Not confirmed on a real GPU: the methods of runtime, engine, context, inspector, builder and parser in
//!   NVIDIA's own binaries. A wrong table would show at the first call, which asks a fresh object for its logger and
//!   compares the answer; [`Error::Table`] then ends it.
//!
//! Only 64-bit Unix; x86-64 and aarch64 have the same slots. `VNetworkDefinition` of 10.8 has its slots from 63
//! on one higher than its neighbours; none of those is used.

pub mod lifecycle;
pub mod result;
pub mod safe;
pub mod sys;

mod error;

pub use error::{Error, is_myelin_failure, is_myelin_line};
pub use result::onnx::OnnxError;
pub use safe::{
    BoundContext, Builder, BuilderConfig, DeviceBuffer, Engine, EngineInspector, ExecutionContext, HostMemory,
    InFlight, Layout, Library, LogCollector, LogLine, Network, NetworkTensor, OnnxParser, OnnxParserLibrary,
    OptimizationProfile, PlanReader, PluginLibrary, ProfileRange, RecordedError, Runtime, RuntimeOptions, Scratch,
    Stream, TENSOR_ALIGNMENT, TensorInfo, TimingCache, Upload,
};
pub use sys::callback::{GpuAllocator, Progress, StreamReader};
pub use sys::enums;
pub use sys::flags::{BuilderFlag, NetworkFlag, OnnxParserFlag, PreviewFeature, TacticSource};
pub use sys::{Dims, Major, Version};
