//! One connection to the broker, from the login on: the protocol's engine between us and the link.

use std::io;
use std::time::{Duration, Instant};

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event, TimerKind};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait as _, Packet};
use mqtt_protocol_core::mqtt::result_code::MqttError;
use mqtt_protocol_core::mqtt::{Connection, Version, role};

use super::link::Link;
use super::packets::{self, Ack, Limits, Message, Received};
use super::trouble::Trouble;
use crate::config::{Mqtt, MqttVersion};

/// Largest packet taken from the broker.
const RECEIVE_MAX: u32 = 4 << 20;
/// Bytes that are put together before they are sent.
const SEND_AT_ONCE: usize = 64 << 10;

/// A message that came.
pub(super) struct Incoming {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
}

/// Why a message was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// The broker takes no packet of this size.
    TooLarge { bytes: usize, most: u32 },
    /// No packet could be made of it.
    Invalid(MqttError),
    /// It cannot be sent now: that says nothing of the message.
    NotNow(MqttError),
    /// The connection is lost.
    Lost,
}

/// One connection. Everything it says is gathered and goes out with [`Session::flush`].
pub(super) struct Session {
    pub(super) link: Link,
    pub(super) engine: Connection<role::Client>,
    version: MqttVersion,
    client_id: String,
    pub(super) answer_within: Duration,
    timers: [Option<Instant>; 3],
    out: Vec<u8>,
    pub(super) plain: Vec<u8>,
    acks: Vec<(u16, Ack)>,
    pongs: u64,
    incoming: Vec<Incoming>,
    pub(super) welcome: Option<Limits>,
    /// One entry per topic asked for, once the broker has answered.
    pub(super) granted: Option<Vec<bool>>,
    /// The broker takes nothing any more.
    deaf: bool,
    /// Why it is over, and whether the far end ended it.
    lost: Option<(Trouble, bool)>,
}

impl Session {
    /// Not logged in yet.
    pub(super) fn new(link: Link, mqtt: &Mqtt) -> Self {
        let version = match mqtt.version {
            MqttVersion::V311 => Version::V3_1_1,
            MqttVersion::V5 => Version::V5_0,
        };
        let options = ConnectionOptions::new().maximum_packet_size_recv(RECEIVE_MAX);
        let mut engine = Connection::with_options(version, options);
        engine.set_auto_pub_response(true);
        engine.set_pingresp_recv_timeout(u64::try_from(mqtt.server.timeout.as_millis()).unwrap_or(10_000));
        Self {
            link,
            engine,
            version: mqtt.version,
            client_id: mqtt.client_id.clone(),
            answer_within: mqtt.server.timeout,
            timers: [None; 3],
            out: Vec::new(),
            plain: Vec::new(),
            acks: Vec::new(),
            pongs: 0,
            incoming: Vec::new(),
            welcome: None,
            granted: None,
            deaf: false,
            lost: None,
        }
    }

    /// The broker closed the connection.
    pub(super) fn closed(&mut self) {
        let reason = if self.welcome.is_some() {
            "the broker closed the connection"
        } else {
            "the broker closed the connection instead of answering the login; is this its port for TLS, or does it \
             speak another version of MQTT?"
        };
        self.lose(Trouble::plain(reason), true);
    }

