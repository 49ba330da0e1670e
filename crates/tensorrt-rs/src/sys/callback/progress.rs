use std::ffi::{CStr, c_char, c_void};

use super::{Callback, Kind, Rtti, shielded, state, text, versioned};

/// Hears how far a build has come, from any of the builder's threads.
pub trait Progress: Send + Sync {
    /// A phase of `steps` steps begins, inside `parent` where there is one.
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: i32);
    /// A step is done; false asks the builder to give up.
    fn step_complete(&self, phase: &str, step: i32) -> bool;
    /// The phase is over, also after giving up.
    fn phase_finish(&self, phase: &str);
}

struct Monitor;

impl Kind for Monitor {
    const KIND: &'static CStr = c"IProgressMonitor";
}

/// An `IProgressMonitor`; the same slots in 10.x and 11.x.
pub fn progress_monitor<T: Progress>(rtti: Rtti, monitor: T) -> Callback<T> {
    let own: [*const c_void; 3] = [phase_start::<T> as _, step_complete::<T> as _, phase_finish::<T> as _];
    Callback::new(rtti, &[&versioned::<Monitor>()[..], &own].concat(), monitor)
}

/// Calls into the monitor behind `this` with the phase's name.
fn with<T: Progress, R>(this: *mut c_void, phase: *const c_char, fallback: R, body: impl FnOnce(&T, &str) -> R) -> R {
    shielded(fallback, || {
        // SAFETY: TensorRT passes the monitor it was given, which outlives the builder configuration.
        let monitor = unsafe { state::<T>(this) };
        // SAFETY: TensorRT passes a NUL-terminated name that lives through the call.
        let phase = unsafe { text(phase) }.unwrap_or(c"").to_string_lossy();
        body(monitor, &phase)
    })
}

extern "C" fn phase_start<T: Progress>(this: *mut c_void, phase: *const c_char, parent: *const c_char, steps: i32) {
    with::<T, _>(this, phase, (), |monitor, phase| {
        // SAFETY: TensorRT passes null or a NUL-terminated name that lives through the call.
        let parent = unsafe { text(parent) }.map(CStr::to_string_lossy);
        monitor.phase_start(phase, parent.as_deref(), steps);
    });
}

extern "C" fn step_complete<T: Progress>(this: *mut c_void, phase: *const c_char, step: i32) -> bool {
    // A monitor that panics does not stop a build.
    with::<T, _>(this, phase, true, |monitor, phase| monitor.step_complete(phase, step))
}

extern "C" fn phase_finish<T: Progress>(this: *mut c_void, phase: *const c_char) {
    with::<T, _>(this, phase, (), Progress::phase_finish);
}
