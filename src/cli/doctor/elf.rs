//! What a shared library needs, read from its file: nothing is loaded.
//!
//! Source: "Tool Interface Standard, Executable and Linking Format", version 1.2, and the System V ABI's 64-bit form.

use std::io::{Read, Seek, SeekFrom};

/// Header fields of a 64-bit little-endian ELF file that matter here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elf {
    /// Processor: 62 is x86-64, 183 is AArch64.
    pub(super) machine: u16,
    /// Names of the libraries it needs, in its order.
    pub(super) needed: Vec<String>,
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// More than any real library has; a file that says more is broken.
const MOST_SEGMENTS: u16 = 512;
const MOST_DYNAMIC: u64 = 1 << 20;
const MOST_NAME: u64 = 512;

/// `None` where it is no such file, or a broken one.
pub(super) fn read(file: &mut (impl Read + Seek)) -> Option<Elf> {
    let header = bytes(file, 0, 64)?;
    // Magic number, 64 bits, little-endian.
    if header.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (u64_at(&header, 32)?, u16_at(&header, 54)?, u16_at(&header, 56)?);
    if size < 56 || count > MOST_SEGMENTS {
        return None;
    }
    let segments = bytes(file, table, u64::from(size) * u64::from(count))?;
    let (mut loads, mut dynamic) = (Vec::new(), None);
    for segment in segments.chunks_exact(usize::from(size)) {
        let place = (u64_at(segment, 8)?, u64_at(segment, 16)?, u64_at(segment, 32)?);
        match u32_at(segment, 0)? {
            PT_LOAD => loads.push(place),
            PT_DYNAMIC => dynamic = Some(place),
            _ => {}
        }
    }
    let mut elf = Elf { machine: u16_at(&header, 18)?, needed: Vec::new() };
    let Some((offset, _, length)) = dynamic else { return Some(elf) };
    let entries = bytes(file, offset, length.min(MOST_DYNAMIC))?;
    let entries: Vec<(u64, u64)> =
        entries.chunks_exact(16).map(|entry| Some((u64_at(entry, 0)?, u64_at(entry, 8)?))).collect::<Option<_>>()?;
    let Some(&(_, address)) = entries.iter().find(|(tag, _)| *tag == DT_STRTAB) else { return Some(elf) };
    // Addresses are of memory; segments say where in the file that is.
    let strings = loads.iter().find_map(|&(offset, start, length)| {
        let inside = address.checked_sub(start).filter(|inside| *inside < length)?;
        offset.checked_add(inside)
    })?;
    for (_, at) in entries.iter().take_while(|(tag, _)| *tag != 0).filter(|(tag, _)| *tag == DT_NEEDED) {
        elf.needed.push(name(file, strings.checked_add(*at)?)?);
    }
    Some(elf)
}

fn name(file: &mut (impl Read + Seek), at: u64) -> Option<String> {
    file.seek(SeekFrom::Start(at)).ok()?;
    let mut text = Vec::new();
    file.take(MOST_NAME).read_to_end(&mut text).ok()?;
    let end = text.iter().position(|byte| *byte == 0)?;
    String::from_utf8(text[..end].to_vec()).ok()
}

fn bytes(file: &mut (impl Read + Seek), at: u64, length: u64) -> Option<Vec<u8>> {
    file.seek(SeekFrom::Start(at)).ok()?;
    let mut read = Vec::new();
    file.take(length).read_to_end(&mut read).ok()?;
    (u64::try_from(read.len()) == Ok(length)).then_some(read)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use std::io::Cursor;

    use super::*;

    /// A library for `machine` that needs these, as small as one can be.
    pub(in super::super) fn library(machine: u16, needed: &[&str]) -> Vec<u8> {
        let (mut names, mut entries) = (vec![0], Vec::new());
        for name in needed {
            entries.push((DT_NEEDED, names.len() as u64));
            names.extend(name.as_bytes());
            names.push(0);
        }
        // Loaded elsewhere than it is in the file, as real ones are.
        let (base, strings) = (0x40_0000, 64 + 2 * 56);
        entries.extend([(DT_STRTAB, base + strings), (0, 0)]);
        let dynamic = strings + names.len() as u64;
        let end = dynamic + 16 * entries.len() as u64;
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend(3u16.to_le_bytes());
        file.extend(machine.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        for value in [0, 64, 0u64] {
            file.extend(value.to_le_bytes());
        }
        file.extend(0u32.to_le_bytes());
        for value in [64, 56, 2, 0, 0, 0u16] {
            file.extend(value.to_le_bytes());
        }
        for (kind, offset, length) in [(PT_LOAD, 0, end), (PT_DYNAMIC, dynamic, end - dynamic)] {
            file.extend(kind.to_le_bytes());
            file.extend(4u32.to_le_bytes());
            for value in [offset, base + offset, 0, length, length, 8] {
                file.extend(value.to_le_bytes());
            }
        }
        file.extend(&names);
        for (tag, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        file
    }

    #[test]
    fn what_a_library_needs_is_read() {
        let needed = ["libcublas.so.12", "libcudnn.so.8", "libc.so.6"];
        let elf = read(&mut Cursor::new(library(183, &needed))).unwrap();
        assert_eq!(elf, Elf { machine: 183, needed: needed.map(str::to_owned).to_vec() });
    }

    #[test]
    fn a_real_program_is_read() {
        let mut file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let elf = read(&mut file).unwrap();
        assert!(elf.needed.iter().any(|name| name == "libc.so.6"), "{elf:?}");
        assert!(elf.needed.iter().all(|name| name.contains(".so")), "{elf:?}");
    }

    #[test]
    fn a_broken_library_needs_nothing_and_breaks_nothing() {
        let whole = library(62, &["libcuda.so.1", "libcudart.so.12"]);
        for end in 0..whole.len() {
            let _ = read(&mut Cursor::new(&whole[..end]));
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut broken = whole.clone();
                broken[at] = value;
                let _ = read(&mut Cursor::new(broken));
            }
        }
        assert_eq!(read(&mut Cursor::new(b"\x7fELF\x01\x01 of 32 bits")), None);
        assert_eq!(read(&mut Cursor::new(b"")), None);
        assert_eq!(read(&mut Cursor::new(&whole[..whole.len() - 60])), None, "its table is cut off");
    }
}