    /// Reading failed; nothing happens where there was just nothing to read.
    pub(super) fn read_failed(&mut self, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => self.closed(),
            _ => self.lose(Trouble::plain(format!("the connection broke: {error}")), false),
        }
    }

    /// Takes in what came over the link.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        let result = self.link.receive(bytes, &mut plain);
        self.understand(&plain);
        self.plain = plain;
        if let Err(error) = result {
            let trouble = self.link.explain(&error);
            self.lose(trouble, true);
        }
        self.flush();
    }

    /// Takes in what the broker meant.
    pub(super) fn understand(&mut self, plain: &[u8]) {
        let mut cursor = Cursor::new(plain);
        while (cursor.position() as usize) < plain.len() && self.lost.is_none() {
            let events = self.engine.recv(&mut cursor);
            self.heed(events);
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        for kind in [TimerKind::PingreqSend, TimerKind::PingrespRecv] {
            if self.timers[slot(kind)].is_none_or(|due| due > now) {
                continue;
            }
            self.timers[slot(kind)] = None;
            if kind == TimerKind::PingrespRecv {
                let reason = format!("the broker has not answered for {} s", self.answer_within.as_secs_f32());
                self.lose(Trouble::plain(reason), false);
                continue;
            }
            let events = self.engine.notify_timer_fired(kind);
            self.heed(events);
        }
        self.flush();
    }

    pub(super) fn send(&mut self, packet: Packet) -> Option<MqttError> {
        let events = self.engine.send(packet);
        let refused = events.iter().find_map(|event| match event {
            Event::NotifyError(error) => Some(*error),
            _ => None,
        });
        if refused.is_none() {
            self.heed(events);
        }
        refused
    }

    /// Does what the engine asks for.
    pub(super) fn heed(&mut self, mut events: Vec<Event>) {
        // The engine asks for the connection to be closed before it says why.
        events.sort_by_key(|event| matches!(event, Event::RequestClose));
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => {
                    self.out.extend_from_slice(&packet.to_continuous_buffer());
                    if self.out.len() >= SEND_AT_ONCE {
                        self.flush();
                    }
                }
                Event::NotifyPacketReceived(packet) => self.received(packet),
                Event::RequestTimerReset { kind, duration_ms } => {
                    let due = Instant::now() + Duration::from_millis(duration_ms);
                    // A further ping does not prolong the wait for the answer to the one before.
                    if kind != TimerKind::PingrespRecv || self.timers[slot(kind)].is_none() {
                        self.timers[slot(kind)] = Some(due);
                    }
                }
                Event::RequestTimerCancel(kind) => self.timers[slot(kind)] = None,
                Event::NotifyError(error) => {
                    self.lose(Trouble::plain(format!("the broker sent something we do not understand: {error}")), true);
                }
                Event::RequestClose => self.lose(Trouble::plain("the connection is closed"), false),
                Event::NotifyPacketIdReleased(_) => {}
            }
        }
    }

    fn received(&mut self, packet: Packet) {
        match packets::read(packet, &self.client_id) {
            Received::Welcome(limits) => self.welcome = Some(limits),
            Received::Refused(trouble) | Received::Ended(trouble) => self.lose(trouble, true),
            Received::Pong => self.pongs += 1,
            Received::Ack(id, ack) => self.acks.push((id, ack)),
            Received::Subscribed(granted) => self.granted = Some(granted),
            Received::Message { topic, payload, retain } => self.incoming.push(Incoming { topic, payload, retain }),
            Received::Other => {}
        }
    }

    /// Publishes; with `confirm` the broker is to acknowledge the packet of the id that is answered.
    pub(super) fn publish(&mut self, mut message: Message, confirm: bool) -> Result<Option<u16>, Unsent> {
        if self.lost.is_some() {
            return Err(Unsent::Lost);
        }
        let limits = self.limits();
        message.retain &= limits.retain;
        let id = match confirm.then(|| self.engine.acquire_packet_id()) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(error)) => return Err(Unsent::NotNow(error)),
        };
        let release = |session: &mut Self| {
            if let Some(id) = id {
                let _ = session.engine.release_packet_id(id);
            }
        };
        let packet = match packets::publish(self.version, message, id) {
            Ok(packet) => packet,
            Err(error) => {
                release(self);
                return Err(Unsent::Invalid(error));
            }
        };
        let bytes = packet.size();
        if bytes > limits.packet as usize {
            release(self);
            return Err(Unsent::TooLarge { bytes, most: limits.packet });
        }
        match self.send(packet) {
            None => Ok(id),
            Some(error) => Err(Unsent::NotNow(error)),
        }
    }

    /// Asks for messages on these topics.
    pub(super) fn subscribe(&mut self, topics: &[String]) {
        let Ok(id) = self.engine.acquire_packet_id() else { return };
        match packets::subscribe(self.version, topics, id) {
            Ok(packet) => drop(self.send(packet)),
            Err(_) => drop(self.engine.release_packet_id(id)),
        }
        self.flush();
    }

    /// Asks the broker whether it is there.
    pub(super) fn ping(&mut self) {
        let events = self.engine.notify_timer_fired(TimerKind::PingreqSend);
        self.heed(events);
    }

    /// Answers to pings, so far.
    pub(super) fn pongs(&self) -> u64 {
        self.pongs
    }

    /// Sends what was gathered.
    pub(super) fn flush(&mut self) {
        if self.deaf || self.lost.is_some() {
            self.out.clear();
        }
        if self.out.is_empty() {
            return;
        }
        let out = std::mem::take(&mut self.out);
        let result = self.link.send(&out);
        self.out = out;
        self.out.clear();
        if let Err(error) = result {
            let reason = match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    format!("the broker has taken nothing for {} s", self.answer_within.as_secs_f32())
                }
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                    // Why it closed may still lie unread: whoever reads will tell.
                    self.deaf = true;
                    return;
                }
                _ => format!("the connection broke: {error}"),
            };
            self.lose(Trouble::plain(reason), false);
        }
    }

    /// It is over. The first reason counts.
    pub(super) fn lose(&mut self, trouble: Trouble, theirs: bool) {
        if self.lost.is_none() {
            self.lost = Some((trouble, theirs));
            self.link.cut();
        }
    }

    /// Why it is over, and whether the far end ended it.
    pub(super) fn lost(&self) -> Option<&(Trouble, bool)> {
        self.lost.as_ref()
    }

    /// Says goodbye: the broker forgets the last will. Whoever reads goes on until the broker has closed.
    pub(super) fn goodbye(&mut self) {
        if let Ok(packet) = packets::disconnect(self.version) {
            let events = self.engine.send(packet);
            for event in events {
                if let Event::RequestSendPacket { packet, .. } = event {
                    self.out.extend_from_slice(&packet.to_continuous_buffer());
                }
            }
        }
        self.flush();
        self.timers = [None; 3];
        self.link.finish();
    }

    /// What the broker allows.
    pub(super) fn limits(&self) -> Limits {
        self.welcome.unwrap_or_default()
    }

    /// Acknowledgements since the last call, by packet id.
    pub(super) fn take_acks(&mut self) -> Vec<(u16, Ack)> {
        std::mem::take(&mut self.acks)
    }

    /// Messages since the last call.
    pub(super) fn take_incoming(&mut self) -> Vec<Incoming> {
        std::mem::take(&mut self.incoming)
    }
}

