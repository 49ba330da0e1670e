//! The simulated TensorRT: one source for `libnvinfer.so.10` and `libnvinfer.so.11`, whose packages only export it.
//!
//! - `runtime`, `engine`, `context`: what a program meets, in that order; `enqueue` and `execution`: one run, before and
//!   on the stream's thread; `model`: the network itself, on the CPU.
//! - `builder`, `config`, `network`, `profile`, `timing_cache`: from ONNX to a plan.
//! - `host_memory`, `inspector`, `registry`: the rest.
//! - `device`: the simulated libcuda; `allocator`: a caller's own; `faults`: what may go wrong on demand.

mod allocator;
mod builder;
mod config;
mod context;
mod device;
mod engine;
mod enqueue;
mod execution;
mod faults;
mod host_memory;
mod inspector;
mod library;
mod model;
mod network;
mod profile;
mod registry;
mod runtime;
mod timing_cache;

pub use library::*;
