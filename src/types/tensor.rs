//! What a model takes and gives: descriptions of tensors, and borrowed tensors.

use std::fmt;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// 32-bit float.
    F32,
    /// 16-bit float, IEEE 754.
    F16,
    /// 16-bit float, upper half of an `f32`.
    Bf16,
    /// 64-bit float.
    F64,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 8 bits.
    U8,
    /// Bool, one byte.
    Bool,
    /// Any other.
    Other,
}

impl ElementType {
    /// The word in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::Bool => "bool",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A model's input or output as the model file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name in the model.
    pub name: String,
    /// Dimensions, outermost first; negative: known only when the model runs.
    pub shape: Vec<i64>,
    /// Element type.
    pub element: ElementType,
}

/// As `f32[1,3,416,416]`, an open dimension as `?`; without the name.
impl fmt::Display for TensorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.element)?;
        for (i, &dim) in self.shape.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            if dim < 0 { write!(f, "{comma}?")? } else { write!(f, "{comma}{dim}")? }
        }
        f.write_str("]")
    }
}

/// All inputs and outputs of a model, in the model's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelIo {
    /// What it takes.
    pub inputs: Vec<TensorSpec>,
    /// What it gives.
    pub outputs: Vec<TensorSpec>,
}

/// Elements of a borrowed tensor, row-major without gaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TensorData<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// Signed, 64 bits.
    I64(&'a [i64]),
    /// Signed, 32 bits.
    I32(&'a [i32]),
    /// Unsigned, 8 bits.
    U8(&'a [u8]),
    /// Of a detector's table in 32-bit floats, what a device let through.
    Survivors(Survivors<'a>),
}

/// The boxes of a detector's table that score well enough, in the table's order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survivors<'a> {
    /// Rows of `width` values: place in the table and class (both as bits), score (NaN where one of its scores is),
    /// centre x and y, width, height, and what the task adds.
    pub rows: &'a [f32],
    /// Values of a row.
    pub width: usize,
    /// Elements of the whole table.
    pub of: usize,
}

impl<'a> Survivors<'a> {
    /// Values of a row before those that the task adds.
    pub const HEAD: usize = 7;

    /// The rows, one box each.
    pub fn boxes(&self) -> impl Iterator<Item = Survivor> + use<'a> {
        self.rows.chunks_exact(self.width.max(Self::HEAD)).map(|row| Survivor {
            class: row[1].to_bits(),
            score: row[2],
            centre_size: [row[3], row[4], row[5], row[6]],
        })
    }
}

/// A box that scores well enough, in input pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survivor {
    /// Its best class.
    pub class: u32,
    /// That class's score; NaN where one of its scores is.
    pub score: f32,
    /// Centre x and y, width, height.
    pub centre_size: [f32; 4],
}

impl TensorData<'_> {
    /// Type of the elements.
    #[must_use]
    pub const fn element(&self) -> ElementType {
        match self {
            Self::F32(_) | Self::Survivors(_) => ElementType::F32,
            Self::I64(_) => ElementType::I64,
            Self::I32(_) => ElementType::I32,
            Self::U8(_) => ElementType::U8,
        }
    }

    /// Number of elements; of survivors: of the table that they are from.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::F32(data) => data.len(),
            Self::I64(data) => data.len(),
            Self::I32(data) => data.len(),
            Self::U8(data) => data.len(),
            Self::Survivors(survivors) => survivors.of,
        }
    }

    /// True without elements.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A borrowed tensor, as a model gave it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TensorRef<'a> {
    /// Dimensions, outermost first; their product is the number of elements.
    pub shape: &'a [usize],
    /// The elements.
    pub data: TensorData<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_prints_type_and_dimensions() {
        let spec = |shape: &[i64], element| TensorSpec { name: "x".into(), shape: shape.to_vec(), element }.to_string();
        assert_eq!(spec(&[-1, 3, 416, 640], ElementType::F32), "f32[?,3,416,640]");
        assert_eq!(spec(&[], ElementType::I64), "i64[]");
    }
}
