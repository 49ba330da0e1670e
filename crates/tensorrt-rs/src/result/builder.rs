//! `IBuilder`, `IBuilderConfig` and `ITimingCache`. For all functions see the safety section of
//! [`crate::result`].
#![allow(clippy::missing_safety_doc, reason = "told once, for the whole floor")]

use std::ffi::c_void;

use super::{accepted, call, failure, made};
use crate::Error;
use crate::sys::enums::{DeviceType, HardwareCompatibility, MemoryPool, ProfilingVerbosity};
use crate::sys::flags::{BuilderFlag, NetworkFlag, PreviewFeature, TacticSource, network_mask};
use crate::sys::slots::builder::{self as slot, Builder};
use crate::sys::slots::config::{self, Config};
use crate::sys::slots::host_memory::HostMemory;
use crate::sys::slots::network::Network;
use crate::sys::slots::profile::Profile;
use crate::sys::slots::timing_cache::{self, TimingCache};
use crate::sys::{Handle, Version};

/// `setGpuAllocator` of the builder.
pub unsafe fn set_gpu_allocator(
    version: Version,
    builder: Handle<Builder>,
    allocator: *mut c_void,
) -> Result<(), Error> {
    call!(version, builder, slot::SET_GPU_ALLOCATOR, allocator);
    Ok(())
}

/// `setErrorRecorder` of the builder.
pub unsafe fn set_error_recorder(
    version: Version,
    builder: Handle<Builder>,
    recorder: *mut c_void,
) -> Result<(), Error> {
    call!(version, builder, slot::SET_ERROR_RECORDER, recorder);
    Ok(())
}

/// `getLogger` of the builder.
pub unsafe fn logger(version: Version, builder: Handle<Builder>) -> Result<*mut c_void, Error> {
    Ok(call!(version, builder, slot::GET_LOGGER,))
}

/// `setMaxThreads` of the builder.
pub unsafe fn set_max_threads(version: Version, builder: Handle<Builder>, threads: i32) -> Result<(), Error> {
    let answer = call!(version, builder, slot::SET_MAX_THREADS, threads);
    accepted(&slot::SET_MAX_THREADS, answer, || format!("refused {threads}"))
}

/// `getNbDLACores`.
pub unsafe fn dla_core_count(version: Version, builder: Handle<Builder>) -> Result<i32, Error> {
    Ok(call!(version, builder, slot::GET_NB_DLA_CORES,))
}

/// `createBuilderConfig`.
pub unsafe fn create_config(version: Version, builder: Handle<Builder>) -> Result<Handle<Config>, Error> {
    let made_config = call!(version, builder, slot::CREATE_BUILDER_CONFIG,);
    // SAFETY: the method returns an `IBuilderConfig*`.
    unsafe { made(&slot::CREATE_BUILDER_CONFIG, made_config, || "made no configuration".to_owned()) }
}

/// `createNetworkV2`, the flags translated for the major.
pub unsafe fn create_network(
    version: Version,
    builder: Handle<Builder>,
    flags: &[NetworkFlag],
) -> Result<Handle<Network>, Error> {
    let network = call!(version, builder, slot::CREATE_NETWORK, network_mask(flags, version)?);
    // SAFETY: the method returns an `INetworkDefinition*`.
    unsafe { made(&slot::CREATE_NETWORK, network, || "made no network".to_owned()) }
}

/// `createOptimizationProfile`; the builder owns it.
pub unsafe fn create_profile(version: Version, builder: Handle<Builder>) -> Result<Handle<Profile>, Error> {
    let profile = call!(version, builder, slot::CREATE_OPTIMIZATION_PROFILE,);
    // SAFETY: the method returns an `IOptimizationProfile*`.
    unsafe { made(&slot::CREATE_OPTIMIZATION_PROFILE, profile, || "made no profile".to_owned()) }
}

/// `isNetworkSupported` with that configuration.
pub unsafe fn is_network_supported(
    version: Version,
    builder: Handle<Builder>,
    network: Handle<Network>,
    config: Handle<Config>,
) -> Result<bool, Error> {
    Ok(call!(version, builder, slot::IS_NETWORK_SUPPORTED, network.as_ptr(), config.as_ptr()) != 0)
}

