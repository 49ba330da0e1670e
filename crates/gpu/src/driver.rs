//! From nothing to a device that is known to compute, one step after the other.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::Device;
use crate::error::CudaError;
use crate::open::{OLDEST, OpenError};
use crate::sys::{self, Attribute, CUdevice, CUuuid, Functions, Refused, call};

/// The name that every driver's library has.
const LIBRARY: &str = "libcuda.so.1";

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its number in this process, from 0.
    pub ordinal: u32,
    /// Its name.
    pub name: String,
    /// `GPU-` and 32 digits, as `nvidia-smi -L` has it.
    pub uuid: String,
    /// Major and minor.
    pub compute_capability: (u32, u32),
    /// Bytes of memory.
    pub total_memory: usize,
    /// Streaming multiprocessors.
    pub multiprocessors: u32,
    /// True where host and device share their memory (Jetson): map, do not copy.
    pub integrated: bool,
    /// CUDA version of the driver, major and minor.
    pub driver: (u32, u32),
}

/// A driver's library that is loaded and started. It stays so until the process ends.
#[derive(Clone, Copy)]
pub struct Driver {
    functions: &'static Functions,
    version: c_int,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Driver {
    /// The machine's driver.
    ///
    /// # Errors
    ///
    /// [`OpenError::Library`] to [`OpenError::Old`].
    pub fn load() -> Result<Self, OpenError> {
        Self::load_from(Path::new(LIBRARY))
    }

    /// A library by its path, for a driver at an unusual place. The same path gives the same driver.
    ///
    /// # Errors
    ///
    /// [`OpenError::Library`] to [`OpenError::Old`].
    pub fn load_from(path: &Path) -> Result<Self, OpenError> {
        static LOADED: Mutex<Vec<(PathBuf, Driver)>> = Mutex::new(Vec::new());
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, driver)) = loaded.iter().find(|(at, _)| at == path) {
            return Ok(*driver);
        }
        let path = path.to_owned();
        let functions = sys::load(&path).map_err(|refused| match refused {
            Refused::Open(reason) => OpenError::Library { path: path.clone(), reason },
            Refused::Lacks(function) => OpenError::Function { path: path.clone(), function },
        })?;
        // SAFETY: `cuInit` may be called at any time, from any thread; its flags must be 0.
        unsafe { call!(functions, cuInit(0)) }.map_err(|source| match source.code {
            100 => OpenError::NoDevice,
            _ => OpenError::Init { source },
        })?;
        let mut version = 0;
        // SAFETY: writes one integer.
        unsafe { call!(functions, cuDriverGetVersion(&mut version)) }.map_err(|source| OpenError::Init { source })?;
        if version < OLDEST {
            return Err(OpenError::Old { found: version });
        }
        let driver = Self { functions, version };
        loaded.push((path, driver));
        Ok(driver)
    }

    pub(crate) fn functions(&self) -> &'static Functions {
        self.functions
    }

    /// CUDA version of the driver, major and minor.
    #[must_use]
    pub fn version(&self) -> (u32, u32) {
        let version = self.version.unsigned_abs();
        (version / 1000, version % 1000 / 10)
    }

    /// All devices, without touching one.
    ///
    /// # Errors
    ///
    /// [`OpenError::NoDevice`], [`OpenError::Query`].
    pub fn devices(&self) -> Result<Vec<DeviceInfo>, OpenError> {
        (0..self.count()?).map(|ordinal| self.info(ordinal).map(|(_, info)| info)).collect()
    }

    /// Takes a device into use: retains its primary context, on the calling thread, loads the kernels, and has
    /// one of them prove that the device computes. Do this before any other library touches CUDA.
    ///
    /// # Errors
    ///
    /// [`OpenError::NoDevice`] to [`OpenError::Wrong`].
    pub fn open(&self, ordinal: u32) -> Result<Device, OpenError> {
        let count = self.count()?;
        if ordinal >= count {
            return Err(OpenError::NoSuchDevice { asked: ordinal, count });
        }
        let (handle, info) = self.info(ordinal)?;
        let device = Device::retain(*self, handle, info)?;
        device.prove()?;
        Ok(device)
    }

    fn count(&self) -> Result<u32, OpenError> {
        let mut count = 0;
        // SAFETY: writes one integer.
        unsafe { call!(self.functions, cuDeviceGetCount(&mut count)) }.map_err(|source| OpenError::Init { source })?;
        match u32::try_from(count) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(OpenError::NoDevice),
        }
    }

    fn info(&self, ordinal: u32) -> Result<(CUdevice, DeviceInfo), OpenError> {
        self.query(ordinal).map_err(|source| OpenError::Query { ordinal, source })
    }

    fn query(&self, ordinal: u32) -> Result<(CUdevice, DeviceInfo), CudaError> {
        let functions = self.functions;
        let (mut handle, mut total_memory) = (0, 0);
        let (mut name, mut uuid) = ([0 as c_char; 256], CUuuid { bytes: [0; 16] });
        // SAFETY: each call writes what its pointer points to; the name gets at most 255 bytes and a NUL.
        unsafe {
            call!(functions, cuDeviceGet(&mut handle, ordinal as c_int))?;
            call!(functions, cuDeviceGetName(name.as_mut_ptr(), 255, handle))?;
            call!(functions, cuDeviceGetUuid_v2(&mut uuid, handle))?;
            call!(functions, cuDeviceTotalMem_v2(&mut total_memory, handle))?;
        }
        let attribute = |attribute| {
            let mut value = 0;
            // SAFETY: writes one integer.
            unsafe { call!(functions, cuDeviceGetAttribute(&mut value, attribute, handle)) }?;
            Ok::<_, CudaError>(value.unsigned_abs())
        };
        // SAFETY: the array ends with a NUL: the driver wrote at most 255 of its 256 bytes.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        let info = DeviceInfo {
            ordinal,
            name,
            uuid: uuid_text(&uuid),
            compute_capability: (
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            total_memory,
            multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            integrated: attribute(Attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED)? != 0,
            driver: self.version(),
        };
        Ok((handle, info))
    }
}

fn uuid_text(uuid: &CUuuid) -> String {
    let mut text = String::from("GPU");
    for (i, byte) in uuid.bytes.iter().enumerate() {
        let dash = if matches!(i, 0 | 4 | 6 | 8 | 10) { "-" } else { "" };
        text.push_str(&format!("{dash}{:02x}", *byte as u8));
    }
    text
}
