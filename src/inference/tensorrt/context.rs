//! One camera's right to run an engine: prepared input up, through, outputs down, in the camera's stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gpu::kernels::{PixelRect, Placement, TensorMut};
use gpu::{BoundTensor, DeviceTensor, Event, HostTensor, TensorViewMut, Timing};

use super::bind::{Binding, Broken, bind};
use super::engine::Plan;
use crate::inference::device::{DeviceLane, Failure, Gpu, HostOutput, Pass};
use crate::inference::flight::{Step, Who};
use crate::inference::{Context, Finished, FrameRef, InferenceError, Pending};
use crate::types::geometry::BBox;
use crate::types::tensor::TensorRef;

/// An execution, copies included.
struct Run {
    began: Instant,
    /// Known where it was waited for already, as in serial mode.
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
    /// Crops for the next run are in the binding's own memory.
    prepared: bool,
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
        let (loaded, generation) = plan.engine(copy, &who).map_err(|error| gpu.unless_lost(lane.stream(), error))?;
        let made = bind(plan, &loaded, lane, max_batch);
        let (binding, buffers) = made.map_err(|broken| judge(plan, lane, &who, (generation, 1), &broken).0)?;
        let engine = &loaded.engine;
        let count = engine.inputs().count();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for (at, (tensor, buffer)) in engine.inputs().chain(engine.outputs()).zip(buffers).enumerate() {
            let host = HostTensor::new;
            let host = buffer.host.then(|| host(buffer.element, lane.stream(), lane.owner(), buffer.len)).transpose();
            match host.map_err(|error| plan.broken(&error))? {
                Some(host) if at >= count => {
                    outputs.push((tensor.name.clone(), HostOutput::new(host, buffer.len)));
                }
                host => inputs.push((tensor.name.clone(), host)),
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
            prepared: false,
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

    /// Judges what became of work, and does what that asks for.
    fn judged(&mut self, broken: &Broken) -> InferenceError {
        // What was queued before it may still run; the binding waits for it when it drops.
        self.binding = None;
        let (error, myelin) = judge(&self.plan, &self.lane, &self.who, (self.generation, self.batch), broken);
        self.myelin |= myelin;
        error
    }

    fn is_current(&self) -> bool {
        self.binding.is_some() && self.generation == self.plan.generation(self.who.copy)
    }

    /// The binding, made anew where a failure took it or its engine.
    fn binding(&mut self) -> Result<&mut Binding, InferenceError> {
        if let Some(reason) = self.plan.trt.gpu.health.lost() {
            return Err(InferenceError::DeviceLost { reason: reason.to_owned() });
        }
        if !self.is_current() {
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
        let engine = plan.engine(self.who.copy, &self.who);
        let (loaded, generation) = engine.map_err(|error| gpu.unless_lost(lane.stream(), error))?;
        self.generation = generation;
        let made = bind(&plan, &loaded, &lane, self.max_batch);
        let (mut binding, _) = made.map_err(|broken| self.judged(&broken))?;
        binding.set_batch(&plan, self.batch)?;
        self.binding = Some(binding);
        let took = began.elapsed();
        gpu.health.flight.note(Step::ContextRebuilt, &self.who, gpu.gate.is_serial(), self.batch, Some(took));
        let Who { context, .. } = self.who;
        tracing::info!(model = %plan.name, context, took_ms = took.as_millis(), "context made anew");
        if std::mem::take(&mut self.prepared) {
            return Err(plan.failed(&"its engine was replaced, and the crops for it are gone"));
        }
        Ok(())
    }

    /// Leave to execute, with a binding that is of the engine as it is now.
    fn enter<'g>(&mut self, gpu: &'g Gpu) -> Result<Pass<'g>, InferenceError> {
        loop {
            // Outside the gate: making it anew takes its time, and everybody would wait.
            self.binding()?;
            let pass = gpu.gate.enter();
            if self.is_current() {
                return Ok(pass);
            }
        }
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
    fn start(&mut self) -> Result<(), Broken> {
        let place = self.place();
        let Self { binding: Some(binding), inputs, outputs, lane, end, plan, .. } = self else {
            return Err(Broken::Ours("its context is gone".to_owned()));
        };
        plan.trt.gpu.device.bind().map_err(gpu::Error::from)?;
        binding.queue(place, inputs, outputs, lane.stream())?;
        end.record(lane.stream()).map_err(gpu::Error::from)?;
        Ok(())
    }

    /// The end of what [`TrtContext::start`] queued.
    fn finish(&mut self) -> Result<(), Broken> {
        let Self { binding: Some(binding), outputs, lane, .. } = self else { return Ok(()) };
        binding.finish(outputs, lane.stream())
    }
}

impl TrtContext {
    /// What this thread spent since.
    fn count_cpu(&self, since: Duration) {
        let spent = process::thread_cpu_time().saturating_sub(since);
        self.plan.metrics.infer_cpu_us.add(u64::try_from(spent.as_micros()).unwrap_or(0));
    }
}

/// What broken work means, and whether it was Myelin that broke. `run`: generation of the engine, and pictures.
fn judge(
    plan: &Plan,
    lane: &DeviceLane,
    who: &Who,
    (generation, batch): (u64, usize),
    broken: &Broken,
) -> (InferenceError, bool) {
    let gpu = &plan.trt.gpu;
    let words = broken.to_string();
    // First, so that a flight recording that is written next has it.
    gpu.health.flight.failed(who, gpu.gate.is_serial(), batch, &words);
    let failure = match broken {
        Broken::Gpu(error) => gpu.judge(error),
        Broken::TensorRt(error) => gpu.judge_tensorrt(error, lane.stream()),
        Broken::Ours(_) => Failure::Context,
    };
    match failure {
        Failure::DeviceLost => return (gpu.lost_error(), false),
        Failure::Myelin => gpu.myelin(&plan.name, &words, || plan.poison(who.copy, generation)),
        Failure::Context => {}
    }
    (plan.failed(&words), failure == Failure::Myelin)
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
                self.prepared = true;
                Ok(true)
            }
            Ok(BoundTensor::Shared(_)) => Ok(false),
            Err(error) => Err(self.judged(&error.into())),
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

    fn tidy(&mut self) {
        if self.binding.is_some() && !self.is_current() {
            self.plan.trt.gpu.bind_to_end();
            self.binding = None;
        }
    }

    fn submit(mut self: Box<Self>) -> Box<dyn Pending> {
        let gpu = Arc::clone(&self.plan.trt.gpu);
        let cpu = process::thread_cpu_time();
        self.myelin = false;
        let run = match self.enter(&gpu) {
            Ok(pass) => {
                let (serial, began) = (matches!(pass, Pass::Alone(_)), Instant::now());
                let mut done = self.start();
                let mut took = None;
                if done.is_ok() {
                    gpu.health.flight.note(Step::Enqueued, &self.who, serial, self.batch, None);
                    if serial {
                        // Until the stream has finished, not until it was told to begin.
                        done = self.finish();
                        took = Some(began.elapsed());
                        gpu.health.flight.note(Step::Finished, &self.who, serial, self.batch, took);
                    }
                }
                drop(pass);
                done.map(|()| Run { began, took }).map_err(|broken| self.judged(&broken))
            }
            Err(error) => Err(error),
        };
        self.prepared = false;
        self.run = Some(run);
        self.count_cpu(cpu);
        self
    }
}

impl Pending for TrtContext {
    fn has_failed(&self) -> bool {
        matches!(self.run, Some(Err(_)))
    }

    fn wait(mut self: Box<Self>) -> Result<Finished, InferenceError> {
        let cpu = process::thread_cpu_time();
        let result = match self.run.take() {
            Some(Ok(Run { began, took: None })) => match self.finish() {
                Ok(()) => {
                    let took = began.elapsed();
                    self.plan.trt.gpu.health.flight.note(Step::Finished, &self.who, false, self.batch, Some(took));
                    Ok(took)
                }
                Err(broken) => Err(self.judged(&broken)),
            },
            Some(Ok(Run { took: Some(took), .. })) => Ok(took),
            Some(Err(error)) => Err(error),
            None => Err(self.failed(&"it was not started")),
        };
        match &result {
            Ok(took) => self.plan.metrics.infer.observe(*took),
            Err(_) if self.myelin => self.plan.metrics.myelin.inc(),
            Err(_) => self.plan.metrics.errors.inc(),
        }
        self.count_cpu(cpu);
        Ok((self, result.map(|_| ())))
    }
}
