//! Fields of text and of bytes.

use super::Field;
use super::fields::{Value, block_len, put_block};
use crate::Error;

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
