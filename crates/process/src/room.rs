//! Room: on disks, in memory, in the system's cache of files.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes that this user may still write to the file system of `path`.
///
/// # Errors
/// Where there is no such path.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut answer = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a NUL, and the call fills the struct where it answers 0.
    let answer = unsafe {
        if libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        answer.assume_init()
    };
    // The fields' types differ by platform.
    #[allow(clippy::unnecessary_cast, reason = "not everywhere")]
    Ok((answer.f_bavail as u64).saturating_mul(answer.f_frsize as u64))
}

/// May this user make and delete files in the folder?
#[must_use]
pub fn is_writable(folder: &Path) -> bool {
    let Ok(path) = CString::new(folder.as_os_str().as_bytes()) else { return false };
    // SAFETY: the path ends with a NUL; nothing else is passed.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK | libc::X_OK, libc::AT_EACCESS) == 0 }
}

/// Bytes of memory to be had without swapping; `None` where `/proc` does not tell.
#[must_use]
pub fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The system need not keep the file in memory any more. Advice: nothing happens where it does not listen.
pub fn forget_cached(path: &Path) {
    if let Ok(file) = File::open(path) {
        // SAFETY: advice about a file that is open; no memory changes hands.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn room_is_told_and_a_place_that_is_not_there_has_none() {
        assert!(free_space(Path::new("/")).is_ok());
        assert!(is_writable(&std::env::temp_dir()) && !is_writable(Path::new("/no/such/place")));
        assert!(free_space(Path::new("/no/such/place")).is_err());
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
        forget_cached(Path::new("/no/such/place"));
    }
}
