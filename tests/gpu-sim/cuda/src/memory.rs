//! Device and pinned memory.
//!
//! A device address lies in a range of the address space where nothing is mapped, so the program under test cannot touch
//! device memory except through the driver. The bytes are in a second, private mapping that only the simulator uses, and only where memory is allocated.

mod api;
mod space;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gpu_sim::report::{lock, misuse};

use crate::driver::{LIBRARY, fault};
use crate::result::Code;
use crate::stream::Stream;

/// Every address that `cuMemAlloc` gives is a multiple of it.
pub(crate) const ALIGNMENT: usize = 512;
/// Bytes behind an allocation that hold a known pattern, to notice kernels that write too far.
const FENCE: usize = 512;
const PATTERN: u8 = 0xA5;

/// Where memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// On the device.
    Device,
    /// In the host's pinned memory.
    Host,
}

struct Allocation {
    size: usize,
    kind: Kind,
    owner: &'static str,
    /// The work that was last given to each stream with this memory in it.
    uses: Vec<(Arc<Stream>, u64)>,
}

#[derive(Default)]
struct Table {
    live: BTreeMap<usize, Allocation>,
    used: usize,
    pinned: usize,
    peak: usize,
    peak_pinned: usize,
    cursor: usize,
}

static TABLE: Mutex<Table> =
    Mutex::new(Table { live: BTreeMap::new(), used: 0, pinned: 0, peak: 0, peak_pinned: 0, cursor: 0 });
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static HOST_ALLOCATED: AtomicU64 = AtomicU64::new(0);

/// Bytes that the device has.
pub(crate) fn total() -> usize {
    (fault(|faults| faults.total_memory) as usize).min(space::SPAN / 2)
}

/// Restarts the counters of the allocation faults.
pub(crate) fn restart_counts() {
    ALLOCATED.store(0, Ordering::Release);
    HOST_ALLOCATED.store(0, Ordering::Release);
}

/// Address space of an allocation: whole pages, so that each can be opened and closed by itself.
fn reserved(size: usize) -> usize {
    (size.next_multiple_of(ALIGNMENT) + FENCE).next_multiple_of(space::PAGE)
}

/// Takes device memory.
pub(crate) fn allocate(size: usize, owner: &'static str) -> Result<usize, Code> {
    if size == 0 {
        return Err(Code::INVALID_VALUE);
    }
    let (nth, onwards) = fault(|faults| (faults.fail_allocation, faults.fail_allocation_onwards));
    let number = ALLOCATED.fetch_add(1, Ordering::AcqRel) + 1;
    if nth != 0 && (number == nth || onwards && number > nth) {
        return Err(Code::OUT_OF_MEMORY);
    }
    let total = total();
    let space = space::get().ok_or(Code::OUT_OF_MEMORY)?;
    let whole = size.checked_next_multiple_of(ALIGNMENT).ok_or(Code::OUT_OF_MEMORY)?;
    let mut table = lock(&TABLE);
    if whole > total.saturating_sub(table.used) {
        return Err(Code::OUT_OF_MEMORY);
    }
    let address = table.gap(space.base, reserved(size)).ok_or(Code::OUT_OF_MEMORY)?;
    if !space.open(address, reserved(size)) {
        return Err(Code::OUT_OF_MEMORY);
    }
    space.fill(address + size, whole - size + FENCE, PATTERN);
    table.cursor = address + reserved(size) - space.base;
    table.used += whole;
    table.peak = table.peak.max(table.used);
    table.live.insert(address, Allocation { size, kind: Kind::Device, owner, uses: Vec::new() });
    Ok(address)
}

/// Takes pinned host memory.
pub(crate) fn allocate_host(size: usize) -> Result<usize, Code> {
    if size == 0 {
        return Err(Code::INVALID_VALUE);
    }
    let number = HOST_ALLOCATED.fetch_add(1, Ordering::AcqRel) + 1;
    if fault(|faults| faults.fail_host_allocation) == number {
        return Err(Code::OUT_OF_MEMORY);
    }
    let address = space::map_host(size).ok_or(Code::OUT_OF_MEMORY)?;
    let mut table = lock(&TABLE);
    table.pinned += size;
    table.peak_pinned = table.peak_pinned.max(table.pinned);
    table.live.insert(address, Allocation { size, kind: Kind::Host, owner: "pinned host memory", uses: Vec::new() });
    Ok(address)
}

