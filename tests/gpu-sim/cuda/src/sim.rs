//! What the simulator exports beside CUDA: control and counters for tests, and the inside of the device for the
//! simulated TensorRT.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Once;

use gpu_sim::report::{self, lock, note};
use serde_json::json;

use crate::driver::{self, LIBRARY, api, put, section};
use crate::memory::{self, Kind, Place};
use crate::result::Code;
use crate::stream::{self, Turn};
use crate::{event, module};

/// Takes a fault document (README.md). 0, or -1 with a line on stderr where it cannot be read.
///
/// # Safety
/// `document` is null or NUL-terminated.
#[unsafe(no_mangle)]
unsafe extern "C" fn watchkeeper_sim_control(document: *const c_char) -> c_int {
    if document.is_null() {
        return -1;
    }
    // SAFETY: it is not null, so the caller vouches for it.
    let document = unsafe { CStr::from_ptr(document) }.to_string_lossy();
    let applied = lock(section()).apply(&document);
    match applied {
        Ok(reset) => {
            driver::forget(reset);
            memory::restart_counts();
            if reset {
                report::reset();
            }
            0
        }
        Err(reason) => {
            eprintln!("[simulated] {LIBRARY}: control document: {reason}; nothing was changed");
            -1
        }
    }
}

fn statistics() -> serde_json::Value {
    let (by_owner, peak, peak_pinned) = memory::statistics();
    let owners: serde_json::Map<_, _> = by_owner
        .into_iter()
        .map(|(owner, (count, bytes))| (owner.to_owned(), json!({ "count": count, "bytes": bytes })))
        .collect();
    json!({
        "memory": owners,
        "used_bytes": memory::used(),
        "peak_bytes": peak,
        "peak_pinned_bytes": peak_pinned,
        "streams": stream::alive(),
        "events": event::alive(),
        "modules": module::alive(),
        "misuse": report::counts(),
    })
}

/// Writes the counters as JSON, with a NUL, and returns the length without it; nothing is written where `room` is
/// not enough.
///
/// # Safety
/// `out` has `room` writable bytes, or `room` is 0.
#[unsafe(no_mangle)]
unsafe extern "C" fn watchkeeper_sim_statistics(out: *mut c_char, room: usize) -> usize {
    let text = statistics().to_string();
    if room > text.len() {
        // SAFETY: the caller vouches for `room` bytes, which are enough for the text and its NUL.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), out, text.len());
            out.add(text.len()).write(0);
        }
    }
    text.len()
}

/// Writes the summary, leaks by kind among it, when the process ends in an orderly way.
pub(crate) fn report_at_exit() {
    extern "C" fn summary() {
        let counters = statistics();
        note(LIBRARY, "exit", counters.clone());
        let (count, bytes) = memory::live_summary();
        let objects = [("allocations", count), ("streams", stream::alive()), ("events", event::alive())];
        for (kind, count) in objects.into_iter().filter(|(_, count)| *count > 0) {
            let bytes = if kind == "allocations" { bytes } else { 0 };
            eprintln!("[simulated] {LIBRARY}: left at exit: {count} {kind}, {bytes} bytes");
            note(LIBRARY, "leak", json!({ "kind": kind, "count": count, "bytes": bytes }));
        }
    }
    static ONCE: Once = Once::new();
    // SAFETY: the function stays loaded, since the library keeps itself (see `stream`): nothing closes it.
    ONCE.call_once(|| unsafe {
        libc::atexit(summary);
    });
}

api! {
    /// Gives a stream a function to call with `data` and whether to do the work (1) or only to let go of it (0).
    /// `addresses` are device addresses that the work uses.
    Init fn watchkeeper_sim_enqueue(
        on: stream::Handle,
        work: extern "C" fn(*mut c_void, c_int),
        data: usize,
        addresses: *const usize,
        count: usize,
    ) {
        let stream = stream::find(on)?;
        let addresses = if count == 0 {
            &[]
        } else {
            // SAFETY: the simulated TensorRT passes an array of `count` addresses.
            unsafe { std::slice::from_raw_parts(addresses, count) }
        };
        let bases: Vec<usize> =
            addresses.iter().filter_map(|address| memory::around(*address)).map(|found| found.0).collect();
        stream.submit(&bases, Vec::new(), move |turn| work(data as *mut c_void, c_int::from(turn == Turn::Run)));
        Ok(())
    }
}

api! {
    /// Where the bytes of `size` bytes at an address are; null unless they are in one live allocation.
    Nothing fn watchkeeper_sim_view(address: usize, size: usize, view: *mut usize) {
        match memory::place(address, size) {
            Place::Known { view: found, .. } => put(view, found),
            _ => put(view, 0),
        }
    }
}

api! {
    /// Makes an error sticky.
    ///
    /// `why` is NUL-terminated.
    Nothing fn watchkeeper_sim_raise(code: u32, why: *const c_char) {
        // SAFETY: the simulated TensorRT passes NUL-terminated text.
        let why = unsafe { CStr::from_ptr(why) }.to_string_lossy();
        driver::raise(Code(code), &why);
        Ok(())
    }
}

api! {
    /// Takes device memory without a current context, as a library that brings its own does. `owner`: 0 weights,
    /// 1 context's persistent memory, 2 context's scratch memory.
    Init fn watchkeeper_sim_allocate(address: *mut usize, size: usize, owner: c_int) {
        let owner = match owner {
            0 => "TensorRT weights",
            1 => "TensorRT context, persistent",
            _ => "TensorRT context, scratch",
        };
        put(address, memory::allocate(size, owner)?)
    }
}

api! {
    /// Gives it back, also after a sticky error.
    Nothing fn watchkeeper_sim_free(address: usize) {
        memory::free(address, Kind::Device)
    }
}

api! {
    /// Waits for what a stream was given so far.
    Nothing fn watchkeeper_sim_wait(on: stream::Handle) {
        let stream = stream::find(on)?;
        stream.wait_for(stream.submitted());
        Ok(())
    }
}
