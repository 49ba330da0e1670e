//! The thread that makes events durable.
//!
//! It takes what has come in since the last commit, at the latest [`crate::config::Outbox::commit_every`] after the
//! first of it or when [`BATCH`] events wait, gives the numbers and ids, and commits them together. Sinks hear of them
//! when the commit has returned. Between commits it deletes what is too old or too much, a little at a time.
//!
//! While commits fail, events wait in memory (see `queue`): nobody upstream notices.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::committed::Committed;
use super::damage;
use super::envelope::{Envelope, lost};
use super::filter::Facts;
use super::follower::Follower;
use super::number::Numbers;
use super::queue::{Item, Queue};
use super::retention::Retention;
use super::store::{CommitError, Entry, Pruned, Store, advice};
use crate::telemetry::metrics::Metrics;
use crate::types::event::EventType;
use crate::types::time::Timestamp;

/// Events in one commit, at most.
pub(super) const BATCH: usize = 512;
/// Cursors that have moved are saved so often, where no commit takes them along.
const CURSORS_EVERY: Duration = Duration::from_secs(1);
/// Those that stand still are, too: it is how long a sink has not been there that makes it forgotten.
const SEEN_EVERY: Duration = Duration::from_secs(6 * 3600);
/// It is looked at so often whether anything is too old.
const PRUNE_EVERY: Duration = Duration::from_millis(500);
/// Between two steps of pruning, so that others get at the disk.
const PRUNE_PAUSE: Duration = Duration::from_millis(5);
/// A log of so many bytes has somebody to blame.
const LONG_LOG: u64 = 64 << 20;
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Trouble that lasts is told again so often.
const TELL_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    pub state_dir: PathBuf,
    pub queue: Arc<Queue>,
    pub committed: Arc<Committed>,
    pub store: Store,
    pub numbers: Numbers,
    pub envelope: Envelope,
    pub retention: Retention,
    pub followers: Vec<Arc<Follower>>,
    pub metrics: Arc<Metrics>,
    pub commit_every: Duration,
    pub max_bytes: u64,
    /// Cursors as they were last saved, and when all of them were.
    pub saved: (Vec<u64>, Instant),
    /// When it was last looked at how long the log is.
    pub log_tried: Instant,
    /// It was told that this is not possible.
    pub log_told: bool,
}

/// The events of one commit, sealed.
struct Sealed {
    entries: Vec<Entry>,
    types: Vec<EventType>,
    last: u64,
}

/// Since when commits fail.
struct Failing {
    since: Instant,
    told: Instant,
    dropped: u64,
    wait: Duration,
}

impl Writer {
    /// Until the queue is closed and empty, or there is no time left; answers how many events were not written.
    pub fn run(&mut self) -> u64 {
        let mut batch = Vec::with_capacity(BATCH);
        let (mut cursors_at, mut prune_at) = (Instant::now() + CURSORS_EVERY, Instant::now());
        loop {
            let until = cursors_at.min(prune_at);
            let waited = self.queue.fill(&mut batch, BATCH, self.commit_every, until);
            if !batch.is_empty() {
                if !self.write(&batch) {
                    break;
                }
                let written = batch.len() as u64;
                self.queue.settle(&mut batch);
                cursors_at = Instant::now() + CURSORS_EVERY;
                let more = self.make_room(written);
                prune_at = prune_at.min(Instant::now() + if more { PRUNE_PAUSE } else { PRUNE_EVERY });
            }
            if self.committed.is_damaged() || waited.abandoned || (waited.closed && batch.is_empty()) {
                break;
            }
            self.mind_the_log();
            if Instant::now() >= cursors_at {
                self.save_cursors();
                cursors_at = Instant::now() + CURSORS_EVERY;
            }
            if Instant::now() >= prune_at {
                let more = self.prune().more;
                prune_at = Instant::now() + if more { PRUNE_PAUSE } else { PRUNE_EVERY };
            }
        }
        if self.committed.is_damaged() {
            tracing::error!("events.db is damaged; the daemon ends so that the next start begins another one");
            damage::mark(&self.state_dir);
            while !self.is_over(&mut batch) {}
        }
        self.queue.take_all(&mut batch);
        batch.iter().map(Item::events).sum()
    }

    /// Waits a little for the end, and takes what comes until then.
    fn is_over(&self, batch: &mut Vec<Item>) -> bool {
        let waited = self.queue.fill(batch, usize::MAX, SEEN_EVERY, Instant::now() + RETRY_MIN);
        waited.closed || waited.abandoned
    }

