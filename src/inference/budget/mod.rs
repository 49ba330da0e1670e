//! What a configuration takes of a device, memory and time: arithmetic over what is known of its engines. Nothing here
//! touches a device.
//!
//! ```text
//! engine <model>    weights                                   once per copy, measured
//! activations       the largest of all models                 once, where runtime.concurrency = "serial"
//! camera <id>       activations, besides                      per model: told by TensorRT, measured
//!                   tensors, candidates                       per model: computed
//!                   pictures, frames                          per camera: computed
//! ```
//!
//! Owners are those of the metric `device_memory_bytes`. How large buffers are is asked of those who allocate them:
//! [`gpu::FrameUpload`], [`gpu::kernels::Candidates`], and `Buffer`, which contexts are made by.

mod buffers;
mod frames;
mod memory;
mod model;
mod refused;
mod time;

#[cfg(test)]
mod tests;

pub use buffers::next_batch;
pub(in crate::inference) use buffers::{Buffer, pictures};
pub use frames::{ASSUMED_FPS, ASSUMED_SIZE, Frames, frames};
pub use memory::{Basis, Line, Machine, Part, camera, engine, scratch, serial_saves};
pub use model::{Filter, ModelNeed, io};
pub use refused::{Refused, admit_all, megabytes};
pub use time::{ASSUMED_PEOPLE, Runner, Use, Work, busiest};

/// Kept back of what is free: later allocations of drivers and libraries, and what is lost because device memory is handed
/// out in blocks of 2 MiB.
pub const RESERVE: u64 = 64 << 20;
