//! Keys, lengths and varints.

use super::MOST_DEPTH;
use crate::Error;

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

/// Takes the next field.
pub(super) fn field<'a>(rest: &mut &'a [u8]) -> Result<(u32, Value<'a>), Error> {
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

pub(super) fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or_else(short)?;
    *rest = left;
    Ok(*taken)
}

fn short() -> Error {
    Error::broken("it ends in the middle of a field".to_owned())
}

pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, Error> {
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

pub(super) fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn key_len(number: u32) -> usize {
    varint_len(u64::from(number) << 3)
}

pub(super) fn put_key(number: u32, wire: u32, out: &mut Vec<u8>) {
    put_varint(u64::from(number << 3 | wire), out);
}

pub(super) fn block_len(number: u32, length: usize) -> usize {
    key_len(number) + varint_len(length as u64) + length
}

pub(super) fn put_block(number: u32, length: usize, out: &mut Vec<u8>) {
    put_key(number, 2, out);
    put_varint(length as u64, out);
}
