//! Modules and kernels: PTX says which kernels there are and what they take, their host builds do the work.

mod api;
mod ptx;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_int, c_uint, c_void};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{ptr, thread};

use gpu_sim::report::{lock, misuse};

use crate::driver::{self, LIBRARY, fault};
use crate::memory::{self, Kind, Place};
use crate::result::Code;
use crate::stream::{self, Turn};

/// A module or function handle of the driver.
type Handle = usize;

const FIRST: Handle = 0x3D_0000_0000;
/// Threads of a block, and blocks along y and z.
const MOST_THREADS: u64 = 1024;
const MOST_BLOCKS: c_uint = 65_535;

struct Function {
    name: CString,
    parameters: Vec<ptx::Parameter>,
}

#[derive(Default)]
struct Modules {
    next: Handle,
    /// Functions of each module.
    live: BTreeMap<Handle, Vec<Handle>>,
    functions: BTreeMap<Handle, Arc<Function>>,
}

static MODULES: Mutex<Modules> = Mutex::new(Modules { next: FIRST, live: BTreeMap::new(), functions: BTreeMap::new() });

/// Modules that were not unloaded.
pub(crate) fn alive() -> usize {
    lock(&MODULES).live.len()
}

/// # Safety
/// `image` is what the driver API takes: null, or NUL-terminated PTX, or a binary image of at least four bytes.
unsafe fn load(image: *const c_void) -> Result<Handle, Code> {
    if image.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    // SAFETY: binary images have a header, and PTX shorter than this ends with NUL, where the comparison stops.
    let text = unsafe { CStr::from_ptr(image.cast()) };
    let text = text.to_str().ok().filter(|text| text.contains(".version")).ok_or_else(|| {
        misuse(LIBRARY, "module-image", "the image is no PTX text; the simulator takes nothing else");
        Code::INVALID_IMAGE
    })?;
    let found = ptx::read(text)?;
    let (version, capability) = fault(|faults| (faults.driver_version, faults.capability()));
    ptx::check(&found, version, capability)?;
    let mut modules = lock(&MODULES);
    let module = modules.next;
    modules.next += 0x1000;
    let mut handles = Vec::new();
    for (index, kernel) in found.kernels.into_iter().enumerate() {
        let name = CString::new(kernel.name).map_err(|_| Code::INVALID_PTX)?;
        let handle = module + 0x10 * (index + 1);
        modules.functions.insert(handle, Arc::new(Function { name, parameters: kernel.parameters }));
        handles.push(handle);
    }
    modules.live.insert(module, handles);
    Ok(module)
}

fn unload(module: Handle) -> Result<(), Code> {
    let mut modules = lock(&MODULES);
    let Some(functions) = modules.live.remove(&module) else {
        drop(modules);
        misuse(LIBRARY, "unknown-module", &format!("{module:#x} is no module, or was unloaded"));
        return Err(Code::INVALID_HANDLE);
    };
    for function in functions {
        modules.functions.remove(&function);
    }
    Ok(())
}

fn function(module: Handle, name: &CStr) -> Result<Handle, Code> {
    let modules = lock(&MODULES);
    let functions = modules.live.get(&module).ok_or(Code::INVALID_HANDLE)?;
    let named = |handle: &&Handle| modules.functions.get(handle).is_some_and(|found| found.name.as_c_str() == name);
    functions.iter().find(named).copied().ok_or(Code::NOT_FOUND)
}

