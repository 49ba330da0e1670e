use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::owned::Owned;
use crate::sys::Handle;
use crate::sys::callback::{Callback, GpuAllocator, gpu_allocator};
use crate::sys::flags::NetworkFlag;
use crate::sys::slots::builder;
use crate::{BuilderConfig, Error, HostMemory, Library, Network, OptimizationProfile, lifecycle, result};

/// One build at a time in a process: several are documented as safe but disturb each other's timings, and
/// have crashed in the field.
static BUILD: Mutex<()> = Mutex::new(());

/// Turns networks into plans. It and all that it makes stay on one thread; the plan may go anywhere. A clone is
/// the same builder.
#[derive(Clone)]
pub struct Builder {
    pub(super) shared: Rc<Shared>,
}

pub(super) struct Shared {
    // Before the allocator it points to: fields drop in this order.
    pub object: Owned<builder::Builder>,
    _allocator: Option<Callback<Arc<dyn GpuAllocator>>>,
}

impl Builder {
    /// Makes a builder for the current CUDA device; `allocator` is where its device memory comes from,
    /// `None` for TensorRT's own.
    ///
    /// # Errors
    /// [`Error::Symbol`] for the lean and dispatch libraries, [`Error::Call`] with TensorRT's words,
    /// [`Error::Table`] where the library is not what its version says.
    pub fn new(library: &Library, allocator: Option<Arc<dyn GpuAllocator>>) -> Result<Self, Error> {
        let _lock = lifecycle::lock();
        let failed = || Error::Call {
            interface: "TensorRT",
            method: "createInferBuilder",
            what: "made no builder".to_owned(),
            vendor: Vec::new(),
        };
        let handle = library.quoting(|| {
            let builder = library.create_builder()?;
            // SAFETY: a pointer past the first page is a live `IBuilder`; a lesser one is TensorRT's way to fail.
            unsafe { Handle::<builder::Builder>::new(builder) }.ok_or_else(failed)
        })?;
        // SAFETY: the builder is alive. This is the first call through the table; a wrong table shows here.
        let logger = unsafe { result::builder::logger(library.version(), handle)? };
        library.check_logger("builder", logger)?;
        // SAFETY: just made by that library, and nobody else's.
        let object = unsafe { Owned::new(library, handle) };
        let allocator = allocator.map(|allocator| gpu_allocator(library.rtti(), allocator));
        if let Some(allocator) = &allocator {
            // SAFETY: the builder is alive; the allocator is dropped after it.
            object.call(|version, builder| unsafe {
                result::builder::set_gpu_allocator(version, builder, allocator.as_ptr())
            })?;
        }
        Ok(Self { shared: Rc::new(Shared { object, _allocator: allocator }) })
    }

    /// The library it comes from.
    #[must_use]
    pub fn library(&self) -> &Library {
        self.shared.object.library()
    }

    /// Limits the threads of a build.
    ///
    /// # Errors
    /// [`Error::Call`] where TensorRT refuses the number.
    pub fn set_max_threads(&mut self, threads: i32) -> Result<(), Error> {
        // SAFETY: the builder is alive and stays on this thread.
        self.shared
            .object
            .call(|version, builder| unsafe { result::builder::set_max_threads(version, builder, threads) })
    }

    /// Deep-learning accelerators of the device; 0 on all but Jetsons.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn dla_core_count(&self) -> Result<i32, Error> {
        // SAFETY: as for `set_max_threads`.
        self.shared.object.call(|version, builder| unsafe { result::builder::dla_core_count(version, builder) })
    }

    /// An empty network.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for flags that the version lacks.
    pub fn create_network(&self, flags: &[NetworkFlag]) -> Result<Network, Error> {
        // SAFETY: the builder is alive and stays on this thread.
        let network = self
            .shared
            .object
            .call(|version, builder| unsafe { result::builder::create_network(version, builder, flags) })?;
        // SAFETY: just made by this builder, nobody else's.
        Ok(unsafe { Network::new(self, network) })
    }

    /// A configuration with TensorRT's defaults.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words.
    pub fn create_config(&self) -> Result<BuilderConfig, Error> {
        // SAFETY: as for `create_network`.
        let config =
            self.shared.object.call(|version, builder| unsafe { result::builder::create_config(version, builder) })?;
        // SAFETY: just made by this builder, nobody else's.
        Ok(unsafe { BuilderConfig::new(self, config) })
    }

    /// An empty optimisation profile.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words.
    pub fn create_profile(&self) -> Result<OptimizationProfile, Error> {
        // SAFETY: as for `create_network`.
        let profile =
            self.shared.object.call(|version, builder| unsafe { result::builder::create_profile(version, builder) })?;
        Ok(OptimizationProfile::new(self, profile))
    }

    /// Whether the network can be built with that configuration.
    ///
    /// # Errors
    /// [`Error::Argument`] where the parts are of another builder.
    pub fn is_network_supported(&mut self, network: &Network, config: &BuilderConfig) -> Result<bool, Error> {
        self.check(&[network.builder(), config.builder()])?;
        // SAFETY: builder, network and configuration are alive and stay on this thread.
        self.shared.object.call(|version, builder| unsafe {
            result::builder::is_network_supported(version, builder, network.handle(), config.handle())
        })
    }

    /// Builds the plan. That takes minutes and much device memory; one build runs at a time in a process.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words; [`Error::Argument`] where the parts are of another builder.
    pub fn build(&mut self, network: &Network, config: &BuilderConfig) -> Result<HostMemory, Error> {
        self.check(&[network.builder(), config.builder()])?;
        let _build = BUILD.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as for `is_network_supported`; the callbacks of the configuration live as long as it.
        let plan = self.shared.object.call(|version, builder| unsafe {
            result::builder::build(version, builder, network.handle(), config.handle())
        })?;
        // SAFETY: just made by this library, nobody else's.
        unsafe { HostMemory::new(self.library(), plan) }
    }

    /// True where the other one is the same builder.
    pub(super) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }

    fn check(&self, others: &[&Self]) -> Result<(), Error> {
        if others.iter().all(|other| self.is(other)) {
            return Ok(());
        }
        Err(Error::argument("network and configuration must come from the builder that builds them"))
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("library", self.library()).finish_non_exhaustive()
    }
}
