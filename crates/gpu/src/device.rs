//! A device in use.

use std::ffi::{CString, c_uint, c_void};
use std::fmt;
use std::ptr;
use std::sync::Arc;

use crate::error::CudaError;
use crate::kernels::{Kernel, MODULES, Module};
use crate::ledger::{Ledger, Owner, Usage};
use crate::sys::{self, CUcontext, CUdevice, CUfunction, CUmodule, Functions, JitOption, call};
use crate::{DeviceInfo, Driver, OpenError, is_abandoned};

/// Bytes for what the driver's compiler has to say about a kernel.
const LOG: usize = 4096;

/// A device whose primary context is retained and whose kernels are loaded. Clones share both; streams and memory
/// keep them alive.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    functions: &'static Functions,
    info: DeviceInfo,
    handle: CUdevice,
    context: CUcontext,
    modules: Vec<CUmodule>,
    kernels: Vec<CUfunction>,
    ledger: Arc<Ledger>,
}

// SAFETY: handles of contexts, modules and functions belong to the process, not to a thread; the driver's functions
// may be called from any thread (NVIDIA's "CUDA Driver API", "Context Management").
unsafe impl Send for Inner {}
// SAFETY: as above; nothing in here changes after it was made but the ledger, which has a lock.
unsafe impl Sync for Inner {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Device").field(&self.0.info).finish()
    }
}

impl Device {
    pub(crate) fn retain(driver: Driver, handle: CUdevice, info: DeviceInfo) -> Result<Self, OpenError> {
        let functions = driver.functions();
        let ordinal = info.ordinal;
        let refused = |source| OpenError::Context { ordinal, source };
        let mut context = ptr::null_mut();
        // SAFETY: plain calls; the context is released once, when `Inner` drops. A thread that waits sleeps: with a
        // thread per camera, spinning would take the processor from the decoders.
        unsafe {
            call!(functions, cuDevicePrimaryCtxSetFlags_v2(handle, sys::CONTEXT_BLOCKING_SYNC)).map_err(refused)?;
            call!(functions, cuDevicePrimaryCtxRetain(&mut context, handle)).map_err(refused)?;
        }
        let (modules, kernels) = (Vec::new(), Vec::new());
        let mut inner = Inner { functions, info, handle, context, modules, kernels, ledger: Arc::default() };
        inner.bind().map_err(refused)?;
        for module in MODULES {
            inner.load(module)?;
        }
        Ok(Self(Arc::new(inner)))
    }

    /// What it is.
    #[must_use]
    pub fn info(&self) -> &DeviceInfo {
        &self.0.info
    }

    /// Somebody whose memory is counted under `label`.
    #[must_use]
    pub fn owner(&self, label: &str) -> Owner {
        Owner::new(&self.0.ledger, label)
    }

    /// Who holds how much, by label; who holds nothing is not listed.
    #[must_use]
    pub fn memory(&self) -> Vec<(String, Usage)> {
        self.0.ledger.list()
    }

    /// What all owners hold together.
    #[must_use]
    pub fn total_held(&self) -> Usage {
        self.0.ledger.total()
    }

    /// Bytes free and in all, whoever holds the rest.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn free_memory(&self) -> Result<(usize, usize), CudaError> {
        self.bind()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: writes two integers.
        unsafe { call!(self.0.functions, cuMemGetInfo_v2(&mut free, &mut total)) }?;
        Ok((free, total))
    }

    /// Makes the context the calling thread's. Every call here does so by itself; other libraries (TensorRT) want
    /// it done on each thread that uses them.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn bind(&self) -> Result<(), CudaError> {
        self.0.bind()
    }

    pub(crate) fn functions(&self) -> &'static Functions {
        self.0.functions
    }

    pub(crate) fn kernel(&self, kernel: Kernel) -> CUfunction {
        self.0.kernels[kernel as usize]
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Inner {
    fn bind(&self) -> Result<(), CudaError> {
        // SAFETY: the context is retained for as long as `self` lives.
        unsafe { call!(self.functions, cuCtxSetCurrent(self.context)) }
    }

    fn load(&mut self, module: &Module) -> Result<(), OpenError> {
        let functions = self.functions;
        let ordinal = self.info.ordinal;
        let refused = |source, log| OpenError::Kernels { ordinal, module: module.source, source, log };
        let mut log = vec![0_u8; LOG];
        let mut options = [JitOption::CU_JIT_ERROR_LOG_BUFFER, JitOption::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
        let mut values = [log.as_mut_ptr().cast::<c_void>(), ptr::without_provenance_mut(LOG - 1)];
        let text = CString::new(module.ptx).unwrap_or_default();
        let mut handle = ptr::null_mut();
        // SAFETY: the text ends with a NUL, there are two options and two values, and the log has the size given.
        let loaded = unsafe {
            let (options, values) = (options.as_mut_ptr(), values.as_mut_ptr());
            call!(functions, cuModuleLoadDataEx(&mut handle, text.as_ptr().cast(), 2, options, values))
        };
        loaded.map_err(|source| {
            let end = log.iter().position(|&byte| byte == 0).unwrap_or(LOG);
            let words = String::from_utf8_lossy(&log[..end]);
            refused(source, words.split_whitespace().collect::<Vec<_>>().join(" "))
        })?;
        self.modules.push(handle);
        for kernel in module.kernels {
            let mut function = ptr::null_mut();
            // SAFETY: the module is loaded, the name ends with a NUL.
            unsafe { call!(functions, cuModuleGetFunction(&mut function, handle, kernel.name().as_ptr())) }
                .map_err(|source| refused(source, format!("kernel {:?}", kernel.name())))?;
            debug_assert_eq!(self.kernels.len(), *kernel as usize);
            self.kernels.push(function);
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if is_abandoned() {
            return;
        }
        // A context that is broken refuses all of this, and there is nothing else to be done then.
        let _ = self.bind();
        for &module in &self.modules {
            // SAFETY: loaded once, unloaded once; all streams, which could still run its kernels, are gone.
            let _: c_uint = unsafe { (self.functions.cuModuleUnload)(module) };
        }
        // SAFETY: retained once, released once.
        let _: c_uint = unsafe { (self.functions.cuDevicePrimaryCtxRelease_v2)(self.handle) };
    }
}