    /// Sinks have ended: their cursors, and the last number. Numbers of events that were not written are taken, so that
    /// the next start tells that they are missing.
    pub fn end(mut self, unwritten: u64) {
        self.save_cursors();
        self.numbers.settle(self.store.head().last + unwritten);
    }

    /// Commits the batch, however long it takes; false where there is no time left.
    fn write(&mut self, batch: &[Item]) -> bool {
        let mut without_media = Vec::new();
        let mut sealed = self.seal(batch, &without_media);
        let mut failing: Option<Failing> = None;
        loop {
            let error = match self.commit(&sealed) {
                Ok(()) => break,
                Err(CommitError::DuplicateId(at)) => {
                    let seq = sealed.entries[at].stored.seq;
                    tracing::error!(seq, "the id of an event was given already; it gets another, and has no pictures");
                    without_media.push(seq);
                    sealed = self.seal(batch, &without_media);
                    continue;
                }
                Err(CommitError::Failed(error)) => error,
            };
            self.metrics.outbox.failed_commits.inc();
            if damage::is_damage(&error) {
                tracing::error!("cannot write events: {}", advice(&error));
                self.committed.damage();
                return false;
            }
            let dropped = self.metrics.outbox.dropped.get();
            let failing = failing.get_or_insert_with(|| {
                tracing::error!("cannot write events: {}; they wait in memory", advice(&error));
                Failing { since: Instant::now(), told: Instant::now(), dropped, wait: RETRY_MIN }
            });
            if failing.told.elapsed() >= TELL_EVERY {
                failing.told = Instant::now();
                let (for_s, waiting) = (failing.since.elapsed().as_secs(), self.queue.waiting());
                let dropped = dropped - failing.dropped;
                tracing::error!(for_s, waiting, dropped, "still cannot write events: {}", advice(&error));
            }
            if self.queue.pause(failing.wait) {
                return false;
            }
            failing.wait = (failing.wait * 2).min(RETRY_MAX);
        }
        if let Some(failing) = failing {
            let dropped = self.metrics.outbox.dropped.get() - failing.dropped;
            let (after_s, waiting) = (failing.since.elapsed().as_secs(), self.queue.waiting());
            tracing::info!(after_s, waiting, dropped, "events are written again");
        }
        self.tell(&sealed);
        true
    }

    fn commit(&mut self, sealed: &Sealed) -> Result<(), CommitError> {
        let began = Instant::now();
        self.numbers.reserve(sealed.last).map_err(|error| {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
            CommitError::Failed(rusqlite::Error::SqliteFailure(code, Some(format!("the file seq: {error}"))))
        })?;
        let cursors = self.cursors();
        self.store.commit(&sealed.entries, sealed.last, &self.named(&cursors))?;
        self.have_saved(&cursors);
        self.metrics.outbox.commit.observe(began.elapsed());
        Ok(())
    }

    /// Gives numbers and ids. Events with the numbers `without_media` get ids of their own.
    fn seal(&mut self, batch: &[Item], without_media: &[u64]) -> Sealed {
        let mut sealed =
            Sealed { entries: Vec::with_capacity(batch.len()), types: Vec::new(), last: self.store.head().last };
        for item in batch {
            match item {
                Item::Event(draft, emit) => {
                    let seq = sealed.last + 1;
                    let stripped = without_media.contains(&seq).then(|| {
                        let mut draft = draft.clone();
                        draft.media = None;
                        draft
                    });
                    match self.envelope.seal(stripped.as_ref().unwrap_or(draft), seq, *emit) {
                        Ok(entry) => sealed.push(entry, draft.event_type),
                        Err(error) => {
                            tracing::error!(seq, "event cannot be written as JSON: {error}");
                            self.seal_lost(&mut sealed, 1, *emit);
                        }
                    }
                }
                Item::Lost { count, since } => self.seal_lost(&mut sealed, *count, *since),
            }
        }
        sealed
    }

    fn seal_lost(&mut self, sealed: &mut Sealed, count: u64, since: Timestamp) {
        let now = Timestamp::now();
        let draft = lost(count, sealed.last + 1, since, now);
        sealed.last += count;
        match self.envelope.seal(&draft, sealed.last + 1, now) {
            Ok(entry) => sealed.push(entry, draft.event_type),
            Err(error) => tracing::error!(count, "events lost, and it cannot be told: {error}"),
        }
    }

