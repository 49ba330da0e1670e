//! Shapes as TensorRT passes them: by value, 72 bytes.

use std::fmt;

/// Most dimensions of a tensor.
pub const MAX_DIMS: usize = 8;

/// A shape of at most eight dimensions; -1 is a dimension decided at run time.
///
/// Layout of TensorRT's `Dims64`: a count, padding, eight 64-bit extents. Returned by value it travels in
/// the hidden result buffer, as any Rust `#[repr(C)]` struct of its size does.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Dims {
    count: i32,
    extents: [i64; MAX_DIMS],
}

impl Dims {
    /// No dimension: a scalar.
    pub const SCALAR: Self = Self { count: 0, extents: [0; MAX_DIMS] };

    /// A shape; `None` for more than eight dimensions.
    #[must_use]
    pub fn new(shape: &[i64]) -> Option<Self> {
        let mut dims = Self { count: i32::try_from(shape.len()).ok()?, extents: [0; MAX_DIMS] };
        dims.extents.get_mut(..shape.len())?.copy_from_slice(shape);
        Some(dims)
    }

    /// False where TensorRT answered "no such tensor" (a negative count) or nonsense.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        usize::try_from(self.count).is_ok_and(|count| count <= MAX_DIMS)
    }

    /// The extents; empty where the shape is not valid.
    #[must_use]
    pub fn as_slice(&self) -> &[i64] {
        usize::try_from(self.count).ok().and_then(|count| self.extents.get(..count)).unwrap_or(&[])
    }

    /// True where every extent is known.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.is_valid() && self.as_slice().iter().all(|&extent| extent >= 0)
    }

    /// Number of elements; `None` where an extent is open or the product overflows.
    #[must_use]
    pub fn volume(&self) -> Option<u64> {
        if !self.is_valid() {
            return None;
        }
        self.as_slice().iter().try_fold(1u64, |volume, &extent| volume.checked_mul(u64::try_from(extent).ok()?))
    }
}

impl PartialEq for Dims {
    fn eq(&self, other: &Self) -> bool {
        self.is_valid() == other.is_valid() && self.as_slice() == other.as_slice()
    }
}

impl Eq for Dims {}

impl fmt::Display for Dims {
    /// `1x3x640x640`; an open dimension is `?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_valid() {
            return f.write_str("(no shape)");
        }
        if self.count == 0 {
            return f.write_str("scalar");
        }
        for (index, &extent) in self.as_slice().iter().enumerate() {
            let cross = if index == 0 { "" } else { "x" };
            if extent < 0 { write!(f, "{cross}?")? } else { write!(f, "{cross}{extent}")? }
        }
        Ok(())
    }
}

impl fmt::Debug for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
