//! The two mappings behind device memory, and host pages.

use std::ptr;
use std::sync::OnceLock;

/// Bytes of address space; device memory may have half of it, the rest keeps freed addresses unused for long.
pub(super) const SPAN: usize = 32 << 30;

/// A multiple of every system's page size.
pub(super) const PAGE: usize = 64 << 10;

/// Where device addresses begin, if the system lets them: so high that no two small numbers side by side in a kernel's
/// parameters look like one. Under valgrind the system's own choice is low.
const WISH: usize = 0x3ade_0000_0000;

/// Addresses nobody can touch, and the bytes that stand for them.
pub(super) struct Space {
    /// First device address.
    pub(super) base: usize,
    view: usize,
    file: libc::c_int,
}

/// The device's memory; `None` where the system has no room for it.
pub(super) fn get() -> Option<&'static Space> {
    static SPACE: OnceLock<Option<Space>> = OnceLock::new();
    SPACE.get_or_init(Space::reserve).as_ref()
}

impl Space {
    fn reserve() -> Option<Self> {
        let length = libc::off_t::try_from(SPAN).ok()?;
        // SAFETY: plain system calls with a constant name and sizes; results are checked before they are used.
        unsafe {
            let file = libc::memfd_create(c"simulated device memory".as_ptr(), libc::MFD_CLOEXEC);
            if file < 0 || libc::ftruncate(file, length) != 0 {
                return None;
            }
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            let base = libc::mmap(ptr::without_provenance_mut(WISH), SPAN, libc::PROT_NONE, flags, -1, 0);
            let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
            let view = libc::mmap(ptr::null_mut(), SPAN, libc::PROT_NONE, flags, file, 0);
            if base == libc::MAP_FAILED || view == libc::MAP_FAILED {
                return None;
            }
            Some(Self { base: base as usize, view: view as usize, file })
        }
    }

    pub(super) fn contains(&self, address: usize) -> bool {
        (self.base..self.base + SPAN).contains(&address)
    }

    /// Where the bytes of a device address are.
    pub(super) fn view(&self, address: usize) -> usize {
        address - self.base + self.view
    }

    pub(super) fn fill(&self, address: usize, size: usize, byte: u8) {
        // SAFETY: the range was just reserved in the table, so it lies inside the view and nobody else uses it.
        unsafe { ptr::write_bytes(self.view(address) as *mut u8, byte, size) };
    }

    pub(super) fn is_filled(&self, address: usize, size: usize, byte: u8) -> bool {
        // SAFETY: the range belongs to an allocation that was just removed and whose work has finished.
        let bytes = unsafe { std::slice::from_raw_parts(self.view(address) as *const u8, size) };
        bytes.iter().all(|found| *found == byte)
    }

    /// Makes the pages of a new allocation usable; `false`: the system has no room.
    pub(super) fn open(&self, address: usize, size: usize) -> bool {
        self.protect(address, size, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Gives the pages of a freed allocation back to the system; touching them crashes from now on.
    pub(super) fn close(&self, address: usize, size: usize) {
        let offset = address - self.base;
        if let (Ok(offset), Ok(length)) = (libc::off_t::try_from(offset), libc::off_t::try_from(size)) {
            let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
            // SAFETY: a plain system call on our own file; where it fails, the pages merely stay.
            unsafe { libc::fallocate(self.file, mode, offset, length) };
        }
        self.protect(address, size, libc::PROT_NONE);
    }

    fn protect(&self, address: usize, size: usize, access: libc::c_int) -> bool {
        // SAFETY: whole pages of the view, which only the allocation at `address` uses.
        unsafe { libc::mprotect(self.view(address) as *mut libc::c_void, size, access) == 0 }
    }
}

/// Fresh host pages.
pub(super) fn map_host(size: usize) -> Option<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: asks for new pages anywhere.
    let address = unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    (address != libc::MAP_FAILED).then_some(address as usize)
}

/// Gives host pages back, so that later use of them crashes.
pub(super) fn unmap_host(address: usize, size: usize) {
    // SAFETY: the table said that these pages came from `map_host` with this size, and forgot them.
    unsafe { libc::munmap(address as *mut libc::c_void, size) };
}
