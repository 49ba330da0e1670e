//! `IRuntime`.

use std::ffi::{CString, c_char, c_void};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gpu_sim::DEVICE_NAME;
use gpu_sim::plan::{Broken, Plan};
use gpu_sim::report::lock;
use sim_nvinfer_abi::{ErrorCode, Interface, Severity, Sink, method, methods, text};

use crate::allocator::Allocator;
use crate::engine::Engine;
use crate::faults::{Count, fault, next};
use crate::library::{create, current, misuse};
use crate::{device, registry};

const CALL: &str = "IRuntime::deserializeCudaEngine";

/// A runtime and what engines inherit from it.
pub(crate) struct Runtime {
    sink: Sink,
    allocator: Mutex<Option<Arc<Allocator>>>,
    engines: Arc<AtomicUsize>,
    threads: AtomicI32,
    dla_core: AtomicI32,
    host_code: AtomicBool,
    folder: Mutex<CString>,
}

impl Runtime {
    pub(crate) fn new(sink: Sink) -> Self {
        Self {
            sink,
            allocator: Mutex::new(None),
            engines: Arc::new(AtomicUsize::new(0)),
            threads: AtomicI32::new(1),
            dla_core: AtomicI32::new(0),
            host_code: AtomicBool::new(false),
            folder: Mutex::new(CString::default()),
        }
    }

    /// An engine for the caller; null, and a reason in the log, where the bytes are no plan for this version and device.
    pub(crate) fn deserialize(&self, bytes: &[u8]) -> *mut c_void {
        let fail = |what: &str| {
            self.sink.error(CALL, ErrorCode::Unspecified, what);
            std::ptr::null_mut()
        };
        // TensorRT 10 has this code and these words for a plan that was built for something else.
        let foreign = |what: &str| {
            self.sink.error(
                CALL,
                ErrorCode::FailedInitialization,
                &format!("API Usage Error ({what}, please rebuild.)"),
            );
            std::ptr::null_mut()
        };
        if next(Count::Deserialize) == fault(|faults| faults.fail_deserialize) {
            return fail("Internal Error (a failure that was asked for)");
        }
        let plan = match Plan::from_bytes(bytes) {
            Ok(plan) => plan,
            Err(broken) => return fail(words(broken)),
        };
        let (built, here) = (&plan.header.tensorrt, current().to_string());
        if *built != here {
            return foreign(&format!(
                "The engine plan file is not compatible with this version of TensorRT, expecting library version \
                 {here} got {built}"
            ));
        }
        let device = match device::get() {
            Ok(device) => device,
            Err(code) => return fail(&format!("Cuda Runtime (In catchCudaError: {code})")),
        };
        let (built, here) = (&plan.header.compute_capability, device.capability());
        if *built != here {
            return foreign(&format!(
                "The engine plan file is generated on an incompatible device, expecting compute {here} got compute \
                 {built}"
            ));
        }
        if plan.header.device != DEVICE_NAME {
            self.sink.logger.log(
                Severity::Warning,
                "Using an engine plan file across different models of devices is not recommended and is likely to \
                 affect performance or even cause errors.",
            );
        }
        let core = self.dla_core.load(Ordering::Relaxed);
        if let Some(built) = plan.header.dla_core
            && i64::from(built) != i64::from(core)
        {
            misuse("wrong-dla-core", &format!("{CALL}: a plan for DLA core {built} is loaded for core {core}"));
        }
        let allocator = lock(&self.allocator).clone();
        match Engine::load(plan, bytes, device, allocator, self.sink.child(), Arc::clone(&self.engines)) {
            Ok(engine) => {
                let words = format!("Loaded engine size: {} MiB ({}, on the CPU)", bytes.len() >> 20, engine.name());
                self.sink.logger.log(Severity::Info, &words);
                create(Arc::new(engine))
            }
            Err((code, what)) => {
                self.sink.error(CALL, code, &what);
                std::ptr::null_mut()
            }
        }
    }
}

/// TensorRT's words for a broken plan, as far as they are known.
fn words(broken: Broken) -> &'static str {
    match broken {
        Broken::Magic => {
            "Serialization (Serialization assertion magicTagRead == kMAGIC_TAG failed.Magic tag does not match)"
        }
        Broken::Container(_) => {
            "Serialization (Serialization assertion stdVersionRead == kSERIALIZATION_VERSION failed.Version tag does \
             not match. Note: Current Version and Serialized Engine Version differ)"
        }
        Broken::Length => {
            "Serialization (Serialization assertion sizeRead == static_cast<uint64_t>(mEnd - mCurrent) failed.Size \
             specified in header does not match archive size)"
        }
        Broken::Checksum => "Serialization (Serialization assertion failed.Checksum does not match the plan's content)",
        Broken::Header => "Serialization (Serialization assertion failed.The plan's header cannot be read)",
    }
}

