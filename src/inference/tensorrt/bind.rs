//! An engine's context with memory for all its tensors, on a camera's stream.

use std::sync::Arc;

use gpu::{BoundTensor, DeviceTensor, Held, HostTensor, Kind, Stream};
use tensorrt_rs::enums::{AllocationStrategy, TensorFormat, TensorIOMode};
use tensorrt_rs::{BoundContext, ExecutionContext, TensorInfo};

use super::engine::{Loaded, Measured, Plan, activations};
use super::io;
use crate::inference::InferenceError;
use crate::inference::budget::Buffer;
use crate::inference::device::{DeviceLane, HostOutput};

/// Shapes with one size of batch.
pub(super) struct Shapes {
    pub(super) inputs: Vec<Vec<i64>>,
    /// Elements of each input.
    pub(super) lengths: Vec<usize>,
    pub(super) outputs: Vec<Vec<usize>>,
}

/// A context that can execute.
pub(super) struct Binding {
    /// Before what it counts: fields drop in this order.
    pub(super) context: BoundContext<BoundTensor, Stream>,
    /// By power of two.
    pub(super) shapes: Vec<Shapes>,
    _held: [Held; 2],
    /// Its memory is counted for as long as somebody uses it.
    _engine: Arc<Loaded>,
}

impl Binding {
    /// Shapes of a run of `batch` pictures, a power of two.
    pub(super) fn set_batch(&mut self, plan: &Plan, batch: usize) -> Result<(), InferenceError> {
        let shapes = &self.shapes[batch.trailing_zeros() as usize].inputs;
        for (tensor, shape) in plan.io.inputs.iter().zip(shapes) {
            self.context.set_input_shape(&tensor.name, shape).map_err(|error| plan.failed(&error))?;
        }
        Ok(())
    }

    /// Inputs up, through, outputs down: all queued, nothing awaited. `place` is that of the batch's shapes.
    pub(super) fn queue(
        &mut self,
        place: usize,
        inputs: &mut [(String, Option<HostTensor>)],
        outputs: &mut [(String, HostOutput)],
        stream: &Stream,
    ) -> Result<(), Broken> {
        let Self { context, shapes, .. } = self;
        let shapes = &shapes[place];
        for ((name, host), len) in inputs.iter_mut().zip(&shapes.lengths) {
            if let Some(host) = host {
                stream.upload_tensor(host, context.buffer_mut(name)?, *len)?;
            }
        }
        let running = context.enqueue()?;
        for ((name, host), dims) in outputs.iter_mut().zip(&shapes.outputs) {
            // Where this fails, dropping `running` waits for the execution.
            host.queue(stream, running.buffer(name)?.view(), dims.iter().product())?;
        }
        // Dropped, it would wait here; the context waits in `finish` instead, and before anything else touches it.
        std::mem::forget(running);
        Ok(())
    }

    /// Waits for what [`Binding::queue`] queued, and for what only then is known to be wanted.
    pub(super) fn finish(&mut self, outputs: &mut [(String, HostOutput)], stream: &Stream) -> Result<(), Broken> {
        self.context.wait()?;
        for (name, host) in outputs {
            host.finish(stream, self.context.buffer(name)?.view())?;
        }
        Ok(())
    }
}

/// Why a context was not made, or work not queued or not finished.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Gpu(#[from] gpu::Error),
    #[error(transparent)]
    TensorRt(#[from] tensorrt_rs::Error),
    /// Nothing went wrong on the device.
    #[error("{0}")]
    Ours(String),
}

