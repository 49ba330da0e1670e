use std::rc::Rc;

use super::owned::Owned;
use crate::sys::Handle;
use crate::sys::callback::{Callback, Progress, progress_monitor};
use crate::sys::enums::{DeviceType, HardwareCompatibility, MemoryPool, ProfilingVerbosity};
use crate::sys::flags::{BuilderFlag, PreviewFeature, TacticSource};
use crate::sys::slots::config;
use crate::{Builder, Error, OptimizationProfile, TimingCache, Version, result};

/// A monitor of any type, in one object.
type Monitor = Box<dyn Progress>;

/// How a plan is built.
pub struct BuilderConfig {
    // Before all it points to: fields drop in this order.
    object: Owned<config::Config>,
    monitor: Option<Callback<Monitor>>,
    cache: Option<TimingCache>,
    builder: Builder,
}

impl BuilderConfig {
    /// # Safety
    /// The configuration was made by that builder and is nobody else's.
    pub(super) unsafe fn new(builder: &Builder, handle: Handle<config::Config>) -> Self {
        // SAFETY: the caller's promise.
        let object = unsafe { Owned::new(builder.library(), handle) };
        Self { object, monitor: None, cache: None, builder: builder.clone() }
    }

    pub(super) fn builder(&self) -> &Builder {
        &self.builder
    }

    pub(super) fn handle(&self) -> Handle<config::Config> {
        self.object.handle()
    }

    /// Calls into the configuration, which is alive and stays on this thread.
    fn call<T>(&self, call: impl FnOnce(Version, Handle<config::Config>) -> Result<T, Error>) -> Result<T, Error> {
        self.object.call(call)
    }

    /// Sets or clears a flag.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the version has no such flag, as 11.x has none for precisions.
    pub fn set_flag(&mut self, flag: BuilderFlag, on: bool) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::set_flag(version, config, flag, on) })
    }

    /// Whether a flag is set.
    ///
    /// # Errors
    /// As for [`BuilderConfig::set_flag`].
    pub fn flag(&self, flag: BuilderFlag) -> Result<bool, Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::flag(version, config, flag) })
    }

    /// Limits a kind of memory, in bytes.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn set_memory_pool_limit(&mut self, pool: MemoryPool, bytes: usize) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::set_memory_pool_limit(version, config, pool, bytes) })
    }

    /// The limit of a kind of memory, in bytes.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn memory_pool_limit(&self, pool: MemoryPool) -> Result<usize, Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::memory_pool_limit(version, config, pool) })
    }

    /// Puts layers on a DLA core, from 0; those it cannot run fail the build, unless
    /// [`BuilderFlag::GpuFallback`] is set.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn use_dla(&mut self, core: i32) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe {
            result::builder::set_default_device_type(version, config, DeviceType::Dla)?;
            result::builder::set_dla_core(version, config, core)
        })
    }

    /// 0 (quick build) to 5 (quick engine); TensorRT's default is 3.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn set_optimization_level(&mut self, level: i32) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::set_optimization_level(version, config, level) })
    }

    /// How much the engine will tell of its layers.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn set_profiling_verbosity(&mut self, verbosity: ProfilingVerbosity) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::set_profiling_verbosity(version, config, verbosity) })
    }

    /// On which other devices the plan may run; not supported on Jetson.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn set_hardware_compatibility(&mut self, level: HardwareCompatibility) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::set_hardware_compatibility(version, config, level) })
    }

    /// Kernels from these sources only.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the version has no such source.
    pub fn set_tactic_sources(&mut self, sources: &[TacticSource]) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::set_tactic_sources(version, config, sources) })
    }

    /// Turns a preview feature on or off.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the version has no such feature.
    pub fn set_preview_feature(&mut self, feature: PreviewFeature, on: bool) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::set_preview_feature(version, config, feature, on) })
    }

    /// Streams the engine may use beside the one enqueued on.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn set_max_aux_streams(&mut self, streams: i32) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::set_max_aux_streams(version, config, streams) })
    }

    /// Adds an optimisation profile; answers its index.
    ///
    /// # Errors
    /// [`Error::Call`] where it is not valid, [`Error::Argument`] where it is of another builder.
    pub fn add_profile(&mut self, profile: &OptimizationProfile) -> Result<usize, Error> {
        if !self.builder.is(profile.builder()) {
            return Err(Error::argument("the profile must come from the builder of the configuration"));
        }
        // SAFETY: see `call`; the builder, which owns the profile, lives as long as both.
        let index =
            self.call(|version, config| unsafe { result::builder::add_profile(version, config, profile.handle()) })?;
        Ok(usize::try_from(index).unwrap_or(0))
    }

    /// Profiles added so far.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn profile_count(&self) -> Result<i32, Error> {
        // SAFETY: see `call`.
        self.call(|version, config| unsafe { result::builder::profile_count(version, config) })
    }

    /// Hears how far the build has come.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn set_progress_monitor(&mut self, monitor: impl Progress + 'static) -> Result<(), Error> {
        let monitor: Callback<Monitor> = progress_monitor(self.builder.library().rtti(), Box::new(monitor));
        // SAFETY: see `call`; the monitor is dropped after the configuration.
        self.call(|version, config| unsafe {
            result::builder::set_progress_monitor(version, config, monitor.as_ptr())
        })?;
        // The one before is dropped only now that TensorRT has the new one.
        self.monitor = Some(monitor);
        Ok(())
    }

    /// A timing cache from the bytes of an earlier one, or an empty one for no bytes.
    ///
    /// # Errors
    /// [`Error::Call`] where the bytes are none.
    pub fn create_timing_cache(&self, bytes: &[u8]) -> Result<TimingCache, Error> {
        // SAFETY: see `call`.
        let cache =
            self.call(|version, config| unsafe { result::builder::create_timing_cache(version, config, bytes) })?;
        // SAFETY: just made by this library, nobody else's.
        let object = Rc::new(unsafe { Owned::new(self.builder.library(), cache) });
        Ok(TimingCache::new(&self.builder, object))
    }

    /// Uses a timing cache, which the build also fills; with `ignore_mismatch` also one of another device.
    ///
    /// # Errors
    /// [`Error::Call`] where it does not fit.
    pub fn set_timing_cache(&mut self, cache: &TimingCache, ignore_mismatch: bool) -> Result<(), Error> {
        // SAFETY: see `call`; the cache is kept until the configuration is dropped.
        self.call(|version, config| unsafe {
            result::builder::set_timing_cache(version, config, cache.handle(), ignore_mismatch)
        })?;
        self.cache = Some(cache.clone());
        Ok(())
    }
}

impl Progress for Monitor {
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: i32) {
        (**self).phase_start(phase, parent, steps);
    }

    fn step_complete(&self, phase: &str, step: i32) -> bool {
        (**self).step_complete(phase, step)
    }

    fn phase_finish(&self, phase: &str) {
        (**self).phase_finish(phase);
    }
}

impl std::fmt::Debug for BuilderConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuilderConfig").field("monitor", &self.monitor.is_some()).finish_non_exhaustive()
    }
}
