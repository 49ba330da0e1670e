//! Sessions and runs.

use std::ffi::{CStr, c_char};
use std::time::Duration;

use gpu_sim::report::misuse;
use ort_sys::{
    OrtAllocator, OrtApi, OrtEnv, OrtRunOptions, OrtSession, OrtSessionOptions, OrtStatusPtr, OrtValue, os_char,
};

use crate::faults::{fault, next_run};
use crate::inner::{api, failure, success};
use crate::state::{Asked, Running, state};
use crate::{LIBRARY, device};

const CPU: &str = "\"CPUExecutionProvider\"";

pub(crate) fn replace(table: &mut OrtApi) {
    table.CreateSession = create;
    table.ReleaseSession = release;
    table.SessionEndProfiling = end_profiling;
    table.Run = run;
}

unsafe extern "system" fn create(
    env: *const OrtEnv,
    path: *const os_char,
    options: *const OrtSessionOptions,
    out: *mut *mut OrtSession,
) -> OrtStatusPtr {
    let Some(api) = api() else { return success() };
    let (asked, no_fallback) = {
        let state = state();
        (state.options.get(&(options as usize)).cloned(), state.no_fallback.contains(&(options as usize)))
    };
    let to_cpu = fault(|faults| faults.cpu_nodes > 0 && !faults.ignore_no_fallback);
    if no_fallback && (asked.is_none() || to_cpu) {
        return failure(
            "This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been \
             explicitly disabled by the user.",
        );
    }
    // SAFETY: the caller's arguments, passed on.
    let status = unsafe { (api.CreateSession)(env, path, options, out) };
    if let (Some(asked), true) = (asked, status.0.is_null()) {
        if let Some(folder) = &asked.cache {
            // What TensorRT would build.
            if let Err(error) = std::fs::write(format!("{folder}/simulated.engine"), []) {
                eprintln!("[simulated] {LIBRARY}: {folder}: {error}");
            }
        }
        // SAFETY: the call succeeded, so it wrote there.
        state().sessions.insert(unsafe { *out } as usize, Running { asked, busy: false });
    }
    status
}

unsafe extern "system" fn release(session: *mut OrtSession) {
    if let Some(Running { asked, busy }) = state().sessions.remove(&(session as usize)) {
        if busy {
            misuse(LIBRARY, "released-in-run", "a session is released while it runs");
        }
        if device::wait(asked.stream).is_err() {
            misuse(LIBRARY, "stream-gone", "a session is released after its stream");
        }
    }
    if let Some(api) = api() {
        // SAFETY: the caller's arguments, passed on.
        unsafe { (api.ReleaseSession)(session) };
    }
}

unsafe extern "system" fn end_profiling(
    session: *mut OrtSession,
    allocator: *mut OrtAllocator,
    out: *mut *mut c_char,
) -> OrtStatusPtr {
    let Some(api) = api() else { return success() };
    // SAFETY: the caller's arguments, passed on.
    let status = unsafe { (api.SessionEndProfiling)(session, allocator, out) };
    let asked = state().sessions.get(&(session as usize)).map(|running| running.asked.clone());
    if let (Some(asked), true) = (asked, status.0.is_null()) {
        // SAFETY: the call succeeded, so it wrote a NUL-terminated path there.
        let path = unsafe { CStr::from_ptr(*out) }.to_string_lossy().into_owned();
        if let Err(error) = rename(&path, &asked) {
            eprintln!("[simulated] {LIBRARY}: {path}: {error}");
        }
    }
    status
}

/// Writes the provider asked for into the profile of a run.
fn rename(path: &str, asked: &Asked) -> std::io::Result<()> {
    let text = std::fs::read_to_string(path)?;
    let (left, cuda) = fault(|faults| (faults.cpu_nodes, faults.tensorrt_takes_nothing));
    let provider = if cuda { "\"CUDAExecutionProvider\"".to_owned() } else { format!("{:?}", asked.provider) };
    let mut parts = text.split(CPU);
    let mut renamed = parts.next().unwrap_or_default().to_owned();
    for (number, part) in parts.enumerate() {
        renamed += if (number as u64) < left { CPU } else { &provider };
        renamed += part;
    }
    std::fs::write(path, renamed)
}

/// The end of a run, whatever becomes of it.
struct Busy(usize);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(running) = state().sessions.get_mut(&self.0) {
            running.busy = false;
        }
    }
}

unsafe extern "system" fn run(
    session: *mut OrtSession,
    options: *const OrtRunOptions,
    input_names: *const *const c_char,
    inputs: *const *const OrtValue,
    input_count: usize,
    output_names: *const *const c_char,
    output_count: usize,
    outputs: *mut *mut OrtValue,
) -> OrtStatusPtr {
    let Some(api) = api() else { return success() };
    let begun = {
        let mut state = state();
        state.sessions.get_mut(&(session as usize)).map(|running| {
            let overlaps = std::mem::replace(&mut running.busy, true);
            (running.asked.stream, overlaps)
        })
    };
    let mut _busy = None;
    if let Some((stream, overlaps)) = begun {
        if overlaps {
            misuse(LIBRARY, "runs-overlap", "two runs of a session with one user stream at once");
            return failure("CUDA failure 700: an illegal memory access was encountered");
        }
        _busy = Some(Busy(session as usize));
        if next_run() == fault(|faults| faults.fail_run) {
            return failure("Non-zero status code returned while running Conv node: a failure that was asked for");
        }
        let values = (0..input_count)
            // SAFETY: the caller vouches for arrays of so many values, as for the real function.
            .map(|index| unsafe { *inputs.add(index) } as usize)
            // SAFETY: as above.
            .chain((0..output_count).map(|index| unsafe { *outputs.add(index) } as usize));
        for value in values {
            let memory = state().device_values.get(&value).copied();
            if memory.is_some_and(|(address, bytes)| device::view(address, bytes).is_none()) {
                misuse(LIBRARY, "freed-memory", "a run on device memory that was freed");
                return failure("CUDA failure 700: an illegal memory access was encountered");
            }
        }
        // The real work is queued on this stream; here it is done when the stream gets there.
        if let Err(code) = device::wait(stream) {
            return failure(&format!("CUDA failure {code}: the stream failed"));
        }
        std::thread::sleep(Duration::from_millis(fault(|faults| faults.slow_ms)));
    }
    // SAFETY: the caller's arguments, passed on.
    unsafe { (api.Run)(session, options, input_names, inputs, input_count, output_names, output_count, outputs) }
}
