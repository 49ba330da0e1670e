//! Primary contexts, and each thread's stack of current ones.

use std::cell::RefCell;
use std::ffi::{c_int, c_uint};
use std::sync::Mutex;

use gpu_sim::report::{lock, misuse};

use crate::driver::{LIBRARY, api, put};
use crate::result::Code;
use crate::{device, memory, stream};

/// A handle: `FIRST` plus the device's ordinal.
type Context = usize;
const FIRST: Context = 0xC0DE_0000;

/// How often each device's primary context is retained.
static RETAINED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

thread_local! {
    static CURRENT: RefCell<Vec<Context>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread has a context that is alive.
pub(crate) fn has_current() -> bool {
    current() != 0 && alive(current())
}

fn current() -> Context {
    // A thread that is ending has none any more.
    CURRENT.try_with(|stack| stack.borrow().last().copied().unwrap_or(0)).unwrap_or(0)
}

fn alive(context: Context) -> bool {
    let ordinal = context.wrapping_sub(FIRST);
    lock(&RETAINED).get(ordinal).is_some_and(|count| *count > 0)
}

fn known(context: Context) -> Result<Context, Code> {
    if context == 0 || alive(context) {
        return Ok(context);
    }
    misuse(LIBRARY, "dead-context", &format!("{context:#x} is no context, or was released"));
    Err(Code::INVALID_CONTEXT)
}

api! {
    Init fn cuDevicePrimaryCtxRetain(context: *mut Context, ordinal: c_int) {
        device::check(ordinal)?;
        let index = ordinal as usize;
        let mut retained = lock(&RETAINED);
        if retained.len() <= index {
            retained.resize(index + 1, 0);
        }
        put(context, FIRST + index)?;
        retained[index] += 1;
        Ok(())
    }
}

fn release(ordinal: c_int, to: impl FnOnce(u32) -> u32) -> Result<(), Code> {
    device::check(ordinal)?;
    let gone = {
        let mut retained = lock(&RETAINED);
        let count = retained.get_mut(ordinal as usize).filter(|count| **count > 0).ok_or(Code::INVALID_CONTEXT)?;
        *count = to(*count);
        *count == 0
    };
    if gone {
        // The real one frees and destroys what is left, behind the backs of those who hold it.
        let left = memory::live_summary();
        if left != (0, 0) {
            let words = format!("the primary context went with {} allocations, {} bytes, alive", left.0, left.1);
            misuse(LIBRARY, "context-released-with-memory", &words);
        }
        if stream::alive() > 0 {
            let words = format!("the primary context went with {} streams alive", stream::alive());
            misuse(LIBRARY, "context-released-with-streams", &words);
        }
    }
    Ok(())
}

api! {
    Init fn cuDevicePrimaryCtxRelease_v2(ordinal: c_int) {
        release(ordinal, |count| count - 1)
    }
}

api! {
    Init fn cuDevicePrimaryCtxReset_v2(ordinal: c_int) {
        release(ordinal, |_| 0)
    }
}

api! {
    Init fn cuDevicePrimaryCtxSetFlags_v2(ordinal: c_int, flags: c_uint) {
        device::check(ordinal)
    }
}

api! {
    Init fn cuDevicePrimaryCtxGetState(ordinal: c_int, flags: *mut c_uint, active: *mut c_int) {
        device::check(ordinal)?;
        put(flags, 0)?;
        put(active, c_int::from(alive(FIRST + ordinal as usize)))
    }
}

api! {
    Init fn cuCtxSetCurrent(context: Context) {
        known(context)?;
        CURRENT.with_borrow_mut(|stack| {
            stack.pop();
            if context != 0 {
                stack.push(context);
            }
        });
        Ok(())
    }
}

api! {
    Init fn cuCtxGetCurrent(context: *mut Context) {
        put(context, current())
    }
}

api! {
    Init fn cuCtxPushCurrent_v2(context: Context) {
        if context == 0 {
            return Err(Code::INVALID_CONTEXT);
        }
        known(context)?;
        CURRENT.with_borrow_mut(|stack| stack.push(context));
        Ok(())
    }
}

api! {
    Init fn cuCtxPopCurrent_v2(context: *mut Context) {
        let popped = CURRENT.with_borrow_mut(Vec::pop).ok_or(Code::INVALID_CONTEXT)?;
        if !context.is_null() {
            put(context, popped)?;
        }
        Ok(())
    }
}

api! {
    Context fn cuCtxGetDevice(device: *mut c_int) {
        put(device, (current() - FIRST) as c_int)
    }
}

api! {
    Context fn cuCtxGetFlags(flags: *mut c_uint) {
        put(flags, 0)
    }
}

api! {
    Context fn cuCtxSetFlags(flags: c_uint) {
        Ok(())
    }
}

api! {
    Context fn cuCtxGetApiVersion(context: Context, version: *mut c_uint) {
        put(version, 3020)
    }
}

api! {
    Context fn cuCtxGetLimit(value: *mut usize, limit: c_int) {
        put(value, 0)
    }
}

api! {
    Context fn cuCtxSetLimit(limit: c_int, value: usize) {
        Ok(())
    }
}

api! {
    Context fn cuCtxGetStreamPriorityRange(least: *mut c_int, greatest: *mut c_int) {
        if !least.is_null() {
            put(least, 0)?;
        }
        if !greatest.is_null() {
            put(greatest, -2)?;
        }
        Ok(())
    }
}

api! {
    Context fn cuCtxSynchronize() {
        stream::synchronise_all()
    }
}
