use std::sync::Arc;

use super::owned::Owned;
use crate::sys::Handle;
use crate::sys::enums::{AllocationStrategy, EngineStat, HardwareCompatibility, ProfilingVerbosity, TensorIOMode};
use crate::sys::slots::engine;
use crate::{EngineInspector, Error, ExecutionContext, HostMemory, Library, Runtime, TensorInfo, lifecycle, result};

/// Weights on a device, loaded once and shared by any number of [`ExecutionContext`]s.
pub struct Engine {
    // Before the runtime it comes from: fields drop in this order.
    object: Owned<engine::Engine>,
    name: String,
    tensors: Vec<TensorInfo>,
    profiles: usize,
    _runtime: Arc<Runtime>,
}

// SAFETY: a TensorRT engine belongs to no thread.
unsafe impl Send for Engine {}
// SAFETY: through `&self` go read-only calls and context creation, listed as safe to overlap ("How TensorRT
// Works", Threading), and no setters.
unsafe impl Sync for Engine {}

impl Engine {
    /// # Safety
    /// The engine was made by that runtime and is nobody else's.
    pub(super) unsafe fn new(runtime: &Arc<Runtime>, handle: Handle<engine::Engine>) -> Result<Arc<Self>, Error> {
        let library = runtime.library();
        // SAFETY: the caller's promise.
        let object = unsafe { Owned::new(library, handle) };
        // SAFETY: the engine is alive, and all calls only read.
        let (name, tensors, profiles) = object.call(|version, engine| unsafe {
            let profiles = result::engine::profile_count(version, engine)?;
            let tensors = (0..result::engine::io_tensor_count(version, engine)?)
                .map(|index| TensorInfo::read(version, engine, index, profiles))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((result::engine::name(version, engine)?, tensors, usize::try_from(profiles).unwrap_or(0)))
        })?;
        Ok(Arc::new(Self { object, name, tensors, profiles, _runtime: Arc::clone(runtime) }))
    }

    /// The name given when it was built.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Inputs and outputs in TensorRT's order.
    #[must_use]
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Inputs in TensorRT's order.
    pub fn inputs(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.iter().filter(|tensor| tensor.mode == TensorIOMode::Input)
    }

    /// Outputs in TensorRT's order.
    pub fn outputs(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.iter().filter(|tensor| tensor.mode == TensorIOMode::Output)
    }

    /// The input or output of that name.
    ///
    /// # Errors
    /// [`Error::Tensor`] lists the names there are.
    pub fn tensor(&self, name: &str) -> Result<&TensorInfo, Error> {
        self.tensors.iter().find(|tensor| tensor.name == name).ok_or_else(|| {
            let names: Vec<_> = self.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
            Error::tensor(name, format!("is not in the engine, which has {}", names.join(", ")))
        })
    }

    /// Number of optimisation profiles, at least 1.
    #[must_use]
    pub fn profile_count(&self) -> usize {
        self.profiles
    }

    /// The library it was loaded by.
    #[must_use]
    pub fn library(&self) -> &Library {
        self.object.library()
    }

    /// A context whose activation memory TensorRT allocates, for the largest profile.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words: mostly device memory.
    pub fn create_context(self: &Arc<Self>) -> Result<ExecutionContext, Error> {
        self.create_context_with(AllocationStrategy::Static)
    }

    /// A context with its activation memory as asked for. A user-managed one needs
    /// [`ExecutionContext::set_device_memory_v2`] or a [`crate::Scratch`] before it runs.
    ///
    /// # Errors
    /// As for [`Engine::create_context`].
    pub fn create_context_with(self: &Arc<Self>, strategy: AllocationStrategy) -> Result<ExecutionContext, Error> {
        let _lock = lifecycle::lock();
        // SAFETY: the engine is alive.
        let context =
            self.object.call(|version, engine| unsafe { result::engine::create_context(version, engine, strategy) })?;
        // SAFETY: just made by this engine, nobody else's.
        Ok(unsafe { ExecutionContext::new(self, context, strategy) })
    }

    /// An inspector, which tells what the engine is made of.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words.
    pub fn create_inspector(self: &Arc<Self>) -> Result<EngineInspector, Error> {
        // SAFETY: the engine is alive.
        let inspector =
            self.object.call(|version, engine| unsafe { result::engine::create_inspector(version, engine) })?;
        // SAFETY: just made by this engine, nobody else's.
        Ok(unsafe { EngineInspector::new(self, inspector) })
    }

    /// The plan again.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words.
    pub fn serialize(&self) -> Result<HostMemory, Error> {
        // SAFETY: the engine is alive.
        let memory = self.object.call(|version, engine| unsafe { result::engine::serialize(version, engine) })?;
        // SAFETY: just made by this library, nobody else's.
        unsafe { HostMemory::new(self.library(), memory) }
    }

    /// Bytes of activation memory that a user-managed context needs, for its largest profile; from 10.1.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before 10.1.
    pub fn device_memory_size(&self) -> Result<u64, Error> {
        // SAFETY: the engine is alive.
        self.object.call(|version, engine| unsafe { result::engine::device_memory_size(version, engine) })
    }

    /// The same for one profile.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before 10.1; [`Error::Argument`] where there is no such profile.
    pub fn device_memory_size_for_profile(&self, profile: usize) -> Result<u64, Error> {
        let profile = self.profile(profile)?;
        // SAFETY: the engine is alive and has that profile.
        self.object
            .call(|version, engine| unsafe { result::engine::device_memory_size_for_profile(version, engine, profile) })
    }

    /// A number that the engine tells of itself; from 10.14.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before 10.14.
    pub fn stat(&self, which: EngineStat) -> Result<u64, Error> {
        // SAFETY: the engine is alive.
        self.object.call(|version, engine| unsafe { result::engine::stat(version, engine, which) })
    }

    /// Layers after fusion.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn layer_count(&self) -> Result<i32, Error> {
        // SAFETY: the engine is alive.
        self.object.call(|version, engine| unsafe { result::engine::layer_count(version, engine) })
    }

    /// Streams it may use beside the one enqueued on.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn aux_stream_count(&self) -> Result<i32, Error> {
        // SAFETY: the engine is alive.
        self.object.call(|version, engine| unsafe { result::engine::aux_stream_count(version, engine) })
    }

    /// Whether its weights can be replaced.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn is_refittable(&self) -> Result<bool, Error> {
        // SAFETY: the engine is alive.
        self.object.call(|version, engine| unsafe { result::engine::is_refittable(version, engine) })
    }

    /// On which other devices it may run.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn hardware_compatibility(&self) -> Result<HardwareCompatibility, Error> {
        // SAFETY: the engine is alive.
        self.object.call(|version, engine| unsafe { result::engine::hardware_compatibility(version, engine) })
    }

    /// How much it tells of its layers.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn profiling_verbosity(&self) -> Result<ProfilingVerbosity, Error> {
        // SAFETY: the engine is alive.
        self.object.call(|version, engine| unsafe { result::engine::profiling_verbosity(version, engine) })
    }

    /// TensorRT's number of a profile.
    pub(super) fn profile(&self, profile: usize) -> Result<i32, Error> {
        let known = i32::try_from(profile).ok().filter(|_| profile < self.profiles);
        known.ok_or_else(|| Error::argument(format!("profile {profile}: the engine has {}", self.profiles)))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("name", &self.name).field("tensors", &self.tensors).finish_non_exhaustive()
    }
}
