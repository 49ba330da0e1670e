//! A sink's thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Failure, FailureKind, Stored, Target};
use crate::outbox::committed::Committed;
use crate::outbox::follower::Follower;
use crate::outbox::reader::{Page, Query, Reader};

/// Events handed over at once.
const BATCH: usize = 256;
/// What is handed over is made durable so often, and then the cursor follows: the oftener, the less that costs.
const FLUSH_MIN: Duration = Duration::from_millis(50);
const FLUSH_MAX: Duration = Duration::from_secs(1);
const FLUSH_SHARE: u32 = 50;
const IDLE_EVERY: Duration = Duration::from_secs(1);
/// The writer may have to wait so long for a search, and a little longer.
const LOOK: Duration = Duration::from_millis(20);
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// Trouble that lasts is told again so often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// A far end that fails when the daemon ends is tried for so long: nothing is lost by leaving.
const LAST_ATTEMPTS: Duration = Duration::from_secs(3);

pub(super) struct Worker {
    follower: Arc<Follower>,
    target: Box<dyn Target>,
    reader: Reader,
    committed: Arc<Committed>,
    query: Query,
    /// All up to this number was handed over.
    at: u64,
    flushed: Instant,
    flush_every: Duration,
    idled: Instant,
    failing: Option<Failing>,
    /// Trouble was told last; short troubles soon after are not told again.
    told: Option<Instant>,
}

struct Failing {
    since: Instant,
    /// It was told.
    loud: bool,
    told: Instant,
    wait: Duration,
    /// Of the back-off's jitter.
    state: u64,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    /// There is no time left, or nobody who takes events.
    End,
}

impl Worker {
    pub(super) fn new(
        follower: Arc<Follower>,
        target: Box<dyn Target>,
        reader: Reader,
        committed: Arc<Committed>,
    ) -> Self {
        let query = Query { filter: follower.filter.clone(), limit: BATCH, budget: LOOK, ..Query::default() };
        let (at, now) = (follower.cursor(), Instant::now());
        Self {
            follower,
            target,
            reader,
            committed,
            query,
            at,
            flushed: now,
            flush_every: FLUSH_MIN,
            idled: now,
            failing: None,
            told: None,
        }
    }

    pub(super) fn run(mut self) {
        self.begin();
        loop {
            let page = match self.take() {
                Ok(page) => page,
                Err(error) => match self.fails(&Failure::retry(error)) {
                    Next::GoOn => continue,
                    Next::End => break,
                },
            };
            if page.events.is_empty() {
                self.at = self.at.max(page.reached);
                if !page.more && self.rest() == Next::End {
                    break;
                }
            } else {
                if self.deliver(&page.events) == Next::End {
                    break;
                }
                self.at = self.at.max(page.reached);
            }
            if self.flushed.elapsed() >= self.flush_every {
                self.flush();
            }
        }
        self.flush();
        self.target.close();
    }

    /// The far end may know better than the cursor.
    fn begin(&mut self) {
        let Some((known, id)) = self.target.last_delivered() else { return };
        if known <= self.at {
            return;
        }
        // Two devices give the same numbers, and so does one whose state folder was lost.
        let ours = self.reader.by_seq(known).is_ok_and(|event| event.is_some_and(|event| event.id == id));
        if !ours {
            tracing::warn!(
                sink = %self.follower.id, known, last = self.committed.last(),
                "the last event of the far end is not the one of that number here: it is another device's, or from before the data base"
            );
        } else {
            let there = self.reader.count(self.at, known, &self.follower.filter).unwrap_or(0);
            self.follower.metrics.unqueue(there);
            *self.follower.taken() = known;
            self.at = known;
        }
    }

    /// Reads what is next.
    fn take(&mut self) -> Result<Page, String> {
        let last = self.committed.last();
        if last <= self.at {
            return Ok(Page { reached: self.at, ..Page::default() });
        }
        self.query.after = self.at;
        self.query.before = Some(last.saturating_add(1));
        let mut taken = self.follower.taken();
        let mut page = self.reader.page(&self.query).map_err(|error| {
            if error.is_damage() {
                self.committed.damage();
            }
            error.to_string()
        })?;
        if !page.more {
            // Also where the last of them are not kept any more.
            page.reached = last;
        }
        *taken = (*taken).max(page.reached);
        drop(taken);
        if !page.more {
            self.follower.caught_up();
        }
        Ok(page)
    }

    /// Nothing waits.
    fn rest(&mut self) -> Next {
        if self.committed.closing().is_some() && self.committed.last() <= self.at {
            return Next::End;
        }
        if self.idled.elapsed() >= IDLE_EVERY {
            self.target.idle();
            self.idled = Instant::now();
        }
        let mut time = IDLE_EVERY.saturating_sub(self.idled.elapsed());
        if self.follower.cursor() < self.at {
            time = time.min(self.flush_every.saturating_sub(self.flushed.elapsed()));
        }
        self.committed.wait_beyond(self.at, time);
        Next::GoOn
    }

