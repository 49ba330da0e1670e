//! Webhook: events by HTTP POST.
//!
//! A request has one event, the object as it is, where `batch` is 1; otherwise always an array, of one or more.
//!
//! | header | |
//! |---|---|
//! | `Content-Type` | `application/json` |
//! | `User-Agent` | `watchkeeper/<version>` |
//! | `webhook-id`, `Idempotency-Key` | `event_id` of the event; of an array, those of the first and the last with a `-` between them |
//! | `X-Watchkeeper-Seq` | `seq` of the event; of an array `first-last` (events that the sink leaves out are gaps) |
//! | `webhook-timestamp` | seconds since 1970 when this attempt was made |
//! | `webhook-signature` | where there is a secret: `v1,` and base64 of HMAC-SHA256 of `id.timestamp.body` |
//!
//! The signature is that of Standard Webhooks. A secret that begins with `whsec_` is base64 from there on, as their
//! libraries want it; any other is the key itself. To verify it by hand, with the body as it came:
//!
//! ```python
//! import base64, hashlib, hmac, time
//!
//! def verify(secret, headers, body):
//!     key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
//!     signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
//!     ours = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
//!     fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
//!     return fresh and any(hmac.compare_digest("v1," + ours, theirs)
//!                          for theirs in headers["webhook-signature"].split())
//! ```
//!
//! What comes of an answer:
//!
//! | answer | |
//! |---|---|
//! | 2xx | delivered |
//! | 408, 425, 429, 5xx, none | tried again, after `Retry-After` (5 minutes at most) where it says so |
//! | 5xx to one event alone for 6 hours | the next one is tried; where that is taken, the first is left out |
//! | 400, 422 | an array is sent again in halves until the one is found that is refused; that one is left out |
//! | none, three times | smaller arrays for a while: some servers close where others answer 413 |
//! | 413 | smaller arrays from then on; one event that is too large alone is left out |
//! | anything else: 401, 403, 404, 410, redirects | tried again slowly, 15 seconds to 5 minutes: nothing is lost to a server that is being set up |
//!
//! Redirects are followed with 307 and 308 only, and only to the same host (also from http to https there).
//!
//! Delivery is at least once: a request whose answer was lost is made again, the same array with the same id. After a
//! restart the array may be another one, so who must not count twice remembers `event_id`, or `seq`.

mod batches;
mod client;
mod signature;
mod stubborn;
mod tls;
mod verdict;

use std::time::{Duration, Instant};

use super::dialects::Dialects;
use super::{Failure, Opening, Stored, Target};
use crate::config::{self, Dialect, SinkKind};
use batches::{Batch, Batches};
use client::Client;
use stubborn::Stubborn;
use verdict::Verdict;

/// Longest turn: the worker wants to be asked whether the daemon ends.
const TURN: Duration = Duration::from_secs(2);
const SLOW_MAX: Duration = Duration::from_mins(5);
/// So many events refused one after the other are not the events' fault.
const REFUSED_IN_A_ROW: u32 = 5;

/// How long things are waited for. The default is for the real world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// A server answers for so long that it fails (5xx) over one event, before another one is tried.
    pub failing: Duration,
    /// The first pause after an answer that somebody must do something about.
    pub slow: Duration,
    /// After a failure of TLS the certificates are read anew, but not again within this time.
    pub renew: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { failing: Duration::from_hours(6), slow: Duration::from_secs(15), renew: Duration::from_mins(1) }
    }
}

/// The far end of a sink of type `webhook`.
///
/// # Errors
/// A file of `tls` cannot be read or is no certificate or key; a secret cannot be used. The far end is not asked.
pub fn open(opening: &Opening<'_>) -> Result<Box<dyn Target>, Failure> {
    match &opening.sink.kind {
        SinkKind::Webhook(webhook) => Ok(Box::new(Webhook::new(webhook, opening.sink.dialect)?)),
        other => Err(Failure::refused(format!("a sink of type {} is no webhook", other.name()))),
    }
}

/// A server that events are posted to.
pub struct Webhook {
    client: Client,
    dialects: Dialects,
    batches: Batches,
    /// Nothing is sent until then, for this reason.
    pause: Option<(Instant, String)>,
    /// The next pause after an answer that somebody must do something about.
    slow: Duration,
    slow_min: Duration,
    refused_in_a_row: u32,
    stubborn: Stubborn,
}

impl Webhook {
    /// Reads the files that are named; does not connect.
    ///
    /// # Errors
    /// As [`open`].
    pub fn new(webhook: &config::Webhook, dialect: Dialect) -> Result<Self, Failure> {
        Self::with_waits(webhook, dialect, Waits::default())
    }

