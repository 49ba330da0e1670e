//! The driver API, typed.

use std::ffi::c_void;

use super::library;

macro_rules! functions {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {$(
        #[allow(non_snake_case)]
        pub fn $name($($arg: $type),*) -> u32 {
            // SAFETY: the simulated libcuda exports the function with this type; tests pass what it asks for.
            unsafe {
                let function: libloading::Symbol<unsafe extern "C" fn($($type),*) -> u32> =
                    library("libcuda.so.1").get(concat!(stringify!($name), "\0").as_bytes()).expect(stringify!($name));
                function($($arg),*)
            }
        }
    )*};
}

functions! {
    cuInit(flags: u32);
    cuDeviceGetCount(count: &mut i32);
    cuDeviceGetName(name: *mut u8, room: i32, device: i32);
    cuDeviceGetAttribute(value: &mut i32, attribute: i32, device: i32);
    cuDevicePrimaryCtxRetain(context: &mut usize, device: i32);
    cuDevicePrimaryCtxRelease_v2(device: i32);
    cuCtxSetCurrent(context: usize);
    cuCtxSynchronize();
    cuMemAlloc_v2(address: &mut usize, size: usize);
    cuMemFree_v2(address: usize);
    cuMemGetInfo_v2(free: &mut usize, total: &mut usize);
    cuMemHostAlloc(address: &mut usize, size: usize, flags: u32);
    cuMemFreeHost(address: usize);
    cuMemcpyHtoDAsync_v2(to: usize, from: usize, size: usize, stream: usize);
    cuMemcpyDtoHAsync_v2(to: usize, from: usize, size: usize, stream: usize);
    cuMemcpyHtoD_v2(to: usize, from: usize, size: usize);
    cuMemcpyDtoH_v2(to: usize, from: usize, size: usize);
    cuMemsetD8Async(to: usize, value: u8, size: usize, stream: usize);
    cuStreamCreate(stream: &mut usize, flags: u32);
    cuStreamDestroy_v2(stream: usize);
    cuStreamSynchronize(stream: usize);
    cuStreamQuery(stream: usize);
    cuStreamWaitEvent(stream: usize, event: usize, flags: u32);
    cuEventCreate(event: &mut usize, flags: u32);
    cuEventDestroy_v2(event: usize);
    cuEventRecord(event: usize, stream: usize);
    cuEventQuery(event: usize);
    cuEventSynchronize(event: usize);
    cuEventElapsedTime(milliseconds: &mut f32, start: usize, end: usize);
    cuModuleLoadData(module: &mut usize, image: *const c_void);
    cuModuleUnload(module: usize);
    cuModuleGetFunction(function: &mut usize, module: usize, name: *const u8);
    cuLaunchKernel(function: usize, gx: u32, gy: u32, gz: u32, bx: u32, by: u32, bz: u32, shared: u32, stream: usize,
        parameters: *mut *mut c_void, extra: *mut *mut c_void);
}

/// A ready device with its primary context current on this thread; released when it drops.
pub struct Ready;

impl Ready {
    pub fn new() -> Self {
        assert_eq!(cuInit(0), 0);
        let mut context = 0;
        assert_eq!(cuDevicePrimaryCtxRetain(&mut context, 0), 0);
        assert_eq!(cuCtxSetCurrent(context), 0);
        Self
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        cuDevicePrimaryCtxRelease_v2(0);
    }
}

pub fn stream() -> usize {
    let mut stream = 0;
    assert_eq!(cuStreamCreate(&mut stream, 1), 0);
    stream
}

pub fn device(size: usize) -> usize {
    let mut address = 0;
    assert_eq!(cuMemAlloc_v2(&mut address, size), 0);
    address
}

/// Pinned memory with a value in each byte.
pub fn pinned(size: usize, value: u8) -> usize {
    let mut address = 0;
    assert_eq!(cuMemHostAlloc(&mut address, size, 0), 0);
    // SAFETY: it was just allocated with this size.
    unsafe { std::ptr::write_bytes(address as *mut u8, value, size) };
    address
}

/// The bytes at a host address, as they are now.
pub fn bytes(address: usize, size: usize) -> Vec<u8> {
    // SAFETY: tests pass live pinned memory; a simulated device may be writing it, so it is read byte by byte.
    (0..size).map(|at| unsafe { (address as *const u8).add(at).read_volatile() }).collect()
}

/// PTX with the entry of the kernel `proof`.
pub const PROOF: &[u8] = b".version 8.2\n.target sm_75\n.address_size 64\n\
.visible .entry proof(\n .param .u64 proof_param_0,\n .param .u64 proof_param_1,\n .param .u32 proof_param_2\n)\n{ ret; }\0";
