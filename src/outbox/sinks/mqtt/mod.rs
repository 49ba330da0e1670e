//! MQTT 3.1.1 and 5: events with QoS 1; availability, states and counts retained; Home Assistant's discovery.
//!
//! A thread of the sink's own (`keeper`) keeps the connection, so that last will, states and counts live while no
//! events flow. [`Target::deliver`] publishes on the same connection and waits for the acknowledgements. Nothing is
//! kept for us by the broker between connections: what was not acknowledged is handed over again by the outbox.

mod board;
mod discovery;
mod events;
mod flight;
mod keeper;
mod link;
mod login;
mod packets;
mod session;
mod shared;
mod stats;
mod suspicion;
mod things;
mod topics;
mod trouble;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::{Failure, Opening, Stored, Target, tls};
use crate::config::SinkKind;
use board::Board;
use events::{Events, Rendered};
use flight::Flight;
use keeper::Keeper;
use packets::{Ack, Message};
use session::Unsent;
use shared::{Ended, Shared};
use suspicion::{Care, Step, Suspicion};
use trouble::Trouble;

/// Messages that wait for their acknowledgement at most; the broker may allow less.
const INFLIGHT: usize = 128;
/// Where there is no connection, a delivery waits so long for one.
const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// Saying goodbye takes so long at most.
const CLOSE_WAIT: Duration = Duration::from_millis(900);
/// A broker.
struct Mqtt {
    shared: Arc<Shared>,
    ended: Receiver<()>,
    /// `host:port`, for people.
    broker: String,
    answer_within: Duration,
    events: Events,
    suspicion: Suspicion,
}

/// Opens the sink. The broker is not waited for.
///
/// # Errors
/// Where a certificate or key cannot be read.
pub fn open(opening: &Opening<'_>) -> Result<Box<dyn Target>, Failure> {
    let SinkKind::Mqtt(mqtt) = &opening.sink.kind else {
        return Err(Failure::refused(format!("{} is no sink of MQTT", opening.sink.id)));
    };
    if let Some(settings) = &mqtt.server.tls {
        tls::client_config(settings).map_err(Failure::retry)?;
    }
    let shared = Shared::new();
    let keeper = Keeper {
        name: opening.sink.id.clone(),
        mqtt: (**mqtt).clone(),
        shared: Arc::clone(&shared),
        board: Board::new(mqtt, opening),
    };
    let (alive, ended) = bounded::<()>(0);
    std::thread::Builder::new()
        .name("mqtt".to_owned())
        .spawn(move || {
            keeper.run();
            drop(alive);
        })
        .map_err(|error| Failure::retry(format!("no thread: {error}")))?;
    Ok(Box::new(Mqtt {
        shared,
        ended,
        broker: format!("{}:{}", mqtt.server.host, mqtt.server.port),
        answer_within: mqtt.server.timeout,
        events: Events::new(opening.sink.dialect, &mqtt.prefix),
        suspicion: Suspicion::default(),
    }))
}

impl Target for Mqtt {
    fn deliver(&mut self, events: &[Stored]) -> (usize, Result<(), Failure>) {
        let rendered = self.events.render(events);
        let (done, result) = match self.suspicion.step(events, &rendered) {
            Step::HandOver => self.hand_over(events, &rendered, None),
            Step::Carefully => self.hand_over(events, &rendered, Some(Care::default())),
            Step::Probe(other) => (0, Err(self.probe(events, &rendered, other))),
            Step::Blame => (0, Err(self.blame(events, &rendered))),
        };
        let result = result.map_err(|failure| {
            let reason = format!("MQTT broker {}: {}", self.broker, failure.reason);
            Failure { reason, ..failure }
        });
        (done, result)
    }