/// `buildSerializedNetwork`: the plan. Minutes, and much device memory.
///
/// # Errors
/// Null: the log says why.
pub unsafe fn build(
    version: Version,
    builder: Handle<Builder>,
    network: Handle<Network>,
    config: Handle<Config>,
) -> Result<Handle<HostMemory>, Error> {
    let plan = call!(version, builder, slot::BUILD_SERIALIZED_NETWORK, network.as_ptr(), config.as_ptr());
    // SAFETY: the method returns an `IHostMemory*`.
    unsafe { made(&slot::BUILD_SERIALIZED_NETWORK, plan, || "built no plan".to_owned()) }
}

/// `setFlag` or `clearFlag`, the flag translated for the major.
pub unsafe fn set_flag(version: Version, config: Handle<Config>, flag: BuilderFlag, on: bool) -> Result<(), Error> {
    let number = flag.number(version)?;
    if on {
        call!(version, config, config::SET_FLAG, number);
    } else {
        call!(version, config, config::CLEAR_FLAG, number);
    }
    Ok(())
}

/// `getFlag`.
pub unsafe fn flag(version: Version, config: Handle<Config>, flag: BuilderFlag) -> Result<bool, Error> {
    Ok(call!(version, config, config::GET_FLAG, flag.number(version)?) != 0)
}

/// `setDLACore`: the one that layers on a DLA run on.
pub unsafe fn set_dla_core(version: Version, config: Handle<Config>, core: i32) -> Result<(), Error> {
    call!(version, config, config::SET_DLA_CORE, core);
    Ok(())
}

/// `setDefaultDeviceType`: where layers run that nothing else is said of.
pub unsafe fn set_default_device_type(
    version: Version,
    config: Handle<Config>,
    device: DeviceType,
) -> Result<(), Error> {
    call!(version, config, config::SET_DEFAULT_DEVICE_TYPE, device.raw());
    Ok(())
}

/// `addOptimizationProfile`: its index.
///
/// # Errors
/// -1: the profile is not valid.
pub unsafe fn add_profile(version: Version, config: Handle<Config>, profile: Handle<Profile>) -> Result<i32, Error> {
    let index = call!(version, config, config::ADD_OPTIMIZATION_PROFILE, profile.as_ptr());
    if index < 0 {
        return Err(failure(config::ADD_OPTIMIZATION_PROFILE.row(), "refused the profile"));
    }
    Ok(index)
}

/// `getNbOptimizationProfiles`.
pub unsafe fn profile_count(version: Version, config: Handle<Config>) -> Result<i32, Error> {
    Ok(call!(version, config, config::GET_NB_OPTIMIZATION_PROFILES,))
}

/// `setProfilingVerbosity`: how much the engine will tell of its layers.
pub unsafe fn set_profiling_verbosity(
    version: Version,
    config: Handle<Config>,
    verbosity: ProfilingVerbosity,
) -> Result<(), Error> {
    call!(version, config, config::SET_PROFILING_VERBOSITY, verbosity.raw());
    Ok(())
}

/// `setTacticSources`: these and no others.
pub unsafe fn set_tactic_sources(
    version: Version,
    config: Handle<Config>,
    sources: &[TacticSource],
) -> Result<(), Error> {
    let mut mask = 0;
    for source in sources {
        mask |= 1 << source.number(version)?;
    }
    let answer = call!(version, config, config::SET_TACTIC_SOURCES, mask);
    accepted(&config::SET_TACTIC_SOURCES, answer, || format!("refused {sources:?}"))
}

/// `setMemoryPoolLimit`, in bytes.
pub unsafe fn set_memory_pool_limit(
    version: Version,
    config: Handle<Config>,
    pool: MemoryPool,
    bytes: usize,
) -> Result<(), Error> {
    call!(version, config, config::SET_MEMORY_POOL_LIMIT, pool.raw(), bytes);
    Ok(())
}

/// `getMemoryPoolLimit`, in bytes.
pub unsafe fn memory_pool_limit(version: Version, config: Handle<Config>, pool: MemoryPool) -> Result<usize, Error> {
    Ok(call!(version, config, config::GET_MEMORY_POOL_LIMIT, pool.raw()))
}

