//! Files and blocks as they are on disk; all numbers with the lowest byte first.
//!
//! ```text
//! file    "WKTRACK1"  begun: i64  checksum: u32                                20 bytes, then blocks
//! block   "WKTB"  stored: u32  raw: u32  checksum: u32  number: u32  models: u32
//!         frames: u32  flags: u32  first: i64  last: i64                       48 bytes, then `stored` bytes
//! ```
//!
//! `begun` is when the rules that were told this began with nothing; times are of our own clock, in microseconds.
//! Each block can be read by itself, but for the model, which is told once and said again at the head of a file and
//! every five minutes.

use super::bytes::Bytes;
use super::crc::crc32c;
use crate::types::time::Timestamp;

pub(super) const FILE_HEADER: usize = 20;
pub(super) const BLOCK_HEADER: usize = 48;
const FILE_MAGIC: &[u8; 8] = b"WKTRACK1";
const BLOCK_MAGIC: &[u8; 4] = b"WKTB";
/// The payload is as it was: it did not become smaller.
const PLAIN: u32 = 1;
/// More than any block has: a length that is beyond is damage.
const MAX_BYTES: u32 = 1 << 28;

/// What is known of a block without looking into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// From 0 with each beginning; one that is missing was lost.
    pub(super) number: u32,
    /// Models told since the beginning, before this block.
    pub(super) models: u32,
    /// Frames in it.
    pub(super) frames: u32,
    /// When the earliest of its frames arrived.
    pub(super) first: i64,
    /// When the latest of them did.
    pub(super) last: i64,
}

pub(super) fn put_file_header(begun: Timestamp, out: &mut Vec<u8>) {
    let begun = begun.0.to_le_bytes();
    out.extend_from_slice(FILE_MAGIC);
    out.extend_from_slice(&begun);
    out.extend_from_slice(&crc32c(&[FILE_MAGIC, &begun]).to_le_bytes());
}

/// When the rules began; `None`: not a file of ours, or of another version.
pub(super) fn file_header(file: &[u8]) -> Option<Timestamp> {
    let mut bytes = Bytes(file);
    let (magic, begun) = (bytes.take(8).ok()?, bytes.array().ok()?);
    let whole = bytes.array().ok()? == crc32c(&[magic, &begun]).to_le_bytes();
    (magic == FILE_MAGIC && whole).then(|| Timestamp(i64::from_le_bytes(begun)))
}

/// Packs blocks.
pub(super) struct Packer {
    table: lz4_flex::block::CompressTable,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { table: lz4_flex::block::CompressTable::large() }
    }

    /// Appends a block to `out`.
    pub(super) fn pack(&mut self, head: &Head, raw: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + BLOCK_HEADER + lz4_flex::block::get_maximum_output_size(raw.len()), 0);
        let room = &mut out[start + BLOCK_HEADER..];
        let packed = lz4_flex::block::compress_into_with_table(raw, room, &mut self.table);
        let (stored, flags) = match packed {
            Ok(stored) if stored < raw.len() => (stored, 0),
            _ => {
                room[..raw.len()].copy_from_slice(raw);
                (raw.len(), PLAIN)
            }
        };
        out.truncate(start + BLOCK_HEADER + stored);
        let header = &mut out[start..start + BLOCK_HEADER];
        header[..4].copy_from_slice(BLOCK_MAGIC);
        let lengths = [stored as u32, raw.len() as u32];
        let rest = [head.number, head.models, head.frames, flags];
        for (at, value) in (4..).step_by(4).zip(lengths.into_iter().chain([0]).chain(rest)) {
            header[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        header[32..40].copy_from_slice(&head.first.to_le_bytes());
        header[40..48].copy_from_slice(&head.last.to_le_bytes());
        let block = &out[start..];
        let checksum = crc32c(&[&block[4..12], &block[16..]]);
        out[start + 12..start + 16].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// What a block's first bytes say, and how many bytes it takes, header and all: not checked yet. `None`: no block.
pub(super) fn head(bytes: &[u8]) -> Option<(Head, usize)> {
    let header = bytes.get(..BLOCK_HEADER).filter(|header| header.starts_with(BLOCK_MAGIC))?;
    let word = |at: usize| header.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let time = |at: usize| header.get(at..at + 8)?.try_into().ok().map(i64::from_le_bytes);
    let (stored, raw) = (word(4)?, word(8)?);
    if stored > MAX_BYTES || raw > MAX_BYTES {
        return None;
    }
    let head = Head { number: word(16)?, models: word(20)?, frames: word(24)?, first: time(32)?, last: time(40)? };
    Some((head, BLOCK_HEADER + stored as usize))
}

/// A whole block, as it lies in a file.
pub(super) struct Block<'a> {
    pub(super) head: Head,
    /// Bytes that it takes, header and all.
    pub(super) length: usize,
    raw: usize,
    flags: u32,
    payload: &'a [u8],
}

impl<'a> Block<'a> {
    /// The block at the front of `bytes`; `None` where there is no whole one.
    pub(super) fn at_front(bytes: &'a [u8]) -> Option<Self> {
        let (head, length) = head(bytes)?;
        let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let (raw, checksum, flags) = (word(8)?, word(12)?, word(28)?);
        let block = bytes.get(..length)?;
        (crc32c(&[&block[4..12], &block[16..]]) == checksum).then_some(Self {
            head,
            length,
            raw: raw as usize,
            flags,
            payload: &block[BLOCK_HEADER..],
        })
    }

    /// Its records, into `out`.
    pub(super) fn unpack(&self, out: &mut Vec<u8>) -> Result<(), super::Damaged> {
        out.clear();
        if self.flags & PLAIN != 0 {
            out.extend_from_slice(self.payload);
            return Ok(());
        }
        out.resize(self.raw, 0);
        match lz4_flex::block::decompress_into(self.payload, out) {
            Ok(length) if length == self.raw => Ok(()),
            _ => Err(super::Damaged),
        }
    }
}

/// The first place from `at` on where a block may begin.
pub(super) fn next_magic(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    rest.windows(BLOCK_MAGIC.len()).position(|window| window == BLOCK_MAGIC).map(|found| at + found)
}

/// How many bytes of a file are header and whole blocks, one after the other; 0: not a file of ours.
pub(super) fn whole_length(file: &[u8]) -> usize {
    if file_header(file).is_none() {
        return 0;
    }
    let mut at = FILE_HEADER;
    while let Some(block) = file.get(at..).and_then(Block::at_front) {
        at += block.length;
    }
    at
}
