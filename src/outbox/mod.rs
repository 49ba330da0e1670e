//! Every event gets its number here, is made durable, and then goes to every sink.
//!
//! ```text
//! hub --publish--> queue (memory) --writer thread--> events.db --cursor--> sink thread --> far end
//! ```
//!
//! Nobody is told of an event before it is on disk: the writer commits what has come in (SQLite, write-ahead log,
//! flushed), at the latest `outbox.commit_every` after the first of it, and only then wakes the sinks, which read it
//! back from there. So:
//!
//! - **A power cut** costs the events of the last `commit_every` (50 ms) and those of the commit under way: events that
//!   nobody was told of, whose numbers are then given to others. Nothing that was shown, delivered or acknowledged.
//! - **A crash** costs the same. Each sink goes on at its cursor, which is behind by a second at most: what was delivered
//!   in that second is delivered again, with the same ids.
//! - **A disk that is full or fails** costs nothing for a while: events wait in memory, 100,000 of them or 128 MB, and
//!   are written when that is possible. Beyond, the newest are dropped. Their numbers are taken all the same: consumers
//!   see the gap, and the event `system.events_lost` behind it says how many there were, and which numbers. The same
//!   is said at the next start where the daemon had to end with events it could not write.
//! - **A data base that is damaged** is set aside (`events.db.corrupt-<time>`), at the start or by one, and another one
//!   begun: what no sink had taken is lost. `system.events_lost` says so, with the number up to which that is unknown, and
//!   likewise where the data base is gone.
//! - **A far end that is down** costs nothing as long as its events are kept: `outbox.keep` and `outbox.max_bytes` do
//!   not wait for it. What is deleted before a sink took it is counted (`watchkeeper_sink_dropped_total`) and logged.
//!
//! A sink that is new begins with the next event. The cursor of one that is no longer in the configuration is forgotten
//! after a week.
//!
//! [`Reader`] reads what is kept, in this process or another. `state_dir/seq` guards the numbers, should the data base
//! be lost, and the folder against a second daemon.

mod committed;
mod damage;
mod envelope;
mod filter;
mod follower;
mod number;
mod queue;
pub mod reader;
mod retention;
pub mod sinks;
mod store;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use committed::Committed;
pub use filter::Filter;
pub use reader::Reader;
use rusqlite::ErrorCode;

use crate::config::Config;
use crate::telemetry::metrics::Metrics;
use crate::types::event::EventDraft;
use crate::types::time::Timestamp;
use envelope::Envelope;
use follower::Follower;
use number::{LastWord, Numbers, Seen};
use queue::Queue;
use retention::Retention;
use sinks::{Opening, SinkHandle, Target};
use store::Store;
use writer::Writer;

/// The writer is waited for so long after the deadline: a disk may be slow.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Takes events and sees to it that they arrive.
pub struct Outbox {
    queue: Arc<Queue>,
    committed: Arc<Committed>,
    sinks: Vec<SinkHandle>,
    metrics: Arc<Metrics>,
    writer: JoinHandle<()>,
    /// How many events were not written, once the writer has written what it can.
    written: Receiver<u64>,
    last_word: Option<LastWord>,
    /// Its end lets the writer end.
    ending: Sender<()>,
    _end: End,
}

/// An outbox that is dropped ends, too; nobody waits for it.
struct End(Arc<Queue>, Arc<Committed>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.close();
        self.1.close(Instant::now());
    }
}

/// How an outbox ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// Events that could not be made durable: they are gone.
    pub lost: u64,
    /// Deliveries that are made after the next start.
    pub waiting: u64,
}

/// Why an outbox cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The folder, or something in it.
    #[error("runtime.state_dir {path}: {reason}")]
    State {
        /// The folder.
        path: String,
        /// Why, and what to do.
        reason: String,
        /// It may be otherwise in a while, without anybody's help.
        passes: bool,
    },
    /// A sink cannot begin.
    #[error("sink {name}: {reason}")]
    Sink {
        /// Type and target.
        name: String,
        /// Why.
        reason: String,
        /// It may be otherwise in a while, without anybody's help.
        passes: bool,
    },
}

