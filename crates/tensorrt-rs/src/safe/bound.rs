use std::ffi::c_void;
use std::mem::ManuallyDrop;

use super::context::check_alignment;
use super::device::{DeviceBuffer, Stream};
use super::log::Mark;
use super::scratch::{Lease, Scratch};
use crate::sys::Dims;
use crate::sys::enums::{AllocationStrategy, TensorIOMode, TensorLocation};
use crate::{Error, ExecutionContext, InFlight, lifecycle};

/// A context with the buffers of all its tensors and its stream: what one pipeline needs to execute a
/// model, in safe code.
///
/// It owns all three, and it knows whether an execution is under way. Whatever would disturb one waits for
/// it first: changing a shape, touching a buffer, the next execution, dropping. So the safety does not hang
/// on a guard that could be forgotten. After the first execution with a shape, executing allocates nothing.
///
/// Where the stream itself fails, nothing is known about what the device still does: the context answers
/// [`Error::Poisoned`] from then on, and dropping it leaks context, buffers and stream.
pub struct BoundContext<B: DeviceBuffer, S: Stream> {
    parts: ManuallyDrop<Parts<B, S>>,
    state: State,
    /// Shapes, sizes and activation memory are checked for the shapes set.
    ready: bool,
}

// In the order of dropping: nothing executes any more when the buffers go.
struct Parts<B, S> {
    context: ExecutionContext,
    buffers: Vec<Bound<B>>,
    lease: Option<Lease>,
    scratch: Option<Scratch>,
    stream: S,
}

struct Bound<B> {
    name: String,
    buffer: B,
    /// Address that TensorRT has, null for none, and the length checked with it.
    set: (*mut c_void, usize),
}

// SAFETY: `set` is an address to compare with, never followed; the other parts may be sent.
unsafe impl<B: Send> Send for Bound<B> {}

#[derive(Clone, Copy)]
enum State {
    Idle,
    InFlight(Mark),
    Poisoned,
}

impl<B: DeviceBuffer, S: Stream> BoundContext<B, S> {
    /// Binds one buffer to each tensor, by name. A user-managed context also takes the block of activation
    /// memory it shares.
    ///
    /// # Errors
    /// [`Error::Tensor`] where a buffer is missing, too much, or misaligned, or a tensor lives on the host;
    /// [`Error::Argument`] where activation memory does not fit the context.
    pub fn new(
        context: ExecutionContext,
        stream: S,
        buffers: impl IntoIterator<Item = (String, B)>,
        scratch: Option<Scratch>,
    ) -> Result<Self, Error> {
        let null = std::ptr::null_mut();
        let buffers: Vec<_> =
            buffers.into_iter().map(|(name, buffer)| Bound { name, buffer, set: (null, 0) }).collect();
        for (index, bound) in buffers.iter().enumerate() {
            let tensor = context.engine().tensor(&bound.name)?;
            if tensor.location == TensorLocation::Host {
                return Err(Error::tensor(&bound.name, "lives in host memory, only device memory can be bound"));
            }
            if buffers.iter().take(index).any(|other| other.name == bound.name) {
                return Err(Error::tensor(&bound.name, "is given two buffers"));
            }
        }
        for tensor in context.engine().tensors() {
            if !buffers.iter().any(|bound| bound.name == tensor.name) {
                return Err(Error::tensor(&tensor.name, "is given no buffer"));
            }
        }
        if scratch.is_some() != (context.strategy() == AllocationStrategy::UserManaged) {
            return Err(Error::argument(
                "a user-managed context takes a block of activation memory, any other takes none",
            ));
        }
        let parts = Parts { context, buffers, lease: None, scratch, stream };
        Ok(Self { parts: ManuallyDrop::new(parts), state: State::Idle, ready: false })
    }

    /// The context, to ask it for shapes and sizes.
    #[must_use]
    pub fn context(&self) -> &ExecutionContext {
        &self.parts.context
    }

