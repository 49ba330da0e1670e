//! One camera's right to run an engine: prepared input up, through, outputs down, in the camera's stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gpu::kernels::{PixelRect, Placement, TensorMut};
use gpu::{BoundTensor, DeviceTensor, Event, HostTensor, TensorViewMut, Timing};

use super::bind::{Binding, Broken, bind};
use super::engine::Plan;
use super::io;
use crate::inference::device::{DeviceLane, Failure, HostOutput, Pass};
use crate::inference::flight::{Step, Who};
use crate::inference::{Context, Finished, FrameRef, InferenceError, Pending};
use crate::types::geometry::BBox;
use crate::types::tensor::TensorRef;

/// An execution, copies included.
struct Run {
    began: Instant,
    serial: bool,
    /// Known where it was waited for already.
    took: Option<Duration>,
}

pub(super) struct TrtContext {
    /// `None` after a failure: made anew before the next run.
    binding: Option<Binding>,
    /// Generation of the engine that `binding` is of.
    generation: u64,
    /// By input; `None` where the device prepares it.
    inputs: Vec<(String, Option<HostTensor>)>,
    outputs: Vec<(String, HostOutput)>,
    max_batch: usize,
    batch: usize,
    run: Option<Result<Run, InferenceError>>,
    /// The last failure was one inside Myelin.
    myelin: bool,
    /// Marks the end of the latest work.
    end: Arc<Event>,
    who: Who,
    plan: Arc<Plan>,
    lane: Arc<DeviceLane>,
}

