//! Redis Streams.
//!
//! An event is an entry of the stream `<prefix>:events:<device>`, its number is the entry's id (`<seq>-0`), so Redis
//! itself keeps the order and refuses what comes again. A batch is a transaction: all of it is added or nothing, and no
//! event can be left behind by a later one. An event whose number the stream has passed is looked up (`numbers`)
//! before it counts as delivered. The last event taken is noted under `<prefix>:last:<device>`.

mod connection;
mod errors;
mod names;
mod numbers;

use std::time::{Duration, Instant};

use redis::{Value, pipe};

use super::bodies::{Bodies, Outgoing};
use super::{Failure, Opening, Stored, Target};
use crate::config::SinkKind;
use connection::Connection;
use names::Names;
use numbers::{Entry, Known, Last, Verdict};

/// Entries in one transaction.
const ENTRIES: usize = 256;
/// Bytes in one transaction, about.
const BYTES: usize = 4 << 20;
/// A connection that was not used for so long is tried first.
const IDLE: Duration = Duration::from_secs(1);

/// Opens the sink. Connects at the first delivery.
///
/// # Errors
/// The sink is of another kind.
pub fn open(opening: &Opening<'_>) -> Result<Box<dyn Target>, Failure> {
    let SinkKind::Redis(config) = &opening.sink.kind else {
        return Err(Failure::refused(format!("sink {:?} is not one of Redis", opening.sink.id)));
    };
    // The client takes the process's default.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Box::new(Sink {
        names: Names::new(config, &opening.config.runtime.device),
        bodies: Bodies::new(opening.sink.dialect),
        connection: None,
        taken: None,
        before: None,
        noted: true,
        ours: false,
        end: 0,
        used: Instant::now(),
    }))
}

struct Sink {
    names: Names,
    bodies: Bodies,
    connection: Option<Connection>,
    /// The last event that Redis has taken in this run.
    taken: Option<Last>,
    /// The last one noted in an earlier run.
    before: Option<Last>,
    /// Is that of this run noted?
    noted: bool,
    /// An event of this run is in the stream, so its numbers are ours.
    ours: bool,
    /// The number that the stream goes up to.
    end: u64,
    /// When the connection was last used.
    used: Instant,
}

impl Target for Sink {
    fn deliver(&mut self, events: &[Stored]) -> (usize, Result<(), Failure>) {
        let outgoing = self.bodies.of(events);
        let mut taken = 0;
        while taken < outgoing.len() {
            let batch = Batch { events, outgoing: cut(&outgoing[taken..]) };
            if let Err(failure) = self.add(&batch) {
                // Whatever it was, the next attempt begins with a new connection.
                self.connection = None;
                return (outgoing[taken].event, Err(failure));
            }
            taken += batch.outgoing.len();
        }
        (events.len(), Ok(()))
    }

    /// What was handed over is Redis's already; the note is for another day.
    fn flush(&mut self) -> Result<(), Failure> {
        let Some(connection) = self.connection.as_mut().filter(|_| !self.noted) else { return Ok(()) };
        let mut pipeline = pipe();
        self.names.note(&mut pipeline, self.taken.as_ref());
        match connection.ask(&self.names.place(), &pipeline, pipeline.len()) {
            Ok(answers) => self.noted = answers.iter().all(|answer| refusal(answer).is_none()),
            // It is made anew at the next delivery.
            Err(_) => self.connection = None,
        }
        Ok(())
    }

    fn close(&mut self) {
        let _ = self.flush();
    }
}

struct Batch<'a> {
    events: &'a [Stored],
    outgoing: &'a [Outgoing],
}

/// As many as go into one transaction.
fn cut(outgoing: &[Outgoing]) -> &[Outgoing] {
    let mut bytes = 0;
    let fits = |next: &&Outgoing| {
        bytes += next.body.len();
        bytes <= BYTES
    };
    let count = outgoing.iter().take(ENTRIES).take_while(fits).count().max(1);
    &outgoing[..count]
}

impl Sink {
    /// Adds a batch, all of it or nothing; what is there already is left out.
    fn add(&mut self, batch: &Batch<'_>) -> Result<(), Failure> {
        let place = self.names.place();
        // Servers close connections that are idle for long.
        let is_dead = |connection: &mut Connection| self.used.elapsed() > IDLE && !connection.answers(&place);
        if self.connection.as_mut().is_none_or(is_dead) {
            self.connection = None;
            self.connect()?;
        }
        self.used = Instant::now();
        let end = self.end;
        let known = |outgoing: &&Outgoing| batch.events[outgoing.event].seq <= end;
        let (doubtful, fresh): (Vec<_>, Vec<_>) = batch.outgoing.iter().partition(known);
        if !doubtful.is_empty() {
            self.judge(batch.events, &doubtful)?;
        }
        if !fresh.is_empty() {
            let refused = self.append(batch.events, &fresh)?;
            if refused.is_empty() {
                self.ours = true;
            } else {
                // An earlier attempt that was given up was carried out after all, just now.
                self.judge(batch.events, &refused)?;
            }
        }
        for outgoing in batch.outgoing {
            let before = self.taken.as_ref().or(self.before.as_ref());
            self.taken = Some(Last::of(&batch.events[outgoing.event], before));
        }
        self.end = self.taken.as_ref().map_or(end, |taken| end.max(taken.seq));
        self.noted = false;
        Ok(())
    }