    /// The same, with other waits.
    ///
    /// # Errors
    /// As [`open`].
    pub fn with_waits(webhook: &config::Webhook, dialect: Dialect, waits: Waits) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::new(webhook, waits.renew)?,
            dialects: Dialects::new(dialect),
            batches: Batches::new(webhook.batch),
            pause: None,
            slow: waits.slow,
            slow_min: waits.slow,
            refused_in_a_row: 0,
            stubborn: Stubborn::new(waits.failing),
        })
    }

    /// Posts one batch. Answers how many events are done with.
    fn post(&mut self, batch: &Batch) -> Result<usize, Failure> {
        let verdict = self.client.post(batch);
        if !matches!(verdict, Verdict::Later { failed: true, .. }) {
            self.stubborn.otherwise();
        }
        match verdict {
            Verdict::Delivered => {
                self.batches.delivered(batch);
                (self.slow, self.refused_in_a_row) = (self.slow_min, 0);
                Ok(batch.events)
            }
            Verdict::TooLarge(_) if batch.told > 1 => {
                self.batches.too_large(batch);
                Ok(0)
            }
            Verdict::Bad(_) if batch.told > 1 => {
                self.batches.bad(batch);
                Ok(0)
            }
            Verdict::TooLarge(reason) | Verdict::Bad(reason) => {
                self.batches.left_out();
                Err(self.refused(reason))
            }
            Verdict::Later { reason, after, failed } => {
                if failed && self.stubborn.failed(batch.seqs[0]) {
                    self.batches.smaller(batch);
                }
                self.pause = after.map(|after| (Instant::now() + after, reason.clone()));
                Err(Failure::retry(reason))
            }
            Verdict::Unanswered(reason) => {
                self.batches.unanswered(batch);
                Err(Failure::retry(reason))
            }
            Verdict::Slowly { reason, after } => {
                let after = after.unwrap_or(self.slow);
                self.slow = (self.slow * 2).min(SLOW_MAX);
                self.pause = Some((Instant::now() + after, reason.clone()));
                Err(Failure::retry(reason))
            }
        }
    }

    /// The server has failed over this one event for hours. Does it take the one after it? Then the first is left out;
    /// the other is posted again in its turn. `None`: that is not known.
    fn probe(&mut self, first: &Batch, after: &[Stored]) -> Option<Failure> {
        let next = self.batches.one(after, &mut self.dialects);
        if next.told == 0 {
            return None;
        }
        self.stubborn.probes();
        if self.client.post(&next) != Verdict::Delivered {
            return None;
        }
        // The server may just have become well.
        if !matches!(self.client.post(first), Verdict::Later { failed: true, .. }) {
            return None;
        }
        let hours = self.stubborn.failing().as_secs_f64() / 3600.0;
        self.stubborn.clear();
        self.batches.left_out();
        Some(self.refused(format!(
            "{} has failed over event {} for {hours:.1} h (5xx), and takes event {}; its own log should say why",
            self.client.who(),
            first.seqs[0],
            next.seqs[0]
        )))
    }

    /// One event is left out. A server that refuses everything is given time, so that not everything is lost to it.
    fn refused(&mut self, reason: String) -> Failure {
        self.refused_in_a_row += 1;
        if self.refused_in_a_row >= REFUSED_IN_A_ROW {
            let waits =
                format!("{reason}; so it went with the last {} events: is this the address?", self.refused_in_a_row);
            self.pause = Some((Instant::now() + self.slow, waits));
            self.slow = (self.slow * 2).min(SLOW_MAX);
        }
        Failure::refused(reason)
    }
}

impl Target for Webhook {
    fn deliver(&mut self, events: &[Stored]) -> (usize, Result<(), Failure>) {
        let began = Instant::now();
        let mut done = 0;
        while let Some(rest) = events.get(done..).filter(|rest| !rest.is_empty()) {
            if let Some((until, reason)) = &self.pause {
                if Instant::now() < *until {
                    return (done, Err(Failure::retry(reason.clone())));
                }
                self.pause = None;
            }
            let batch = self.batches.next(rest, &mut self.dialects);
            done += batch.skipped;
            if batch.told == 1 && self.stubborn.wants_probe(batch.seqs[0]) {
                let after = &rest[batch.skipped + batch.events..];
                if let Some(failure) = self.probe(&batch, after) {
                    return (done, Err(failure));
                }
            }
            if batch.told > 0 {
                match self.post(&batch) {
                    Ok(more) => done += more,
                    Err(failure) => return (done, Err(failure)),
                }
            }
            if done > 0 && began.elapsed() >= TURN {
                break;
            }
        }
        (done, Ok(()))
    }
}
