use std::ffi::{CStr, c_char};

/// `nvinfer1::Dims`: a shape passed by value or by reference; 72 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// Number of dimensions; -1: there is no such tensor, or an error.
    pub count: i32,
    /// The dimensions.
    pub extents: [i64; 8],
}

impl Dims {
    /// What stands for "no such tensor".
    pub const NONE: Self = Self { count: -1, extents: [0; 8] };

    /// A shape of at most eight dimensions; more give [`Dims::NONE`].
    #[must_use]
    pub fn new(shape: &[i64]) -> Self {
        let mut dims = Self { count: i32::try_from(shape.len()).unwrap_or(-1), extents: [0; 8] };
        match dims.extents.get_mut(..shape.len()) {
            Some(extents) => extents.copy_from_slice(shape),
            None => return Self::NONE,
        }
        dims
    }

    /// The shape; empty where there is none.
    #[must_use]
    pub fn shape(&self) -> &[i64] {
        usize::try_from(self.count).ok().and_then(|count| self.extents.get(..count)).unwrap_or_default()
    }
}

/// A caller's C string; empty where it is null.
///
/// # Safety
/// `text` is null or NUL-terminated, and stays so for the call.
#[must_use]
pub unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: it is not null, so the caller vouches for it.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
