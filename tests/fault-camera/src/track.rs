//! The RTP and RTCP of one medium of one session.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::faults::Faults;
use crate::random::Random;
use crate::session::Session;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX: f64 = 2_208_988_800.0;

const SENDER_REPORT: u8 = 200;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// How packets reach the client.
pub(crate) enum Transport {
    /// Between the replies of the connection, on this channel and the next.
    Interleaved(u8),
    Udp {
        rtp: UdpSocket,
        rtcp: UdpSocket,
    },
}

impl Transport {
    /// Sockets on the side of the session's camera, towards the client's two ports.
    pub(crate) fn udp(session: &Session, client_ports: [u16; 2]) -> io::Result<Self> {
        let open = |port| {
            let socket = UdpSocket::bind(SocketAddr::new(session.local.ip(), 0))?;
            socket.connect(SocketAddr::new(session.peer.ip(), port))?;
            Ok::<_, io::Error>(socket)
        };
        Ok(Self::Udp { rtp: open(client_ports[0])?, rtcp: open(client_ports[1])? })
    }
}

pub(crate) struct Track {
    session: Arc<Session>,
    transport: Transport,
    payload_type: u8,
    clock_rate: f64,
    ssrc: u32,
    sequence: u16,
    /// The RTP timestamp of the beginning.
    first_timestamp: u32,
    packets: u32,
    octets: u32,
    held_back: Option<Vec<u8>>,
}

impl Track {
    pub(crate) fn new(
        session: &Arc<Session>,
        transport: Transport,
        payload_type: u8,
        clock_rate: f64,
        ssrc: u32,
    ) -> Self {
        Self {
            session: session.clone(),
            transport,
            payload_type,
            clock_rate,
            ssrc,
            sequence: 100,
            first_timestamp: 12345,
            packets: 0,
            octets: 0,
            held_back: None,
        }
    }

    /// Sends media of `time` seconds after the start, with the packet faults applied.
    pub(crate) fn send(
        &mut self,
        time: f64,
        marker: bool,
        payload: &[u8],
        faults: &Faults,
        random: &mut Random,
    ) -> io::Result<()> {
        let mut packet = vec![0x80, self.payload_type | u8::from(marker) << 7];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp(time).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        let header = packet.len();
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);

        if random.chance(faults.corrupt) && payload.len() > 8 {
            for _ in 0..4 {
                // The first bytes say how the payload is packed: what is to break is the picture.
                let at = header + 3 + random.below(payload.len() - 3);
                random.flip(&mut packet[at]);
            }
        }
        if random.chance(faults.corrupt_header) {
            let at = random.below(header);
            random.flip(&mut packet[at]);
        }
        if random.chance(faults.drop) {
            return Ok(());
        }
        if self.held_back.is_none() && random.chance(faults.reorder) {
            self.held_back = Some(packet);
            return Ok(());
        }
        self.put(false, &packet)?;
        if random.chance(faults.duplicate) {
            self.put(false, &packet)?;
        }
        match self.held_back.take() {
            Some(late) => self.put(false, &late),
            None => Ok(()),
        }
    }

    /// A sender report for now, `time` seconds after the start, from a clock that is `skew` seconds fast.
    pub(crate) fn send_report(&self, time: f64, skew: f64) -> io::Result<()> {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let ntp = ((unix + NTP_TO_UNIX + skew).rem_euclid(4_294_967_296.0) * 4_294_967_296.0) as u64;
        let mut packet = vec![0x80, SENDER_REPORT, 0, 6];
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(ntp.to_be_bytes());
        packet.extend(self.timestamp(time).to_be_bytes());
        packet.extend(self.packets.to_be_bytes());
        packet.extend(self.octets.to_be_bytes());
        packet.extend([0x81, SOURCE_DESCRIPTION, 0, 3]);
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(b"\x01\x06camera");
        self.put(true, &packet)
    }

    /// An empty receiver report, which must come first, and a BYE.
    pub(crate) fn send_bye(&self) -> io::Result<()> {
        let ssrc = self.ssrc.to_be_bytes();
        self.put(true, &[&[0x80, 201, 0, 1], &ssrc[..], &[0x81, BYE, 0, 1], &ssrc].concat())
    }

    /// Bytes that are no packet.
    pub(crate) fn send_raw(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.transport {
            Transport::Interleaved(_) => self.session.send(bytes),
            Transport::Udp { rtp, .. } => {
                for datagram in bytes.chunks(1000) {
                    let _ = rtp.send(datagram);
                }
                Ok(())
            }
        }
    }

    /// The start of an interleaved frame that is longer than what follows.
    pub(crate) fn send_half_frame(&self) -> io::Result<()> {
        match self.transport {
            Transport::Interleaved(channel) => self.session.send(&[b'$', channel, 0xff, 0xff, 0x80, self.payload_type]),
            Transport::Udp { .. } => Ok(()),
        }
    }

    pub(crate) fn jump(&mut self, seconds: f64) {
        self.first_timestamp = self.first_timestamp.wrapping_add((seconds * self.clock_rate) as i64 as u32);
    }

    pub(crate) fn become_new_source(&mut self, random: &mut Random) {
        self.ssrc ^= 0x5555_1234;
        self.sequence = random.next() as u16;
        self.first_timestamp = random.next() as u32;
        (self.packets, self.octets) = (0, 0);
    }

    fn timestamp(&self, time: f64) -> u32 {
        self.first_timestamp.wrapping_add((time * self.clock_rate) as u64 as u32)
    }

    fn put(&self, rtcp: bool, packet: &[u8]) -> io::Result<()> {
        if self.session.muted() {
            return Ok(());
        }
        match &self.transport {
            Transport::Interleaved(channel) => {
                let mut frame = vec![b'$', channel + u8::from(rtcp)];
                frame.extend((packet.len() as u16).to_be_bytes());
                frame.extend_from_slice(packet);
                self.session.send(&frame)
            }
            Transport::Udp { rtp, rtcp: control } => {
                // A client that is not listening is its own affair; the session ends with its connection.
                let _ = if rtcp { control.send(packet) } else { rtp.send(packet) };
                Ok(())
            }
        }
    }
}