    /// Answers what was refused because of its number.
    fn append<'a>(&mut self, events: &[Stored], fresh: &[&'a Outgoing]) -> Result<Vec<&'a Outgoing>, Failure> {
        let place = self.names.place();
        let Some(connection) = &mut self.connection else { return Ok(Vec::new()) };
        let mut pipeline = pipe();
        if !self.noted {
            self.names.note(&mut pipeline, self.taken.as_ref());
        }
        pipeline.cmd("MULTI");
        for outgoing in fresh {
            self.names.entry(&mut pipeline, &events[outgoing.event], outgoing);
        }
        pipeline.cmd("EXEC");
        let mut answers = connection.ask(&place, &pipeline, pipeline.len())?;
        let executed = answers.pop();
        if let Some(error) = answers.iter().find_map(refusal) {
            return Err(place.server(error));
        }
        self.noted = true;
        let added = match executed {
            Some(Value::Array(added)) if added.len() == fresh.len() => added,
            Some(Value::ServerError(error)) => return Err(place.server(&error)),
            _ => return Err(place.retry("what it answers to EXEC is not Redis; check host and port")),
        };
        let mut refused = Vec::new();
        for (outgoing, answer) in fresh.iter().zip(&added) {
            match refusal(answer) {
                None => {}
                Some(error) if error.details().is_some_and(|words| words.contains("equal or smaller")) => {
                    refused.push(*outgoing);
                }
                Some(error) => return Err(place.server(error)),
            }
        }
        Ok(refused)
    }

    /// Redis has these numbers: are they of these events?
    fn judge(&mut self, events: &[Stored], doubtful: &[&Outgoing]) -> Result<(), Failure> {
        let place = self.names.place();
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let mut pipeline = pipe();
        pipeline.cmd("GET").arg(&self.names.note);
        pipeline.cmd("XREVRANGE").arg(&self.names.key).arg("+").arg("-").arg("COUNT").arg(1);
        for outgoing in doubtful {
            let id = names::id(&events[outgoing.event], outgoing);
            pipeline.cmd("XRANGE").arg(&self.names.key).arg(&id).arg(&id);
        }
        let answers = connection.ask(&place, &pipeline, pipeline.len())?;
        if let Some(error) = answers.iter().find_map(refusal) {
            return Err(place.server(error));
        }
        let [note, last, entries @ ..] = answers.as_slice() else { return Ok(()) };
        let mut known = Known { last: Last::read(note), ours: self.ours }.with(Entry::first(last));
        let entries: Vec<_> = entries.iter().map(Entry::first).collect();
        // One event that is there says whose numbers these are; so does the last one, where it is among these.
        let last = known.last.as_ref();
        let is_last = |event: &Stored| last.is_some_and(|last| (last.seq, &last.id) == (event.seq, &event.id));
        let is_there = |(outgoing, entry): (&&Outgoing, &Option<Entry>)| {
            entry.as_ref().is_some_and(|entry| entry.id.as_deref() == Some(&events[outgoing.event].id))
        };
        known.ours |= events.iter().any(is_last) || doubtful.iter().zip(&entries).any(is_there);
        for (outgoing, entry) in doubtful.iter().zip(&entries) {
            let event = &events[outgoing.event];
            if known.judge(event, entry.as_ref()) == Verdict::Taken {
                return Err(place.retry(format_args!(
                    "stream {:?} goes up to number {} already, and its number {} is not this device's event of that \
                     number: another device has the same name, or this one has lost its state_dir and numbers anew. \
                     Rename or delete the stream (redis-cli RENAME), or give the device another name",
                    self.names.key, self.end, event.seq
                )));
            }
        }
        self.ours = known.ours;
        Ok(())
    }

    /// Connects, and asks how far the stream goes: what has a number up to there is not added blindly.
    fn connect(&mut self) -> Result<(), Failure> {
        let place = self.names.place();
        let mut connection = Connection::open(&place)?;
        let mut pipeline = pipe();
        pipeline.cmd("XINFO").arg("STREAM").arg(&self.names.key);
        pipeline.cmd("GET").arg(&self.names.note);
        let answers = connection.ask(&place, &pipeline, pipeline.len())?;
        self.end = match answers.first() {
            Some(Value::ServerError(error)) if error.details().is_some_and(|words| words.contains("no such key")) => 0,
            Some(Value::ServerError(error)) => return Err(place.server(error)),
            Some(answer) => numbers::end(answer)
                .ok_or_else(|| place.retry("what it answers to XINFO is not Redis; check host and port"))?,
            None => 0,
        };
        match answers.get(1) {
            Some(Value::ServerError(error)) => return Err(place.server(error)),
            Some(note) if self.taken.is_none() => self.before = Last::read(note),
            _ => {}
        }
        self.connection = Some(connection);
        if let Some(taken) = self.taken.as_ref().filter(|taken| self.end < taken.seq) {
            tracing::error!(
                server = %self.names.server,
                stream = %self.names.key,
                from_seq = self.end + 1,
                to_seq = taken.seq,
                "Redis no longer has events that it had taken: the stream was deleted, or the server lost its last \
                 writes (see appendonly and appendfsync there)"
            );
        }
        Ok(())
    }
}

fn refusal(answer: &Value) -> Option<&redis::ServerError> {
    match answer {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}
