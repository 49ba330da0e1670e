//! ONNX Runtime on the CPU: one session per model, run by a few worker threads that all cameras share.
//! More workers than cores would only make every camera wait for all others.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use onnxruntime::{Binding, Runtime, Session, SessionOptions};

use super::{fixed, io, lost, run_error};
use crate::config::Model;
use crate::inference::{Context, Engine, Finished, InferenceError, Lane, Pending};
use crate::telemetry::metrics::ModelMetrics;
use crate::types::tensor::{ElementType, ModelIo, TensorData, TensorRef};

/// Most runs that can wait for a worker; each belongs to one context, which waits for it.
const QUEUE: usize = 1024;

/// Threads that run inferences, first come first served.
#[derive(Debug)]
pub(in crate::inference) struct Workers {
    jobs: Sender<Job>,
}

struct Job {
    binding: Box<Binding>,
    metrics: Arc<ModelMetrics>,
    reply: Sender<Done>,
}

struct Done {
    binding: Box<Binding>,
    result: Result<(), onnxruntime::Error>,
    reply: Sender<Done>,
}

impl Workers {
    /// Starts `count` threads; they end when the last engine is dropped.
    pub(in crate::inference) fn start(count: usize) -> std::io::Result<Arc<Self>> {
        let (jobs, queue) = bounded::<Job>(QUEUE);
        for n in 0..count.max(1) {
            let queue = queue.clone();
            std::thread::Builder::new().name(format!("inference {n}")).spawn(move || work(&queue))?;
        }
        Ok(Arc::new(Self { jobs }))
    }
}

fn work(queue: &Receiver<Job>) {
    for Job { mut binding, metrics, reply } in queue {
        let (began, cpu) = (Instant::now(), process::thread_cpu_time());
        let result = binding.run();
        metrics.infer.observe(began.elapsed());
        let cpu = process::thread_cpu_time().saturating_sub(cpu);
        metrics.infer_cpu_us.add(u64::try_from(cpu.as_micros()).unwrap_or(0));
        if result.is_err() {
            metrics.errors.inc();
        }
        let again = reply.clone();
        // Nobody waits where a camera was torn down meanwhile.
        let _ = reply.send(Done { binding, result, reply: again });
    }
}

/// A model loaded into ONNX Runtime.
pub(in crate::inference) struct OrtEngine {
    name: Arc<str>,
    session: Arc<Session>,
    io: ModelIo,
    workers: Arc<Workers>,
    metrics: Arc<ModelMetrics>,
}

impl OrtEngine {
    pub(in crate::inference) fn open(
        runtime: &Runtime,
        model: &Model,
        threads: usize,
        workers: Arc<Workers>,
        metrics: Arc<ModelMetrics>,
    ) -> Result<Self, InferenceError> {
        let session = Session::open(runtime, &model.onnx, SessionOptions { threads }).map_err(|error| {
            InferenceError::Load { model: model.name.clone(), path: model.onnx.clone(), reason: error.to_string() }
        })?;
        let io = io(session.inputs(), session.outputs());
        Ok(Self { name: Arc::from(model.name.as_str()), session, io, workers, metrics })
    }
}

impl Engine for OrtEngine {
    fn io(&self) -> &ModelIo {
        &self.io
    }

    fn provider(&self) -> &'static str {
        "cpu"
    }

    fn create_context(&self, _lane: &Lane, max_batch: usize) -> Result<Box<dyn Context>, InferenceError> {
        let open = self.io.inputs.iter().any(|spec| spec.shape.first().is_some_and(|dim| *dim < 0));
        let powers = if open { max_batch.max(1).ilog2() } else { 0 };
        let mut batches = (0..=powers).map(|power| self.bind(1 << power).map(Some)).collect::<Result<Vec<_>, _>>()?;
        let (reply, done) = bounded(1);
        let Some(Batch { binding, output_shapes }) = batches.first_mut().and_then(Option::take) else {
            return Err(lost(&self.name));
        };
        self.metrics.contexts.inc();
        Ok(Box::new(OrtContext {
            state: State::Ready { binding, reply },
            done,
            batch: 1,
            output_shapes,
            others: batches,
            output_types: self.io.outputs.iter().map(|spec| spec.element).collect(),
            name: Arc::clone(&self.name),
            workers: Arc::clone(&self.workers),
            metrics: Arc::clone(&self.metrics),
        }))
    }
}

impl OrtEngine {
    fn bind(&self, batch: usize) -> Result<Batch, InferenceError> {
        let failed = |error: onnxruntime::Error| run_error(&self.name, &error);
        let shapes: Vec<Vec<i64>> = self.io.inputs.iter().map(|spec| fixed(spec, batch)).collect();
        let binding = self.session.bind(&shapes).map_err(|error| match failed(error) {
            InferenceError::Run { model, reason } if batch > 1 => {
                let reason = format!("takes no batch of {batch}, though it declares any; set max_batch = 1: {reason}");
                InferenceError::Head { model, reason }
            }
            error => error,
        })?;
        let mut output_shapes = Vec::new();
        for (index, spec) in self.io.outputs.iter().enumerate() {
            let shape = match spec.element {
                ElementType::F32 => binding.output::<f32>(index).map_err(failed)?.0,
                ElementType::I64 => binding.output::<i64>(index).map_err(failed)?.0,
                ElementType::I32 => binding.output::<i32>(index).map_err(failed)?.0,
                ElementType::U8 => binding.output::<u8>(index).map_err(failed)?.0,
                // Heads refuse it by name; nothing reads it.
                _ => &[],
            };
            output_shapes.push(shape.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect());
        }
        Ok(Batch { binding: Box::new(binding), output_shapes })
    }
}

