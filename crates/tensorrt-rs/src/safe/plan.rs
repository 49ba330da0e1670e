use std::ffi::c_void;
use std::io::{Read, Seek, SeekFrom};

use crate::sys::callback::StreamReader;
use crate::sys::enums::SeekPosition;
use crate::sys::slots::RawStream;

/// Bytes copied at a time.
const PIECE: usize = 1 << 20;

/// Copies host bytes to where TensorRT wants them.
///
/// # Safety
/// `upload` answers true only when all bytes are there.
pub unsafe trait Upload: Send {
    /// Copies `bytes` to `target`; false where that failed. The bytes may be reused when it returns.
    ///
    /// # Safety
    /// `target` has room for them, in host or in device memory (ask `cuPointerGetAttribute`); `stream` is the
    /// stream that later work on them is ordered behind.
    unsafe fn upload(&mut self, target: *mut c_void, bytes: &[u8], stream: RawStream) -> bool;
}

/// Feeds a plan from a file, or anything that reads and seeks, through one small buffer: the host never
/// holds the whole plan.
#[derive(Debug)]
pub struct PlanReader<R, U> {
    source: R,
    upload: U,
    piece: Vec<u8>,
}

impl<R: Read + Seek + Send, U: Upload> PlanReader<R, U> {
    /// Reads from where `source` stands.
    pub fn new(source: R, upload: U) -> Self {
        Self { source, upload, piece: vec![0; PIECE] }
    }
}

// SAFETY: every byte counted was uploaded.
unsafe impl<R: Read + Seek + Send, U: Upload> StreamReader for PlanReader<R, U> {
    unsafe fn read(&mut self, target: *mut c_void, size: u64, stream: RawStream) -> i64 {
        let Ok(size) = usize::try_from(size) else { return -1 };
        let mut done = 0;
        while done < size {
            let room = self.piece.len().min(size - done);
            let Some(piece) = self.piece.get_mut(..room) else { return -1 };
            let count = match self.source.read(piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "reading the plan");
                    return -1;
                }
            };
            let Some(piece) = piece.get(..count) else { return -1 };
            // SAFETY: `done + count` is at most `size`, for which `target` has room.
            if !unsafe { self.upload.upload(target.wrapping_byte_add(done), piece, stream) } {
                return -1;
            }
            done += count;
        }
        i64::try_from(done).unwrap_or(-1)
    }

    fn seek(&mut self, offset: i64, position: SeekPosition) -> bool {
        let target = match position {
            SeekPosition::Set => u64::try_from(offset).map(SeekFrom::Start).ok(),
            SeekPosition::Current => Some(SeekFrom::Current(offset)),
            SeekPosition::End => Some(SeekFrom::End(offset)),
            _ => None,
        };
        target.is_some_and(|target| self.source.seek(target).is_ok())
    }
}