impl TrtContext {
    pub(super) fn new(
        plan: &Arc<Plan>,
        camera: &Arc<str>,
        lane: &Arc<DeviceLane>,
        max_batch: usize,
    ) -> Result<Self, InferenceError> {
        let gpu = &plan.trt.gpu;
        let (model, copy) = (Arc::clone(&plan.name), plan.assign());
        let who = Who { camera: Arc::clone(camera), model, context: gpu.next_context(), copy };
        let (engine, generation) = plan.engine(copy, &who)?;
        let made = bind(plan, &engine, lane, max_batch);
        let (binding, tensors) = made.map_err(|error| gpu.unless_lost(lane.stream(), error))?;
        let count = engine.inputs().count();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for (at, (tensor, (element, len))) in engine.inputs().chain(engine.outputs()).zip(tensors).enumerate() {
            let host =
                || HostTensor::new(element, lane.stream(), lane.owner(), len).map_err(|error| plan.broken(&error));
            if at >= count {
                outputs.push((tensor.name.clone(), HostOutput::new(host()?, len)));
            } else {
                let host = (!io::is_picture(tensor)).then(host).transpose()?;
                inputs.push((tensor.name.clone(), host));
            }
        }
        let end = Event::new(&gpu.device, Timing::Off).map_err(|error| plan.broken(&error.into()))?;
        let end = Arc::new(end);
        gpu.gate.register(&end);
        plan.metrics.contexts.inc();
        Ok(Self {
            max_batch: 1 << binding.shapes.len().saturating_sub(1),
            binding: Some(binding),
            generation,
            inputs,
            outputs,
            batch: 1,
            run: None,
            myelin: false,
            end,
            who,
            plan: Arc::clone(plan),
            lane: Arc::clone(lane),
        })
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> InferenceError {
        self.plan.failed(error)
    }

    /// Judges an error of TensorRT's, and does what it asks for.
    fn judged(&mut self, error: &tensorrt_rs::Error) -> InferenceError {
        let gpu = Arc::clone(&self.plan.trt.gpu);
        match gpu.judge_tensorrt(error, self.lane.stream()) {
            Failure::DeviceLost => return gpu.lost_error(),
            Failure::Myelin => {
                self.myelin = true;
                self.plan.poison(self.who.copy, self.generation);
                self.note_failure(&error.to_string());
                gpu.myelin(&self.plan.name, &error.to_string());
            }
            Failure::Context => self.note_failure(&error.to_string()),
        }
        self.binding = None;
        self.plan.failed(error)
    }

    fn note_failure(&self, words: &str) {
        let gpu = &self.plan.trt.gpu;
        gpu.health.flight.failed(&self.who, gpu.gate.is_serial(), self.batch, words);
    }

    /// The binding, made anew where a failure took it or its engine.
    fn binding(&mut self) -> Result<&mut Binding, InferenceError> {
        if let Some(reason) = self.plan.trt.gpu.health.lost() {
            return Err(InferenceError::DeviceLost { reason: reason.to_owned() });
        }
        if self.binding.is_none() || self.generation != self.plan.generation(self.who.copy) {
            self.rebuild()?;
        }
        let missing = || self.plan.failed(&"its context is gone");
        self.binding.as_mut().ok_or_else(missing)
    }

    fn rebuild(&mut self) -> Result<(), InferenceError> {
        let (plan, lane) = (Arc::clone(&self.plan), Arc::clone(&self.lane));
        let gpu = &plan.trt.gpu;
        let began = Instant::now();
        // Before the new one: two of them may be more than the memory holds.
        self.binding = None;
        let (engine, generation) = plan.engine(self.who.copy, &self.who)?;
        let made = bind(&plan, &engine, &lane, self.max_batch);
        let (mut binding, _) = made.map_err(|error| gpu.unless_lost(lane.stream(), error))?;
        binding.set_batch(&plan, self.batch)?;
        self.binding = Some(binding);
        self.generation = generation;
        let took = began.elapsed();
        gpu.health.flight.note(Step::ContextRebuilt, &self.who, gpu.gate.is_serial(), self.batch, Some(took));
        let Who { context, .. } = self.who;
        tracing::info!(model = %plan.name, context, took_ms = took.as_millis(), "context made anew");
        Ok(())
    }

    fn place(&self) -> usize {
        self.batch.trailing_zeros() as usize
    }

    fn input(&mut self, index: usize) -> Result<(&mut HostTensor, usize), InferenceError> {
        let place = self.place();
        let lengths = &self.binding()?.shapes[place].lengths;
        let len = lengths.get(index).copied();
        let name = Arc::clone(&self.plan.name);
        let missing = |reason: String| InferenceError::Run { model: name.to_string(), reason };
        let len = len.ok_or_else(|| missing(format!("there is no input {index}")))?;
        match self.inputs.get_mut(index) {
            Some((_, Some(host))) => Ok((host, len)),
            _ => Err(missing(format!("input {index} is prepared on the device"))),
        }
    }

    /// Inputs up, through, outputs down: all queued, nothing awaited.
    fn start(&mut self) -> Result<(), InferenceError> {
        let (plan, place) = (Arc::clone(&self.plan), self.place());
        self.binding()?;
        let Self { binding: Some(binding), inputs, outputs, lane, end, .. } = self else {
            return Err(plan.failed(&"its context is gone"));
        };
        plan.trt.gpu.device.bind().map_err(|error| plan.broken(&error.into()))?;
        match binding.queue(place, inputs, outputs, lane.stream()) {
            Ok(()) => end.record(lane.stream()).map_err(|error| plan.broken(&error.into())),
            Err(broken) => Err(self.judged_work(&broken)),
        }
    }

    /// The end of what [`TrtContext::start`] queued.
    fn finish(&mut self) -> Result<(), InferenceError> {
        let Self { binding: Some(binding), outputs, lane, .. } = self else { return Ok(()) };
        match binding.finish(outputs, lane.stream()) {
            Ok(()) => Ok(()),
            Err(broken) => Err(self.judged_work(&broken)),
        }
    }

    /// Judges what became of work that was queued.
    fn judged_work(&mut self, broken: &Broken) -> InferenceError {
        match broken {
            Broken::TensorRt(error) => self.judged(error),
            Broken::Gpu(error) => {
                // What was queued before it may still run; the binding waits for it when it drops.
                self.binding = None;
                self.note_failure(&error.to_string());
                self.plan.broken(error)
            }
        }
    }
}

/// The first `len` elements of a crops' input.
fn first(tensor: &mut DeviceTensor, len: usize) -> Result<TensorMut<'_>, gpu::Error> {
    match tensor.view_mut() {
        TensorViewMut::F32(view) => Ok(TensorMut::F32(view.range(0..len)?)),
        TensorViewMut::F16(view) => Ok(TensorMut::F16(view.range(0..len)?)),
        other => {
            let why = format!("has {}, which crops are not written as", other.element());
            Err(gpu::Error::Argument { what: "tensor", why })
        }
    }
}

