//! The simulated libcuda, found as TensorRT's own CUDA runtime finds the real one: by its name, at run time.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::{Arc, OnceLock};

use crate::allocator::Allocator;

/// Who device memory is for; the numbers are those of `watchkeeper_sim_allocate`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner {
    Weights = 0,
    Persistent = 1,
    Scratch = 2,
}

/// Work for a stream's thread: called once, with whether to do it.
pub(crate) type Work = Box<dyn FnOnce(bool) + Send>;

type Enqueue = unsafe extern "C" fn(usize, extern "C" fn(*mut c_void, c_int), usize, *const usize, usize) -> c_uint;

/// Functions of libcuda.
#[allow(non_snake_case, reason = "the names are CUDA's")]
pub(crate) struct Device {
    cuInit: unsafe extern "C" fn(c_uint) -> c_uint,
    cuDeviceGetCount: unsafe extern "C" fn(*mut c_int) -> c_uint,
    cuDeviceGetAttribute: unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_uint,
    watchkeeper_sim_enqueue: Enqueue,
    watchkeeper_sim_view: unsafe extern "C" fn(usize, usize, *mut usize) -> c_uint,
    watchkeeper_sim_raise: unsafe extern "C" fn(c_uint, *const c_char) -> c_uint,
    watchkeeper_sim_allocate: unsafe extern "C" fn(*mut usize, usize, c_int) -> c_uint,
    watchkeeper_sim_free: unsafe extern "C" fn(usize) -> c_uint,
    watchkeeper_sim_wait: unsafe extern "C" fn(usize) -> c_uint,
}

/// `cudaErrorInsufficientDriver`: what the CUDA runtime says where there is no driver.
const NO_DRIVER: c_uint = 35;
const NO_DEVICE: c_uint = 100;

/// The library; an error number of the CUDA runtime where it or its device cannot be used.
pub(crate) fn get() -> Result<&'static Device, c_uint> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    let device = DEVICE.get_or_init(Device::find).as_ref().ok_or(NO_DRIVER)?;
    let mut count = 0;
    // SAFETY: the functions have the types of CUDA's driver API, and `count` takes the answer.
    let code = unsafe {
        match (device.cuInit)(0) {
            0 => (device.cuDeviceGetCount)(&raw mut count),
            code => code,
        }
    };
    match code {
        0 if count > 0 => Ok(device),
        0 => Err(NO_DEVICE),
        code => Err(code),
    }
}

impl Device {
    #[allow(non_snake_case, reason = "the names are CUDA's")]
    #[allow(clippy::missing_transmute_annotations, reason = "the fields say the types")]
    fn find() -> Option<Self> {
        // SAFETY: a library that is already loaded under this SONAME is only found again; a new one runs its
        // initialisers, as it would for any program that uses CUDA.
        let library = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            return None;
        }
        macro_rules! find {
            ($($name:ident)*) => {
                $(let $name = {
                    let name = concat!(stringify!($name), "\0");
                    // SAFETY: the handle is open and the name NUL-terminated.
                    let found = unsafe { libc::dlsym(library, name.as_ptr().cast()) };
                    if found.is_null() {
                        eprintln!("[simulated] libcuda.so.1 has no {}: not the simulated one; use both or neither", stringify!($name));
                        return None;
                    }
                    // SAFETY: the simulated libcuda declares it with the type of this field.
                    unsafe { std::mem::transmute(found) }
                };)*
                Some(Self { $($name),* })
            };
        }
        find! {
            cuInit cuDeviceGetCount cuDeviceGetAttribute watchkeeper_sim_enqueue watchkeeper_sim_view
            watchkeeper_sim_raise watchkeeper_sim_allocate watchkeeper_sim_free watchkeeper_sim_wait
        }
    }

    /// Compute capability, such as 8.7.
    pub(crate) fn capability(&self) -> String {
        let attribute = |number| {
            let mut value = 0;
            // SAFETY: `value` takes the answer.
            unsafe { (self.cuDeviceGetAttribute)(&raw mut value, number, 0) };
            value
        };
        format!("{}.{}", attribute(75), attribute(76))
    }

    /// Gives a stream work that uses memory at `addresses`.
    pub(crate) fn enqueue(&self, stream: usize, addresses: &[usize], work: Work) -> Result<(), c_uint> {
        extern "C" fn turn(data: *mut c_void, run: c_int) {
            // SAFETY: `data` is the box below; libcuda calls this once.
            let work = unsafe { Box::from_raw(data.cast::<Work>()) };
            work(run != 0);
        }
        let data = Box::into_raw(Box::new(work));
        // SAFETY: the array lives through the call, and `data` until `turn` takes it.
        let code =
            unsafe { (self.watchkeeper_sim_enqueue)(stream, turn, data as usize, addresses.as_ptr(), addresses.len()) };
        if code != 0 {
            // SAFETY: libcuda refused the work, so nobody else has the box.
            drop(unsafe { Box::from_raw(data) });
            return Err(code);
        }
        Ok(())
    }

    /// Waits for what a stream was given so far.
    pub(crate) fn wait(&self, stream: usize) {
        // SAFETY: no memory changes hands.
        unsafe { (self.watchkeeper_sim_wait)(stream) };
    }

    /// Where the bytes of a device address are; `None` unless all of them are in one live allocation.
    pub(crate) fn view(&self, address: usize, size: usize) -> Option<*mut u8> {
        let mut view = 0;
        // SAFETY: `view` takes the answer.
        unsafe { (self.watchkeeper_sim_view)(address, size, &raw mut view) };
        (view != 0).then_some(view as *mut u8)
    }

    /// Makes an error sticky.
    pub(crate) fn raise(&self, code: c_uint, why: &str) {
        let why = CString::new(why).unwrap_or_default();
        let why: &CStr = &why;
        // SAFETY: NUL-terminated text that lives through the call.
        unsafe { (self.watchkeeper_sim_raise)(code, why.as_ptr()) };
    }
}

/// Device memory of an engine or context, given back when it drops.
pub(crate) struct Block {
    /// Where it is; 0 where its size is 0.
    pub(crate) address: usize,
    /// Bytes.
    pub(crate) size: usize,
    device: &'static Device,
    allocator: Option<Arc<Allocator>>,
}

impl Block {
    /// Takes memory from the caller's allocator where there is one, from the device otherwise.
    pub(crate) fn take(
        device: &'static Device,
        allocator: Option<Arc<Allocator>>,
        size: usize,
        owner: Owner,
    ) -> Option<Self> {
        let mut address = 0;
        if size > 0 {
            address = match &allocator {
                Some(allocator) => allocator.allocate(size)?,
                None => {
                    // SAFETY: `address` takes the answer.
                    let code = unsafe { (device.watchkeeper_sim_allocate)(&raw mut address, size, owner as c_int) };
                    (code == 0).then_some(address)?
                }
            };
        }
        Some(Self { address, size, device, allocator })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.address == 0 {
            return;
        }
        match &self.allocator {
            Some(allocator) => allocator.deallocate(self.address),
            // SAFETY: the address came from the same library, and is given back once.
            None => unsafe {
                (self.device.watchkeeper_sim_free)(self.address);
            },
        }
    }
}
