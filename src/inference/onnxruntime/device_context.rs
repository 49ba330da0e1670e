//! A camera's right to run a model on a GPU.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use gpu::kernels::{PixelRect, Placement, TensorMut};
use gpu::{DeviceTensor, HostTensor, Stream, TensorViewMut};
use onnxruntime::{DeviceBinding, Session, Shapes};

use super::device::Loaded;
use super::turns::{Done, Job, Turns};
use super::{lost, run_error};
use crate::inference::device::{DeviceLane, HostOutput};
use crate::inference::flight::Who;
use crate::inference::{Context, Finished, FrameRef, InferenceError, Pending};
use crate::types::geometry::BBox;
use crate::types::tensor::{ElementType, TensorRef, TensorSpec};

/// Buffers of a run, on both sides.
pub(super) struct Load {
    binding: DeviceBinding<DeviceTensor, Stream>,
    /// By input; `None` where the device prepares it.
    inputs: Vec<Option<HostTensor>>,
    outputs: Vec<HostOutput>,
    pub(super) batch: usize,
    pub(super) who: Who,
}

impl Load {
    /// Inputs of the host up: queued, not awaited.
    fn upload(&mut self) -> Result<(), String> {
        let stream = self.binding.stream().clone();
        for (index, host) in self.inputs.iter_mut().enumerate() {
            let Some(host) = host else { continue };
            let len = length(&self.binding.shapes().inputs[index]);
            let device = self.binding.input_mut(index).map_err(|error| error.to_string())?;
            stream.upload_tensor(host, device, len).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Through, and outputs down; all is done when it returns.
    pub(super) fn run(&mut self) -> Result<(), String> {
        self.binding.run().map_err(|error| error.to_string())?;
        let stream = self.binding.stream();
        for (index, (host, shape)) in self.outputs.iter_mut().zip(&self.binding.shapes().outputs).enumerate() {
            let device = self.binding.output(index).map_err(|error| error.to_string())?;
            host.queue(stream, device.view(), length(shape)).map_err(|error| error.to_string())?;
        }
        stream.synchronize().map_err(|error| error.to_string())?;
        for (index, host) in self.outputs.iter_mut().enumerate() {
            let device = self.binding.output(index).map_err(|error| error.to_string())?;
            host.finish(stream, device.view()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

pub(super) struct DeviceContext {
    state: State,
    done: Receiver<Done>,
    /// Shapes of the outputs, by power of two of the batch.
    outputs: Vec<Vec<Vec<usize>>>,
    turns: Turns,
    model: Arc<Loaded>,
    lane: Arc<DeviceLane>,
}

enum State {
    Ready {
        load: Box<Load>,
        reply: Sender<Done>,
    },
    /// It did not begin.
    Failed {
        load: Box<Load>,
        reply: Sender<Done>,
        reason: String,
    },
    Running,
}

impl DeviceContext {
    pub(super) fn new(
        model: &Arc<Loaded>,
        session: &Arc<Session>,
        turns: Turns,
        copy: usize,
        camera: &Arc<str>,
        lane: &Arc<DeviceLane>,
        shapes: Vec<Shapes>,
    ) -> Result<Self, InferenceError> {
        let failed = |error: &dyn std::fmt::Display| run_error(&model.name, error);
        let Some(largest) = shapes.last() else { return Err(failed(&"no shapes")) };
        let tensors = |specs: &[TensorSpec], shapes: &[Vec<i64>]| {
            let tensor = |(spec, shape): (&TensorSpec, &Vec<i64>)| {
                let Some(element) = element(spec.element) else {
                    let reason =
                        format!("tensor {:?} has type {}, which is not read or written yet", spec.name, spec.element);
                    return Err(failed(&reason));
                };
                let tensor = DeviceTensor::new(element, lane.stream(), lane.owner(), length(shape));
                tensor.map_err(|error| failed(&error))
            };
            specs.iter().zip(shapes).map(tensor).collect::<Result<Vec<_>, _>>()
        };
        let host = |tensor: &DeviceTensor, shape: &[i64]| {
            HostTensor::new(tensor.element(), lane.stream(), lane.owner(), length(shape))
                .map_err(|error| failed(&error))
        };
        let device_inputs = tensors(&model.tensors.inputs, &largest.inputs)?;
        let device_outputs = tensors(&model.tensors.outputs, &largest.outputs)?;
        let mut inputs = Vec::new();
        for ((tensor, spec), shape) in device_inputs.iter().zip(&model.tensors.inputs).zip(&largest.inputs) {
            inputs.push((!is_picture(spec)).then(|| host(tensor, shape)).transpose()?);
        }
        let mut outputs = Vec::new();
        for (tensor, shape) in device_outputs.iter().zip(&largest.outputs) {
            outputs.push(HostOutput::new(host(tensor, shape)?, length(shape)));
        }
        let sizes = |dims: &Vec<i64>| dims.iter().map(|dim| usize::try_from(*dim).unwrap_or(0)).collect();
        let output_shapes = shapes.iter().map(|shapes| shapes.outputs.iter().map(sizes).collect()).collect();
        let binding = session.bind_device(lane.stream().clone(), shapes, device_inputs, device_outputs);
        let binding = binding.map_err(|error| failed(&error))?;
        let context = model.gpu.next_context();
        let who = Who { camera: Arc::clone(camera), model: Arc::clone(&model.name), context, copy };
        let (reply, done) = bounded(1);
        let state = State::Ready { load: Box::new(Load { binding, inputs, outputs, batch: 1, who }), reply };
        model.metrics.contexts.inc();
        Ok(Self { state, done, outputs: output_shapes, turns, model: Arc::clone(model), lane: Arc::clone(lane) })
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> InferenceError {
        run_error(&self.model.name, error)
    }

    fn load(&mut self) -> Result<&mut Load, InferenceError> {
        match &mut self.state {
            State::Ready { load, .. } => Ok(load),
            _ => Err(lost(&self.model.name)),
        }
    }

    fn input(&mut self, index: usize) -> Result<(&mut HostTensor, usize), InferenceError> {
        let none = self.failed(&format!("there is no input {index} that the host writes"));
        let load = self.load()?;
        let len = load.binding.shapes().inputs.get(index).map(|shape| length(shape));
        load.inputs.get_mut(index).and_then(Option::as_mut).zip(len).ok_or(none)
    }

    /// Width and height of an input that the device prepares.
    fn picture(&self, index: usize) -> Option<(usize, usize)> {
        let spec = self.model.tensors.inputs.get(index).filter(|spec| is_picture(spec))?;
        let [height, width] = [2, 3].map(|at| usize::try_from(spec.shape[at]).ok());
        width.zip(height)
    }

    /// Has the camera's stream write the first `pictures` of an input.
    fn prepare(
        &mut self,
        index: usize,
        len: usize,
        queue: impl FnOnce(&DeviceLane, TensorMut<'_>) -> Result<(), gpu::Error>,
    ) -> Result<(), InferenceError> {
        let (model, lane) = (Arc::clone(&self.model), Arc::clone(&self.lane));
        let failed = |error: &dyn std::fmt::Display| run_error(&model.name, error);
        if let Some(reason) = model.gpu.health.lost() {
            return Err(InferenceError::DeviceLost { reason: reason.to_owned() });
        }
        model.gpu.device.bind().map_err(|error| failed(&error))?;
        let tensor = self.load()?.binding.input_mut(index).map_err(|error| failed(&error))?;
        let tensor = match tensor.view_mut() {
            TensorViewMut::F32(view) => view.range(0..len).map(TensorMut::F32),
            TensorViewMut::F16(view) => view.range(0..len).map(TensorMut::F16),
            other => return Err(failed(&format!("input {index} has {}", other.element()))),
        };
        let queued = tensor.and_then(|tensor| queue(&lane, tensor));
        queued.map_err(|error| model.gpu.unless_lost(lane.stream(), failed(&error)))
    }
}

impl Drop for DeviceContext {
    fn drop(&mut self) {
        // What belongs to ONNX Runtime ends on this thread, which may never have met the device.
        self.turns.bind();
        self.model.metrics.contexts.dec();
    }
}

impl Context for DeviceContext {
    fn max_batch(&self) -> usize {
        1 << self.outputs.len().saturating_sub(1)
    }

    fn set_batch(&mut self, batch: usize) -> Result<(), InferenceError> {
        let most = self.max_batch();
        if !batch.is_power_of_two() || batch > most {
            return Err(self.failed(&format!("a batch of {batch}; powers of two up to {most} are possible")));
        }
        let load = self.load()?;
        let chosen = load.binding.choose(batch.trailing_zeros() as usize);
        load.batch = batch;
        chosen.map_err(|error| self.failed(&error))
    }

    fn input_f32(&mut self, index: usize) -> Result<&mut [f32], InferenceError> {
        let name = Arc::clone(&self.model.name);
        match self.input(index)? {
            (HostTensor::F32(host), len) => Ok(&mut host.write().map_err(|error| run_error(&name, &error))?[..len]),
            _ => Err(run_error(&name, &format!("input {index} is not f32"))),
        }
    }

    fn input_i64(&mut self, index: usize) -> Result<&mut [i64], InferenceError> {
        let name = Arc::clone(&self.model.name);
        match self.input(index)? {
            (HostTensor::I64(host), len) => Ok(&mut host.write().map_err(|error| run_error(&name, &error))?[..len]),
            _ => Err(run_error(&name, &format!("input {index} is not i64"))),
        }
    }

    fn letterbox(&mut self, index: usize, frame: &FrameRef<'_>, placement: Placement) -> Result<bool, InferenceError> {
        let Some((width, height)) = self.picture(index).filter(|_| self.model.whole_frames) else { return Ok(false) };
        let input = self.model.input;
        self.prepare(index, 3 * width * height, |lane, tensor| lane.letterbox_into(tensor, &input, frame, placement))?;
        Ok(true)
    }

    fn crops(&mut self, index: usize, frame: &FrameRef<'_>, boxes: &[BBox]) -> Result<bool, InferenceError> {
        let Some((width, height)) = self.picture(index) else { return Ok(false) };
        let mut rects = [PixelRect { x: 0, y: 0, width: 0, height: 0 }; 64];
        let Some(rects) = rects.get_mut(..boxes.len()) else { return Ok(false) };
        for (rect, bbox) in rects.iter_mut().zip(boxes) {
            let edges = [bbox.x1, bbox.y1, bbox.x2, bbox.y2];
            *rect = PixelRect::of_edges(edges, frame.picture.width, frame.picture.height)
                .ok_or_else(|| self.failed(&"a box has no part in the picture"))?;
        }
        let input = self.model.input;
        let len = rects.len() * 3 * width * height;
        self.prepare(index, len, |lane, tensor| lane.crops(tensor, (width, height), &input, frame, rects))?;
        Ok(true)
    }

    fn filter(&mut self, index: usize, classes: usize, min_score: f32) -> Result<bool, InferenceError> {
        // One picture, or there is more than one table.
        let (State::Ready { load, .. }, [shapes]) = (&mut self.state, self.outputs.as_slice()) else {
            return Ok(false);
        };
        let Some((shape, output)) = shapes.get(index).zip(load.outputs.get_mut(index)) else { return Ok(false) };
        let filtered = output.filter(self.lane.stream(), self.lane.owner(), shape, classes, min_score);
        filtered.map_err(|error| self.failed(&error))
    }

    fn output(&self, index: usize) -> Result<TensorRef<'_>, InferenceError> {
        let State::Ready { load, .. } = &self.state else { return Err(lost(&self.model.name)) };
        let shape = self.outputs[load.batch.trailing_zeros() as usize].get(index);
        let Some((shape, host)) = shape.zip(load.outputs.get(index)) else {
            return Err(self.failed(&format!("there is no output {index}")));
        };
        let data = host.read(shape.iter().product()).map_err(|error| self.failed(&error))?;
        Ok(TensorRef { shape, data })
    }

    fn submit(mut self: Box<Self>) -> Box<dyn Pending> {
        if let State::Ready { mut load, reply } = std::mem::replace(&mut self.state, State::Running) {
            let bound = self.model.gpu.device.bind().map_err(|error| error.to_string());
            match bound.and_then(|()| load.upload()) {
                Ok(()) => self.turns.take(Job { load, metrics: Arc::clone(&self.model.metrics), reply }),
                Err(reason) => {
                    self.model.metrics.errors.inc();
                    self.state = State::Failed { load, reply, reason };
                }
            }
        }
        self
    }
}

impl Pending for DeviceContext {
    fn wait(mut self: Box<Self>) -> Result<Finished, InferenceError> {
        let (load, reply, result) = match std::mem::replace(&mut self.state, State::Running) {
            State::Failed { load, reply, reason } => (load, reply, Err(reason)),
            _ => {
                let Ok(Done { load, result, reply }) = self.done.recv() else { return Err(lost(&self.model.name)) };
                (load, reply, result)
            }
        };
        self.state = State::Ready { load, reply };
        let result = result.map_err(|reason| {
            let error = self.failed(&reason);
            self.model.gpu.unless_lost(self.lane.stream(), error)
        });
        Ok((self, result))
    }
}

/// Elements of a tensor.
fn length(shape: &[i64]) -> usize {
    shape.iter().map(|dim| usize::try_from(*dim).unwrap_or(0)).product()
}

/// True for an input of pictures, `[n, 3, height, width]` of floats: the device prepares those.
fn is_picture(spec: &TensorSpec) -> bool {
    let floats = matches!(spec.element, ElementType::F32 | ElementType::F16);
    floats && matches!(spec.shape.as_slice(), &[_, 3, height, width] if height > 0 && width > 0)
}

fn element(element: ElementType) -> Option<gpu::ElementType> {
    match element {
        ElementType::F32 => Some(gpu::ElementType::F32),
        ElementType::F16 => Some(gpu::ElementType::F16),
        ElementType::I64 => Some(gpu::ElementType::I64),
        ElementType::I32 => Some(gpu::ElementType::I32),
        ElementType::U8 => Some(gpu::ElementType::U8),
        _ => None,
    }
}