    /// The stream it executes on.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.parts.stream
    }

    /// A tensor's buffer, for work queued on the same stream before or after the execution.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such tensor.
    pub fn buffer(&self, name: &str) -> Result<&B, Error> {
        self.parts.buffer(name)
    }

    /// A tensor's buffer, for anything; waits for the execution under way.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such tensor, [`Error::Stream`] where the execution failed.
    pub fn buffer_mut(&mut self, name: &str) -> Result<&mut B, Error> {
        self.wait()?;
        let bound = self.parts.buffers.iter_mut().find(|bound| bound.name == name);
        bound.map(|bound| &mut bound.buffer).ok_or_else(|| Error::tensor(name, "is not in the engine"))
    }

    /// Sets an input's shape; waits for the execution under way.
    ///
    /// # Errors
    /// As for [`ExecutionContext::set_input_shape`].
    pub fn set_input_shape(&mut self, name: &str, shape: &[i64]) -> Result<(), Error> {
        self.wait()?;
        let parts = &mut *self.parts;
        if Dims::new(shape).is_some_and(|dims| parts.context.tensor_shape(name).is_ok_and(|set| set == dims)) {
            return Ok(());
        }
        self.ready = false;
        parts.context.set_input_shape(name, shape)
    }

    /// Selects an optimisation profile and waits until that is done; input shapes must be set anew.
    ///
    /// # Errors
    /// As for [`ExecutionContext::set_optimization_profile_async`].
    pub fn set_optimization_profile(&mut self, profile: usize) -> Result<(), Error> {
        self.wait()?;
        self.ready = false;
        let mark = self.parts.context.engine().library().mark();
        self.state = State::InFlight(mark);
        let stream = self.parts.stream.raw();
        // SAFETY: the stream lives as long as `self`, nothing of this context is under way, and the wait below
        // orders the switch before everything else.
        let switched = unsafe { self.parts.context.set_optimization_profile_async(profile, stream) };
        self.wait().and(switched)
    }

    /// Queues one execution; waits for the one before, and for the activation memory if it is shared.
    ///
    /// # Errors
    /// [`Error::Tensor`] where a shape is missing or a buffer too small; [`Error::Call`] with TensorRT's words
    /// where it refuses, and then nothing is under way any more; [`Error::Stream`] where the execution before
    /// failed.
    pub fn enqueue(&mut self) -> Result<InFlight<'_, B, S>, Error> {
        self.wait()?;
        self.parts.check(&mut self.ready)?;
        self.parts.lease = self.parts.scratch.as_ref().map(Scratch::take);
        // From here on the device may be at work, whatever the call answers.
        self.state = State::InFlight(self.parts.context.engine().library().mark());
        let stream = self.parts.stream.raw();
        // SAFETY: the stream lives as long as `self`; `check` has seen that every tensor has aligned memory large
        // enough for its shape, and the context activation memory, which `lease` keeps for this execution. All of
        // it is owned by `self`, reached only after `wait`, and leaked where waiting fails.
        match unsafe { self.parts.context.enqueue_v3(stream) } {
            Ok(()) => Ok(InFlight::new(self)),
            Err(error) => {
                // The first failure is the one to tell; a second one stays in the state.
                let _ = self.wait();
                Err(error)
            }
        }
    }

    /// Waits for the execution under way, if any.
    ///
    /// # Errors
    /// [`Error::Stream`] where it failed; from then on [`Error::Poisoned`].
    pub fn wait(&mut self) -> Result<(), Error> {
        match self.state {
            State::Idle => Ok(()),
            State::Poisoned => Err(Error::Poisoned),
            State::InFlight(mark) => {
                let finished = self.parts.stream.synchronize();
                self.settle(mark, finished.map(|()| true)).map(|_| ())
            }
        }
    }

    /// Whether nothing is under way, without waiting.
    ///
    /// # Errors
    /// As for [`BoundContext::wait`].
    pub fn is_finished(&mut self) -> Result<bool, Error> {
        match self.state {
            State::Idle => Ok(true),
            State::Poisoned => Err(Error::Poisoned),
            State::InFlight(mark) => {
                let finished = self.parts.stream.is_finished();
                self.settle(mark, finished)
            }
        }
    }

    fn settle(&mut self, mark: Mark, finished: Result<bool, S::Error>) -> Result<bool, Error> {
        match finished {
            Ok(true) => {
                self.state = State::Idle;
                self.parts.lease = None;
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(source) => {
                self.state = State::Poisoned;
                let vendor = self.parts.context.engine().library().log().since(mark);
                Err(Error::Stream { source: Box::new(source), vendor })
            }
        }
    }
}

