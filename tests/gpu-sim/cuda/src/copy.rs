//! Copies and fills.
//!
//! A copy from or to pinned memory happens when its stream gets there. As with CUDA, pageable memory is read before
//! the call returns, and a copy into it is done when the call returns.

use std::ffi::{c_uchar, c_uint, c_ushort};
use std::time::Duration;
use std::{ptr, thread};

use gpu_sim::report::misuse;

use crate::driver::{LIBRARY, api, fault, sticky};
use crate::memory::{Kind, Place, place};
use crate::result::Code;
use crate::stream::{self, Handle, Turn};

/// A range with the address at which the simulator finds it.
struct End {
    view: usize,
    base: Option<usize>,
    pageable: bool,
}

fn end(call: &str, address: usize, size: usize, device: Option<bool>) -> Result<End, Code> {
    let found = match place(address, size) {
        Place::Known { view, base, kind } if device != Some(true) || kind == Kind::Device => {
            End { view, base: Some(base), pageable: false }
        }
        // Mapped host memory is a device address as well.
        Place::Known { view, base, .. } => End { view, base: Some(base), pageable: false },
        Place::Pageable if device != Some(true) && address != 0 => End { view: address, base: None, pageable: true },
        _ => {
            misuse(LIBRARY, "bad-address", &format!("{call}: {size} bytes at {address:#x} are in no live allocation"));
            return Err(Code::INVALID_VALUE);
        }
    };
    if device == Some(false) && matches!(place(address, size), Place::Known { kind: Kind::Device, .. }) {
        misuse(LIBRARY, "bad-address", &format!("{call}: {address:#x} is device memory, host memory is wanted"));
        return Err(Code::INVALID_VALUE);
    }
    Ok(found)
}

/// Which side an address must be on: `Some(true)` device, `Some(false)` host, `None` either.
type Side = Option<bool>;
const DEVICE: Side = Some(true);
const HOST: Side = Some(false);

fn copy(call: &str, to: (usize, Side), from: (usize, Side), size: usize, on: Handle, wait: bool) -> Result<(), Code> {
    let stream = stream::find(on)?;
    if size == 0 {
        return Ok(());
    }
    let (to, from) = (end(call, to.0, size, to.1)?, end(call, from.0, size, from.1)?);
    let bases: Vec<usize> = to.base.into_iter().chain(from.base).collect();
    let staged = from.pageable.then(|| {
        // SAFETY: the caller says that `size` bytes can be read there now.
        unsafe { std::slice::from_raw_parts(from.view as *const u8, size) }.to_vec()
    });
    let ticket = stream.submit(&bases, Vec::new(), move |turn| {
        if turn == Turn::Cancelled {
            return;
        }
        slow();
        let source = staged.as_ref().map_or(from.view as *const u8, |bytes| bytes.as_ptr());
        // SAFETY: both ranges were inside live allocations, which stay mapped until this work is done, or are host
        // memory that the caller keeps for the copy. They may overlap.
        unsafe { ptr::copy(source, to.view as *mut u8, size) };
    });
    if wait || to.pageable {
        stream.wait_for(ticket);
        return sticky();
    }
    Ok(())
}

fn slow() {
    let milliseconds = fault(|faults| faults.copy_ms);
    if milliseconds > 0 {
        thread::sleep(Duration::from_millis(milliseconds));
    }
}

macro_rules! copies {
    ($($name:ident $asynchronous:ident: $to:ident <- $from:ident;)*) => {$(
        api! {
            Context fn $name(to: usize, from: usize, size: usize) {
                copy(stringify!($name), (to, $to), (from, $from), size, 0, true)
            }
        }
        api! {
            Context fn $asynchronous(to: usize, from: usize, size: usize, stream: Handle) {
                copy(stringify!($asynchronous), (to, $to), (from, $from), size, stream, false)
            }
        }
    )*};
}

const EITHER: Side = None;

copies! {
    cuMemcpyHtoD_v2 cuMemcpyHtoDAsync_v2: DEVICE <- HOST;
    cuMemcpyDtoH_v2 cuMemcpyDtoHAsync_v2: HOST <- DEVICE;
    cuMemcpyDtoD_v2 cuMemcpyDtoDAsync_v2: DEVICE <- DEVICE;
    cuMemcpy cuMemcpyAsync: EITHER <- EITHER;
}

fn fill<const N: usize>(
    call: &str,
    to: usize,
    value: [u8; N],
    count: usize,
    on: Handle,
    wait: bool,
) -> Result<(), Code> {
    let stream = stream::find(on)?;
    let size = count.checked_mul(N).ok_or(Code::INVALID_VALUE)?;
    if size == 0 {
        return Ok(());
    }
    if !to.is_multiple_of(N) {
        misuse(LIBRARY, "bad-address", &format!("{call}: {to:#x} is not a multiple of {N}"));
        return Err(Code::INVALID_VALUE);
    }
    let to = end(call, to, size, DEVICE)?;
    let bases: Vec<usize> = to.base.into_iter().collect();
    let ticket = stream.submit(&bases, Vec::new(), move |turn| {
        if turn == Turn::Run {
            slow();
            // SAFETY: the range was inside a live allocation, which stays mapped until this work is done, and only
            // the work of streams touches it.
            let bytes = unsafe { std::slice::from_raw_parts_mut(to.view as *mut u8, size) };
            bytes.as_chunks_mut::<N>().0.fill(value);
        }
    });
    if wait {
        stream.wait_for(ticket);
        return sticky();
    }
    Ok(())
}

macro_rules! fills {
    ($($name:ident $asynchronous:ident: $type:ty;)*) => {$(
        api! {
            Context fn $name(to: usize, value: $type, count: usize) {
                fill(stringify!($name), to, value.to_ne_bytes(), count, 0, true)
            }
        }
        api! {
            Context fn $asynchronous(to: usize, value: $type, count: usize, stream: Handle) {
                fill(stringify!($asynchronous), to, value.to_ne_bytes(), count, stream, false)
            }
        }
    )*};
}

fills! {
    cuMemsetD8_v2 cuMemsetD8Async: c_uchar;
    cuMemsetD16_v2 cuMemsetD16Async: c_ushort;
    cuMemsetD32_v2 cuMemsetD32Async: c_uint;
}