    /// Hands events over, however often that must be tried.
    fn deliver(&mut self, events: &[Stored]) -> Next {
        let mut rest = events;
        while let Some(first) = rest.first() {
            let (done, result) = self.target.deliver(rest);
            let (delivered, after) = rest.split_at(done.min(rest.len()));
            rest = after;
            if let Some(last) = delivered.last() {
                self.at = last.seq;
                self.follower.metrics.delivered.add(delivered.len() as u64);
                if let Some(failing) = &mut self.failing {
                    failing.wait = RETRY_MIN;
                }
            }
            let next = match result {
                Ok(()) => {
                    self.works();
                    Next::GoOn
                }
                Err(failure) => match (failure.kind, rest.first()) {
                    (FailureKind::Gone, _) => {
                        let sink = &self.follower.id;
                        tracing::error!(sink, "nobody reads this sink any more; its events wait for the next start");
                        Next::End
                    }
                    (FailureKind::Refused, Some(refused)) => {
                        self.refuse(refused, &failure);
                        rest = &rest[1..];
                        Next::GoOn
                    }
                    _ => self.fails(&failure),
                },
            };
            if next == Next::End || self.is_overdue() {
                return Next::End;
            }
            // A far end that takes its time for each of them must not get them all again after a crash.
            if self.flushed.elapsed() >= self.flush_every {
                self.flush();
            }
            // Nothing said, nothing done: that must not spin.
            if rest.first().is_some_and(|now| now.seq == first.seq) && self.failing.is_none() {
                self.committed.pause(RETRY_MIN);
            }
        }
        Next::GoOn
    }

    /// The time to deliver is over.
    fn is_overdue(&self) -> bool {
        self.committed.closing().is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn refuse(&mut self, event: &Stored, failure: &Failure) {
        self.at = event.seq;
        let refused = &self.follower.metrics.refused;
        refused.inc();
        // A far end that refuses all of them is told of, but not each time.
        if refused.get() <= 10 || refused.get().is_power_of_two() {
            let (sink, seq, total) = (&self.follower.id, event.seq, refused.get());
            tracing::error!(sink, seq, total, "the sink refuses an event, which is left out: {failure}");
        }
    }

    /// Waits before the next attempt.
    fn fails(&mut self, failure: &Failure) -> Next {
        self.follower.metrics.retries.inc();
        // What came before the failure need not wait for its end.
        self.flush();
        let (sink, waiting) = (&self.follower.id, self.follower.metrics.waiting());
        let told = &mut self.told;
        let failing = self.failing.get_or_insert_with(|| {
            let loud = told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
            if loud {
                *told = Some(Instant::now());
                tracing::error!(sink, waiting, "cannot write events: {failure}");
            }
            Failing {
                since: Instant::now(),
                loud,
                told: Instant::now(),
                wait: RETRY_MIN,
                state: self.at ^ waiting.rotate_left(32) | 1,
            }
        });
        if failing.told.elapsed() >= TELL_EVERY {
            (failing.told, failing.loud) = (Instant::now(), true);
            let for_s = failing.since.elapsed().as_secs();
            tracing::error!(sink, for_s, waiting, "still cannot write events: {failure}");
        }
        match self.committed.closing() {
            None => {
                // Half of it and more: many sinks of one far end do not come back at the same moment.
                failing.state ^= failing.state << 13;
                failing.state ^= failing.state >> 7;
                failing.state ^= failing.state << 17;
                let share = 0.5 + (failing.state % 1024) as f64 / 2048.0;
                self.committed.pause(failing.wait.mul_f64(share));
                failing.wait = (failing.wait * 2).min(RETRY_MAX);
            }
            Some(deadline) => {
                let now = Instant::now();
                let until = deadline.min(self.committed.closing_since().unwrap_or(now) + LAST_ATTEMPTS);
                if now >= until {
                    return Next::End;
                }
                std::thread::sleep(RETRY_MIN.min(until - now));
            }
        }
        Next::GoOn
    }

    fn works(&mut self) {
        if let Some(failing) = self.failing.take().filter(|failing| failing.loud) {
            let after_s = failing.since.elapsed().as_secs();
            tracing::info!(sink = %self.follower.id, after_s, "events are written again");
        }
    }

    /// What was handed over is there for good: the cursor follows.
    fn flush(&mut self) {
        let began = Instant::now();
        if self.follower.cursor() < self.at {
            // A failure to flush shows again at the next delivery, where it is retried.
            match self.target.flush() {
                Ok(()) => self.follower.set_cursor(self.at),
                Err(failure) => tracing::debug!(sink = %self.follower.id, "not flushed: {failure}"),
            }
        }
        self.flushed = Instant::now();
        self.flush_every = ((self.flushed - began) * FLUSH_SHARE).clamp(FLUSH_MIN, FLUSH_MAX);
    }
}
