use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::owned::Owned;
use super::recorder::ErrorLog;
use crate::sys::callback::{Callback, GpuAllocator, Recorder, StreamReader, error_recorder, gpu_allocator};
use crate::sys::slots::runtime;
use crate::sys::{Handle, Version};
use crate::{Engine, Error, Library, RecordedError, lifecycle, result};

/// How a runtime loads engines.
#[derive(Clone, Default)]
pub struct RuntimeOptions {
    /// Threads for loading; `None`: TensorRT's own choice.
    pub max_threads: Option<i32>,
    /// DLA core, from 0, of engines that were built for one; a plan does not choose it. `None`: TensorRT's own choice.
    pub dla_core: Option<i32>,
    /// Whether plans may bring machine code for the host, as version-compatible ones do. Such a plan runs
    /// as this process: trust the file.
    pub host_code_allowed: bool,
    /// Where a version-compatible plan may put that code; `None`: TensorRT's own choice.
    pub temporary_directory: Option<PathBuf>,
    /// Keep errors with TensorRT's numbers ([`Runtime::recorded_errors`]).
    pub record_errors: bool,
    /// Where device memory of engines and contexts comes from; `None`: TensorRT allocates itself.
    pub gpu_allocator: Option<Arc<dyn GpuAllocator>>,
}

impl std::fmt::Debug for RuntimeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeOptions")
            .field("max_threads", &self.max_threads)
            .field("dla_core", &self.dla_core)
            .field("host_code_allowed", &self.host_code_allowed)
            .field("temporary_directory", &self.temporary_directory)
            .field("record_errors", &self.record_errors)
            .field("gpu_allocator", &self.gpu_allocator.is_some())
            .finish()
    }
}

/// Loads engines. Shared by all that come from it.
pub struct Runtime {
    // Before the callbacks it points to: fields drop in this order.
    object: Owned<runtime::Runtime>,
    recorder: Option<Callback<ErrorLog>>,
    _allocator: Option<Callback<Arc<dyn GpuAllocator>>>,
}

// SAFETY: a TensorRT runtime belongs to no thread.
unsafe impl Send for Runtime {}
// SAFETY: through `&self` go read-only calls and deserialisation, both listed as safe to overlap ("How
// TensorRT Works", Threading); setters run in `new`, before anybody shares the runtime.
unsafe impl Sync for Runtime {}

impl Runtime {
    /// Makes a runtime on the current CUDA device. CUDA must be initialised already.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words, as when CUDA does not initialise; [`Error::Table`] where the
    /// library turns out not to be what its version says.
    pub fn new(library: &Library, options: &RuntimeOptions) -> Result<Arc<Self>, Error> {
        let _lock = lifecycle::lock();
        let failed = || Error::Call {
            interface: "TensorRT",
            method: "createInferRuntime",
            what: "made no runtime".to_owned(),
            vendor: Vec::new(),
        };
        // SAFETY: a pointer past the first page is a live `IRuntime`; a lesser one is TensorRT's way to fail.
        let handle = library
            .quoting(|| unsafe { Handle::<runtime::Runtime>::new(library.create_runtime()) }.ok_or_else(failed))?;
        // SAFETY: the runtime is alive. This is the first call through the table; a wrong table shows here.
        let logger = unsafe { result::runtime::logger(library.version(), handle)? };
        // Before anything owns the runtime: with a wrong table not even its end can be called.
        library.check_logger("runtime", logger)?;
        // SAFETY: just made by that library, and nobody else's.
        let object = unsafe { Owned::new(library, handle) };
        let recorder = options.record_errors.then(|| error_recorder(library.rtti(), ErrorLog::new(library.log())));
        let allocator = options.gpu_allocator.clone().map(|allocator| gpu_allocator(library.rtti(), allocator));
        let runtime = Self { object, recorder, _allocator: allocator };
        runtime.set_up(options)?;
        Ok(Arc::new(runtime))
    }