impl<B: DeviceBuffer, S: Stream> Parts<B, S> {
    fn buffer(&self, name: &str) -> Result<&B, Error> {
        let bound = self.buffers.iter().find(|bound| bound.name == name);
        bound.map(|bound| &bound.buffer).ok_or_else(|| Error::tensor(name, "is not in the engine"))
    }

    /// Sees to it that an execution finds everything in place. Nothing is under way.
    fn check(&mut self, ready: &mut bool) -> Result<(), Error> {
        let Self { context, buffers, scratch, stream, .. } = self;
        // Before anything else and every time: a buffer can move to another stream and stay where it is.
        let stranger = |bound: &&Bound<B>| bound.buffer.stream().is_some_and(|own| own != stream.raw());
        if let Some(bound) = buffers.iter().find(stranger) {
            return Err(Error::tensor(&bound.name, "has a buffer that belongs to another stream than the context's"));
        }
        // Buffers may have been exchanged through `buffer_mut`.
        let same = |bound: &Bound<B>| bound.set == (bound.buffer.device_ptr(), bound.buffer.byte_len());
        if *ready && buffers.iter().all(same) {
            return Ok(());
        }
        *ready = false;
        check_overlap(context, buffers)?;
        context.infer_shapes()?;
        for bound in buffers.iter_mut() {
            let required = context.required_bytes(&bound.name)?;
            let (address, len) = (bound.buffer.device_ptr(), bound.buffer.byte_len());
            if required > len as u64 {
                let shape = context.tensor_shape(&bound.name)?;
                let what = format!("is {shape} and needs {required} bytes, its buffer has {len}");
                return Err(Error::tensor(&bound.name, what));
            }
            check_alignment(context.engine().tensor(&bound.name)?, address)?;
            bound.set = (std::ptr::null_mut(), 0);
            // SAFETY: the buffer is device memory of that many bytes (the trait's promise), enough for the tensor,
            // and outlives the executions with it: it is only reached when none is under way, and then this check
            // runs again.
            unsafe { context.set_tensor_address(&bound.name, address)? };
            bound.set = (address, len);
        }
        if let Some(scratch) = scratch {
            // 0 is also how TensorRT says that it could not tell.
            let required = match context.update_device_memory_size_for_shapes()? {
                0 => context.engine().device_memory_size_for_profile(context.profile())?,
                required => required,
            };
            let (memory, len) = (scratch.buffer().device_ptr(), scratch.byte_len());
            if required > len as u64 {
                return Err(Error::argument(format!(
                    "the shared activation memory has {len} bytes, engine {:?} needs {required} for these shapes",
                    context.engine().name()
                )));
            }
            // SAFETY: the block is device memory of that many bytes, lives as long as `scratch`, and executions
            // with it hold its lease, of which there is one.
            unsafe { context.set_device_memory_v2(memory, len)? };
        }
        *ready = true;
        Ok(())
    }
}

/// Inputs may have memory in common; what is written may not, or the execution would read its own results.
fn check_overlap<B: DeviceBuffer>(context: &ExecutionContext, buffers: &[Bound<B>]) -> Result<(), Error> {
    let range = |bound: &Bound<B>| {
        let start = bound.buffer.device_ptr().addr();
        start..start.saturating_add(bound.buffer.byte_len())
    };
    let shared = || buffers.iter().filter(|bound| bound.buffer.is_shared());
    for one in shared() {
        if context.engine().tensor(&one.name)?.mode == TensorIOMode::Input {
            continue;
        }
        let here = range(one);
        let meets = |other: &&Bound<B>| here.start < range(other).end && range(other).start < here.end;
        if let Some(other) = shared().filter(|other| other.name != one.name).find(meets) {
            return Err(Error::tensor(&one.name, format!("is written to memory that tensor {:?} has too", other.name)));
        }
    }
    Ok(())
}

impl<B: DeviceBuffer, S: Stream> Drop for BoundContext<B, S> {
    fn drop(&mut self) {
        if lifecycle::is_abandoned() {
            return;
        }
        let _ = self.wait();
        if let State::Idle = self.state {
            // SAFETY: dropped here only, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.parts) };
        }
    }
}

impl<B: DeviceBuffer, S: Stream> std::fmt::Debug for BoundContext<B, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundContext").field("context", &self.parts.context).finish_non_exhaustive()
    }
}
