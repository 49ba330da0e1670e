//! Element types: the numbers of "TensorProto.DataType", and their words.

pub(crate) const FLOAT: i32 = 1;
pub(crate) const INT8: i32 = 3;
pub(crate) const INT32: i32 = 6;
pub(crate) const INT64: i32 = 7;
pub(crate) const BOOL: i32 = 9;
pub(crate) const FLOAT16: i32 = 10;

/// Word and bits of one element; 0 bits: of no fixed length.
const TYPES: [(&str, u64); 27] = [
    ("undefined", 0),
    ("f32", 32),
    ("u8", 8),
    ("i8", 8),
    ("u16", 16),
    ("i16", 16),
    ("i32", 32),
    ("i64", 64),
    ("string", 0),
    ("bool", 8),
    ("f16", 16),
    ("f64", 64),
    ("u32", 32),
    ("u64", 64),
    ("complex64", 64),
    ("complex128", 128),
    ("bf16", 16),
    ("f8e4m3fn", 8),
    ("f8e4m3fnuz", 8),
    ("f8e5m2", 8),
    ("f8e5m2fnuz", 8),
    ("u4", 4),
    ("i4", 4),
    ("f4e2m1", 4),
    ("f8e8m0", 8),
    ("u2", 2),
    ("i2", 2),
];

/// The word for an element type, such as "f32"; "type 99" for one that is not known.
pub(crate) fn word(element: i32) -> String {
    let known = usize::try_from(element).ok().and_then(|index| TYPES.get(index));
    known.map_or_else(|| format!("type {element}"), |(word, _)| (*word).to_owned())
}

/// Bits of one element; 0 where it has no fixed length or is not known.
pub(crate) fn bits(element: i32) -> u64 {
    usize::try_from(element).ok().and_then(|index| TYPES.get(index)).map_or(0, |(_, bits)| *bits)
}
