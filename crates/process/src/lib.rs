//! What a process must say to its C library: allocator, environment, CPU time, immediate exit.

pub mod library;
mod map;
mod room;

use std::time::Duration;

pub use map::MappedFile;
pub use room::{available_memory, forget_cached, free_space, is_writable};

/// Settings that must be made before the first thread starts.
///
/// Limits glibc to two malloc arenas (a rebuilt decoder otherwise leaves its memory in whichever
/// arena its threads used: 281-304 MB against 137-148 MB after 1,560 rebuilds), resets SIGCHLD to its
/// default (decoder plugins call `system()` and take a failure for missing hardware), sets the variables
/// `set` where the environment does not have them yet, and removes `unset`.
///
/// Returns false, and leaves the environment alone, where other threads already run.
pub fn prepare(set: &[(&str, &str)], unset: &[&str]) -> bool {
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` takes two integers and no pointers; an unknown option is refused.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
    // SAFETY: installs no handler of ours, only the default disposition.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
    if threads() != Some(1) {
        return false;
    }
    for (name, value) in set {
        if std::env::var_os(name).is_none() {
            // SAFETY: this is the only thread, so nobody reads the environment meanwhile.
            unsafe { std::env::set_var(name, value) };
        }
    }
    for name in unset {
        // SAFETY: as above.
        unsafe { std::env::remove_var(name) };
    }
    true
}

/// Gives memory that is free but still held by the allocator back to the system.
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes an integer and no pointers.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Leaves at once: no destructors, no `atexit` handlers.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// CPU time of all threads of this process so far.
#[must_use]
pub fn cpu_time() -> Duration {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of the calling thread so far.
#[must_use]
pub fn thread_cpu_time() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Resident memory in bytes; `None` where `/proc` does not tell.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Threads of this process; `None` where `/proc` does not tell.
#[must_use]
pub fn threads() -> Option<usize> {
    std::fs::read_dir("/proc/self/task").ok().map(Iterator::count)
}

/// Open file descriptors of this process; `None` where `/proc` does not tell.
#[must_use]
pub fn open_files() -> Option<usize> {
    // One of them is the directory being read.
    std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1))
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec that the call fills in.
    if unsafe { libc::clock_gettime(id, &raw mut time) } != 0 {
        return Duration::ZERO;
    }
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_grows_with_work() {
        let (process, thread) = (cpu_time(), thread_cpu_time());
        let mut x = 1u64;
        while thread_cpu_time() - thread < Duration::from_millis(5) {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        assert!(cpu_time() - process >= Duration::from_millis(5));
    }

    #[test]
    fn proc_is_read() {
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
        assert!(threads().is_some_and(|n| n >= 1));
        assert!(open_files().is_some_and(|n| n >= 3));
    }
}