fn slot(kind: TimerKind) -> usize {
    match kind {
        TimerKind::PingreqSend => 0,
        TimerKind::PingreqRecv => 1,
        TimerKind::PingrespRecv => 2,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::Server;

    #[test]
    fn what_cannot_be_sent_now_is_not_the_message_s_fault() {
        for version in [MqttVersion::V311, MqttVersion::V5] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let timeout = Duration::from_secs(1);
            let mqtt = Mqtt {
                server: Server { host: "127.0.0.1".to_owned(), port, tls: None, login: None, timeout },
                version,
                prefix: "watchkeeper".to_owned(),
                client_id: "test".to_owned(),
                keep_alive: timeout,
                discovery: None,
                public_url: None,
            };
            let mut session = Session::new(Link::connect(&mqtt.server).unwrap(), &mqtt);
            let message = Message { topic: "events".to_owned(), payload: b"{}".to_vec(), retain: false };
            // Not logged in: nothing may be sent.
            assert!(matches!(session.publish(message.clone(), true), Err(Unsent::NotNow(_))), "{version:?}");
            while session.engine.acquire_packet_id().is_ok() {}
            assert!(
                matches!(session.publish(message.clone(), true), Err(Unsent::NotNow(_))),
                "{version:?}: no id left"
            );
            let wrong = Message { topic: "a/#".to_owned(), ..message };
            assert!(matches!(session.publish(wrong, false), Err(Unsent::Invalid(_))), "{version:?}");
        }
    }
}
