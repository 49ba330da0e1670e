//! The simulated ONNX parser: one source for `libnvonnxparser.so.10` and `.11`, whose packages only export it.

mod error;
mod parser;

pub use parser::{api_version, create_parser};

/// Exports the library's functions for one major version.
#[macro_export]
macro_rules! export {
    ($major:literal) => {
        use ::std::ffi::c_void;

        #[unsafe(no_mangle)]
        unsafe extern "C" fn createNvOnnxParser_INTERNAL(
            network: *mut c_void,
            logger: *mut c_void,
            _version: i32,
        ) -> *mut c_void {
            // SAFETY: TensorRT asks the same of its callers.
            unsafe { $crate::create_parser($major, network, logger) }
        }

        #[unsafe(no_mangle)]
        extern "C" fn getNvOnnxParserVersion() -> i32 {
            $crate::api_version($major)
        }
    };
}