    /// It is durable: now everybody may know.
    fn tell(&mut self, sealed: &Sealed) {
        for (entry, event_type) in sealed.entries.iter().zip(&sealed.types) {
            self.metrics.event(*event_type);
            let facts = entry.facts();
            self.followers.iter().for_each(|follower| follower.count_committed(facts));
        }
        self.committed.advance(sealed.last);
        self.show();
    }

    /// Shows the metrics what there is.
    pub fn show(&self) {
        let head = self.store.head();
        self.metrics.outbox.show(head.events, self.store.oldest().map(|oldest| oldest.0));
    }

    /// Those that have moved.
    fn cursors(&self) -> Vec<(usize, u64)> {
        let now = self.followers.iter().map(|follower| follower.cursor()).enumerate();
        let all = self.saved.1.elapsed() >= SEEN_EVERY;
        now.filter(|(at, cursor)| all || self.saved.0.get(*at) != Some(cursor)).collect()
    }

    fn have_saved(&mut self, cursors: &[(usize, u64)]) {
        let (saved, at) = &mut self.saved;
        saved.resize(self.followers.len(), 0);
        cursors.iter().for_each(|(at, cursor)| saved[*at] = *cursor);
        if cursors.len() == self.followers.len() {
            *at = Instant::now();
        }
    }

    fn named(&self, cursors: &[(usize, u64)]) -> Vec<(String, u64)> {
        cursors.iter().map(|(at, cursor)| (self.followers[*at].id.clone(), *cursor)).collect()
    }

    fn save_cursors(&mut self) {
        let cursors = self.cursors();
        if cursors.is_empty() {
            return;
        }
        match self.store.save_cursors(&self.named(&cursors)) {
            Ok(()) => self.have_saved(&cursors),
            // They are saved the next time.
            Err(error) => tracing::debug!("cursors of sinks are not saved: {error}"),
        }
    }

    /// It must not fill the disk because somebody does not end his reading.
    fn mind_the_log(&mut self) {
        if self.log_tried.elapsed() < TELL_EVERY {
            return;
        }
        self.log_tried = Instant::now();
        let bytes = self.store.log_bytes();
        if bytes < LONG_LOG {
            self.log_told = false;
            return;
        }
        if !self.store.restart_log().unwrap_or(false) && !self.log_told {
            self.log_told = true;
            let mb = bytes >> 20;
            tracing::warn!(
                mb,
                "events.db-wal grows because a program reads events.db without an end: end that program"
            );
        }
    }

    /// After a commit: what comes in faster than it goes would make the file larger and larger. True where there is more
    /// to do, when there is time.
    fn make_room(&mut self, written: u64) -> bool {
        let mut gone = 0;
        loop {
            let step = self.prune();
            gone += step.events;
            if !step.more || step.events == 0 || gone >= 2 * written {
                return step.more;
            }
        }
    }

    /// One step.
    fn prune(&mut self) -> Pruned {
        let ages = self.retention.ages(Instant::now(), Timestamp::now());
        // A sink that reads just now would take what is counted as gone. Where nothing goes, it is left in peace.
        let ripe = self.store.is_ripe(ages, self.max_bytes).unwrap_or(true);
        let followers = if ripe { &self.followers[..] } else { &[] };
        let guards: Vec<_> = followers.iter().map(|follower| (follower, follower.taken())).collect();
        let pruned = self.store.prune(ages, self.max_bytes, |event| {
            for (follower, taken) in &guards {
                if **taken < event.seq {
                    follower.count_pruned(event.facts(), event.seq);
                }
            }
        });
        drop(guards);
        match pruned {
            Ok(pruned) => {
                self.metrics.outbox.pruned.add(pruned.events);
                if pruned.events > 0 {
                    self.show();
                }
                pruned
            }
            // A full disk, most likely: then commits say so.
            Err(error) => {
                if damage::is_damage(&error) {
                    self.committed.damage();
                }
                tracing::debug!("old events are not deleted: {error}");
                Pruned::default()
            }
        }
    }
}

impl Sealed {
    fn push(&mut self, entry: Entry, event_type: EventType) {
        self.last = entry.stored.seq;
        self.entries.push(entry);
        self.types.push(event_type);
    }
}

impl Entry {
    fn facts(&self) -> Facts<'_> {
        Facts { event_type: &self.stored.event_type, camera: &self.stored.camera, rule: &self.rule, label: &self.label }
    }
}