impl Drop for TrtContext {
    fn drop(&mut self) {
        // What belongs to TensorRT ends on this thread, which may never have met the device.
        self.plan.trt.gpu.bind_to_end();
        self.plan.metrics.contexts.dec();
    }
}

impl Context for TrtContext {
    fn max_batch(&self) -> usize {
        self.max_batch
    }

    fn set_batch(&mut self, batch: usize) -> Result<(), InferenceError> {
        if batch == self.batch {
            return Ok(());
        }
        if !batch.is_power_of_two() || batch > self.max_batch {
            let most = self.max_batch;
            return Err(self.failed(&format!("a batch of {batch}; powers of two up to {most} are possible")));
        }
        let plan = Arc::clone(&self.plan);
        plan.trt.gpu.device.bind().map_err(|error| plan.broken(&error.into()))?;
        let before = self.batch;
        let binding = self.binding()?;
        if let Err(error) = binding.set_batch(&plan, batch) {
            let _ = binding.set_batch(&plan, before);
            return Err(error);
        }
        self.batch = batch;
        Ok(())
    }

    fn input_f32(&mut self, index: usize) -> Result<&mut [f32], InferenceError> {
        let plan = Arc::clone(&self.plan);
        match self.input(index)? {
            (HostTensor::F32(host), len) => Ok(&mut host.write().map_err(|error| plan.broken(&error.into()))?[..len]),
            _ => Err(plan.failed(&format!("input {index} is not f32"))),
        }
    }

    fn input_i64(&mut self, index: usize) -> Result<&mut [i64], InferenceError> {
        let plan = Arc::clone(&self.plan);
        match self.input(index)? {
            (HostTensor::I64(host), len) => Ok(&mut host.write().map_err(|error| plan.broken(&error.into()))?[..len]),
            _ => Err(plan.failed(&format!("input {index} is not i64"))),
        }
    }

    fn letterbox(&mut self, index: usize, frame: &FrameRef<'_>, placement: Placement) -> Result<bool, InferenceError> {
        let (lane, plan) = (Arc::clone(&self.lane), Arc::clone(&self.plan));
        let Some(spec) = plan.io.inputs.get(index) else { return Ok(false) };
        plan.trt.gpu.device.bind().map_err(|error| plan.broken(&error.into()))?;
        match self.binding()?.context.buffer(&spec.name) {
            Ok(BoundTensor::Shared(tensor)) => {
                lane.letterbox(tensor, frame, placement).map_err(|error| plan.broken(&error))?;
                Ok(true)
            }
            Ok(BoundTensor::Own(_)) => Ok(false),
            Err(error) => Err(plan.failed(&error)),
        }
    }

