//! `IBuilderConfig`: what a build is told.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use gpu_sim::report::lock;
use sim_nvinfer_abi::{Interface, Object, method, methods};

use crate::library::{current, misuse};
use crate::profile::Profile;
use crate::timing_cache::TimingCache;

/// `DeviceType::kDLA`.
const DLA: i32 = 1;
/// 10.x: FP16, INT8, FP8, BF16, INT4.
const TYPE_FLAGS: u32 = 1 << 0 | 1 << 1 | 1 << 15 | 1 << 17 | 1 << 22;
const INT8: u32 = 1 << 1;
const GPU_FALLBACK: u32 = 1 << 3;
/// Operators that the simulated accelerator runs; a real one runs more of them, under conditions.
const ON_DLA: [&str; 14] = [
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "GlobalAveragePool",
    "Identity",
    "MaxPool",
    "Mul",
    "Relu",
    "Sigmoid",
    "Sub",
];
const LAST_FLAG: u32 = 28;
const LAST_POOL: i32 = 5;

/// Everything that was set.
#[derive(Default)]
pub(crate) struct BuilderConfig {
    settings: Mutex<Settings>,
}

#[derive(Default)]
struct Settings {
    flags: u32,
    profiles: Vec<Arc<Profile>>,
    pools: BTreeMap<i32, usize>,
    level: Option<i32>,
    streams: i32,
    compatibility: i32,
    verbosity: i32,
    monitor: usize,
    cache: usize,
    sources: u32,
    tactics: i32,
    device_type: i32,
    dla_core: i32,
}

impl BuilderConfig {
    pub(crate) fn profiles(&self) -> Vec<Arc<Profile>> {
        lock(&self.settings).profiles.clone()
    }

    /// Precision by the flags; 11.x has none, since its networks are strongly typed.
    pub(crate) fn precision(&self) -> &'static str {
        match (current().major, lock(&self.settings).flags & 3) {
            (10, 1) => "fp16",
            (10, 2) => "int8",
            (10, 3) => "fp16+int8",
            _ => "fp32",
        }
    }

    /// The accelerator that layers are to run on.
    pub(crate) fn dla_core(&self) -> Option<u32> {
        let settings = lock(&self.settings);
        (settings.device_type == DLA).then_some(settings.dla_core).and_then(|core| u32::try_from(core).ok())
    }

    /// Layers ("operator name") that the accelerator leaves to the GPU; an error where that is not allowed.
    pub(crate) fn left_by_dla(&self, nodes: &[(String, String)]) -> Result<Vec<String>, String> {
        let settings = lock(&self.settings);
        if settings.device_type != DLA {
            return Ok(Vec::new());
        }
        let left = nodes.iter().filter(|(operator, _)| !ON_DLA.contains(&operator.as_str()));
        let left: Vec<String> = left.map(|(operator, name)| format!("{operator} {name}")).collect();
        match left.first() {
            Some(layer) if settings.flags & GPU_FALLBACK == 0 => {
                Err(format!("Internal Error ({layer} cannot run on DLA, and GPU fallback is not enabled)"))
            }
            _ => Ok(left),
        }
    }

    /// Whether a build can be told this; if not, why, in TensorRT's manner.
    pub(crate) fn check(&self, strongly_typed: bool, quantised: bool, dla_cores: i32) -> Result<(), String> {
        let settings = lock(&self.settings);
        let typed = settings.flags & TYPE_FLAGS;
        if current().major == 10 && strongly_typed && typed != 0 {
            return Err("builder flags for types are not allowed with a strongly typed network".to_owned());
        }
        if current().major == 10 && !strongly_typed && quantised && settings.flags & INT8 == 0 {
            return Err("the network has Q/DQ layers, but INT8 is not configured in the builder".to_owned());
        }
        if settings.device_type == DLA {
            if current().major == 10 && quantised {
                return Err("DLA does not support explicit quantization".to_owned());
            }
            if !(0..dla_cores).contains(&settings.dla_core) {
                return Err(format!("DLA core {} is asked for, the device has {dla_cores}", settings.dla_core));
            }
            if current().major == 10 && typed == 0 {
                return Err("DLA layers need FP16 or INT8".to_owned());
            }
        }
        Ok(())
    }

    /// The timing cache that was set.
    pub(crate) fn timing_cache(&self) -> Option<Arc<TimingCache>> {
        let cache = lock(&self.settings).cache;
        if cache == 0 { None } else { Object::behind::<TimingCache>(cache as *const c_void) }
    }

    /// The caller's progress monitor; 0: none.
    pub(crate) fn monitor(&self) -> usize {
        lock(&self.settings).monitor
    }
}