impl OutboxError {
    /// True where another attempt is worth its while: the disk is full, not mounted yet, or somebody else uses the folder.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::State { passes, .. } | Self::Sink { passes, .. } => *passes,
        }
    }

    fn of_store(state_dir: &Path, error: &rusqlite::Error) -> Self {
        let passes = !matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
        Self::State { path: state_dir.display().to_string(), reason: store::advice(error), passes }
    }
}

/// Whether an error of the file system may be gone in a while. A path that leads through a file is simply wrong.
fn passes(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AlreadyExists, InvalidFilename, InvalidInput, IsADirectory, NotADirectory};
    !matches!(error.kind(), AlreadyExists | InvalidFilename | InvalidInput | IsADirectory | NotADirectory)
}

impl Outbox {
    /// Opens the state folder and all sinks. No far end is waited for.
    ///
    /// # Errors
    /// [`OutboxError`] names the folder or sink.
    pub fn open(config: &Arc<Config>, metrics: &Arc<Metrics>) -> Result<Self, OutboxError> {
        Self::open_with(config, metrics, sinks::open)
    }

    /// The same with far ends that `open` makes.
    ///
    /// # Errors
    /// See [`Outbox::open`].
    pub fn open_with(
        config: &Arc<Config>,
        metrics: &Arc<Metrics>,
        open: impl Fn(&Opening<'_>) -> Result<Box<dyn Target>, OutboxError>,
    ) -> Result<Self, OutboxError> {
        let state_dir = &config.runtime.state_dir;
        let refuse = |error| {
            let refused = OutboxError::of_store(state_dir, &error);
            match refused {
                // The next start begins another one.
                OutboxError::State { path, reason, .. } if damage::is_damage(&error) => {
                    damage::mark(state_dir);
                    OutboxError::State { path, reason, passes: true }
                }
                refused => refused,
            }
        };
        let mut numbers = Numbers::open(state_dir)?;
        let log = Store::has_log(state_dir);
        let (mut store, forgotten) = damage::open(state_dir, &numbers, config.outbox.max_bytes)?;
        let run = store.run().map_err(refuse)?;
        let seen = Seen { last: store.head().last, run, log };
        let gone = numbers.gone(seen);
        let run = numbers.begin_run(seen);
        // Should this start come to nothing, the next one finds no log.
        numbers.settle(seen.last + gone);
        match store.begin_run(run) {
            // Better without than no daemon: the next start then takes the data base for a copy, and leaves numbers out.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {}
            result => result.map_err(refuse)?,
        }
        let mut targets = Vec::with_capacity(config.sinks.len());
        for sink in &config.sinks {
            targets.push(open(&Opening { sink, config, metrics })?);
        }
        let ids: Vec<String> = config.sinks.iter().map(|sink| sink.id.clone()).collect();
        let (cursors, saved) = store.begin_cursors(&ids).map_err(refuse)?;
        let newest = store.newest().map_err(refuse)?;
        let retention = Retention::new(config.outbox.keep, Instant::now(), Timestamp::now(), newest);
        if retention.doubts() {
            tracing::warn!(
                last_event = %newest.unwrap_or(Timestamp(0)),
                "the clock is far ahead of the last event; nothing is deleted for its age before it has been so for an hour"
            );
        } else if saved {
            for sink in store.forget_cursors(&ids).map_err(refuse)? {
                tracing::info!(sink, "the sink has not been in the configuration for a week: its cursor is forgotten");
            }
        }
        let last = store.head().last;
        let committed = Arc::new(Committed::new(last));
        let queue = Arc::new(Queue::default());
        if let Some(lost) = forgotten {
            let kept = match &lost {
                damage::Lost::Corrupt(kept) => kept,
                damage::Lost::Missing => "",
            };
            tracing::error!(
                up_to = last,
                kept,
                "events.db was damaged or is gone, and another one is begun: events up to this number that were not delivered are lost"
            );
            queue.push(envelope::forgotten(&lost, last, Timestamp::now()));
        }
        if gone > 0 {
            tracing::error!(
                events = gone,
                after = last,
                "events lost: their numbers were given, but they are not in the data base"
            );
            queue.push_lost(gone);
        }
        let mut followers = Vec::with_capacity(ids.len());
        let mut readers = Vec::with_capacity(ids.len());
        for ((id, cursor), sink) in ids.into_iter().zip(cursors).zip(&config.sinks) {
            let reader = Reader::open(state_dir)?;
            let (filter, counts) = (Filter::of(sink), metrics.sink(id.clone()));
            counts.queued.add(reader.count(cursor, last, &filter).unwrap_or(0));
            followers.push(Arc::new(Follower::new(id, filter, counts, cursor)));
            readers.push(reader);
        }
        let last_word = numbers.last_word().ok();
        let mut writer = Writer {
            state_dir: state_dir.clone(),
            queue: Arc::clone(&queue),
            committed: Arc::clone(&committed),
            store,
            numbers,
            envelope: Envelope::new(&config.runtime.device),
            retention,
            followers: followers.clone(),
            metrics: Arc::clone(metrics),
            commit_every: config.outbox.commit_every,
            max_bytes: config.outbox.max_bytes,
            saved: (followers.iter().map(|it| if saved { it.cursor() } else { u64::MAX }).collect(), Instant::now()),
            log_tried: Instant::now(),
            log_told: false,
        };
        writer.show();
        let (unwritten, written) = bounded(1);
        let (ending, end) = bounded::<()>(0);
        let thread = std::thread::Builder::new().name("outbox".to_owned()).spawn(move || {
            let left = writer.run();
            let _ = unwritten.send(left);
            // Sinks still deliver; their last cursors are kept, too.
            let _ = end.recv();
            writer.end(left);
        });
        let writer = thread.map_err(|error| OutboxError::State {
            path: state_dir.display().to_string(),
            reason: format!("no thread: {error}"),
            passes: true,
        })?;
        let end = End(Arc::clone(&queue), Arc::clone(&committed));
        let sinks = followers
            .iter()
            .zip(targets)
            .zip(readers)
            .map(|((follower, target), reader)| sinks::start(follower, target, reader, &committed))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            queue,
            committed,
            sinks,
            metrics: Arc::clone(metrics),
            writer,
            written,
            last_word,
            ending,
            _end: end,
        })
    }

    /// Takes one event. It never waits: what cannot be kept is counted, and told of by `system.events_lost`.
    pub fn publish(&self, draft: EventDraft) {
        if !self.queue.push(draft) {
            let dropped = &self.metrics.outbox.dropped;
            dropped.inc();
            if dropped.get().is_power_of_two() {
                tracing::error!(dropped = dropped.get(), "events lost: too many wait in memory to be written");
            }
        }
    }

    /// What is durable, for whoever wants to hear of more.
    #[must_use]
    pub fn committed(&self) -> Arc<Committed> {
        Arc::clone(&self.committed)
    }

    /// True where a thread of it is gone that should not be.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.committed.is_damaged() || self.writer.is_finished() || self.sinks.iter().any(SinkHandle::is_broken)
    }

    /// Makes everything durable and lets the sinks deliver what they can, up to `deadline`.
    #[must_use]
    pub fn close(self, deadline: Duration) -> Closed {
        let until = Instant::now() + deadline;
        self.queue.close();
        let written = self.written.recv_deadline(until).or_else(|_| {
            self.queue.abandon();
            self.written.recv_timeout(LAST_WORDS)
        });
        // A writer that is stuck in the disk knows no better than this.
        let lost = written.unwrap_or_else(|_| {
            let waiting = self.queue.waiting();
            let (last, (done, written)) = (self.committed.last() + waiting, bounded::<()>(1));
            if let Some(word) = self.last_word.filter(|_| waiting > 0) {
                // It may be stuck as well.
                let wrote = std::thread::Builder::new().name("last word".to_owned()).spawn(move || {
                    if word.settle(last).is_ok() {
                        let _ = done.send(());
                    }
                });
                if wrote.is_err() || written.recv_timeout(LAST_WORDS).is_err() {
                    tracing::warn!("the next start will not tell of the events that are lost");
                }
            }
            waiting
        });
        if lost > 0 {
            tracing::error!(events = lost, "events lost: not written before the end");
        }
        self.committed.close(until);
        let waiting = self.sinks.into_iter().map(|sink| sink.join(until)).sum();
        drop(self.ending);
        let patience = Instant::now() + LAST_WORDS;
        while !self.writer.is_finished() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        if self.writer.is_finished() {
            let _ = self.writer.join();
        }
        Closed { lost, waiting }
    }
}