/// Makes a context of `engine` for up to `max_batch` pictures. Answers also what its tensors need, inputs first.
pub(super) fn bind(
    plan: &Plan,
    loaded: &Arc<Loaded>,
    lane: &DeviceLane,
    max_batch: usize,
) -> Result<(Binding, Vec<Buffer>), Broken> {
    let engine = &loaded.engine;
    plan.trt.gpu.device.bind().map_err(gpu::Error::from)?;
    let activations = activations(engine)?;
    let scratch = plan.trt.scratch(activations)?;
    let strategy = if scratch.is_some() { AllocationStrategy::UserManaged } else { AllocationStrategy::Static };
    let own = if scratch.is_some() { 0 } else { usize::try_from(activations).unwrap_or(0) };
    let before = plan.measured().is_none().then(|| free(plan)).transpose()?;
    let mut context = engine.create_context_with(strategy)?;
    let took = before.map(|before| free(plan).map(|after| before.saturating_sub(after))).transpose()?;
    let powers = io::most_pictures(engine.inputs(), max_batch).ilog2();
    // The largest last, so that its shapes are known when buffers are made; then back to one picture.
    let shapes = (0..=powers).map(|power| set_shapes(&mut context, 1 << power)).collect::<Result<Vec<_>, _>>()?;
    set_shapes(&mut context, 1)?;
    let Some(largest) = shapes.last() else { return Err(Broken::Ours("no shapes".to_owned())) };
    let outputs = largest.outputs.iter().map(|dims| dims.iter().product());
    let lengths = largest.lengths.iter().copied().chain(outputs);
    if let Some(took) = took {
        let besides = took.saturating_sub(own);
        plan.measure(|| Measured { activations, context: besides as u64, tensors: io::tensors(engine, largest) });
    }
    let besides = plan.measured().map_or(0, |measured| usize::try_from(measured.context).unwrap_or(0));
    let held = [own, besides].map(|bytes| lane.owner().hold(Kind::Device, bytes));
    let frames = (powers == 0 && plan.whole_frames).then_some(&plan.input);
    let (mut buffers, mut tensors) = (Vec::new(), Vec::new());
    for (tensor, len) in engine.inputs().chain(engine.outputs()).zip(lengths) {
        let Some(element) = io::gpu_element(tensor.data_type) else {
            let reason =
                format!("tensor {:?} has type {:?}, which is not read or written yet", tensor.name, tensor.data_type);
            return Err(Broken::Ours(reason));
        };
        if let Some(layout) = tensor.layouts.first().filter(|layout| layout.format != TensorFormat::Linear) {
            let reason =
                format!("tensor {:?} is laid out as {}; only row by row is known", tensor.name, layout.description);
            return Err(Broken::Ours(reason));
        }
        let input = tensor.mode == TensorIOMode::Input;
        let need = Buffer::new(input, element, tensor.shape.as_slice(), len, frames);
        let buffer = match need.shared {
            Some(key) => BoundTensor::Shared(lane.input(key)?),
            None => {
                let own = DeviceTensor::new(element, lane.stream(), lane.owner(), len);
                BoundTensor::Own(own?)
            }
        };
        buffers.push((tensor.name.clone(), buffer));
        tensors.push(need);
    }
    let context = BoundContext::new(context, lane.stream().clone(), buffers, scratch)?;
    Ok((Binding { context, shapes, _held: held, _engine: Arc::clone(loaded) }, tensors))
}

/// Bytes free on the device. What others take or give back meanwhile is in it, too: nobody else tells.
fn free(plan: &Plan) -> Result<usize, gpu::Error> {
    Ok(plan.trt.gpu.device.free_memory()?.0)
}

/// Sets the inputs' shapes for `batch` and asks for the outputs'.
pub(super) fn set_shapes(context: &mut ExecutionContext, batch: usize) -> Result<Shapes, Broken> {
    let engine = Arc::clone(context.engine());
    let mut inputs = Vec::new();
    for tensor in engine.inputs() {
        let shape = io::input_shape(tensor, batch);
        context.set_input_shape(&tensor.name, &shape)?;
        inputs.push(shape);
    }
    context.infer_shapes()?;
    let sizes = |dims: &[i64]| dims.iter().map(|dim| usize::try_from(*dim).unwrap_or(0)).collect::<Vec<_>>();
    let mut outputs = Vec::new();
    for TensorInfo { name, .. } in engine.outputs() {
        let shape = context.tensor_shape(name)?;
        if shape.as_slice().iter().any(|dim| *dim < 0) {
            let reason = format!("output {name:?} is {shape}: a size that depends on the data is not read yet");
            return Err(Broken::Ours(reason));
        }
        outputs.push(sizes(shape.as_slice()));
    }
    let lengths = inputs.iter().map(|shape| sizes(shape).iter().product()).collect();
    Ok(Shapes { inputs, lengths, outputs })
}
