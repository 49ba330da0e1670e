//! The driver's one state: faults, the sticky error, and the gate that every call passes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use gpu_sim::faults::Section;
use gpu_sim::report::{self, lock};
use serde_json::json;

use crate::faults::Faults;
use crate::result::Code;

/// What the library calls itself in reports.
pub(crate) const LIBRARY: &str = "libcuda";

static SECTION: OnceLock<Mutex<Section<Faults>>> = OnceLock::new();
static INITIALISED: AtomicBool = AtomicBool::new(false);
static STICKY: AtomicU32 = AtomicU32::new(0);
static ENQUEUED: AtomicU64 = AtomicU64::new(0);

/// The section of the fault document; never hold it over another lock.
pub(crate) fn section() -> &'static Mutex<Section<Faults>> {
    SECTION.get_or_init(|| Mutex::new(Section::from_env("cuda")))
}

/// One value out of the faults.
pub(crate) fn fault<T>(read: impl FnOnce(&Faults) -> T) -> T {
    read(&lock(section()).faults)
}

/// What a call may be used without.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Works before `cuInit` and after a sticky error.
    Nothing,
    /// Needs `cuInit`.
    Init,
    /// Needs a current context as well.
    Context,
}

/// The gate of every exported call: turns errors into numbers, repeats a sticky error, lets no panic out.
pub(crate) fn call(name: &str, needs: Needs, body: impl FnOnce() -> Result<(), Code>) -> u32 {
    let gated = || {
        if needs != Needs::Nothing {
            sticky()?;
            if !INITIALISED.load(Ordering::Acquire) {
                report::misuse(LIBRARY, "not-initialised", &format!("{name} before cuInit"));
                return Err(Code::NOT_INITIALIZED);
            }
        }
        if needs == Needs::Context && !crate::context::has_current() {
            report::misuse(LIBRARY, "no-context", &format!("{name} without a current context on this thread"));
            return Err(Code::INVALID_CONTEXT);
        }
        body()
    };
    match catch_unwind(AssertUnwindSafe(gated)) {
        Ok(Ok(())) => 0,
        Ok(Err(code)) => code.0,
        Err(_) => {
            report::misuse(LIBRARY, "simulator-panic", &format!("{name} panicked; this is a fault of the simulator"));
            Code::UNKNOWN.0
        }
    }
}

/// Exports a call of the driver under CUDA's name.
macro_rules! api {
    ($(#[$meta:meta])* $needs:ident fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, unused_variables, reason = "the names and the signature are CUDA's")]
        unsafe extern "C" fn $name($($arg: $type),*) -> u32 {
            $crate::driver::call(stringify!($name), $crate::driver::Needs::$needs, move || $body)
        }
    };
}
pub(crate) use api;

/// Writes a result where the caller wants it.
pub(crate) fn put<T>(out: *mut T, value: T) -> Result<(), Code> {
    if out.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    // SAFETY: it is not null, and the driver API has callers pass pointers to writable results of this type.
    unsafe { out.write(value) };
    Ok(())
}

pub(crate) fn initialise() -> Result<(), Code> {
    let (error, devices) = fault(|faults| (faults.init_error, faults.devices));
    if error != 0 {
        return Err(Code(error));
    }
    if devices <= 0 {
        return Err(Code::NO_DEVICE);
    }
    INITIALISED.store(true, Ordering::Release);
    crate::sim::report_at_exit();
    Ok(())
}

/// Fails once a sticky error has happened.
pub(crate) fn sticky() -> Result<(), Code> {
    match STICKY.load(Ordering::Acquire) {
        0 => Ok(()),
        code => Err(Code(code)),
    }
}

/// Makes an error sticky: the first one wins, and every later call answers with it.
pub(crate) fn raise(code: Code, why: &str) {
    if STICKY.compare_exchange(0, code.0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        eprintln!("[simulated] {LIBRARY}: sticky error {}: {why}", code.0);
        report::note(LIBRARY, "sticky", json!({ "code": code.0, "why": why }));
    }
}

/// Counts a piece of work given to a stream, and fails it where that was asked for.
pub(crate) fn count_enqueue() {
    let (after, error) = fault(|faults| (faults.sticky_after, faults.sticky_error));
    let number = ENQUEUED.fetch_add(1, Ordering::AcqRel) + 1;
    if after != 0 && number == after {
        raise(Code(error), &format!("asked for, at enqueue {number}"));
    }
}

/// Whether streams are to stop where they are.
pub(crate) fn hangs() -> bool {
    let (hang, after) = fault(|faults| (faults.hang, faults.hang_after));
    hang || after != 0 && ENQUEUED.load(Ordering::Acquire) >= after
}

/// Forgets the sticky error and restarts the counters of faults.
pub(crate) fn forget(sticky: bool) {
    ENQUEUED.store(0, Ordering::Release);
    if sticky {
        STICKY.store(0, Ordering::Release);
        INITIALISED.store(false, Ordering::Release);
    }
}