impl Interface for Runtime {
    const CLASS: &'static str = "VRuntime";
    const INTERFACE: &'static str = "IRuntime";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "getPImpl" => get_interface,
            "deserializeCudaEngine" => deserialize,
            "deserializeCudaEngineV2" => deserialize_stream,
            "setDLACore" => set_dla_core,
            "getDLACore" => get_dla_core,
            "getNbDLACores" => count_dla_cores,
            "setGpuAllocator" => set_allocator,
            "setErrorRecorder" => set_recorder,
            "getErrorRecorder" => get_recorder,
            "getLogger" => get_logger,
            "setMaxThreads" => set_threads,
            "getMaxThreads" => get_threads,
            "setTemporaryDirectory" => set_folder,
            "getTemporaryDirectory" => get_folder,
            "setTempfileControlFlags" => ignore_number,
            "getTempfileControlFlags" => none,
            "getPluginRegistry" => get_registry,
            "setEngineHostCodeAllowed" => allow_host_code,
            "getEngineHostCodeAllowed" => is_host_code_allowed,
        }
    }

    fn destroyed(self: Arc<Self>) {
        let left = self.engines.load(Ordering::Acquire);
        if left > 0 {
            misuse("destroyed-before-children", &format!("a runtime was destroyed before its {left} engines"));
        }
    }
}

extern "C" fn get_interface(this: *const c_void) -> *const c_void {
    (this as usize - 2 * size_of::<usize>()) as *const c_void
}

extern "C" fn deserialize(this: *const c_void, bytes: *const u8, size: usize) -> *mut c_void {
    let runtime = method::<Runtime>(this);
    if bytes.is_null() || size == 0 {
        runtime.sink.usage(CALL, "Parameter check failed, condition: blob != nullptr && size > 0.");
        return std::ptr::null_mut();
    }
    // SAFETY: TensorRT asks its callers for `size` readable bytes.
    runtime.deserialize(unsafe { std::slice::from_raw_parts(bytes, size) })
}

/// Reads an `IStreamReaderV2` to its end: slot 4 reads `n` bytes, 0 is the end, less an error.
extern "C" fn deserialize_stream(this: *const c_void, reader: *mut c_void) -> *mut c_void {
    const CHUNK: usize = 1 << 20;
    type Read = unsafe extern "C" fn(*mut c_void, *mut u8, i64, *mut c_void) -> i64;
    let runtime = method::<Runtime>(this);
    let mut bytes = Vec::new();
    loop {
        let start = bytes.len();
        bytes.resize(start + CHUNK, 0);
        // SAFETY: TensorRT asks its callers for a live reader, whose slot 4 has this type in every version; there is
        // room for `CHUNK` bytes.
        let count = unsafe {
            let read: Read = std::mem::transmute((*reader.cast::<*const *const c_void>()).add(4).read());
            read(reader, bytes[start..].as_mut_ptr(), CHUNK as i64, std::ptr::null_mut())
        };
        match usize::try_from(count) {
            Ok(count) if count <= CHUNK => bytes.truncate(start + count),
            _ => {
                let words = format!("Serialization (the stream reader answered {count})");
                runtime.sink.error(CALL, ErrorCode::Unspecified, &words);
                return std::ptr::null_mut();
            }
        }
        if bytes.len() == start {
            return runtime.deserialize(&bytes);
        }
    }
}

extern "C" fn ignore_number(_: *const c_void, _: i32) {}

extern "C" fn none(_: *const c_void) -> i32 {
    0
}

extern "C" fn set_allocator(this: *const c_void, allocator: *mut c_void) {
    // SAFETY: TensorRT asks its callers for a thread-safe allocator that outlives the runtime.
    *lock(&method::<Runtime>(this).allocator) = unsafe { Allocator::new(allocator) }.map(Arc::new);
}

extern "C" fn set_recorder(this: *const c_void, recorder: *mut c_void) {
    // SAFETY: TensorRT asks its callers for null or a live recorder.
    unsafe { method::<Runtime>(this).sink.set_recorder(recorder) };
}

extern "C" fn get_recorder(this: *const c_void) -> *mut c_void {
    method::<Runtime>(this).sink.recorder()
}

extern "C" fn get_logger(this: *const c_void) -> *mut c_void {
    method::<Runtime>(this).sink.logger.object()
}

extern "C" fn set_threads(this: *const c_void, threads: i32) -> bool {
    if threads > 0 {
        method::<Runtime>(this).threads.store(threads, Ordering::Relaxed);
    }
    threads > 0
}

extern "C" fn get_threads(this: *const c_void) -> i32 {
    method::<Runtime>(this).threads.load(Ordering::Relaxed)
}

extern "C" fn set_dla_core(this: *const c_void, core: i32) {
    method::<Runtime>(this).dla_core.store(core, Ordering::Relaxed);
}

extern "C" fn get_dla_core(this: *const c_void) -> i32 {
    method::<Runtime>(this).dla_core.load(Ordering::Relaxed)
}

extern "C" fn count_dla_cores(_: *const c_void) -> i32 {
    fault(|faults| faults.dla_cores)
}

extern "C" fn set_folder(this: *const c_void, folder: *const c_char) {
    // SAFETY: TensorRT asks its callers for null or NUL-terminated text.
    let folder = CString::new(unsafe { text(folder) }).unwrap_or_default();
    *lock(&method::<Runtime>(this).folder) = folder;
}

extern "C" fn get_folder(this: *const c_void) -> *const c_char {
    lock(&method::<Runtime>(this).folder).as_ptr()
}

extern "C" fn get_registry(_: *const c_void) -> *mut c_void {
    registry::get()
}

extern "C" fn allow_host_code(this: *const c_void, allowed: bool) {
    method::<Runtime>(this).host_code.store(allowed, Ordering::Relaxed);
}

extern "C" fn is_host_code_allowed(this: *const c_void) -> bool {
    method::<Runtime>(this).host_code.load(Ordering::Relaxed)
}
