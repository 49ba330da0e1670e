//! The far end of a sink.

use std::sync::Arc;

use crate::config::{Config, Sink};
use crate::telemetry::metrics::Metrics;

/// An event as it lies in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its number: grows by one per device without a gap.
    pub seq: u64,
    /// Its id, a ULID.
    pub id: String,
    /// Its type, such as `line.crossed`.
    pub event_type: String,
    /// Camera id; empty: it is about the device.
    pub camera: String,
    /// The event itself, schema `event/1`, JSON on one line.
    pub body: Arc<str>,
}

/// What a target is opened with.
#[derive(Clone)]
pub struct Opening<'a> {
    /// The sink.
    pub sink: &'a Sink,
    /// The whole configuration: what cameras, zones and lines there are.
    pub config: &'a Arc<Config>,
    /// What is counted: who is online, how many are where.
    pub metrics: &'a Arc<Metrics>,
}

/// The far end of a sink. It lives on the sink's own thread and may block there.
pub trait Target: Send {
    /// Hands over events, in order. Answers how many the far end has for good (all, or those before the failure), so
    /// that they need not be handed over again. May wait for the far end, a few seconds at most.
    ///
    /// Opening does not wait for the far end: it is connected here, and again here after a failure.
    fn deliver(&mut self, events: &[Stored]) -> (usize, Result<(), Failure>);

    /// Makes what was handed over durable; called after that, once a second or oftener, and at the end. What was
    /// handed over since the last one is handed over again after a crash.
    ///
    /// # Errors
    /// Why not. It shows again at the next delivery.
    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Nothing waits: called about once a second meanwhile, for what a far end wants to hear from time to time.
    fn idle(&mut self) {}

    /// Number and id of the last event that the far end certainly has, where it can tell: what the cursor says may be a
    /// little behind after a crash. Asked once, on the sink's thread, before anything is handed over.
    fn last_delivered(&mut self) -> Option<(u64, String)> {
        None
    }

    /// The daemon ends: say goodbye, within a second.
    fn close(&mut self) {}
}

/// Why events could not be handed over.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// For people: what happened, and what to do. No secret.
    pub reason: String,
    /// What comes of it.
    pub kind: FailureKind,
}

/// What comes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It is tried again, at once and then more and more slowly.
    Retry,
    /// The first event of the rest will never be taken (it is too large, the far end calls it bad): it is counted as
    /// refused, logged with its number, and left out.
    Refused,
    /// Nobody is there any more, and nobody will be: a closed standard output.
    Gone,
}

impl Failure {
    /// To be tried again.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind: FailureKind::Retry }
    }

    /// The first event of the rest is refused.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind: FailureKind::Refused }
    }
}