/// `setPreviewFeature`.
pub unsafe fn set_preview_feature(
    version: Version,
    config: Handle<Config>,
    feature: PreviewFeature,
    on: bool,
) -> Result<(), Error> {
    call!(version, config, config::SET_PREVIEW_FEATURE, feature.number(version)?, on);
    Ok(())
}

/// `setBuilderOptimizationLevel`: 0 (quick build) to 5 (quick engine).
pub unsafe fn set_optimization_level(version: Version, config: Handle<Config>, level: i32) -> Result<(), Error> {
    call!(version, config, config::SET_BUILDER_OPTIMIZATION_LEVEL, level);
    Ok(())
}

/// `setHardwareCompatibilityLevel`.
pub unsafe fn set_hardware_compatibility(
    version: Version,
    config: Handle<Config>,
    level: HardwareCompatibility,
) -> Result<(), Error> {
    call!(version, config, config::SET_HARDWARE_COMPATIBILITY_LEVEL, level.raw());
    Ok(())
}

/// `setMaxAuxStreams`: streams the engine may use beside the one enqueued on.
pub unsafe fn set_max_aux_streams(version: Version, config: Handle<Config>, streams: i32) -> Result<(), Error> {
    call!(version, config, config::SET_MAX_AUX_STREAMS, streams);
    Ok(())
}

/// `setProgressMonitor`; null takes it away.
pub unsafe fn set_progress_monitor(
    version: Version,
    config: Handle<Config>,
    monitor: *mut c_void,
) -> Result<(), Error> {
    call!(version, config, config::SET_PROGRESS_MONITOR, monitor);
    Ok(())
}

/// `createTimingCache` from the bytes of an earlier one, or empty.
///
/// # Errors
/// Null: the bytes are no timing cache.
pub unsafe fn create_timing_cache(
    version: Version,
    config: Handle<Config>,
    bytes: &[u8],
) -> Result<Handle<TimingCache>, Error> {
    let cache = call!(version, config, config::CREATE_TIMING_CACHE, bytes.as_ptr().cast(), bytes.len());
    let what = || format!("made no timing cache of {} bytes", bytes.len());
    // SAFETY: the method returns an `ITimingCache*`.
    unsafe { made(&config::CREATE_TIMING_CACHE, cache, what) }
}

/// `setTimingCache`; with `ignore_mismatch` also one of another device.
pub unsafe fn set_timing_cache(
    version: Version,
    config: Handle<Config>,
    cache: Handle<TimingCache>,
    ignore_mismatch: bool,
) -> Result<(), Error> {
    let answer = call!(version, config, config::SET_TIMING_CACHE, cache.as_ptr(), ignore_mismatch);
    accepted(&config::SET_TIMING_CACHE, answer, || "refused the cache: it is of another device or version".to_owned())
}

/// `serialize` of the timing cache.
pub unsafe fn serialize_timing_cache(
    version: Version,
    cache: Handle<TimingCache>,
) -> Result<Handle<HostMemory>, Error> {
    let memory = call!(version, cache, timing_cache::SERIALIZE,);
    // SAFETY: the method returns an `IHostMemory*`.
    unsafe { made(&timing_cache::SERIALIZE, memory, || "gave no bytes".to_owned()) }
}

/// `combine`: adds the timings of `other`.
pub unsafe fn combine_timing_caches(
    version: Version,
    cache: Handle<TimingCache>,
    other: Handle<TimingCache>,
    ignore_mismatch: bool,
) -> Result<(), Error> {
    let answer = call!(version, cache, timing_cache::COMBINE, other.as_ptr(), ignore_mismatch);
    accepted(&timing_cache::COMBINE, answer, || "refused the other cache".to_owned())
}

/// `reset`: empties the cache.
pub unsafe fn reset_timing_cache(version: Version, cache: Handle<TimingCache>) -> Result<(), Error> {
    accepted(&timing_cache::RESET, call!(version, cache, timing_cache::RESET,), || "refused".to_owned())
}
