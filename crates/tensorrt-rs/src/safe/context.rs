use std::ffi::{CString, c_void};
use std::sync::Arc;

use super::owned::Owned;
use crate::sys::enums::{AllocationStrategy, TensorIOMode};
use crate::sys::slots::{RawStream, context};
use crate::sys::{Dims, Handle};
use crate::{Engine, Error, TensorInfo, result};

/// Alignment in bytes that `setTensorAddress` asks of device memory.
pub const TENSOR_ALIGNMENT: usize = 256;

/// One user's execution of an engine.
///
/// No two calls on one context may overlap, so it can be sent to a thread but not shared between threads,
/// and whatever changes it takes `&mut`. Between [`ExecutionContext::enqueue_v3`] and the moment its stream has
/// finished, the context and the memory bound to it are in use: [`crate::BoundContext`] sees to that;
/// here it is the caller's promise.
pub struct ExecutionContext {
    // Before the engine it comes from: fields drop in this order.
    object: Owned<context::Context>,
    engine: Arc<Engine>,
    strategy: AllocationStrategy,
    profile: usize,
}

// SAFETY: a TensorRT context belongs to no thread, as long as its calls do not overlap; it is not `Sync`.
unsafe impl Send for ExecutionContext {}

impl ExecutionContext {
    /// # Safety
    /// The context was made by that engine and is nobody else's.
    pub(super) unsafe fn new(
        engine: &Arc<Engine>,
        handle: Handle<context::Context>,
        strategy: AllocationStrategy,
    ) -> Self {
        // SAFETY: the caller's promise.
        let object = unsafe { Owned::new(engine.library(), handle) };
        // A new context is on profile 0.
        Self { object, engine: Arc::clone(engine), strategy, profile: 0 }
    }

    pub(super) fn handle(&mut self) -> Handle<context::Context> {
        self.object.handle()
    }

    /// The engine it executes.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Who allocates its activation memory.
    #[must_use]
    pub fn strategy(&self) -> AllocationStrategy {
        self.strategy
    }

    /// The optimisation profile selected.
    #[must_use]
    pub fn profile(&self) -> usize {
        self.profile
    }

    /// Names it, for profilers.
    ///
    /// # Errors
    /// [`Error::Argument`] for a name with a NUL.
    pub fn set_name(&mut self, name: &str) -> Result<(), Error> {
        let name = CString::new(name).map_err(|_| Error::argument(format!("context name {name:?} has a NUL")))?;
        // SAFETY: the context is alive and borrowed exclusively; TensorRT copies the name.
        self.object.call(|version, context| unsafe { result::context::set_name(version, context, &name) })
    }

