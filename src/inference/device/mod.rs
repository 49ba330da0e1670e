//! The GPU as all backends on it share it: one device, one gate, one place where failures are judged.

mod gate;
mod lane;
mod output;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gpu::{Class, CudaError, Device, Driver, OpenError, Stream};

pub(super) use gate::{Gate, Pass};
pub use lane::Lane;
pub(super) use lane::{DeviceLane, InputKey};
pub(super) use output::{HostOutput, filter_memory};

use super::InferenceError;
use super::contract::{self, ContractReport};
use super::health::{Health, SerialMode};
use crate::config::Concurrency;
use crate::types::time::Timestamp;

/// The device, once per process.
pub(super) struct Gpu {
    pub(super) device: Device,
    pub(super) gate: Gate,
    pub(super) health: Arc<Health>,
    contexts: AtomicU64,
    /// Held while serial mode changes.
    changing: parking_lot::Mutex<()>,
}

/// What a failed execution means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The process cannot go on.
    DeviceLost,
    /// Neither the context nor its engine can be trusted any more.
    Myelin,
    /// The context cannot be trusted any more.
    Context,
}

impl Gpu {
    /// Has the device prove that it computes.
    ///
    /// # Errors
    /// The first step that fails, in one line with what to do.
    pub(super) fn open(
        concurrency: Concurrency,
        health: &Arc<Health>,
        report: &mut ContractReport,
    ) -> Result<Arc<Self>, InferenceError> {
        let device = proven(report).map_err(|error| {
            report.got_to(contract::of(&error));
            refused(&error)
        })?;
        let info = device.info();
        tracing::info!(
            device = %info.name,
            compute_capability = %format_args!("{}.{}", info.compute_capability.0, info.compute_capability.1),
            memory_mb = info.total_memory >> 20,
            driver_cuda = %format_args!("{}.{}", info.driver.0, info.driver.1),
            "GPU proven"
        );
        let (gate, health) = (Gate::new(concurrency), Arc::clone(health));
        Ok(Arc::new(Self {
            device,
            gate,
            health,
            contexts: AtomicU64::new(0),
            changing: parking_lot::Mutex::default(),
        }))
    }

