use std::ffi::{CStr, c_char, c_void};

use super::{Callback, Kind, Rtti, no_delete, shielded, state, text, versioned};
use crate::sys::Major;
use crate::sys::enums::Severity;

/// Takes TensorRT's log lines, from any of its threads.
pub trait LogSink: Send + Sync {
    /// One line.
    fn log(&self, severity: Severity, line: &CStr);
}

struct Logger;

impl Kind for Logger {
    const KIND: &'static CStr = c"ILogger";
}

/// An `ILogger`: `log` is slot 0 in 10.x and slot 4 in 11.x, where the interface became a versioned one.
pub fn logger<T: LogSink>(major: Major, rtti: Rtti, sink: T) -> Callback<T> {
    let log = log::<T> as *const c_void;
    match major {
        Major::Ten => Callback::new(rtti, &[log, no_delete as _, no_delete as _], sink),
        Major::Eleven => {
            let [language, info, complete, deleting] = versioned::<Logger>();
            Callback::new(rtti, &[language, info, complete, deleting, log], sink)
        }
    }
}

extern "C" fn log<T: LogSink>(this: *mut c_void, severity: i32, line: *const c_char) {
    shielded((), || {
        // SAFETY: TensorRT passes the logger it was given, which outlives every object made with it.
        let sink = unsafe { state::<T>(this) };
        // SAFETY: TensorRT passes a NUL-terminated line that lives through the call.
        if let Some(line) = unsafe { text(line) } {
            sink.log(Severity::from_raw(severity), line);
        }
    });
}
