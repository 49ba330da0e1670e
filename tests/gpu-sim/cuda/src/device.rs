//! Initialisation and what can be asked of a device.

use std::ffi::{c_char, c_int, c_uint, c_void};

use crate::driver::{api, fault, initialise, put};
use crate::memory;
use crate::result::{Code, describe};

pub(crate) fn check(device: c_int) -> Result<(), Code> {
    if (0..fault(|faults| faults.devices)).contains(&device) { Ok(()) } else { Err(Code::INVALID_DEVICE) }
}

api! {
    Nothing fn cuInit(flags: c_uint) {
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        initialise()
    }
}

api! {
    Nothing fn cuDriverGetVersion(version: *mut c_int) {
        put(version, fault(|faults| faults.driver_version))
    }
}

api! {
    Nothing fn cuGetErrorName(error: c_uint, name: *mut *const c_char) {
        put(name, describe(error).map_or(std::ptr::null(), |(name, _)| name.as_ptr()))?;
        describe(error).map(|_| ()).ok_or(Code::INVALID_VALUE)
    }
}

api! {
    Nothing fn cuGetErrorString(error: c_uint, words: *mut *const c_char) {
        put(words, describe(error).map_or(std::ptr::null(), |(_, words)| words.as_ptr()))?;
        describe(error).map(|_| ()).ok_or(Code::INVALID_VALUE)
    }
}

api! {
    Init fn cuDeviceGetCount(count: *mut c_int) {
        put(count, fault(|faults| faults.devices))
    }
}

api! {
    Init fn cuDeviceGet(device: *mut c_int, ordinal: c_int) {
        check(ordinal)?;
        put(device, ordinal)
    }
}

api! {
    Init fn cuDeviceGetName(name: *mut c_char, length: c_int, device: c_int) {
        check(device)?;
        let room = usize::try_from(length).ok().filter(|room| *room > 0 && !name.is_null()).ok_or(Code::INVALID_VALUE)?;
        let text = &gpu_sim::DEVICE_NAME.as_bytes()[..gpu_sim::DEVICE_NAME.len().min(room - 1)];
        // SAFETY: the caller's buffer has `length` bytes, and the text with its NUL is no longer than that.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), name, text.len());
            name.add(text.len()).write(0);
        }
        Ok(())
    }
}

/// "WKSIM", zeros and the ordinal: nobody takes it for a real card's.
fn uuid(device: c_int) -> [u8; 16] {
    let mut uuid = *b"WKSIM\0\0\0\0\0\0\0\0\0\0\0";
    uuid[15] = device.to_le_bytes()[0];
    uuid
}

api! {
    Init fn cuDeviceGetUuid(out: *mut [u8; 16], device: c_int) {
        check(device)?;
        put(out, uuid(device))
    }
}

api! {
    Init fn cuDeviceGetUuid_v2(out: *mut [u8; 16], device: c_int) {
        check(device)?;
        put(out, uuid(device))
    }
}

api! {
    Init fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) {
        check(device)?;
        put(bytes, memory::total())
    }
}

api! {
    Init fn cuDeviceGetPCIBusId(name: *mut c_char, length: c_int, device: c_int) {
        check(device)?;
        const ID: &[u8] = b"ffff:00:00.0\0";
        if name.is_null() || usize::try_from(length).unwrap_or(0) < ID.len() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: the caller's buffer has `length` bytes, no fewer than the text.
        unsafe { std::ptr::copy_nonoverlapping(ID.as_ptr().cast(), name, ID.len()) };
        Ok(())
    }
}

api! {
    Init fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int) {
        check(device)?;
        put(value, attribute_of(attribute)?)
    }
}

/// Numbers of "CUDA Driver API", enum CUdevice_attribute; the values are those of a small Jetson.
fn attribute_of(attribute: c_int) -> Result<c_int, Code> {
    let (major, minor) = fault(crate::faults::Faults::capability);
    let integrated = c_int::from(fault(|faults| faults.integrated));
    Ok(match attribute {
        1..=3 => 1024,
        4 => 64,
        5 => i32::MAX,
        6 | 7 => 65_535,
        8 => 48 << 10,
        9 => 64 << 10,
        10 => 32,
        12 => 65_536,
        13 | 36 => 918_000,
        14 => memory::ALIGNMENT as c_int,
        16 => 8,
        18 => integrated,
        37 => 128,
        38 => 2 << 20,
        39 => 1536,
        40 => 2,
        // Host memory can be mapped; concurrent kernels; unified addresses; priorities; managed memory; host pointers.
        19 | 31 | 41 | 78 | 83 | 91 => 1,
        75 => major,
        76 => minor,
        other if (1..=200).contains(&other) => 0,
        _ => return Err(Code::INVALID_VALUE),
    })
}

api! {
    Init fn cuDeviceCanAccessPeer(can: *mut c_int, device: c_int, peer: c_int) {
        check(device)?;
        check(peer)?;
        put(can, 0)
    }
}

api! {
    Nothing fn cuGetExportTable(table: *mut *const c_void, id: *const c_void) {
        Err(Code::NOT_SUPPORTED)
    }
}
