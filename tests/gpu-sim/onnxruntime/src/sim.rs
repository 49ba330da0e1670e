//! What the simulator exports beside ONNX Runtime: control and counters for tests.

use std::ffi::{CStr, c_char, c_int};

use gpu_sim::report;
use serde_json::json;

use crate::state::state;
use crate::{LIBRARY, faults};

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
    match faults::control(&document) {
        Ok(reset) => {
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

/// Writes the counters as JSON, with a NUL, and returns the length without it; nothing is written where `room` is
/// not enough.
///
/// # Safety
/// `out` has `room` writable bytes, or `room` is 0.
#[unsafe(no_mangle)]
unsafe extern "C" fn watchkeeper_sim_statistics(out: *mut c_char, room: usize) -> usize {
    let (sessions, values) = {
        let state = state();
        (state.sessions.len(), state.device_values.len())
    };
    let text = json!({ "sessions": sessions, "device_tensors": values, "misuse": report::counts() }).to_string();
    if room > text.len() {
        // SAFETY: the caller vouches for `room` bytes, which are enough for the text and its NUL.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), out, text.len());
            out.add(text.len()).write(0);
        }
    }
    text.len()
}
