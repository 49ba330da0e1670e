//! `IBuilder`: makes plans.

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use gpu_sim::plan::{Plan, Target};
use gpu_sim::report::lock;
use sim_nvinfer_abi::{ErrorCode, Interface, Object, Severity, Sink, method, methods};

use crate::config::BuilderConfig;
use crate::host_memory::HostMemory;
use crate::library::{create, current};
use crate::network::Network;
use crate::profile::Profile;
use crate::{device, registry};

const CALL: &str = "IBuilder::buildSerializedNetwork";

/// A builder and the profiles that belong to it.
pub(crate) struct Builder {
    sink: Sink,
    threads: AtomicI32,
    profiles: Mutex<Vec<usize>>,
}

impl Builder {
    pub(crate) fn new(sink: Sink) -> Self {
        Self { sink, threads: AtomicI32::new(1), profiles: Mutex::default() }
    }

    /// The plan's bytes; `None`, and a reason in the log, where the network and the configuration do not fit.
    fn build(&self, network: *const c_void, config: *const c_void) -> Option<Vec<u8>> {
        let (network, config) = (Object::behind::<Network>(network)?, Object::behind::<BuilderConfig>(config)?);
        let (name, model) = network.content();
        let fail = |code, words: &str| {
            self.sink.error(CALL, code, words);
            None
        };
        if model.is_empty() {
            return fail(ErrorCode::InvalidState, "Internal Error (Network must have at least one output)");
        }
        let device = match device::get() {
            Ok(device) => device,
            Err(code) => return fail(ErrorCode::Unspecified, &format!("Cuda Runtime (In catchCudaError: {code})")),
        };
        let monitor = Monitor::of(&config);
        monitor.start();
        let target = Target {
            tensorrt: current().to_string(),
            compute_capability: device.capability(),
            precision: config.precision().to_owned(),
        };
        let profiles: Vec<_> = config.profiles().iter().map(|profile| profile.to_plan()).collect();
        let name = if name.is_empty() { "network" } else { &name };
        let plan = Plan::build(name, model, &profiles, &target);
        let wanted = monitor.step();
        monitor.finish();
        match plan {
            Ok(_) if !wanted => {
                fail(ErrorCode::Unspecified, "Internal Error (the progress monitor cancelled the build)")
            }
            Ok(plan) => {
                let words = format!("Wrapped {name} into a plan of {} bytes; nothing was optimised", plan.model.len());
                self.sink.logger.log(Severity::Info, &words);
                Some(plan.to_bytes())
            }
            Err(reason) => fail(ErrorCode::InvalidConfig, &format!("API Usage Error ({reason})")),
        }
    }
}

/// A caller's `IProgressMonitor`: slots 4 to 6 start a phase, step in it (false: cancel) and end it.
struct Monitor(usize);

impl Monitor {
    const PHASE: &'static CStr = c"Building Engine (simulated)";

    fn of(config: &BuilderConfig) -> Self {
        Self(config.monitor())
    }

    fn entry(&self, slot: usize) -> *const c_void {
        // SAFETY: TensorRT asks its callers for a live, thread-safe monitor; the slots used here exist.
        unsafe { (*(self.0 as *const *const *const c_void)).add(slot).read() }
    }

    fn start(&self) {
        type Start = unsafe extern "C" fn(usize, *const c_char, *const c_char, i32);
        if self.0 != 0 {
            // SAFETY: slot 4 has this type.
            unsafe {
                let start: Start = std::mem::transmute(self.entry(4));
                start(self.0, Self::PHASE.as_ptr(), std::ptr::null(), 1);
            }
        }
    }

    fn step(&self) -> bool {
        type Step = unsafe extern "C" fn(usize, *const c_char, i32) -> u8;
        // SAFETY: slot 5 has this type.
        self.0 == 0
            || unsafe {
                let step: Step = std::mem::transmute(self.entry(5));
                step(self.0, Self::PHASE.as_ptr(), 0) != 0
            }
    }

    fn finish(&self) {
        type Finish = unsafe extern "C" fn(usize, *const c_char);
        if self.0 != 0 {
            // SAFETY: slot 6 has this type.
            unsafe {
                let finish: Finish = std::mem::transmute(self.entry(6));
                finish(self.0, Self::PHASE.as_ptr());
            }
        }
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        for profile in lock(&self.profiles).iter() {
            Object::destroy::<Profile>(*profile as *mut Object);
        }
    }
}

impl Interface for Builder {
    const CLASS: &'static str = "VBuilder";
    const INTERFACE: &'static str = "IBuilder";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "platformHasFastFp16" => yes,
            "platformHasFastInt8" => yes,
            "platformHasTf32" => yes,
            "getMaxDLABatchSize" => zero,
            "getNbDLACores" => zero,
            "setGpuAllocator" => ignore,
            "createBuilderConfig" => create_config,
            "createNetworkV2" => create_network,
            "createOptimizationProfile" => create_profile,
            "setErrorRecorder" => set_recorder,
            "getErrorRecorder" => get_recorder,
            "reset" => ignore,
            "buildSerializedNetwork" => build,
            "isNetworkSupported" => is_supported,
            "getLogger" => get_logger,
            "setMaxThreads" => set_threads,
            "getMaxThreads" => get_threads,
            "getPluginRegistry" => get_registry,
        }
    }
}

extern "C" fn yes(_: *const c_void) -> bool {
    true
}

extern "C" fn zero(_: *const c_void) -> i32 {
    0
}

extern "C" fn ignore(_: *const c_void) {}

extern "C" fn create_config(_: *const c_void) -> *mut c_void {
    create(Arc::new(BuilderConfig::default()))
}

extern "C" fn create_network(this: *const c_void, flags: u32) -> *mut c_void {
    let builder = (this as usize - 2 * size_of::<usize>()) as *const c_void;
    create(Arc::new(Network::new(builder, flags)))
}

extern "C" fn create_profile(this: *const c_void) -> *mut c_void {
    let profile = create(Arc::new(Profile::default()));
    lock(&method::<Builder>(this).profiles).push(profile as usize);
    profile
}

extern "C" fn set_recorder(this: *const c_void, recorder: *mut c_void) {
    // SAFETY: TensorRT asks its callers for null or a live recorder.
    unsafe { method::<Builder>(this).sink.set_recorder(recorder) };
}

extern "C" fn get_recorder(this: *const c_void) -> *mut c_void {
    method::<Builder>(this).sink.recorder()
}

extern "C" fn build(this: *const c_void, network: *const c_void, config: *const c_void) -> *mut c_void {
    match method::<Builder>(this).build(network, config) {
        Some(bytes) => create(Arc::new(HostMemory::new(bytes))),
        None => std::ptr::null_mut(),
    }
}

extern "C" fn is_supported(_: *const c_void, network: *const c_void, _config: *const c_void) -> bool {
    Object::behind::<Network>(network).is_some_and(|network| !network.content().1.is_empty())
}

extern "C" fn get_logger(this: *const c_void) -> *mut c_void {
    method::<Builder>(this).sink.logger.object()
}

extern "C" fn set_threads(this: *const c_void, threads: i32) -> bool {
    if threads > 0 {
        method::<Builder>(this).threads.store(threads, Ordering::Relaxed);
    }
    threads > 0
}

extern "C" fn get_threads(this: *const c_void) -> i32 {
    method::<Builder>(this).threads.load(Ordering::Relaxed)
}

extern "C" fn get_registry(_: *const c_void) -> *mut c_void {
    registry::get()
}
