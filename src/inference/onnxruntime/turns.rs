//! The thread that runs a session: one run at a time, first come first served.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::device_context::Load;
use crate::inference::device::{Gpu, Pass};
use crate::inference::flight::Step;
use crate::telemetry::metrics::ModelMetrics;

/// Most runs that can wait; each belongs to one context, which waits for it.
const QUEUE: usize = 1024;

/// The way to the thread, which ends when the last of these is dropped.
#[derive(Clone)]
pub(super) struct Turns {
    jobs: Sender<Job>,
    gpu: Arc<Gpu>,
}

/// A run to do.
pub(super) struct Job {
    pub(super) load: Box<Load>,
    pub(super) metrics: Arc<ModelMetrics>,
    pub(super) reply: Sender<Done>,
}

/// A run that is done: nothing of it is queued or under way any more.
pub(super) struct Done {
    pub(super) load: Box<Load>,
    pub(super) result: Result<(), String>,
    pub(super) reply: Sender<Done>,
}

impl Turns {
    pub(super) fn start(model: &str, gpu: &Arc<Gpu>) -> std::io::Result<Self> {
        let (jobs, queue) = bounded::<Job>(QUEUE);
        let of_thread = Arc::clone(gpu);
        std::thread::Builder::new().name(format!("onnx {model}")).spawn(move || work(&queue, &of_thread))?;
        Ok(Self { jobs, gpu: Arc::clone(gpu) })
    }

    /// Where the thread is gone the job is dropped here, and with it the channel that its context waits on.
    pub(super) fn take(&self, job: Job) {
        let _ = self.jobs.send(job);
    }

    /// Makes the device this thread's.
    pub(super) fn bind(&self) {
        self.gpu.bind_to_end();
    }
}

fn work(queue: &Receiver<Job>, gpu: &Gpu) {
    for Job { mut load, metrics, reply } in queue {
        // Held to the end, in parallel mode too: a run has finished when it returns.
        let pass = gpu.gate.enter();
        let serial = matches!(pass, Pass::Alone(_));
        let flight = &gpu.health.flight;
        flight.note(Step::Enqueued, &load.who, serial, load.batch, None);
        let (began, cpu) = (Instant::now(), process::thread_cpu_time());
        let bound = gpu.device.bind().map_err(|error| error.to_string());
        let result = bound.and_then(|()| load.run());
        let took = began.elapsed();
        drop(pass);
        let cpu = process::thread_cpu_time().saturating_sub(cpu);
        metrics.infer_cpu_us.add(u64::try_from(cpu.as_micros()).unwrap_or(0));
        match &result {
            Ok(()) => {
                metrics.infer.observe(took);
                flight.note(Step::Finished, &load.who, serial, load.batch, Some(took));
            }
            Err(words) => {
                flight.failed(&load.who, serial, load.batch, words);
                if tensorrt_rs::is_myelin_line(words) {
                    metrics.myelin.inc();
                    // A session is not loaded anew: one that goes on failing needs a restart.
                    gpu.myelin(&load.who.model, words, || {});
                } else {
                    metrics.errors.inc();
                }
            }
        }
        let again = reply.clone();
        // Nobody waits where a camera was torn down meanwhile.
        let _ = reply.send(Done { load, result, reply: again });
    }
}