/// # Safety
/// `parameters` points to as many pointers as the kernel has parameters, each to a value of the parameter's size.
unsafe fn launch(
    handle: Handle,
    grid: [c_uint; 3],
    block: [c_uint; 3],
    on: stream::Handle,
    parameters: *const *const c_void,
) -> Result<(), Code> {
    let Some(function) = lock(&MODULES).functions.get(&handle).cloned() else {
        misuse(LIBRARY, "unknown-function", &format!("{handle:#x} is no kernel, or its module was unloaded"));
        return Err(Code::INVALID_HANDLE);
    };
    let name = function.name.to_string_lossy().into_owned();
    let threads = block.iter().map(|extent| u64::from(*extent)).product::<u64>();
    let bad_grid = grid.contains(&0) || grid[1] > MOST_BLOCKS || grid[2] > MOST_BLOCKS || grid[0] > i32::MAX as c_uint;
    if bad_grid || threads == 0 || threads > MOST_THREADS || block[2] > 64 {
        misuse(LIBRARY, "bad-launch", &format!("{name}: grid {grid:?}, block {block:?}"));
        return Err(Code::INVALID_VALUE);
    }
    if parameters.is_null() && !function.parameters.is_empty() {
        return Err(Code::INVALID_VALUE);
    }
    let stream = stream::find(on)?;
    let mut values = Vec::new();
    let mut bases = Vec::new();
    let mut invalid = None;
    for (index, parameter) in function.parameters.iter().enumerate() {
        let mut value = vec![0_u64; parameter.bytes.div_ceil(8)];
        // SAFETY: the caller vouches for the pointers and the sizes; `value` is at least as large.
        unsafe {
            let source = parameters.add(index).read();
            if source.is_null() {
                return Err(Code::INVALID_VALUE);
            }
            ptr::copy_nonoverlapping(source.cast::<u8>(), value.as_mut_ptr().cast(), parameter.bytes);
        }
        let addresses = if parameter.addresses { parameter.bytes / 8 } else { 0 };
        for word in &mut value[..addresses] {
            match memory::place(*word as usize, 1) {
                // No number meant as one looks like an address of the device.
                Place::Known { view, base, .. } => {
                    *word = view as u64;
                    bases.push(base);
                }
                Place::Invalid => invalid = Some(*word),
                Place::Pageable => {}
            }
        }
        values.push(value);
    }
    let written = bases.clone();
    stream.submit(&bases, Vec::new(), move |turn| {
        if turn == Turn::Cancelled {
            return;
        }
        if let Some(address) = invalid {
            driver::raise(Code::ILLEGAL_ADDRESS, &format!("{name} was given {address:#x}, which is not allocated"));
            return;
        }
        let (delay, wrong) = fault(|faults| (faults.launch_ms, faults.wrong_proof && name.contains("proof")));
        thread::sleep(Duration::from_millis(delay));
        let mut pointers: Vec<*mut c_void> = values.iter_mut().map(|value| value.as_mut_ptr().cast()).collect();
        // SAFETY: the parameters have the kernel's number and sizes as its PTX gives them, and their addresses are
        // those of live memory.
        let known = unsafe { run(&function.name, grid, block, pointers.as_mut_ptr()) };
        if !known {
            let words = format!("{name} has no host build in this simulator");
            misuse(LIBRARY, "unknown-kernel", &words);
            driver::raise(Code::LAUNCH_FAILED, &words);
        }
        if wrong {
            spoil(&written);
        }
    });
    Ok(())
}

/// Makes the first bytes of everything a kernel had its hands on wrong.
fn spoil(bases: &[usize]) {
    for base in bases {
        if let Some((start, size, Kind::Device)) = memory::around(*base)
            && let Place::Known { view, .. } = memory::place(start, size)
        {
            // SAFETY: a live allocation of at least one byte, used by this stream's work only while it runs.
            unsafe { *(view as *mut u8) ^= 0xFF };
        }
    }
}

#[cfg(host_kernels)]
unsafe extern "C" {
    fn watchkeeper_host_kernel(
        name: *const std::ffi::c_char,
        grid: *const c_uint,
        block: *const c_uint,
        parameters: *mut *mut c_void,
    ) -> c_int;
}

/// Runs a kernel's host build; `false`: there is none.
///
/// # Safety
/// `parameters` are those of the kernel called `name`, their pointers valid for what it does with them.
unsafe fn run(name: &CStr, grid: [c_uint; 3], block: [c_uint; 3], parameters: *mut *mut c_void) -> bool {
    #[cfg(host_kernels)]
    // SAFETY: the arrays have three entries each and the caller vouches for the parameters.
    let answer: c_int = unsafe { watchkeeper_host_kernel(name.as_ptr(), grid.as_ptr(), block.as_ptr(), parameters) };
    #[cfg(not(host_kernels))]
    let answer: c_int = {
        let _ = (name, grid, block, parameters);
        1
    };
    answer == 0
}
