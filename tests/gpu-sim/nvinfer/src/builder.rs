//! `IBuilder`: makes plans.

mod monitor;

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gpu_sim::onnx;
use gpu_sim::plan::{Plan, Target};
use gpu_sim::report::lock;
use sim_nvinfer_abi::{ErrorCode, Interface, Object, Severity, Sink, method, methods};

use crate::config::BuilderConfig;
use crate::faults::{Count, fault, next};
use crate::host_memory::HostMemory;
use crate::library::{create, current};
use crate::network::Network;
use crate::profile::Profile;
use crate::{device, registry};
use monitor::{Cancelled, Monitor};

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
        match self.try_build(&network, &config) {
            Ok(bytes) => Some(bytes),
            Err((code, words)) => {
                self.sink.error(CALL, code, &words);
                None
            }
        }
    }

    fn try_build(&self, network: &Network, config: &BuilderConfig) -> Result<Vec<u8>, (ErrorCode, String)> {
        let (name, model) = network.content();
        if model.is_empty() {
            let words = "Internal Error (Network must have at least one output)";
            return Err((ErrorCode::InvalidState, words.to_owned()));
        }
        let graph = onnx::read(&model).map_err(|reason| (ErrorCode::InvalidState, reason))?;
        let quantised =
            graph.nodes.iter().any(|(operator, _)| matches!(operator.as_str(), "QuantizeLinear" | "DequantizeLinear"));
        config
            .check(network.is_strongly_typed(), quantised, dla_cores())
            .map_err(|words| (ErrorCode::InvalidConfig, format!("API Usage Error ({words})")))?;
        let on_gpu = config.left_by_dla(&graph.nodes).map_err(|words| (ErrorCode::InvalidConfig, words))?;
        let shapes = config.profiles();
        if config.dla_core().is_some() && !shapes.iter().all(|profile| profile.is_fixed()) {
            let words = "API Usage Error (DLA does not support dynamic dimensions: min, opt and max must be equal)";
            return Err((ErrorCode::InvalidConfig, words.to_owned()));
        }
        let device = device::get()
            .map_err(|code| (ErrorCode::Unspecified, format!("Cuda Runtime (In catchCudaError: {code})")))?;
        if config.precision().contains("int8") && !quantised {
            let words = "Calibrator is not being used. Users must provide dynamic range for all tensors.";
            self.sink.logger.log(Severity::Warning, words);
            let words = "Internal Error (Calibration failure occurred with no scaling factors detected.)";
            return Err((ErrorCode::InvalidConfig, words.to_owned()));
        }
        let layers: Vec<String> = graph.nodes.iter().map(|(operator, name)| format!("{operator} {name}")).collect();
        let known = config.timing_cache().is_some_and(|cache| cache.knows(&model));
        let takes = fault(|faults| faults.build_ms) / if known { 10 } else { 1 };
        let words = format!(
            "{} layers, {} of which have timings in the cache",
            layers.len(),
            if known { layers.len() } else { 0 }
        );
        self.sink.logger.log(Severity::Info, &words);
        let number = next(Count::Build);
        Monitor(config.monitor()).build(&layers, Duration::from_millis(takes)).map_err(|Cancelled| {
            let words = "Internal Error (the progress monitor cancelled the build)";
            (ErrorCode::Unspecified, words.to_owned())
        })?;
        if fault(|faults| faults.fail_build) == number {
            let layer = layers.first().map_or("?", String::as_str);
            let words = format!("Internal Error (Could not find any implementation for node {layer}.)");
            return Err((ErrorCode::Internal, words));
        }
        let target = Target {
            tensorrt: current().to_string(),
            compute_capability: device.capability(),
            precision: config.precision().to_owned(),
        };
        let profiles: Vec<_> = config.profiles().iter().map(|profile| profile.to_plan()).collect();
        let name = if name.is_empty() { "network" } else { &name };
        let digest = model.clone();
        let mut plan = Plan::build(name, model, &profiles, &target)
            .map_err(|reason| (ErrorCode::InvalidConfig, format!("API Usage Error ({reason})")))?;
        plan.header.dla_core = config.dla_core();
        plan.header.on_gpu = on_gpu;
        if let Some(cache) = config.timing_cache() {
            cache.learn(&digest);
        }
        let words = format!("Wrapped {name} into a plan of {} bytes; nothing was optimised", plan.model.len());
        self.sink.logger.log(Severity::Info, &words);
        Ok(plan.to_bytes())
    }
}

/// Deep-learning accelerators that the device is to have.
fn dla_cores() -> i32 {
    fault(|faults| faults.dla_cores)
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
            "getNbDLACores" => count_dla_cores,
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

extern "C" fn count_dla_cores(_: *const c_void) -> i32 {
    dla_cores()
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
