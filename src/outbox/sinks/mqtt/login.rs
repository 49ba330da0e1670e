//! The beginning of a connection, up to the broker's welcome.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::link::Link;
use super::packets::{self, Message};
use super::session::Session;
use super::trouble::Trouble;
use crate::config::Mqtt;

impl Session {
    /// Connects and logs in; answers with the stream that a thread is to read.
    pub(super) fn open(mqtt: &Mqtt, will: &Message, tick: Duration) -> Result<(Self, TcpStream), Trouble> {
        let mut session = Self::new(Link::connect(&mqtt.server)?, mqtt);
        let hello = packets::connect(mqtt, will).map_err(|error| {
            Trouble::refused(format!("no login can be made of client_id, username, password and prefix: {error}"))
        })?;
        session.send(hello);
        session.flush();
        let mut reader = session
            .link
            .reader(tick)
            .map_err(|error| Trouble::plain(format!("the connection cannot be set up: {error}")))?;
        session.await_welcome(&mut reader)?;
        let asked = u16::try_from(mqtt.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1);
        let keep_alive = session.limits().keep_alive.unwrap_or(asked);
        if keep_alive > 0 {
            // Twice as often as promised, so that a dead way is found in time.
            let events = session.engine.set_pingreq_send_interval(Some(u64::from(keep_alive) * 500));
            session.heed(events);
        }
        Ok((session, reader))
    }

    fn await_welcome(&mut self, reader: &mut TcpStream) -> Result<(), Trouble> {
        let until = Instant::now() + self.answer_within;
        let mut buffer = [0; 4096];
        let mut plain = std::mem::take(&mut self.plain);
        if let Err(error) = self.link.pending(&mut plain) {
            let trouble = self.link.explain(&error);
            self.lose(trouble, true);
        }
        self.understand(&plain);
        loop {
            if let Some((trouble, _)) = self.lost() {
                return Err(trouble.clone());
            }
            if self.welcome.is_some() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(Trouble::plain(format!(
                    "connected, but no answer to the login within {} s; is it a broker of MQTT, and not on its port \
                     for TLS?",
                    self.answer_within.as_secs_f32()
                )));
            }
            self.read(reader, &mut buffer);
        }
    }

    /// Waits a tick at most for the broker to say something, and takes it in. For the login only: later on, the
    /// waiting is done without holding the session.
    fn read(&mut self, reader: &mut TcpStream, buffer: &mut [u8]) {
        match io::Read::read(reader, buffer) {
            Ok(0) => self.closed(),
            Ok(read) => self.feed(&buffer[..read]),
            Err(error) => self.read_failed(&error),
        }
    }
}
