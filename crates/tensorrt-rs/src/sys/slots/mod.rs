//! The slot tables: for every method this crate calls, its place in 10.x and in 11.x, the minor version
//! that brought it, and its C signature.
//!
//! The numbers come from compilers, not from counting: TensorRT's own headers from 10.0.0 to 11.4.0,
//! compiled by g++ and by clang, vtables compared entry by entry. `tests/conformance.rs` repeats the
//! check against any headers at hand. Answers of C++ type `bool` arrive as `u8`, since a callee may leave
//! the upper bits of the register as they were.

mod build;
mod execution;
mod onnx;
pub mod runtime;

pub use build::{builder, config, network, profile, tensor, timing_cache};
pub use execution::{context, engine, host_memory, inspector};
pub use onnx::{parser, parser_error};

use super::method::Row;

/// A NUL-terminated string.
pub type Text = *const std::ffi::c_char;
/// A `cudaStream_t`, which is a `CUstream`.
pub type RawStream = *mut std::ffi::c_void;

/// All rows of all tables.
#[must_use]
pub fn all() -> Vec<Row> {
    [
        runtime::ROWS,
        engine::ROWS,
        context::ROWS,
        host_memory::ROWS,
        inspector::ROWS,
        builder::ROWS,
        config::ROWS,
        network::ROWS,
        tensor::ROWS,
        profile::ROWS,
        timing_cache::ROWS,
        parser::ROWS,
        parser_error::ROWS,
    ]
    .concat()
}

/// `at(3)`: slot 3 from the major's first release on.
const fn at(index: u16) -> Option<super::Slot> {
    since(0, index)
}

/// `since(7, 23)`: slot 23, from minor version 7 on.
const fn since(minor: u16, index: u16) -> Option<super::Slot> {
    Some(super::Slot { index, since: minor })
}

/// One interface: its marker type, the class that declares its methods, and a line per method:
/// constant, name, slot in 10.x, slot in 11.x, signature without the object.
macro_rules! interface {
    (
        $(#[$doc:meta])*
        $marker:ident = $public:literal in $class:literal, forwards: $forwards:literal, serialised: $serialised:literal,
        destroy: $destroy:expr;
        $($name:ident $method:literal [$ten:expr, $eleven:expr] ($($argument:ty),*) $(-> $answer:ty)?;)*
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $marker;

        impl Interface for $marker {
            const NAME: &'static str = $public;
            const FORWARDS: bool = $forwards;
            const SERIALISED: bool = $serialised;
            const DESTROY: Option<Row> = $destroy;
        }

        $(
            #[doc = concat!("`", $class, "::", $method, "`")]
            pub const $name: Method<$marker, unsafe extern "C" fn(*mut Object, $($argument),*) $(-> $answer)?> =
                // SAFETY: the signature is that of the method in TensorRT's headers, in all versions that the row
                // names (see the module's text for how rows and signatures were checked).
                unsafe {
                    Method::new(Row {
                        interface: $class,
                        name: $method,
                        signature: stringify!(($($argument),*) $(-> $answer)?),
                        ten: $ten,
                        eleven: $eleven,
                    })
                };
        )*

        /// All rows of this interface.
        pub const ROWS: &[Row] = &[$($name.row()),*];
    };
}
use interface;
