//! The thread that keeps the connection: logs in, reads, pings, tells what is the case, comes back when it is lost.

use std::io::Read as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::board::Board;
use super::packets::Message;
use super::session::{Incoming, Session, Unsent};
use super::shared::{Ended, Shared};
use super::trouble::{Backoff, Kind, Trouble};
use crate::config::{Mqtt, MqttVersion};

/// The thread looks up from reading so often.
const TICK: Duration = Duration::from_millis(200);
/// A connection that lasted so long was a good one.
const LASTED: Duration = Duration::from_secs(60);
/// So many connections in a row that the broker ended early look like another client with our name.
const ENDED_EARLY: u32 = 5;
/// What is retained by the broker has come by then, once it has granted the subscription.
const REMEMBERED_BY: Duration = Duration::from_millis(500);
/// An answer to the subscription has come by then.
const GRANTED_BY: Duration = Duration::from_secs(3);
/// Messages that are handed over before an event gets its turn.
const CHUNK: usize = 64;
/// The broker closes so soon after a goodbye.
const GOODBYE: Duration = Duration::from_millis(600);

/// The thread's own.
pub(super) struct Keeper {
    pub(super) name: String,
    pub(super) mqtt: Mqtt,
    pub(super) shared: Arc<Shared>,
    pub(super) board: Board,
}

/// How a connection went that had been let in.
struct Lived {
    trouble: Trouble,
    by_broker: bool,
    time: Duration,
}

