//! Fields of numbers: varints and fixed ones, alone, repeated and packed.

use super::Field;
use super::fields::{Value, array, block_len, key_len, put_block, put_key, put_varint, varint, varint_len};
use crate::Error;

/// Numbers written one after the other in one field.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Packed<T>(pub(crate) Vec<T>);

/// A number's place in a message.
pub(crate) trait Number: Copy {
    const WIRE: u32;
    fn from_wire(value: Value<'_>) -> Option<Self>;
    /// Takes one from a packed field.
    fn unpack(rest: &mut &[u8]) -> Result<Self, Error>;
    fn size(self) -> usize;
    fn write(self, out: &mut Vec<u8>);
}

macro_rules! varint_number {
    ($($type:ty => $to:expr, $from:expr;)*) => { $(
        impl Number for $type {
            const WIRE: u32 = 0;
            fn from_wire(value: Value<'_>) -> Option<Self> {
                let from: fn(u64) -> $type = $from;
                match value { Value::Varint(bits) => Some(from(bits)), _ => None }
            }
            fn unpack(rest: &mut &[u8]) -> Result<Self, Error> {
                let from: fn(u64) -> $type = $from;
                varint(rest).map(from)
            }
            fn size(self) -> usize {
                let to: fn($type) -> u64 = $to;
                varint_len(to(self))
            }
            fn write(self, out: &mut Vec<u8>) {
                let to: fn($type) -> u64 = $to;
                put_varint(to(self), out);
            }
        }
    )* };
}

varint_number! {
    i64 => i64::cast_unsigned, u64::cast_signed;
    // Negative ones have ten bytes: they are extended to 64 bits, and read by their low half.
    i32 => |value| i64::from(value).cast_unsigned(), |bits| (bits & 0xffff_ffff) as u32 as i32;
    u64 => |value| value, |bits| bits;
}

macro_rules! fixed_number {
    ($($type:ty, $size:literal, $wire:literal, $value:ident;)*) => { $(
        impl Number for $type {
            const WIRE: u32 = $wire;
            fn from_wire(value: Value<'_>) -> Option<Self> {
                match value { Value::$value(bits) => Some(<$type>::from_le_bytes(bits)), _ => None }
            }
            fn unpack(rest: &mut &[u8]) -> Result<Self, Error> {
                array::<$size>(rest).map(<$type>::from_le_bytes)
            }
            fn size(self) -> usize {
                $size
            }
            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )* };
}

fixed_number! {
    f32, 4, 5, Bits32;
    f64, 8, 1, Bits64;
}

impl<T: Number> Field for Option<T> {
    fn take(&mut self, value: Value<'_>, _: usize) -> Result<bool, Error> {
        let number = T::from_wire(value);
        *self = number.or(*self);
        Ok(number.is_some())
    }

    fn len(&self, number: u32) -> usize {
        self.map_or(0, |value| key_len(number) + value.size())
    }

    fn put(&self, number: u32, out: &mut Vec<u8>) {
        if let Some(value) = self {
            put_key(number, T::WIRE, out);
            value.write(out);
        }
    }
}

/// Adds one number, or a packed field of them: readers take both, whatever the declaration.
fn take_numbers<T: Number>(numbers: &mut Vec<T>, value: Value<'_>) -> Result<bool, Error> {
    if let Value::Bytes(mut rest) = value {
        while !rest.is_empty() {
            numbers.push(T::unpack(&mut rest)?);
        }
        return Ok(true);
    }
    let number = T::from_wire(value);
    numbers.extend(number);
    Ok(number.is_some())
}

impl<T: Number> Field for Vec<T> {
    fn take(&mut self, value: Value<'_>, _: usize) -> Result<bool, Error> {
        take_numbers(self, value)
    }

    fn len(&self, number: u32) -> usize {
        self.iter().map(|value| key_len(number) + value.size()).sum()
    }

    fn put(&self, number: u32, out: &mut Vec<u8>) {
        for value in self {
            put_key(number, T::WIRE, out);
            value.write(out);
        }
    }
}

impl<T: Number> Field for Packed<T> {
    fn take(&mut self, value: Value<'_>, _: usize) -> Result<bool, Error> {
        take_numbers(&mut self.0, value)
    }

    fn len(&self, number: u32) -> usize {
        if self.0.is_empty() { 0 } else { block_len(number, self.0.iter().map(|value| value.size()).sum()) }
    }

    fn put(&self, number: u32, out: &mut Vec<u8>) {
        if self.0.is_empty() {
            return;
        }
        put_block(number, self.0.iter().map(|value| value.size()).sum(), out);
        for value in &self.0 {
            value.write(out);
        }
    }
}
