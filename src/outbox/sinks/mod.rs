//! Where events go. To add a sink: a variant of `config::SinkKind`, a `Target` in a file of its own, and a line in
//! `open`.
//!
//! Each has a thread, which reads what is durable after its cursor and hands it over. A far end that is slow, down or
//! hangs holds up nobody else: events wait in the data base, not in memory. The cursor follows once the far end has
//! them for good, a second later at most: what was delivered in that second is delivered again after a crash, with the
//! same ids, but for a far end that knows what it has.

mod bodies;
pub mod dialects;
mod jsonl;
pub mod mqtt;
pub mod nats;
pub mod redis;
mod target;
mod tls;
pub mod webhook;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

pub use target::{Failure, FailureKind, Opening, Stored, Target};

use super::committed::Committed;
use super::follower::Follower;
use super::reader::Reader;
use super::{OutboxError, passes};
use crate::config::SinkKind;
use worker::Worker;

/// A sink's thread.
pub(super) struct SinkHandle {
    follower: Arc<Follower>,
    thread: JoinHandle<()>,
    /// Its last word; none comes from one that panicked.
    ended: Receiver<()>,
}

/// Opens the far end, which does not wait for it.
///
/// # Errors
/// What the configuration names is not there, such as a folder or a certificate.
pub fn open(opening: &Opening<'_>) -> Result<Box<dyn Target>, OutboxError> {
    let dialect = opening.sink.dialect;
    let opened: Result<Box<dyn Target>, Failure> = match &opening.sink.kind {
        SinkKind::Jsonl { path: None, .. } => Ok(Box::new(jsonl::Stdout::new(dialect))),
        SinkKind::Jsonl { path: Some(path), rotate_bytes, keep } => {
            match jsonl::Jsonl::open(path, *rotate_bytes, *keep, dialect) {
                Ok(target) => Ok(Box::new(target)),
                Err(error) => {
                    let name = format!("jsonl {}", path.display());
                    let reason = format!("{error}; check that the folder exists and can be written");
                    return Err(OutboxError::Sink { name, reason, passes: passes(&error) });
                }
            }
        }
        SinkKind::Mqtt(_) => mqtt::open(opening),
        SinkKind::Webhook(_) => webhook::open(opening),
        SinkKind::Nats(_) => nats::open(opening),
        SinkKind::Redis(_) => redis::open(opening),
    };
    let name = || opening.sink.id.clone();
    opened.map_err(|failure| OutboxError::Sink { name: name(), reason: failure.reason, passes: false })
}

/// Starts a sink's thread.
pub(super) fn start(
    follower: &Arc<Follower>,
    target: Box<dyn Target>,
    reader: Reader,
    committed: &Arc<Committed>,
) -> Result<SinkHandle, OutboxError> {
    let (end, ended) = bounded::<()>(1);
    let worker = Worker::new(Arc::clone(follower), target, reader, Arc::clone(committed));
    let thread = std::thread::Builder::new()
        .name("sink".to_owned())
        .spawn(move || {
            worker.run();
            let _ = end.send(());
        })
        .map_err(|error| OutboxError::Sink {
            name: follower.id.clone(),
            reason: format!("no thread: {error}"),
            passes: true,
        })?;
    Ok(SinkHandle { follower: Arc::clone(follower), thread, ended })
}

impl SinkHandle {
    /// True where its thread panicked.
    pub(super) fn is_broken(&self) -> bool {
        self.thread.is_finished() && self.ended.is_empty()
    }

    /// Waits for the thread up to `until`; answers how many events it will deliver after the next start.
    pub(super) fn join(self, until: Instant) -> u64 {
        // One that hangs in its far end is left behind.
        if !matches!(self.ended.recv_deadline(until), Err(RecvTimeoutError::Timeout)) {
            let _ = self.thread.join();
        }
        let waiting = self.follower.metrics.waiting();
        if waiting > 0 {
            tracing::warn!(sink = %self.follower.id, waiting, "not all is delivered: the rest is after the next start");
        }
        waiting
    }
}
