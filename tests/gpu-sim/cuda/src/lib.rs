//! A simulated `libcuda.so.1`: the CUDA driver API, as far as a video analytics daemon uses it, on the CPU.
//!
//! - `driver`: faults, the sticky error and the gate every call passes; `result` has CUDA's error numbers.
//! - `device`, `context`: one or more devices with a primary context each.
//! - `memory`: allocations at addresses where no memory is; only the simulator's own threads reach the bytes.
//! - `stream`: a thread per stream that does what it is given, in order and later; `event`; `copy`.
//! - `module`: kernels found in PTX by name, run as their host builds.
//! - `sim`: control, counters and what the simulated TensorRT needs.
//!
//! README.md of the package above lists the faults that can be asked for.

mod context;
mod copy;
mod device;
mod driver;
mod event;
mod faults;
mod memory;
mod module;
mod result;
mod sim;
mod stream;
mod unsupported;

/// Holds a stream's thread for as long as a hanging GPU was asked for.
fn fault_hang() {
    while driver::hangs() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
