//! Files mapped into memory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::{self, NonNull};

/// A whole file, mapped for reading once from its beginning to its end. When it drops, its pages leave this process
/// and the system's cache.
///
/// A file that is cut short while it is mapped ends the process (SIGBUS) when its lost end is read, as with every mapped file:
/// replace such files by renaming another one over them.
#[derive(Debug)]
pub struct MappedFile {
    /// `None`: the file is empty.
    start: Option<NonNull<u8>>,
    len: usize,
    file: File,
}

// SAFETY: memory that is only read and belongs to no thread.
unsafe impl Send for MappedFile {}
// SAFETY: as above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// Where it cannot be opened or mapped, or is not a regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(File::open(path)?)
    }

    /// Maps a file that is open for reading, wherever its path may lead by now.
    ///
    /// # Errors
    /// Where it cannot be mapped, or is not a regular file.
    pub fn of(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let len = usize::try_from(meta.len()).map_err(io::Error::other)?;
        if len == 0 {
            return Ok(Self { start: None, len, file });
        }
        // SAFETY: a new mapping at a place of the system's choosing; the file is open for reading.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the range is the mapping's; advice has no effect on its contents.
        unsafe { libc::madvise(start, len, libc::MADV_SEQUENTIAL) };
        Ok(Self { start: NonNull::new(start.cast()), len, file })
    }

    /// The file, for [`MappedFile::of`] later: it keeps no page.
    ///
    /// # Errors
    /// Where the process has too many files open.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Its contents.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self.start {
            // SAFETY: the mapping has that many readable bytes and stays until `self` drops. It is private, and files of
            // this kind are replaced, not written to (see the type's documentation).
            Some(start) => unsafe { std::slice::from_raw_parts(start.as_ptr(), self.len) },
            None => &[],
        }
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            // SAFETY: mapped once, unmapped once; nobody borrows it any more. The advice is about a file that is open.
            unsafe {
                libc::munmap(start.as_ptr().cast(), self.len);
                libc::posix_fadvise(self.file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_file_is_read_whole_and_an_empty_one_is_empty() {
        let folder = std::env::temp_dir().join(format!("watchkeeper-map-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (full, empty) = (folder.join("full"), folder.join("empty"));
        let content: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&full, &content).unwrap();
        std::fs::write(&empty, []).unwrap();
        assert_eq!(MappedFile::open(&full).unwrap().bytes(), content);
        assert_eq!(MappedFile::open(&empty).unwrap().bytes(), b"");
        assert!(MappedFile::open(&folder).is_err());
        // The file that was opened, not another one in its place.
        let kept = MappedFile::open(&full).unwrap().file().unwrap();
        std::fs::rename(&empty, &full).unwrap();
        assert_eq!(MappedFile::of(kept).unwrap().bytes(), content);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
