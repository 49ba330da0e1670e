//! CUDA device, streams, memory and Watchkeeper's own kernels, on a driver found at run time.
//!
//! [`Driver::load`] finds `libcuda.so.1`, [`Driver::open`] takes a device and has it prove that it computes.
//! A [`Stream`] is a queue of work; a [`DeviceBuffer`], [`PinnedBuffer`] or [`MappedBuffer`] belongs to one and can
//! be used with no other, which is what keeps host and device from meeting in it (see [`memory`]). What each
//! [`Owner`] holds is counted to the byte. [`kernels`] has the work that is Watchkeeper's own.
//!
//! Streams and device memory are what `tensorrt-rs` executes on. A frame's way: [`FrameUpload`] takes a decoded
//! [`picture`] to the device, [`kernels::Letterbox`] makes a [`SharedTensor`] of it, models that are bound to it by
//! [`BoundTensor`] execute, and [`kernels::Candidates`] and [`kernels::Masks`] bring back what they found. All of it is
//! put into the camera's stream, and after the first frame nothing on the way allocates.
//!
//! After a sticky error, [`abandon`] lets the process leave without a call to a driver that would hang or refuse.
//!
//! Nothing here links against CUDA, and nothing here builds with a GPU only.

mod abandon;
mod device;
mod driver;
mod error;
mod event;
pub mod kernels;
mod ledger;
pub mod memory;
mod open;
mod shared;
mod stream;
mod sys;
mod tensor;
mod tensorrt;
mod upload;

pub use abandon::{abandon, is_abandoned};
pub use device::Device;
pub use driver::{DeviceInfo, Driver};
pub use error::{Class, CudaError, Error};
pub use event::{Event, Timing};
pub use ledger::{Held, Kind, Owner, Usage};
pub use memory::{DeviceBuffer, DeviceView, DeviceViewMut, Element, MappedBuffer, PinnedBuffer};
pub use open::OpenError;
pub use shared::{BoundTensor, SharedTensor};
pub use stream::Stream;
pub use tensor::{DeviceTensor, ElementType, HostTensor, TensorView, TensorViewMut};
pub use upload::FrameUpload;

/// Functions of the driver that are used, by their names in its library.
#[must_use]
pub fn driver_functions() -> &'static [&'static str] {
    sys::NAMES
}