    fn set_up(&self, options: &RuntimeOptions) -> Result<(), Error> {
        use result::runtime as call;

        let directory = options.temporary_directory.as_ref().map(|path| CString::new(path.as_os_str().as_bytes()));
        let directory = directory.transpose().map_err(|_| Error::argument("temporary directory: NUL in its name"))?;
        // SAFETY: the runtime is alive and not shared yet; the callbacks are dropped after it; TensorRT copies the
        // directory's name.
        self.object.call(|version: Version, runtime| unsafe {
            if let Some(allocator) = &self._allocator {
                call::set_gpu_allocator(version, runtime, allocator.as_ptr())?;
            }
            if let Some(recorder) = &self.recorder {
                call::set_error_recorder(version, runtime, recorder.as_ptr())?;
            }
            if let Some(threads) = options.max_threads {
                call::set_max_threads(version, runtime, threads)?;
            }
            if let Some(core) = options.dla_core {
                call::set_dla_core(version, runtime, core)?;
            }
            if let Some(directory) = &directory {
                call::set_temporary_directory(version, runtime, directory)?;
            }
            call::set_host_code_allowed(version, runtime, options.host_code_allowed)
        })
    }

    /// The library it comes from.
    #[must_use]
    pub fn library(&self) -> &Library {
        self.object.library()
    }

    /// Loads an engine from a plan, onto the current CUDA device. The bytes are not needed afterwards.
    ///
    /// A plan can make TensorRT do anything: load only files you trust.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words: the plan is damaged or made for another version or device.
    pub fn deserialize(self: &Arc<Self>, plan: &[u8]) -> Result<Arc<Engine>, Error> {
        let _lock = lifecycle::lock();
        // SAFETY: the runtime is alive, the plan lives through the call.
        let engine =
            self.object.call(|version, runtime| unsafe { result::runtime::deserialize(version, runtime, plan) })?;
        // SAFETY: just made by this runtime, nobody else's.
        unsafe { Engine::new(self, engine) }
    }

    /// Loads an engine from a plan that arrives in pieces; TensorRT 10.7 and later.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before 10.7, otherwise as for [`Runtime::deserialize`].
    pub fn deserialize_stream(self: &Arc<Self>, reader: impl StreamReader) -> Result<Arc<Engine>, Error> {
        let _lock = lifecycle::lock();
        let reader = crate::sys::callback::stream_reader(self.library().rtti(), reader);
        // SAFETY: the runtime is alive; the reader lives through the call, and TensorRT reads no further.
        let engine = self.object.call(|version, runtime| unsafe {
            result::runtime::deserialize_stream(version, runtime, reader.as_ptr())
        })?;
        // SAFETY: just made by this runtime, nobody else's.
        unsafe { Engine::new(self, engine) }
    }

    /// Loads the same plan several times: engines that share nothing, for models whose engine cannot be
    /// shared. Weights are on the device once per copy.
    ///
    /// # Errors
    /// As for [`Runtime::deserialize`]; copies loaded before the failure are dropped.
    pub fn deserialize_copies(self: &Arc<Self>, plan: &[u8], copies: usize) -> Result<Vec<Arc<Engine>>, Error> {
        (0..copies).map(|_| self.deserialize(plan)).collect()
    }

    /// Errors recorded so far, oldest first; empty without [`RuntimeOptions::record_errors`].
    #[must_use]
    pub fn recorded_errors(&self) -> Vec<RecordedError> {
        self.recorder.as_ref().map(|recorder| recorder.state().errors()).unwrap_or_default()
    }

    /// Forgets the errors recorded so far.
    pub fn clear_recorded_errors(&self) {
        if let Some(recorder) = &self.recorder {
            recorder.state().clear();
        }
    }

    /// References that TensorRT's objects hold on the recorder.
    #[must_use]
    pub fn recorder_references(&self) -> i32 {
        self.recorder.as_ref().map_or(0, |recorder| recorder.state().references())
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("library", self.library()).finish_non_exhaustive()
    }
}