impl Keeper {
    /// Until the sink is closed.
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut ended_early = 0;
        let mut told = String::new();
        let mut named = false;
        while !self.shared.closing() {
            let trouble = match self.run_once(&mut told, &mut named) {
                Ok(lived) => {
                    if lived.time >= LASTED {
                        backoff.reset();
                    }
                    if std::mem::take(&mut self.shared.lock().explained) {
                        ended_early = 0;
                        backoff.reset();
                    }
                    ended_early = if lived.by_broker && lived.time < LASTED { ended_early + 1 } else { 0 };
                    if ended_early >= ENDED_EARLY && lived.trouble.kind == Kind::Plain {
                        let again = Trouble::taken_over(&self.mqtt.client_id);
                        let reason = format!(
                            "the broker ended {ended_early} connections in a row soon after it had let us in; most \
                             often {}",
                            again.reason
                        );
                        Trouble { reason, kind: Kind::TakenOver }
                    } else {
                        lived.trouble
                    }
                }
                Err(trouble) => {
                    ended_early = 0;
                    trouble
                }
            };
            let wait = backoff.wait(trouble.kind);
            let mut state = self.shared.lock();
            if self.shared.closing() {
                break;
            }
            if told != trouble.reason {
                let (sink, broker) = (&self.name, self.broker());
                tracing::warn!(sink, broker, retry_in_s = wait.as_secs_f32(), "no connection: {}", trouble.reason);
                told.clone_from(&trouble.reason);
            }
            state.trouble = Some(trouble);
            self.shared.tell();
            let until = Instant::now() + wait;
            while !self.shared.closing() && Instant::now() < until {
                // Looks up now and then: closing does not wait for the lock.
                state = self.shared.wait(state, until.min(Instant::now() + TICK));
            }
        }
    }

    /// `host:port`, for people.
    fn broker(&self) -> String {
        format!("{}:{}", self.mqtt.server.host, self.mqtt.server.port)
    }

    /// One connection.
    fn run_once(&mut self, told: &mut String, named: &mut bool) -> Result<Lived, Trouble> {
        let will = self.board.gone();
        let (mut session, mut reader) = Session::open(&self.mqtt, &will, TICK)?;
        session.subscribe(&self.board.wanted());
        let began = Instant::now();
        let limits = session.limits();
        {
            let mut state = self.shared.lock();
            if self.shared.closing() {
                session.goodbye();
                return Err(Trouble::plain("the sink is closed"));
            }
            // The availability is the first thing it hears.
            let _ = session.publish(self.board.here(), false);
            session.flush();
            state.session = Some(session);
            state.epoch += 1;
            self.shared.tell();
        }
        let (sink, broker) = (&self.name, self.broker());
        tracing::info!(sink, broker, "connected");
        if self.mqtt.version == MqttVersion::V311 && !std::mem::replace(named, true) {
            tracing::info!(
                sink,
                broker,
                "speaking MQTT 3.1.1, in which a broker cannot say that it refuses a message, or why; in MQTT 5 it can: \
                 set mqtt_version = \"5\" where the broker speaks it"
            );
        }
        if !limits.retain {
            tracing::warn!(sink, broker, "the broker keeps no retained messages: states are told on change only");
        }
        told.clear();
        self.board.connected();
        self.serve(&mut reader, began);
        let mut state = self.shared.lock();
        let mut session = state.session.take();
        state.acks = session.as_mut().map(Session::take_acks).unwrap_or_default();
        let (trouble, by_broker) = session
            .as_ref()
            .and_then(|session| session.lost().cloned())
            .unwrap_or_else(|| (Trouble::plain("the connection is closed"), false));
        state.trouble = Some(trouble.clone());
        state.ended = match trouble.kind {
            Kind::TakenOver => Ended::TakenOver,
            _ if by_broker => Ended::ByBroker,
            _ => Ended::Otherwise,
        };
        self.shared.tell();
        Ok(Lived { trouble, by_broker, time: began.elapsed() })
    }

    /// Reads, and does what is due, until the connection is lost or no longer wanted.
    fn serve(&mut self, reader: &mut TcpStream, began: Instant) {
        let mut buffer = vec![0; 16 << 10];
        let mut granted_at: Option<Instant> = None;
        let mut goodbye: Option<Instant> = None;
        loop {
            let read = reader.read(&mut buffer);
            let incoming;
            {
                let mut state = self.shared.lock();
                let closing = self.shared.closing();
                let Some(session) = state.session.as_mut() else { return };
                match read {
                    Ok(0) => session.closed(),
                    Ok(read) => session.feed(&buffer[..read]),
                    Err(error) => session.read_failed(&error),
                }
                if goodbye.is_none() {
                    session.tick();
                }
                if session.lost().is_some() {
                    self.shared.tell();
                    return;
                }
                if closing {
                    if goodbye.get_or_insert_with(Instant::now).elapsed() >= GOODBYE {
                        return;
                    }
                    continue;
                }
                if granted_at.is_none()
                    && let Some(granted) = session.granted.take()
                {
                    granted_at = Some(Instant::now());
                    self.board.granted(&granted);
                }
                incoming = session.take_incoming();
                self.shared.tell();
            }
            for Incoming { topic, payload, retain } in incoming {
                self.board.heard(&topic, &payload, retain);
            }
            // What earlier runs left with the broker is known before anything is changed there.
            let ready = granted_at.is_some_and(|at| at.elapsed() >= REMEMBERED_BY) || began.elapsed() >= GRANTED_BY;
            if ready || self.board.remembers() {
                let messages = self.board.due();
                self.publish(messages);
            }
        }
    }

    fn publish(&mut self, messages: Vec<Message>) {
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            let mut state = self.shared.lock();
            if self.shared.closing() {
                return;
            }
            let Some(session) = state.session.as_mut() else { return };
            for message in messages.by_ref().take(CHUNK) {
                let topic = message.topic.clone();
                match session.publish(message, false) {
                    Ok(_) => {}
                    Err(Unsent::Lost) => return,
                    Err(Unsent::TooLarge { bytes, most }) => {
                        tracing::warn!(sink = %self.name, topic, bytes, most, "the broker takes no packet of this size");
                    }
                    Err(Unsent::Invalid(error) | Unsent::NotNow(error)) => {
                        tracing::warn!(sink = %self.name, topic, "cannot be published: {error}");
                    }
                }
            }
            session.flush();
        }
    }
}