impl Interface for BuilderConfig {
    const CLASS: &'static str = "VBuilderConfig";
    const INTERFACE: &'static str = "IBuilderConfig";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "setAvgTimingIterations" => ignore,
            "setEngineCapability" => ignore,
            "setFlags" => set_flags,
            "getFlags" => get_flags,
            "clearFlag" => clear_flag,
            "setFlag" => set_flag,
            "getFlag" => get_flag,
            "setDLACore" => set_dla_core,
            "setDefaultDeviceType" => set_device_type,
            "setProfileStream" => ignore,
            "addOptimizationProfile" => add_profile,
            "getNbOptimizationProfiles" => count_profiles,
            "setProfilingVerbosity" => set_verbosity,
            "getProfilingVerbosity" => get_verbosity,
            "setTacticSources" => set_sources,
            "getTacticSources" => get_sources,
            "createTimingCache" => create_cache,
            "setTimingCache" => set_cache,
            "getTimingCache" => get_cache,
            "setMemoryPoolLimit" => set_pool,
            "getMemoryPoolLimit" => get_pool,
            "setPreviewFeature" => ignore,
            "setBuilderOptimizationLevel" => set_level,
            "getBuilderOptimizationLevel" => get_level,
            "setHardwareCompatibilityLevel" => set_compatibility,
            "getHardwareCompatibilityLevel" => get_compatibility,
            "setMaxAuxStreams" => set_streams,
            "setMaxAuxStreams.checked" => set_streams_checked,
            "getMaxAuxStreams" => get_streams,
            "setProgressMonitor" => set_monitor,
            "getProgressMonitor" => get_monitor,
            "setRuntimePlatform" => ignore,
            "setMaxNbTactics" => set_tactics,
            "getMaxNbTactics" => get_tactics,
            "setTilingOptimizationLevel" => accept,
            "setL2LimitForTiling" => accept,
        }
    }
}

extern "C" fn ignore(_: *const c_void) {}

extern "C" fn accept(_: *const c_void) -> bool {
    true
}

fn with<T>(this: *const c_void, change: impl FnOnce(&mut Settings) -> T) -> T {
    change(&mut lock(&method::<BuilderConfig>(this).settings))
}

extern "C" fn set_flags(this: *const c_void, flags: u32) {
    with(this, |settings| settings.flags = flags);
}

extern "C" fn get_flags(this: *const c_void) -> u32 {
    with(this, |settings| settings.flags)
}

extern "C" fn clear_flag(this: *const c_void, flag: u32) {
    with(this, |settings| settings.flags &= !(1 << (flag & 31)));
}

extern "C" fn set_flag(this: *const c_void, flag: u32) {
    // In 11.x the numbers of the types' flags are nobody's.
    if flag > LAST_FLAG || (current().major > 10 && flag < 2) {
        misuse("unknown-flag", &format!("IBuilderConfig::setFlag({flag}): there is no such flag"));
        return;
    }
    with(this, |settings| settings.flags |= 1 << (flag & 31));
}

extern "C" fn get_flag(this: *const c_void, flag: u32) -> bool {
    with(this, |settings| settings.flags & 1 << (flag & 31) != 0)
}

