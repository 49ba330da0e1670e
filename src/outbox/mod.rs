//! Events get their number here and go to every sink.
//!
//! One thread (the hub) numbers events; each sink has a bounded queue and a thread of its own, so a slow
//! one delays nobody. Numbers survive a restart in `state_dir/seq`. Until the outbox itself is durable,
//! a sink that fails for long drops events when its queue is full: counted, logged, and visible to
//! consumers as a gap in `seq`.

mod number;
pub mod sinks;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use number::Numbers;

use crate::config::Sink;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::progress::Progress;
use crate::types::event::{Event, EventDraft, EventTime};
use crate::types::time::Timestamp;
use sinks::SinkHandle;

/// Numbers events and hands them to the sinks.
pub struct Outbox {
    numbers: Numbers,
    device: String,
    boot: String,
    ids: ulid::Generator,
    sinks: Vec<SinkHandle>,
    metrics: Arc<Metrics>,
}

/// Why an outbox cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The folder or the number in it.
    #[error("runtime.state_dir {path}: {reason}")]
    State {
        /// The folder.
        path: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A sink cannot begin.
    #[error("sink {name}: {reason}")]
    Sink {
        /// Type and target.
        name: String,
        /// Why.
        reason: String,
    },
}

impl Outbox {
    /// Opens the state folder and all sinks.
    ///
    /// # Errors
    /// [`OutboxError`] names the folder or sink.
    pub fn open(
        state_dir: &Path,
        device: &str,
        sinks: &[Sink],
        metrics: &Arc<Metrics>,
        progress: &Progress,
    ) -> Result<Self, OutboxError> {
        let numbers = Numbers::open(state_dir)?;
        let sinks = sinks.iter().map(|sink| sinks::start(sink, metrics, progress)).collect::<Result<Vec<_>, _>>()?;
        let random = ulid::Ulid::generate().random();
        Ok(Self {
            numbers,
            device: device.to_owned(),
            boot: format!("{:04x}", random & 0xffff),
            ids: ulid::Generator::new(),
            sinks,
            metrics: Arc::clone(metrics),
        })
    }

    /// Numbers the event and queues it for every sink.
    pub fn publish(&mut self, draft: EventDraft) {
        let seq = self.numbers.take();
        // The generator fails only when one millisecond has used up 2^80 ids.
        let fresh = || self.ids.generate().unwrap_or_else(|_| ulid::Ulid::generate());
        let id = draft.media.map_or_else(fresh, |media| media.id);
        self.metrics.event(draft.event_type);
        let event = Event {
            schema: "event/1",
            event_id: id.to_string(),
            seq,
            device: self.device.clone(),
            boot: self.boot.clone(),
            event_type: draft.event_type,
            phase: draft.phase,
            rule: draft.rule,
            camera: draft.camera,
            time: EventTime {
                capture: draft.capture,
                clock: draft.clock,
                arrival: draft.arrival,
                emit: Timestamp::now(),
            },
            track: draft.track,
            data: draft.data,
            model: draft.model,
            media: draft.media.map(Into::into),
        };
        let line: Arc<str> = match serde_json::to_string(&event) {
            Ok(line) => Arc::from(line),
            Err(error) => {
                tracing::error!(seq, "event cannot be written as JSON: {error}");
                return;
            }
        };
        for sink in &self.sinks {
            sink.queue(sinks::Stored {
                seq,
                id: event.event_id.clone(),
                event_type: event.event_type.name().to_owned(),
                camera: event.camera.clone(),
                body: Arc::clone(&line),
            });
        }
    }

    /// Makes the numbers taken so far durable; called when there is nothing else to do.
    pub fn sync(&mut self) {
        self.numbers.sync();
    }

    /// Lets the sinks write what they hold, up to `deadline`; answers how many events were not written.
    pub fn close(mut self, deadline: Duration) -> u64 {
        self.numbers.sync();
        let until = Instant::now() + deadline;
        for sink in &mut self.sinks {
            sink.close();
        }
        self.sinks.into_iter().map(|sink| sink.join(until)).sum()
    }
}
