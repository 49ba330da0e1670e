//! NATS JetStream: many devices, one stream.
//!
//! An event is published to `<prefix>.events.<device>.<camera>.<type>` with its id as `Nats-Msg-Id`, so that the stream
//! drops what comes again within its window, and with its number as `Watchkeeper-Seq`. It counts as delivered when the
//! stream has acknowledged it. Many are under way at once; where the stream refuses one, those after it that it has
//! taken already are remembered and not sent again, and until it takes events again they are sent one by one.

mod connection;
mod errors;
mod runtime;
mod subject;

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use async_nats::jetstream::message::PublishMessage;

use super::bodies::{Bodies, Outgoing};
use super::{Failure, Opening, Stored, Target};
use crate::config::{Dialect, Nats, SinkKind};
use connection::Connection;
use errors::{Place, Then, Trouble};
use runtime::Runtime;
use subject::Subjects;

/// Events under way at once.
const WINDOW: usize = 256;

/// Opens the sink. Connects at the first delivery.
///
/// # Errors
/// The sink is of another kind, its names cannot stand in a subject, or there is no thread to be had.
pub fn open(opening: &Opening<'_>) -> Result<Box<dyn Target>, Failure> {
    let SinkKind::Nats(config) = &opening.sink.kind else {
        return Err(Failure::refused(format!("sink {:?} is not one of NATS", opening.sink.id)));
    };
    let bad = |c: char| c.is_whitespace() || ".*>/\\".contains(c);
    if config.stream.is_empty() || config.stream.contains(bad) {
        return Err(Failure::refused(format!(
            "stream {:?} cannot be the name of one; use letters, digits, \"-\" and \"_\"",
            config.stream
        )));
    }
    let device = opening.config.runtime.device.clone();
    // The client takes the process's default.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Box::new(Sink {
        server: format!("{}:{}", config.server.host, config.server.port),
        subjects: Subjects::new(&config.prefix, &device).map_err(Failure::refused)?,
        runtime: Runtime::start().map_err(|error| Failure::refused(format!("no thread for NATS: {error}")))?,
        dialect: opening.sink.dialect,
        bodies: Bodies::new(opening.sink.dialect),
        config: config.as_ref().clone(),
        device,
        connection: None,
        warned: false,
        window: WINDOW,
        ahead: HashSet::new(),
    }))
}

struct Sink {
    /// `host:port`.
    server: String,
    config: Nats,
    device: String,
    subjects: Subjects,
    dialect: Dialect,
    bodies: Bodies,
    connection: Option<Connection>,
    /// It was said that the stream remembers for too short a time.
    warned: bool,
    /// Events under way at once: one, while the stream refuses some.
    window: usize,
    /// Acknowledged although one before was not: `seq` and part.
    ahead: HashSet<(u64, usize)>,
    runtime: Runtime,
}

impl Target for Sink {
    fn deliver(&mut self, events: &[Stored]) -> (usize, Result<(), Failure>) {
        let place = Place { server: &self.server, config: &self.config };
        if self.connection.as_ref().is_none_or(Connection::is_over) {
            self.connection = None;
            let ours = self.subjects.all();
            match self.runtime.wait(Connection::open(&place, &self.device, &ours, &mut self.warned)) {
                Ok(connection) => self.connection = Some(connection),
                Err(trouble) => return (0, Err(trouble.failure)),
            }
        }
        let Some(connection) = &mut self.connection else { return (0, Ok(())) };
        let outgoing = self.bodies.of(events);
        let batch = Batch {
            place: &place,
            subjects: &self.subjects,
            events,
            outgoing: &outgoing,
            dialect: self.dialect,
            window: self.window,
        };
        let (taken, result) = self.runtime.wait(batch.publish(connection, &mut self.ahead));
        let delivered = outgoing.get(taken).map_or(events.len(), |next| next.event);
        if let Some(last) = events[..delivered].last() {
            self.ahead.retain(|(seq, _)| *seq > last.seq);
        }
        match result {
            Ok(()) => {
                self.window = WINDOW;
                (delivered, Ok(()))
            }
            Err(trouble) => {
                match trouble.then {
                    Then::Reconnect => self.connection = None,
                    Then::Stay if !trouble.is_refusal() => self.window = 1,
                    Then::Stay => {}
                }
                (delivered, Err(trouble.failure))
            }
        }
    }
}

/// What is handed over in one go.
struct Batch<'a> {
    place: &'a Place<'a>,
    subjects: &'a Subjects,
    events: &'a [Stored],
    outgoing: &'a [Outgoing],
    dialect: Dialect,
    window: usize,
}

impl Batch<'_> {
    /// Answers how many of `outgoing` the stream has, up to the first that it has not.
    async fn publish(
        &self,
        connection: &mut Connection,
        ahead: &mut HashSet<(u64, usize)>,
    ) -> (usize, Result<(), Trouble>) {
        let until = Instant::now() + self.place.config.server.timeout * 2;
        let mut waiting = VecDeque::with_capacity(self.window);
        let (mut sent, mut taken, mut failed) = (0, 0, None);
        loop {
            while failed.is_none() && sent < self.outgoing.len() && waiting.len() < self.window {
                let ack = if ahead.contains(&self.key(sent)) {
                    None
                } else {
                    match connection.send(self.place, self.subject(sent), self.message(sent)).await {
                        Ok(ack) => Some(ack),
                        Err(trouble) => {
                            failed = Some(trouble);
                            break;
                        }
                    }
                };
                waiting.push_back(ack);
                sent += 1;
            }
            let Some(ack) = waiting.pop_front() else { break };
            if let Some(ack) = ack {
                if Instant::now() > until {
                    failed = Some(self.place.silent());
                    break;
                }
                if let Err(trouble) = connection.acknowledged(self.place, ack).await {
                    // Those after it were sent already: what the stream says of them is noted.
                    if trouble.then == Then::Stay {
                        let first = taken + 1;
                        for (at, ack) in waiting.into_iter().enumerate() {
                            let Some(ack) = ack else { continue };
                            match connection.acknowledged(self.place, ack).await {
                                Ok(()) => _ = ahead.insert(self.key(first + at)),
                                Err(next) if next.then == Then::Stay => {}
                                Err(_) => break,
                            }
                        }
                    }
                    failed = Some(trouble);
                    break;
                }
            }
            taken += 1;
        }
        (taken, failed.map_or(Ok(()), Err))
    }

    fn key(&self, at: usize) -> (u64, usize) {
        let outgoing = &self.outgoing[at];
        (self.events[outgoing.event].seq, outgoing.part)
    }

    fn subject(&self, at: usize) -> String {
        self.subjects.of(&self.events[self.outgoing[at].event])
    }

    fn message(&self, at: usize) -> PublishMessage {
        let outgoing = &self.outgoing[at];
        let event = &self.events[outgoing.event];
        // The same event in another dialect is another message.
        let id = match (self.dialect, outgoing.part) {
            (Dialect::Native, 0) => event.id.clone(),
            (dialect, part) => format!("{}.{dialect:?}.{part}", event.id),
        };
        PublishMessage::build()
            .message_id(id)
            .expected_stream(&self.place.config.stream)
            .header("Watchkeeper-Seq", event.seq.to_string().as_str())
            .payload(outgoing.body.clone().into())
    }
}