    /// Its name.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn name(&self) -> Result<String, Error> {
        // SAFETY: the context is alive, and calls do not overlap since it is not `Sync`.
        self.object.call(|version, context| unsafe { result::context::name(version, context) })
    }

    /// Sets an input's shape, after a check against the profile selected.
    ///
    /// # Errors
    /// [`Error::Tensor`] names the tensor, the shape and what the profile allows; [`Error::Call`] where
    /// TensorRT refuses all the same.
    pub fn set_input_shape(&mut self, name: &str, shape: &[i64]) -> Result<(), Error> {
        let tensor = self.engine.tensor(name)?;
        let dims = Dims::new(shape)
            .ok_or_else(|| Error::tensor(name, format!("has {} dimensions, TensorRT allows 8", shape.len())))?;
        if tensor.mode != TensorIOMode::Input {
            return Err(Error::tensor(name, "is an output: its shape follows from the inputs"));
        }
        if let Some(range) = tensor.ranges.get(self.profile)
            && !range.allows(&dims)
        {
            return Err(Error::tensor(name, format!("is {dims}, profile {} allows {range}", self.profile)));
        }
        // SAFETY: the context is alive and borrowed exclusively; name and shape live through the call.
        self.object.call(|version, context| unsafe {
            result::context::set_input_shape(version, context, tensor.raw_name(), &dims)
        })
    }

    /// Computes the outputs' shapes from the inputs'.
    ///
    /// # Errors
    /// [`Error::Call`] names an input whose shape is missing.
    pub fn infer_shapes(&mut self) -> Result<(), Error> {
        // SAFETY: the context is alive and borrowed exclusively.
        self.object.call(|version, context| unsafe { result::context::infer_shapes(version, context) })
    }

    /// True where every open dimension of the inputs is set.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn all_input_dimensions_specified(&self) -> Result<bool, Error> {
        // SAFETY: the context is alive, and calls do not overlap since it is not `Sync`.
        self.object
            .call(|version, context| unsafe { result::context::all_input_dimensions_specified(version, context) })
    }

    /// A tensor's shape for the inputs' shapes; -1 where it depends on the data.
    ///
    /// # Errors
    /// [`Error::Call`] where it is not known yet.
    pub fn tensor_shape(&self, name: &str) -> Result<Dims, Error> {
        let tensor = self.engine.tensor(name)?;
        // SAFETY: the context is alive, and calls do not overlap since it is not `Sync`.
        self.object
            .call(|version, context| unsafe { result::context::tensor_shape(version, context, tensor.raw_name()) })
    }

    /// A tensor's strides, in elements.
    ///
    /// # Errors
    /// As for [`ExecutionContext::tensor_shape`].
    pub fn tensor_strides(&self, name: &str) -> Result<Dims, Error> {
        let tensor = self.engine.tensor(name)?;
        // SAFETY: as for `tensor_shape`.
        self.object
            .call(|version, context| unsafe { result::context::tensor_strides(version, context, tensor.raw_name()) })
    }

    /// Most bytes that an output can have with the inputs' shapes.
    ///
    /// # Errors
    /// [`Error::Call`] where it is not known yet.
    pub fn max_output_size(&self, name: &str) -> Result<u64, Error> {
        let tensor = self.engine.tensor(name)?;
        // SAFETY: as for `tensor_shape`.
        self.object
            .call(|version, context| unsafe { result::context::max_output_size(version, context, tensor.raw_name()) })
    }

    /// Bytes that a tensor's memory must have with the inputs' shapes.
    ///
    /// # Errors
    /// [`Error::Tensor`] where that is not known yet, or the elements share bytes.
    pub fn required_bytes(&self, name: &str) -> Result<u64, Error> {
        let tensor = self.engine.tensor(name)?;
        let dims = self.tensor_shape(name)?;
        if tensor.mode == TensorIOMode::Output && !dims.is_static() {
            return self.max_output_size(name);
        }
        tensor.byte_len(&dims, self.profile).ok_or_else(|| {
            let what = format!("has no known size: shape {dims}, elements {}", tensor.data_type.name());
            Error::tensor(name, what)
        })
    }

    /// Selects an optimisation profile; input shapes must be set anew.
    ///
    /// # Errors
    /// [`Error::Argument`] where there is no such profile, [`Error::Call`] with TensorRT's words.
    ///
    /// # Safety
    /// `stream` is a live stream of the engine's device (null: the default one). Nothing of this context is
    /// under way, and whatever it executes next is ordered behind `stream`.
    pub unsafe fn set_optimization_profile_async(&mut self, profile: usize, stream: RawStream) -> Result<(), Error> {
        let number = self.engine.profile(profile)?;
        // SAFETY: the context is alive and borrowed exclusively; the stream by the caller's promise.
        self.object.call(|version, context| unsafe {
            result::context::set_optimization_profile(version, context, number, stream)
        })?;
        self.profile = profile;
        Ok(())
    }

    /// Sets the memory of an input or output.
    ///
    /// # Errors
    /// [`Error::Tensor`] for device memory that is not aligned to [`TENSOR_ALIGNMENT`].
    ///
    /// # Safety
    /// `address` is memory of the engine's device, or of the host where the tensor's location says so, large
    /// enough for the tensor (see [`ExecutionContext::required_bytes`]), for as long as the context executes
    /// with it.
    pub unsafe fn set_tensor_address(&mut self, name: &str, address: *mut c_void) -> Result<(), Error> {
        let tensor = self.engine.tensor(name)?;
        check_alignment(tensor, address)?;
        // SAFETY: the context is alive and borrowed exclusively; the memory by the caller's promise.
        self.object.call(|version, context| unsafe {
            result::context::set_tensor_address(version, context, tensor.raw_name(), address)
        })
    }

    /// The memory set for a tensor; null: none.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such tensor.
    pub fn tensor_address(&self, name: &str) -> Result<*const c_void, Error> {
        let tensor = self.engine.tensor(name)?;
        // SAFETY: as for `tensor_shape`.
        self.object
            .call(|version, context| unsafe { result::context::tensor_address(version, context, tensor.raw_name()) })
    }

    /// Bytes of activation memory for the inputs' shapes; call it after they are set. 0 also where TensorRT
    /// could not tell.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn update_device_memory_size_for_shapes(&mut self) -> Result<u64, Error> {
        // SAFETY: the context is alive and borrowed exclusively.
        self.object.call(|version, context| unsafe { result::context::update_device_memory_size(version, context) })
    }

    /// Gives a user-managed context its activation memory; from 10.1.
    ///
    /// # Errors
    /// [`Error::Unsupported`] before 10.1; [`Error::Argument`] where the context is not user-managed.
    ///
    /// # Safety
    /// `memory` is `size` bytes of memory of the engine's device, with the device's alignment, for as long as
    /// the context executes with it. Contexts that share it never execute at the same time.
    pub unsafe fn set_device_memory_v2(&mut self, memory: *mut c_void, size: usize) -> Result<(), Error> {
        if self.strategy != AllocationStrategy::UserManaged {
            return Err(Error::argument(format!(
                "activation memory for a context that has {} memory: create it as user-managed",
                self.strategy.name()
            )));
        }
        let size = i64::try_from(size).map_err(|_| Error::argument(format!("{size} bytes of activation memory")))?;
        // SAFETY: the context is alive and borrowed exclusively; the memory by the caller's promise.
        self.object
            .call(|version, context| unsafe { result::context::set_device_memory(version, context, memory, size) })
    }

    /// Queues one execution on `stream` and returns.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words. Part of the work may be queued all the same: finish the stream
    /// before anything is freed. See [`crate::is_myelin_failure`] for what cannot be used again.
    ///
    /// # Safety
    /// `stream` is a live stream of the engine's device. Every tensor has memory as told at
    /// [`ExecutionContext::set_tensor_address`], a user-managed context activation memory of at least
    /// [`ExecutionContext::update_device_memory_size_for_shapes`] bytes. Until the stream has finished the work,
    /// that memory is neither freed nor otherwise used, and the context neither changed, enqueued on another
    /// stream nor dropped.
    pub unsafe fn enqueue_v3(&mut self, stream: RawStream) -> Result<(), Error> {
        // SAFETY: the context is alive and borrowed exclusively; all else by the caller's promise.
        self.object.call(|version, context| unsafe { result::context::enqueue(version, context, stream) })
    }
}

/// Device memory must be aligned; shape tensors on the host need not be.
pub(super) fn check_alignment(tensor: &TensorInfo, address: *mut c_void) -> Result<(), Error> {
    if tensor.location == crate::sys::enums::TensorLocation::Host || address.addr().is_multiple_of(TENSOR_ALIGNMENT) {
        return Ok(());
    }
    Err(Error::tensor(
        &tensor.name,
        format!("is given memory at {address:p}, TensorRT needs it aligned to {TENSOR_ALIGNMENT} bytes"),
    ))
}

impl std::fmt::Debug for ExecutionContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecutionContext")
            .field("engine", &self.engine.name())
            .field("profile", &self.profile)
            .field("strategy", &self.strategy)
            .finish_non_exhaustive()
    }
}