    fn close(&mut self) {
        if let Some(mut state) = self.shared.lock_within(CLOSE_WAIT / 2)
            && let Some(session) = state.session.as_mut()
            && session.lost().is_none()
        {
            let _ = session.publish(self.events.gone(), false);
            session.goodbye();
        }
        self.shared.close();
        let _ = self.ended.recv_timeout(CLOSE_WAIT / 2);
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Mqtt {
    /// Is the first event to blame? It is where this one is taken, which will be handed over again in its turn.
    fn probe(&mut self, events: &[Stored], rendered: &[Rendered], other: usize) -> Failure {
        match self.hand_over(&events[other..=other], &rendered[other..=other], None) {
            (1, Ok(())) => self.blame(events, rendered),
            (_, Err(failure)) => Failure::retry(failure.reason),
            (_, Ok(())) => Failure::retry("an event is not acknowledged"),
        }
    }

    /// The first event is left out.
    fn blame(&mut self, events: &[Stored], rendered: &[Rendered]) -> Failure {
        self.suspicion.clear();
        self.shared.lock().explained = true;
        let (seq, bytes) = (events[0].seq, rendered[0].bytes());
        Failure::refused(format!(
            "the broker ends the connection whenever event {seq} of {bytes} bytes is sent, and takes smaller ones; it \
             is probably larger than the broker allows (max_packet_size, message_size_limit)"
        ))
    }

    fn hand_over(
        &mut self,
        events: &[Stored],
        rendered: &[Rendered],
        mut care: Option<Care>,
    ) -> (usize, Result<(), Failure>) {
        let mut flight = Flight::new(rendered.iter().map(|event| event.messages.len()));
        if flight.complete() {
            return flight.end();
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let patience = Instant::now() + CONNECT_WAIT;
        while state.session.is_none() {
            if Instant::now() >= patience || shared.closing() {
                let reason = state.trouble.as_ref().map_or("not connected yet", |trouble| trouble.reason.as_str());
                return (flight.done(), Err(Failure::retry(reason)));
            }
            state = shared.wait(state, patience);
        }
        let epoch = state.epoch;
        let mut queue = rendered
            .iter()
            .enumerate()
            .flat_map(|(event, rendered)| rendered.messages.iter().map(move |message| (event, message)))
            .peekable();
        let budget = Instant::now() + self.answer_within;
        let mut until = Instant::now() + self.answer_within;
        loop {
            if state.session.is_none() || state.epoch != epoch {
                let trouble = state.trouble.clone().unwrap_or_else(|| Trouble::plain("the connection is lost"));
                let ended = state.ended;
                // Those of a later connection are of other packets.
                let last = if state.epoch == epoch { std::mem::take(&mut state.acks) } else { Vec::new() };
                drop(state);
                for (id, ack) in last {
                    self.acknowledge(&mut flight, rendered, id, ack);
                }
                let tells = care.as_ref().is_some_and(Care::tells);
                return self.cut_off(events, &flight, &trouble, ended, tells);
            }
            let Some(session) = state.session.as_mut() else { continue };
            let acks = session.take_acks();
            let progress = !acks.is_empty();
            for (id, ack) in acks {
                self.acknowledge(&mut flight, rendered, id, ack);
            }
            if progress {
                until = Instant::now() + self.answer_within;
            }
            if flight.complete() || (flight.stopped() && flight.waiting() == 0) {
                return flight.end();
            }
            let window = match &mut care {
                None => INFLIGHT.min(usize::from(session.limits().inflight)),
                Some(care) => usize::from(care.alive(session, progress)),
            };
            while !flight.stopped() && flight.waiting() < window {
                let Some((event, message)) = queue.peek().copied() else { break };
                if Instant::now() >= budget && flight.done() > 0 {
                    flight.enough();
                    break;
                }
                match session.publish(message.clone(), true) {
                    Ok(Some(id)) => {
                        flight.sent(event, id);
                        if let Some(care) = &mut care {
                            care.sent();
                        }
                    }
                    Ok(None) | Err(Unsent::Lost) => break,
                    Err(Unsent::TooLarge { bytes, most }) => flight.fail(
                        event,
                        Failure::refused(format!(
                            "event {} is a packet of {bytes} bytes, and the broker takes {most} at most; raise its \
                             limit (max_packet_size), or leave masks and embeddings out of events",
                            events[event].seq
                        )),
                    ),
                    Err(Unsent::NotNow(error)) => {
                        // Another connection may do better.
                        session.lose(Trouble::plain(format!("nothing can be sent on this connection: {error}")), false);
                        flight.fail(event, Failure::retry(format!("event {}: {error}", events[event].seq)));
                    }
                    Err(Unsent::Invalid(error)) => {
                        flight.fail(event, Failure::refused(format!("event {}: {error}", events[event].seq)));
                    }
                }
                queue.next();
            }
            session.flush();
            if flight.stopped() && flight.waiting() == 0 {
                return flight.end();
            }
            if session.lost().is_none() && Instant::now() >= until {
                let seconds = self.answer_within.as_secs_f32();
                session.lose(Trouble::plain(format!("the broker has acknowledged nothing for {seconds} s")), false);
            }
            if session.lost().is_some() {
                // The keeper takes it away, and says why.
                until = Instant::now() + self.answer_within;
            }
            state = shared.wait(state, until);
        }
    }

    fn acknowledge(&mut self, flight: &mut Flight, rendered: &[Rendered], id: u16, ack: Ack) {
        let Some(event) = flight.owner(id) else { return };
        if flight.answered(id, ack.verdict(self.events.topic())) {
            self.suspicion.taken(rendered[event].bytes());
        }
    }

    /// The connection was lost on the way. `tells`: the event on its way is the reason, as it seems.
    fn cut_off(
        &mut self,
        events: &[Stored],
        flight: &Flight,
        trouble: &Trouble,
        ended: Ended,
        tells: bool,
    ) -> (usize, Result<(), Failure>) {
        let done = flight.done();
        match (ended, events.get(done)) {
            (Ended::ByBroker, Some(event)) if flight.waiting() > 0 => self.suspicion.cut(event.seq, tells),
            (Ended::TakenOver, _) => self.suspicion.clear(),
            _ => {}
        }
        (done, Err(Failure::retry(trouble.reason.as_str())))
    }
}

/// Published where the connection ends without a word, and at the end.
fn gone(prefix: &str) -> Message {
    Message::retained(topics::available(prefix), "offline")
}