/// Buffers for runs of one batch size.
struct Batch {
    binding: Box<Binding>,
    output_shapes: Vec<Vec<usize>>,
}

struct OrtContext {
    state: State,
    done: Receiver<Done>,
    batch: usize,
    output_shapes: Vec<Vec<usize>>,
    /// By power of two; that of `batch` is out.
    others: Vec<Option<Batch>>,
    output_types: Vec<ElementType>,
    name: Arc<str>,
    workers: Arc<Workers>,
    metrics: Arc<ModelMetrics>,
}

enum State {
    Ready { binding: Box<Binding>, reply: Sender<Done> },
    Running,
}

impl Drop for OrtContext {
    fn drop(&mut self) {
        self.metrics.contexts.dec();
    }
}

impl OrtContext {
    fn binding(&mut self) -> Result<&mut Binding, InferenceError> {
        match &mut self.state {
            State::Ready { binding, .. } => Ok(binding),
            State::Running => Err(lost(&self.name)),
        }
    }
}

impl Context for OrtContext {
    fn max_batch(&self) -> usize {
        1 << self.others.len().saturating_sub(1)
    }

    fn set_batch(&mut self, batch: usize) -> Result<(), InferenceError> {
        if batch == self.batch {
            return Ok(());
        }
        let (name, most) = (Arc::clone(&self.name), self.max_batch());
        let State::Ready { binding, .. } = &mut self.state else { return Err(lost(&name)) };
        let place = |batch: usize| batch.trailing_zeros() as usize;
        let Some(other) = self.others.get_mut(place(batch)).filter(|_| batch.is_power_of_two()) else {
            let reason = format!("a batch of {batch}; powers of two up to {most} are possible");
            return Err(InferenceError::Run { model: name.to_string(), reason });
        };
        if let Some(mut now) = other.take() {
            std::mem::swap(&mut now.binding, binding);
            std::mem::swap(&mut now.output_shapes, &mut self.output_shapes);
            self.others[place(self.batch)] = Some(now);
            self.batch = batch;
        }
        Ok(())
    }

    fn input_f32(&mut self, index: usize) -> Result<&mut [f32], InferenceError> {
        let name = Arc::clone(&self.name);
        self.binding()?.input_mut::<f32>(index).map_err(|error| run_error(&name, &error))
    }

    fn input_i64(&mut self, index: usize) -> Result<&mut [i64], InferenceError> {
        let name = Arc::clone(&self.name);
        self.binding()?.input_mut::<i64>(index).map_err(|error| run_error(&name, &error))
    }

    fn output(&self, index: usize) -> Result<TensorRef<'_>, InferenceError> {
        let State::Ready { binding, .. } = &self.state else { return Err(lost(&self.name)) };
        let failed = |error: onnxruntime::Error| run_error(&self.name, &error);
        let data = match self.output_types.get(index) {
            Some(ElementType::F32) => TensorData::F32(binding.output::<f32>(index).map_err(failed)?.1),
            Some(ElementType::I64) => TensorData::I64(binding.output::<i64>(index).map_err(failed)?.1),
            Some(ElementType::I32) => TensorData::I32(binding.output::<i32>(index).map_err(failed)?.1),
            Some(ElementType::U8) => TensorData::U8(binding.output::<u8>(index).map_err(failed)?.1),
            Some(other) => {
                let reason = format!("output {index} has type {other}, which no head reads");
                return Err(InferenceError::Run { model: self.name.to_string(), reason });
            }
            None => {
                let reason = format!("there is no output {index}");
                return Err(InferenceError::Run { model: self.name.to_string(), reason });
            }
        };
        Ok(TensorRef { shape: &self.output_shapes[index], data })
    }

    fn submit(mut self: Box<Self>) -> Box<dyn Pending> {
        if let State::Ready { binding, reply } = std::mem::replace(&mut self.state, State::Running) {
            let job = Job { binding, metrics: Arc::clone(&self.metrics), reply };
            // Where no worker is left the job is dropped here, and `wait` finds its channel closed.
            let _ = self.workers.jobs.send(job);
        }
        self
    }
}

impl Pending for OrtContext {
    fn wait(mut self: Box<Self>) -> Result<Finished, InferenceError> {
        let Ok(Done { binding, result, reply }) = self.done.recv() else { return Err(lost(&self.name)) };
        self.state = State::Ready { binding, reply };
        let result = result.map_err(|error| run_error(&self.name, &error));
        Ok((self, result))
    }
}