    fn crops(&mut self, index: usize, frame: &FrameRef<'_>, boxes: &[BBox]) -> Result<bool, InferenceError> {
        let (lane, plan) = (Arc::clone(&self.lane), Arc::clone(&self.plan));
        let Some(spec) = plan.io.inputs.get(index) else { return Ok(false) };
        let &[_, 3, height, width] = spec.shape.as_slice() else { return Ok(false) };
        let (Ok(width), Ok(height)) = (usize::try_from(width), usize::try_from(height)) else { return Ok(false) };
        plan.trt.gpu.device.bind().map_err(|error| plan.broken(&error.into()))?;
        let mut rects = [PixelRect { x: 0, y: 0, width: 0, height: 0 }; 64];
        let Some(rects) = rects.get_mut(..boxes.len()) else { return Ok(false) };
        for (rect, bbox) in rects.iter_mut().zip(boxes) {
            let edges = [bbox.x1, bbox.y1, bbox.x2, bbox.y2];
            *rect = PixelRect::of_edges(edges, frame.picture.width, frame.picture.height)
                .ok_or_else(|| plan.failed(&"a box has no part in the picture"))?;
        }
        let binding = self.binding()?;
        match binding.context.buffer_mut(&spec.name) {
            Ok(BoundTensor::Own(tensor)) => {
                let queued = first(tensor, boxes.len() * 3 * width * height)
                    .and_then(|tensor| lane.crops(tensor, (width, height), &plan.input, frame, rects));
                queued.map_err(|error| plan.broken(&error))?;
                Ok(true)
            }
            Ok(BoundTensor::Shared(_)) => Ok(false),
            Err(error) => Err(self.judged(&error)),
        }
    }

    fn filter(&mut self, index: usize, classes: usize, min_score: f32) -> Result<bool, InferenceError> {
        // One picture, or there is more than one table.
        let (Some(binding), 1) = (&self.binding, self.max_batch) else { return Ok(false) };
        let shape = binding.shapes.first().and_then(|shapes| shapes.outputs.get(index));
        let (Some(shape), Some((_, output))) = (shape, self.outputs.get_mut(index)) else { return Ok(false) };
        let filtered = output.filter(self.lane.stream(), self.lane.owner(), shape, classes, min_score);
        filtered.map_err(|error| self.plan.broken(&error))
    }

    fn output(&self, index: usize) -> Result<TensorRef<'_>, InferenceError> {
        let missing = || self.failed(&format!("there is no output {index}"));
        let binding = self.binding.as_ref().ok_or_else(|| self.failed(&"its context is gone"))?;
        let shape = binding.shapes[self.place()].outputs.get(index).ok_or_else(missing)?;
        let (_, host) = self.outputs.get(index).ok_or_else(missing)?;
        let len: usize = shape.iter().product();
        let data = host.read(len).map_err(|error| self.plan.broken(&error.into()))?;
        Ok(TensorRef { shape, data })
    }

    fn submit(mut self: Box<Self>) -> Box<dyn Pending> {
        let gpu = Arc::clone(&self.plan.trt.gpu);
        let pass = gpu.gate.enter();
        let serial = matches!(pass, Pass::Alone(_));
        let began = Instant::now();
        let mut run = self.start().map(|()| Run { began, serial, took: None });
        if run.is_ok() {
            gpu.health.flight.note(Step::Enqueued, &self.who, serial, self.batch, None);
        }
        if serial {
            // Until the stream has finished, not until it was told to begin.
            let waited = self.finish();
            run = run.and_then(|run| waited.map(|()| Run { took: Some(began.elapsed()), ..run }));
        }
        drop(pass);
        self.run = Some(run);
        self
    }
}

impl Pending for TrtContext {
    fn has_failed(&self) -> bool {
        matches!(self.run, Some(Err(_)))
    }

    fn wait(mut self: Box<Self>) -> Result<Finished, InferenceError> {
        let result = match self.run.take() {
            Some(Ok(run)) => self.finish().map(|()| run),
            Some(Err(error)) => Err(error),
            None => Err(self.failed(&"it was not started")),
        };
        match &result {
            Ok(run) => {
                let took = run.took.unwrap_or_else(|| run.began.elapsed());
                self.plan.metrics.infer.observe(took);
                let health = &self.plan.trt.gpu.health;
                health.flight.note(Step::Finished, &self.who, run.serial, self.batch, Some(took));
            }
            Err(_) if std::mem::take(&mut self.myelin) => self.plan.metrics.myelin.inc(),
            Err(_) => self.plan.metrics.errors.inc(),
        }
        Ok((self, result.map(|_| ())))
    }
}