/// Gives memory back; waits first, as CUDA does, for work that still uses it.
pub(crate) fn free(address: usize, kind: Kind) -> Result<(), Code> {
    let uses = {
        let mut table = lock(&TABLE);
        match table.live.get_mut(&address) {
            Some(found) if found.kind == kind => std::mem::take(&mut found.uses),
            _ => {
                misuse(LIBRARY, "free-unknown", &format!("{address:#x} is no live {kind:?} allocation"));
                return Err(Code::INVALID_VALUE);
            }
        }
    };
    for (stream, ticket) in uses {
        if !stream.finished(ticket) {
            let words = format!("{address:#x} freed while {} still works with it", stream.label());
            misuse(LIBRARY, "free-in-use", &words);
            stream.wait_for(ticket);
        }
    }
    let mut table = lock(&TABLE);
    let Some(gone) = table.live.remove(&address) else {
        return Err(Code::INVALID_VALUE);
    };
    let whole = gone.size.next_multiple_of(ALIGNMENT);
    match kind {
        Kind::Host => {
            table.pinned -= gone.size;
            space::unmap_host(address, gone.size);
        }
        Kind::Device => {
            table.used -= whole;
            if let Some(space) = space::get() {
                if !space.is_filled(address + gone.size, whole - gone.size + FENCE, PATTERN) {
                    let words = format!("something wrote behind {address:#x}, {} bytes of {}", gone.size, gone.owner);
                    misuse(LIBRARY, "out-of-bounds-write", &words);
                }
                space.close(address, reserved(gone.size));
            }
        }
    }
    Ok(())
}

/// A range that somebody wants to read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a live allocation; the simulator's threads find the bytes at `view`.
    Known { view: usize, base: usize, kind: Kind },
    /// Ordinary host memory, for all that is known.
    Pageable,
    /// In the device's range, but in no live allocation or beyond its end.
    Invalid,
}

/// Where `size` bytes at `address` are.
pub(crate) fn place(address: usize, size: usize) -> Place {
    let table = lock(&TABLE);
    let space = space::get();
    let on_device = space.is_some_and(|space| space.contains(address));
    if let Some((base, found)) = table.live.range(..=address).next_back() {
        let end = base + found.size;
        if address < end {
            if size > end - address {
                return Place::Invalid;
            }
            let view = match (found.kind, space) {
                (Kind::Device, Some(space)) => space.view(address),
                _ => address,
            };
            return Place::Known { view, base: *base, kind: found.kind };
        }
    }
    if on_device { Place::Invalid } else { Place::Pageable }
}

/// Notes that work of a stream uses the allocations at `bases`.
pub(crate) fn note_use(bases: &[usize], stream: &Arc<Stream>, ticket: u64) {
    let mut table = lock(&TABLE);
    for base in bases {
        if let Some(found) = table.live.get_mut(base) {
            found.uses.retain(|(other, ticket)| !Arc::ptr_eq(other, stream) && !other.finished(*ticket));
            found.uses.push((Arc::clone(stream), ticket));
        }
    }
}

/// Start and size of the allocation around an address.
pub(crate) fn around(address: usize) -> Option<(usize, usize, Kind)> {
    let table = lock(&TABLE);
    let (base, found) = table.live.range(..=address).next_back()?;
    (address < base + found.size).then_some((*base, found.size, found.kind))
}

/// Number and bytes of what is alive.
pub(crate) fn live_summary() -> (usize, usize) {
    let table = lock(&TABLE);
    (table.live.len(), table.live.values().map(|found| found.size).sum())
}

/// Count and bytes alive by owner, and the peaks of device and pinned memory.
pub(crate) fn statistics() -> (BTreeMap<&'static str, (usize, usize)>, usize, usize) {
    let table = lock(&TABLE);
    let mut by_owner = BTreeMap::new();
    for found in table.live.values() {
        let (count, bytes) = by_owner.entry(found.owner).or_insert((0, 0));
        *count += 1;
        *bytes += found.size;
    }
    (by_owner, table.peak, table.peak_pinned)
}

/// Bytes of device memory in use.
pub(crate) fn used() -> usize {
    lock(&TABLE).used
}

impl Table {
    /// A free place for `size` bytes, behind the last one where possible, so that stale addresses stay stale.
    fn gap(&self, first: usize, size: usize) -> Option<usize> {
        self.gap_from(first + self.cursor, first, size).or_else(|| self.gap_from(first, first, size))
    }

    fn gap_from(&self, from: usize, first: usize, size: usize) -> Option<usize> {
        let end = first + space::SPAN;
        let mut at = from;
        for (base, found) in self.live.range(first..end) {
            if found.kind != Kind::Device {
                continue;
            }
            if base.checked_sub(at).is_some_and(|room| room >= size) {
                return Some(at);
            }
            at = at.max(base + reserved(found.size));
        }
        (end.checked_sub(at)? >= size).then_some(at)
    }
}