/// The profile's index; -1 where it is not valid.
extern "C" fn add_profile(this: *const c_void, profile: *const c_void) -> i32 {
    let Some(profile) = Object::behind::<Profile>(profile).filter(|profile| profile.is_valid()) else {
        return -1;
    };
    with(this, |settings| {
        settings.profiles.push(profile);
        settings.profiles.len() as i32 - 1
    })
}

extern "C" fn count_profiles(this: *const c_void) -> i32 {
    with(this, |settings| settings.profiles.len() as i32)
}

extern "C" fn set_verbosity(this: *const c_void, verbosity: i32) {
    with(this, |settings| settings.verbosity = verbosity);
}

extern "C" fn get_verbosity(this: *const c_void) -> i32 {
    with(this, |settings| settings.verbosity)
}

extern "C" fn set_sources(this: *const c_void, sources: u32) -> bool {
    with(this, |settings| settings.sources = sources);
    true
}

extern "C" fn get_sources(this: *const c_void) -> u32 {
    with(this, |settings| settings.sources)
}

extern "C" fn create_cache(_: *const c_void, bytes: *const u8, size: usize) -> *mut c_void {
    let bytes = if bytes.is_null() || size == 0 {
        &[]
    } else {
        // SAFETY: TensorRT asks its callers for `size` readable bytes.
        unsafe { std::slice::from_raw_parts(bytes, size) }
    };
    crate::timing_cache::create(bytes)
}

extern "C" fn set_cache(this: *const c_void, cache: usize, ignore_mismatch: bool) -> bool {
    let known = if cache == 0 { None } else { Object::behind::<TimingCache>(cache as *const c_void) };
    let fits = ignore_mismatch || known.is_none_or(|cache| cache.fits());
    if fits {
        with(this, |settings| settings.cache = cache);
    }
    fits
}

extern "C" fn set_dla_core(this: *const c_void, core: i32) {
    with(this, |settings| settings.dla_core = core);
}

extern "C" fn set_device_type(this: *const c_void, device: i32) {
    with(this, |settings| settings.device_type = device);
}

extern "C" fn get_cache(this: *const c_void) -> usize {
    with(this, |settings| settings.cache)
}

extern "C" fn set_pool(this: *const c_void, pool: i32, size: usize) {
    if !(0..=LAST_POOL).contains(&pool) {
        misuse("unknown-pool", &format!("IBuilderConfig::setMemoryPoolLimit({pool}): there is no such pool"));
        return;
    }
    with(this, |settings| settings.pools.insert(pool, size));
}

extern "C" fn get_pool(this: *const c_void, pool: i32) -> usize {
    with(this, |settings| settings.pools.get(&pool).copied().unwrap_or(1 << 30))
}

extern "C" fn set_level(this: *const c_void, level: i32) {
    with(this, |settings| settings.level = Some(level));
}

extern "C" fn get_level(this: *const c_void) -> i32 {
    with(this, |settings| settings.level.unwrap_or(3))
}

extern "C" fn set_compatibility(this: *const c_void, level: i32) {
    with(this, |settings| settings.compatibility = level);
}

extern "C" fn get_compatibility(this: *const c_void) -> i32 {
    with(this, |settings| settings.compatibility)
}

extern "C" fn set_streams(this: *const c_void, streams: i32) {
    with(this, |settings| settings.streams = streams);
}

extern "C" fn set_streams_checked(this: *const c_void, streams: i32) -> bool {
    set_streams(this, streams);
    streams >= 0
}

extern "C" fn get_streams(this: *const c_void) -> i32 {
    with(this, |settings| settings.streams)
}

extern "C" fn set_monitor(this: *const c_void, monitor: usize) {
    with(this, |settings| settings.monitor = monitor);
}

extern "C" fn get_monitor(this: *const c_void) -> usize {
    with(this, |settings| settings.monitor)
}

extern "C" fn set_tactics(this: *const c_void, tactics: i32) {
    with(this, |settings| settings.tactics = tactics);
}

extern "C" fn get_tactics(this: *const c_void) -> i32 {
    with(this, |settings| settings.tactics)
}
