//! The binary interface itself: versions, slots, structs, enums and the objects a caller implements.
//!
//! Everything here is data or a one-line mechanism. What a method does, and what its answers mean, is
//! told one floor up, in [`crate::result`].

pub mod callback;
pub mod dims;
pub mod enums;
pub mod flags;
pub mod method;
pub mod slots;
pub mod version;

pub use dims::Dims;
pub use method::{Handle, Interface, Method, Row, Slot};
pub use version::{Major, Version};

#[cfg(not(all(unix, target_pointer_width = "64")))]
compile_error!("tensorrt-rs speaks the Itanium C++ ABI on 64-bit Unix only (x86-64 and aarch64 are the ones checked)");

/// A TensorRT object, seen through a pointer only.
pub type Object = std::ffi::c_void;
