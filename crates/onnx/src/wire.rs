//! Protobuf's wire format: what ONNX files are made of. Fields that a message does not declare are kept as they came,
//! so a file of a newer ONNX goes through without loss.

use crate::Error;

/// Messages inside messages, as protobuf's own readers allow.
const MOST_DEPTH: usize = 100;

/// A field's value as it lies in the file.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bits64([u8; 8]),
    Bytes(&'a [u8]),
    Bits32([u8; 4]),
    /// A group (proto2): kept, never looked into.
    Group,
}

/// A message: [`message!`] writes it.
pub(crate) trait Message: Default {
    /// Takes a field; `false`: not one of its own.
    fn take(&mut self, number: u32, value: Value<'_>, depth: usize) -> Result<bool, Error>;
    fn unknown(&mut self) -> &mut Vec<u8>;
    fn encoded_len(&self) -> usize;
    fn encode(&self, out: &mut Vec<u8>);

    /// Adds the fields of `bytes` to what is there, as protobuf merges a field that comes twice.
    fn merge(&mut self, bytes: &[u8], depth: usize) -> Result<(), Error> {
        if depth > MOST_DEPTH {
            return Err(Error::broken(format!("its messages are nested more than {MOST_DEPTH} deep")));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let before = rest;
            let (number, value) = field(&mut rest)?;
            if !self.take(number, value, depth)? {
                self.unknown().extend_from_slice(&before[..before.len() - rest.len()]);
            }
        }
        Ok(())
    }
}

/// Declares a message: its fields in the order of their numbers, each with the type that says how it is written.
macro_rules! message {
    ($(#[$meta:meta])* $name:ident { $($number:literal $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)*
            /// Fields that are not declared, as they came.
            pub(crate) unknown: Vec<u8>,
        }

        impl crate::wire::Message for $name {
            fn take(
                &mut self,
                number: u32,
                value: crate::wire::Value<'_>,
                depth: usize,
            ) -> Result<bool, crate::Error> {
                match number {
                    $($number => crate::wire::Field::take(&mut self.$field, value, depth),)*
                    _ => Ok(false),
                }
            }

            fn unknown(&mut self) -> &mut Vec<u8> {
                &mut self.unknown
            }

            fn encoded_len(&self) -> usize {
                self.unknown.len() $(+ crate::wire::Field::len(&self.$field, $number))*
            }

            fn encode(&self, out: &mut Vec<u8>) {
                $(crate::wire::Field::put(&self.$field, $number, out);)*
                out.extend_from_slice(&self.unknown);
            }
        }

        impl crate::wire::Field for Option<Box<$name>> {
            fn take(&mut self, value: crate::wire::Value<'_>, depth: usize) -> Result<bool, crate::Error> {
                crate::wire::merge_message(self, value, depth)
            }

            fn len(&self, number: u32) -> usize {
                crate::wire::messages_len(self.as_deref(), number)
            }

            fn put(&self, number: u32, out: &mut Vec<u8>) {
                crate::wire::put_messages(self.as_deref(), number, out);
            }
        }

        impl crate::wire::Field for Vec<$name> {
            fn take(&mut self, value: crate::wire::Value<'_>, depth: usize) -> Result<bool, crate::Error> {
                crate::wire::take_message(self, value, depth)
            }

            fn len(&self, number: u32) -> usize {
                crate::wire::messages_len(self, number)
            }

            fn put(&self, number: u32, out: &mut Vec<u8>) {
                crate::wire::put_messages(self, number, out);
            }
        }
    };
}
pub(crate) use message;

/// How a Rust type lies in a message.
pub(crate) trait Field {
    /// `false`: the value has another wire type than this field, and is kept as unknown.
    fn take(&mut self, value: Value<'_>, depth: usize) -> Result<bool, Error>;
    fn len(&self, number: u32) -> usize;
    fn put(&self, number: u32, out: &mut Vec<u8>);
}

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

fn text(bytes: &[u8]) -> Result<String, Error> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Error::broken("a name in it is not UTF-8".to_owned()))
}

macro_rules! block_field {
    ($($type:ty, $read:expr;)*) => { $(
        impl Field for Option<$type> {
            fn take(&mut self, value: Value<'_>, _: usize) -> Result<bool, Error> {
                let Value::Bytes(bytes) = value else { return Ok(false) };
                let read: fn(&[u8]) -> Result<$type, Error> = $read;
                *self = Some(read(bytes)?);
                Ok(true)
            }
            fn len(&self, number: u32) -> usize {
                self.as_ref().map_or(0, |value| block_len(number, value.len()))
            }
            fn put(&self, number: u32, out: &mut Vec<u8>) {
                if let Some(value) = self {
                    put_block(number, value.len(), out);
                    out.extend_from_slice(value.as_ref());
                }
            }
        }

        impl Field for Vec<$type> {
            fn take(&mut self, value: Value<'_>, _: usize) -> Result<bool, Error> {
                let Value::Bytes(bytes) = value else { return Ok(false) };
                let read: fn(&[u8]) -> Result<$type, Error> = $read;
                self.push(read(bytes)?);
                Ok(true)
            }
            fn len(&self, number: u32) -> usize {
                self.iter().map(|value| block_len(number, value.len())).sum()
            }
            fn put(&self, number: u32, out: &mut Vec<u8>) {
                for value in self {
                    put_block(number, value.len(), out);
                    out.extend_from_slice(value.as_ref());
                }
            }
        }
    )* };
}