    /// A number for a context, from 1, unique in the process.
    pub(super) fn next_context(&self) -> u64 {
        self.contexts.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Makes the device the calling thread's, for something that ends there; leaves a lost one alone.
    pub(super) fn bind_to_end(&self) {
        if !gpu::is_abandoned() {
            // An error here is the next call's, too.
            let _ = self.device.bind();
        }
    }

    /// Judges an error of ours; a sticky one ends all work on the device.
    pub(super) fn judge(&self, error: &gpu::Error) -> Failure {
        match error.cuda() {
            Some(cuda) if ends_all(cuda) => self.lost(&error.to_string()),
            _ => Failure::Context,
        }
    }

    /// Judges an error of TensorRT's. Where TensorRT does not say what CUDA said, the stream does.
    pub(super) fn judge_tensorrt(&self, error: &tensorrt_rs::Error, stream: &Stream) -> Failure {
        let said = match error {
            tensorrt_rs::Error::Stream { source, .. } => source.downcast_ref::<CudaError>().cloned(),
            _ => None,
        };
        if let Some(cuda) = said.filter(ends_all).or_else(|| stream.synchronize().err().filter(ends_all)) {
            return self.lost(&format!("{error}; CUDA says: {cuda}"));
        }
        if tensorrt_rs::is_myelin_failure(error) { Failure::Myelin } else { Failure::Context }
    }

    /// The error of a device that is lost.
    pub(super) fn lost_error(&self) -> InferenceError {
        InferenceError::DeviceLost { reason: self.health.lost().unwrap_or("it does not say why").to_owned() }
    }

    /// `error`, unless the device is lost, which then is the error.
    pub(super) fn unless_lost(&self, stream: &Stream, error: InferenceError) -> InferenceError {
        self.unless(stream.synchronize().err(), error)
    }

    /// The same where there is no stream to ask.
    pub(super) fn unless_lost_now(&self, error: InferenceError) -> InferenceError {
        self.unless(self.device.free_memory().err(), error)
    }

    fn unless(&self, answer: Option<CudaError>, error: InferenceError) -> InferenceError {
        match answer.filter(ends_all) {
            Some(cuda) => {
                self.lost(&cuda.to_string());
                self.lost_error()
            }
            None => error,
        }
    }

    fn lost(&self, reason: &str) -> Failure {
        // From here on destructors leave the device alone: on a broken context they hang or crash.
        gpu::abandon();
        tensorrt_rs::lifecycle::abandon();
        self.health.device_is_lost(reason);
        Failure::DeviceLost
    }

    /// An engine failed inside Myelin, and `poison` sees to it that nobody uses it any more. With `concurrency = "auto"`,
    /// one execution at a time from now on.
    ///
    /// Not to be called by whoever has leave to execute.
    pub(super) fn myelin(&self, model: &str, words: &str, poison: impl FnOnce()) {
        let auto = self.gate.configured() == Concurrency::Auto;
        // The breaker first: what is made anew must not begin in parallel.
        let tripped = auto && self.change(true, words, Some(model));
        poison();
        if tripped {
            tracing::error!(
                model,
                "the engine failed as engines do that cannot bear parallel executions; from now on there is one at a \
                 time (serial mode), until an operator resets it: {words}"
            );
            self.health.tell_serial_mode(Some(words));
        }
    }

    /// An operator's word. True where it changes something.
    pub(super) fn set_serial(&self, serial: bool, reason: &str) -> bool {
        let news = self.change(serial, reason, None);
        if news {
            tracing::warn!(serial, "serial mode changed: {reason}");
            self.health.tell_serial_mode(None);
        }
        news
    }

    /// Goes on in the mode in which an earlier process ended.
    pub(super) fn resume_serial(&self, mode: SerialMode) {
        let _one_at_a_time = self.changing.lock();
        if self.gate.trip() {
            tracing::warn!(since = %mode.since, "serial mode, as before: {}", mode.reason);
            self.health.set_serial_mode(mode);
        }
    }

    /// Gate and what is said of it change together. True where that is news.
    fn change(&self, serial: bool, reason: &str, model: Option<&str>) -> bool {
        let _one_at_a_time = self.changing.lock();
        let news = if serial { self.gate.trip() } else { self.gate.reset() };
        if news {
            let (reason, model) = (reason.to_owned(), model.map(str::to_owned));
            self.health.set_serial_mode(SerialMode { serial, since: Timestamp::now(), reason, model, recording: None });
        }
        news
    }
}

/// True for an error that every later call would give too: a sticky one, and whatever else work on a stream ended with
/// that is neither the caller's mistake nor a lack of memory.
fn ends_all(error: &CudaError) -> bool {
    let of_work = ["cuStreamSynchronize", "cuStreamQuery", "cuEventSynchronize", "cuEventQuery"].contains(&error.call);
    error.class() == Class::Sticky || (of_work && error.class() == Class::Other)
}

/// The first device, once it computed what it was asked to.
fn proven(report: &mut ContractReport) -> Result<Device, OpenError> {
    report.begin("driver");
    let driver = Driver::load()?;
    let (major, minor) = driver.version();
    report.passed("driver", &format!("CUDA {major}.{minor}"));
    report.begin("device");
    let info = driver.devices()?.into_iter().next().ok_or(OpenError::NoDevice)?;
    let (major, minor) = info.compute_capability;
    let found = format!("{}, compute capability {major}.{minor}, {} MB", info.name, info.total_memory >> 20);
    report.passed("device", &found);
    report.device = Some((&info).into());
    let device = driver.open(info.ordinal)?;
    report.got_to("");
    Ok(device)
}

pub(super) fn refused(error: &dyn std::fmt::Display) -> InferenceError {
    InferenceError::Gpu { reason: error.to_string() }
}
