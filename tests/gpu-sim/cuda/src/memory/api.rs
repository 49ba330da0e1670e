//! Allocation calls of the driver.

use std::ffi::{c_int, c_uint, c_void};

use gpu_sim::report::misuse;

use super::{Kind, Place};
use crate::driver::{LIBRARY, api, put};
use crate::result::Code;

const OWNER: &str = "cuMemAlloc";

api! {
    Context fn cuMemAlloc_v2(address: *mut usize, size: usize) {
        put(address, super::allocate(size, OWNER)?)
    }
}

api! {
    Context fn cuMemAllocPitch_v2(address: *mut usize, pitch: *mut usize, width: usize, height: usize, element: c_uint) {
        let row = width.checked_next_multiple_of(super::ALIGNMENT).ok_or(Code::OUT_OF_MEMORY)?;
        let size = row.checked_mul(height).ok_or(Code::OUT_OF_MEMORY)?;
        put(pitch, row)?;
        put(address, super::allocate(size, OWNER)?)
    }
}

api! {
    Context fn cuMemFree_v2(address: usize) {
        if address == 0 {
            return Ok(());
        }
        super::free(address, Kind::Device)
    }
}

api! {
    Context fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) {
        put(free, super::total().saturating_sub(super::used()))?;
        put(total, super::total())
    }
}

api! {
    Context fn cuMemHostAlloc(address: *mut usize, size: usize, flags: c_uint) {
        put(address, super::allocate_host(size)?)
    }
}

api! {
    Context fn cuMemAllocHost_v2(address: *mut usize, size: usize) {
        put(address, super::allocate_host(size)?)
    }
}

api! {
    Context fn cuMemFreeHost(address: usize) {
        super::free(address, Kind::Host)
    }
}

api! {
    // Unified addressing: mapped host memory has one address for both sides.
    Context fn cuMemHostGetDevicePointer_v2(device: *mut usize, host: usize, flags: c_uint) {
        match super::place(host, 1) {
            Place::Known { kind: Kind::Host, .. } => put(device, host),
            _ => {
                misuse(LIBRARY, "host-pointer", &format!("{host:#x} is not pinned memory"));
                Err(Code::INVALID_VALUE)
            }
        }
    }
}

api! {
    Context fn cuMemHostGetFlags(flags: *mut c_uint, host: usize) {
        // Portable and mapped.
        put(flags, 3)
    }
}

api! {
    Context fn cuMemGetAddressRange_v2(base: *mut usize, size: *mut usize, address: usize) {
        let (start, length, _) = super::around(address).ok_or(Code::NOT_FOUND)?;
        if !base.is_null() {
            put(base, start)?;
        }
        if !size.is_null() {
            put(size, length)?;
        }
        Ok(())
    }
}

api! {
    // "CUDA Driver API", enum CUpointer_attribute: 2 memory type (1 host, 2 device), 3 and 4 the device's and the
    // host's pointer, 9 device ordinal.
    Init fn cuPointerGetAttribute(value: *mut c_void, attribute: c_int, address: usize) {
        let (_, _, kind) = super::around(address).ok_or(Code::INVALID_VALUE)?;
        match attribute {
            2 => put(value.cast::<c_uint>(), if kind == Kind::Device { 2 } else { 1 }),
            3 => put(value.cast::<usize>(), address),
            4 if kind == Kind::Host => put(value.cast::<usize>(), address),
            9 => put(value.cast::<c_int>(), 0),
            _ => Err(Code::INVALID_VALUE),
        }
    }
}