block_field! {
    String, text;
    Vec<u8>, |bytes| Ok(bytes.to_vec());
}

/// Of a message that may be there: what [`message!`] makes a [`Field`] of.
pub(crate) fn merge_message<M: Message>(
    into: &mut Option<Box<M>>,
    value: Value<'_>,
    depth: usize,
) -> Result<bool, Error> {
    let Value::Bytes(bytes) = value else { return Ok(false) };
    into.get_or_insert_default().merge(bytes, depth + 1)?;
    Ok(true)
}

/// Of a list of messages: what [`message!`] makes a [`Field`] of.
pub(crate) fn take_message<M: Message>(list: &mut Vec<M>, value: Value<'_>, depth: usize) -> Result<bool, Error> {
    let Value::Bytes(bytes) = value else { return Ok(false) };
    let mut message = M::default();
    message.merge(bytes, depth + 1)?;
    list.push(message);
    Ok(true)
}

pub(crate) fn messages_len<'a, M: Message + 'a>(list: impl IntoIterator<Item = &'a M>, number: u32) -> usize {
    list.into_iter().map(|message| block_len(number, message.encoded_len())).sum()
}

pub(crate) fn put_messages<'a, M: Message + 'a>(list: impl IntoIterator<Item = &'a M>, number: u32, out: &mut Vec<u8>) {
    for message in list {
        put_block(number, message.encoded_len(), out);
        message.encode(out);
    }
}

/// Takes the next field.
fn field<'a>(rest: &mut &'a [u8]) -> Result<(u32, Value<'a>), Error> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number));
    let number = number.ok_or_else(|| Error::broken(format!("field {} in it cannot be", key >> 3)))?;
    let value = match key & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => Value::Bits64(array(rest)?),
        2 => {
            let length = usize::try_from(varint(rest)?).unwrap_or(usize::MAX);
            Value::Bytes(split(rest, length)?)
        }
        3 => {
            skip_group(number, rest)?;
            Value::Group
        }
        5 => Value::Bits32(array(rest)?),
        wire => return Err(Error::broken(format!("field {number} in it has wire type {wire}"))),
    };
    Ok((number, value))
}

/// Passes over a group up to its end, without recursion.
fn skip_group(number: u32, rest: &mut &[u8]) -> Result<(), Error> {
    let mut open = vec![number];
    while let Some(&last) = open.last() {
        let key = varint(rest)?;
        match key & 7 {
            0 => drop(varint(rest)?),
            1 => drop(array::<8>(rest)?),
            2 => {
                let length = usize::try_from(varint(rest)?).unwrap_or(usize::MAX);
                split(rest, length)?;
            }
            3 if open.len() < MOST_DEPTH => open.push(u32::try_from(key >> 3).unwrap_or(0)),
            4 if key >> 3 == u64::from(last) => drop(open.pop()),
            5 => drop(array::<4>(rest)?),
            _ => return Err(Error::broken(format!("group {number} in it does not end"))),
        }
    }
    Ok(())
}

fn split<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Error> {
    let (taken, left) = rest.split_at_checked(length).ok_or_else(short)?;
    *rest = left;
    Ok(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or_else(short)?;
    *rest = left;
    Ok(*taken)
}

fn short() -> Error {
    Error::broken("it ends in the middle of a field".to_owned())
}

fn varint(rest: &mut &[u8]) -> Result<u64, Error> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let [byte] = array::<1>(rest)?;
        // The tenth byte has room for one bit; protobuf's readers drop what is above.
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Error::broken("a number in it has more than ten bytes".to_owned()))
}

fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn key_len(number: u32) -> usize {
    varint_len(u64::from(number) << 3)
}

fn put_key(number: u32, wire: u32, out: &mut Vec<u8>) {
    put_varint(u64::from(number << 3 | wire), out);
}

fn block_len(number: u32, length: usize) -> usize {
    key_len(number) + varint_len(length as u64) + length
}

fn put_block(number: u32, length: usize, out: &mut Vec<u8>) {
    put_key(number, 2, out);
    put_varint(length as u64, out);
}
