//! Where events go. To add a sink: a variant of `config::Sink`, a `Target` in a file of its own, and a
//! line in `open`.

mod bodies;
pub mod dialects;
mod jsonl;
pub mod mqtt;
pub mod nats;
pub mod redis;
mod target;
mod tls;
pub mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

pub use target::{Failure, FailureKind, Opening, Stored, Target};

use super::OutboxError;
use crate::config::{Sink, SinkKind};
use crate::telemetry::metrics::{Metrics, SinkMetrics};
use crate::telemetry::progress::{Progress, Stage};

/// Events that may wait for one sink.
const QUEUE: usize = 10_000;
/// Events written in one go.
const BATCH: usize = 256;
/// A power cut costs events of this long at most, however many there are.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// A sink's queue and thread.
pub(super) struct SinkHandle {
    name: String,
    queue: Option<Sender<Stored>>,
    closing: Arc<AtomicBool>,
    metrics: Arc<SinkMetrics>,
    thread: JoinHandle<()>,
    ended: Receiver<()>,
}

/// Opens the target and starts the sink's thread.
pub(super) fn start(sink: &Sink, metrics: &Metrics, progress: &Progress) -> Result<SinkHandle, OutboxError> {
    let (name, target) = open(sink)?;
    let metrics = metrics.sink(name.clone());
    let (queue, lines) = bounded(QUEUE);
    let (alive, ended) = bounded::<()>(0);
    let closing = Arc::new(AtomicBool::new(false));
    let worker = Worker {
        name: name.clone(),
        lines,
        target,
        closing: Arc::clone(&closing),
        metrics: Arc::clone(&metrics),
        stage: progress.stage(format!("sink {name}")),
        batch: Vec::with_capacity(BATCH),
    };
    let thread = std::thread::Builder::new()
        .name("sink".to_owned())
        .spawn(move || {
            worker.run();
            drop(alive);
        })
        .map_err(|error| OutboxError::Sink { name: name.clone(), reason: format!("no thread: {error}") })?;
    Ok(SinkHandle { name, queue: Some(queue), closing, metrics, thread, ended })
}

fn open(sink: &Sink) -> Result<(String, Box<dyn Target>), OutboxError> {
    match &sink.kind {
        SinkKind::Jsonl { path: None, .. } => Ok(("jsonl stdout".to_owned(), Box::new(jsonl::Stdout))),
        SinkKind::Jsonl { path: Some(path), rotate_bytes, keep } => {
            let name = format!("jsonl {}", path.display());
            match jsonl::Jsonl::open(path, *rotate_bytes, *keep) {
                Ok(target) => Ok((name, Box::new(target))),
                Err(error) => {
                    let reason = format!("{error}; check that the folder exists and can be written");
                    Err(OutboxError::Sink { name, reason })
                }
            }
        }
        _ => Err(OutboxError::Sink { name: sink.id.clone(), reason: "is not there in this version".to_owned() }),
    }
}

impl SinkHandle {
    /// Queues one event; drops and counts it where the queue is full.
    pub(super) fn queue(&self, line: Stored) {
        let Some(queue) = &self.queue else { return };
        self.metrics.queued.inc();
        match queue.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.metrics.dropped.inc();
                let dropped = self.metrics.dropped.get();
                if dropped.is_power_of_two() {
                    tracing::error!(sink = %self.name, dropped, "events lost: the sink has failed for too long");
                }
            }
        }
    }

    /// No more events will come.
    pub(super) fn close(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        self.queue = None;
    }

    /// Waits for the thread up to `until`; answers how many events it could not write.
    pub(super) fn join(self, until: Instant) -> u64 {
        if matches!(self.ended.recv_deadline(until), Err(RecvTimeoutError::Disconnected)) {
            let _ = self.thread.join();
        }
        let left = self.metrics.waiting();
        if left > 0 {
            tracing::error!(sink = %self.name, events = left, "events lost: not written before the end");
        }
        left
    }
}

struct Worker {
    name: String,
    lines: Receiver<Stored>,
    target: Box<dyn Target>,
    closing: Arc<AtomicBool>,
    metrics: Arc<SinkMetrics>,
    stage: Arc<Stage>,
    batch: Vec<Stored>,
}

impl Worker {
    fn run(mut self) {
        let mut flushed = Instant::now();
        loop {
            self.stage.idle();
            let Ok(line) = self.lines.recv() else { break };
            self.stage.busy();
            self.batch.push(line);
            while self.batch.len() < BATCH {
                let Ok(line) = self.lines.try_recv() else { break };
                self.batch.push(line);
            }
            self.deliver();
            if self.lines.is_empty() || flushed.elapsed() >= FLUSH_EVERY {
                // A failure to flush shows again at the next write, where it is retried.
                let _ = self.target.flush();
                flushed = Instant::now();
            }
        }
        let _ = self.target.flush();
    }

    /// Writes the batch, trying again until it is written or the daemon is asked to end.
    fn deliver(&mut self) {
        let mut wait = RETRY_MIN;
        let mut failing_since: Option<Instant> = None;
        while !self.batch.is_empty() {
            let (written, result) = self.target.deliver(&self.batch);
            self.batch.drain(..written);
            self.metrics.delivered.add(written as u64);
            let Err(error) = result else { continue };
            if error.kind == FailureKind::Gone {
                self.give_up();
                return;
            }
            self.metrics.retries.inc();
            if failing_since.is_none() {
                failing_since = Some(Instant::now());
                tracing::error!(sink = %self.name, waiting = self.metrics.waiting(), "cannot write events: {error}");
            }
            if self.closing.load(Ordering::SeqCst) {
                // One more attempt was just made; the caller's deadline decides what is lost.
                wait = RETRY_MIN;
            }
            // Waiting for a disk is not being stuck.
            self.stage.idle();
            std::thread::sleep(wait);
            self.stage.busy();
            wait = (wait * 2).min(RETRY_MAX);
        }
        if let Some(since) = failing_since {
            tracing::info!(sink = %self.name, after_s = since.elapsed().as_secs(), "events are written again");
        }
    }
}

impl Worker {
    /// A reader that is gone does not come back.
    fn give_up(&mut self) {
        let first = self.metrics.dropped.get() == 0;
        self.metrics.dropped.add(self.batch.len() as u64);
        self.batch.clear();
        if first {
            tracing::error!(sink = %self.name, "nobody reads this sink any more; its events are dropped");
        }
    }
}
