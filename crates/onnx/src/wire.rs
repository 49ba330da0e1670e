//! Protobuf's wire format: what ONNX files are made of. Fields that a message does not declare are kept as they came,
//! so a file of a newer ONNX goes through without loss.

mod blocks;
mod fields;
mod numbers;

use fields::{block_len, field, put_block};

use crate::Error;

pub(crate) use fields::Value;
pub(crate) use numbers::Packed;

/// Messages inside messages, as protobuf's own readers allow.
const MOST_DEPTH: usize = 100;

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
