//! A small RTSP client, written apart from the server so that they cannot be wrong together by sharing code.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fault_camera::{AccessUnit, Clip, Codec};

pub struct Client {
    pub stream: TcpStream,
    pub url: String,
    pub credentials: Option<(String, String)>,
    input: Vec<u8>,
    packets: Vec<(u8, Vec<u8>)>,
    cseq: u32,
}

#[derive(Debug, Default)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Client {
    pub fn connect(url: &str) -> Self {
        let host = url.trim_start_matches("rtsp://").split('/').next().expect("a host");
        let stream = TcpStream::connect(host).expect("a camera that listens");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        Self { stream, url: url.to_owned(), credentials: None, input: Vec::new(), packets: Vec::new(), cseq: 0 }
    }

    pub fn request(&mut self, method: &str, url: &str, headers: &str) -> Response {
        self.send(method, url, headers);
        self.response().expect("a response")
    }

    pub fn send(&mut self, method: &str, url: &str, headers: &str) {
        self.cseq += 1;
        let text = format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\n{headers}\r\n", self.cseq);
        self.stream.write_all(text.as_bytes()).expect("a connection");
    }

    /// The next response, with packets before it put aside. The error says how the connection ended.
    pub fn response(&mut self) -> Result<Response, ErrorKind> {
        loop {
            if self.input.first().is_some_and(|&byte| byte != b'$')
                && let Some(end) = self.input.windows(4).position(|four| four == b"\r\n\r\n")
            {
                let head = String::from_utf8_lossy(&self.input[..end]).into_owned();
                self.input.drain(..end + 4);
                let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
                let mut response = Response { status, head, body: String::new() };
                let length = response.header("Content-Length").and_then(|length| length.parse::<u32>().ok());
                let length = length.unwrap_or(0) as usize;
                while self.input.len() < length {
                    self.read()?;
                }
                response.body = String::from_utf8_lossy(&self.input[..length]).into_owned();
                self.input.drain(..length);
                return Ok(response);
            }
            if !self.take_packet() {
                self.read()?;
            }
        }
    }

    /// The next packet and its channel.
    pub fn packet(&mut self) -> Result<(u8, Vec<u8>), ErrorKind> {
        while self.packets.is_empty() {
            if !self.take_packet() {
                assert!(self.input.first().is_none_or(|&byte| byte == b'$'), "not a packet: {:?}", self.input);
                self.read()?;
            }
        }
        Ok(self.packets.remove(0))
    }

    fn take_packet(&mut self) -> bool {
        let Some(&[b'$', channel, high, low]) = self.input.first_chunk() else { return false };
        let end = 4 + usize::from(u16::from_be_bytes([high, low]));
        if self.input.len() < end {
            return false;
        }
        self.packets.push((channel, self.input.drain(..end).skip(4).collect()));
        true
    }

    fn read(&mut self) -> Result<(), ErrorKind> {
        let mut bytes = [0; 65536];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(ErrorKind::UnexpectedEof),
            Ok(count) => {
                self.input.extend_from_slice(&bytes[..count]);
                Ok(())
            }
            Err(error) => Err(error.kind()),
        }
    }

    /// DESCRIBE, answering a challenge if there are credentials.
    pub fn describe(&mut self) -> Response {
        let url = self.url.clone();
        let response = self.request("DESCRIBE", &url, "");
        match (&self.credentials, response.header("WWW-Authenticate")) {
            (Some(_), Some(challenge)) => {
                let header = self.authorization("DESCRIBE", &url, challenge);
                self.request("DESCRIBE", &url, &header)
            }
            _ => response,
        }
    }

    pub fn authorization(&self, method: &str, url: &str, challenge: &str) -> String {
        let (user, password) = self.credentials.clone().expect("credentials");
        if challenge.starts_with("Basic") {
            return format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")));
        }
        let field = |name: &str| {
            let value = challenge.split_once(&format!("{name}=\"")).expect("a field").1;
            value.split('"').next().unwrap_or_default().to_owned()
        };
        let hash = |text: String| format!("{:x}", md5::compute(text));
        let (realm, nonce) = (field("realm"), field("nonce"));
        let first = hash(format!("{user}:{realm}:{password}"));
        let response = hash(format!("{first}:{nonce}:{}", hash(format!("{method}:{url}"))));
        format!(
            "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{url}\", \
             response=\"{response}\"\r\n"
        )
    }

    /// From DESCRIBE to PLAY over the connection itself; returns the description.
    pub fn play(&mut self) -> String {
        let description = self.describe();
        assert_eq!(description.status, 200, "{}", description.head);
        for (i, control) in controls(&description.body).iter().enumerate() {
            let transport = format!("Transport: RTP/AVP/TCP;unicast;interleaved={}-{}\r\n", 2 * i, 2 * i + 1);
            assert_eq!(self.request("SETUP", control, &transport).status, 200);
        }
        let base = description.header("Content-Base").expect("a base").to_owned();
        assert_eq!(self.request("PLAY", &base, "").status, 200);
        description.body
    }

    /// From DESCRIBE to PLAY over UDP; returns the sockets for RTP and RTCP.
    pub fn play_udp(&mut self) -> (UdpSocket, UdpSocket) {
        let description = self.describe();
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
            socket
        };
        let (rtp, rtcp) = (socket(), socket());
        let port = |socket: &UdpSocket| socket.local_addr().expect("an address").port();
        let transport = format!("Transport: RTP/AVP;unicast;client_port={}-{}\r\n", port(&rtp), port(&rtcp));
        let setup = self.request("SETUP", &controls(&description.body)[0], &transport);
        assert!(setup.header("Transport").is_some_and(|value| value.contains("server_port=")), "{}", setup.head);
        assert_eq!(self.request("PLAY", description.header("Content-Base").expect("a base"), "").status, 200);
        (rtp, rtcp)
    }

    /// RTP packets of channel 0 that arrive within this time, or until the connection ends.
    pub fn rtp_for(&mut self, time: Duration) -> Vec<Rtp> {
        let start = Instant::now();
        let mut list = Vec::new();
        self.stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        while start.elapsed() < time {
            match self.packet() {
                Ok((0, packet)) => list.push(Rtp::parse(&packet)),
                Ok(_) | Err(ErrorKind::WouldBlock) => {}
                Err(_) => break,
            }
        }
        self.stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        list
    }

    /// The next RTCP packet of the video.
    pub fn rtcp(&mut self) -> Vec<u8> {
        loop {
            if let (1, packet) = self.packet().expect("a report") {
                return packet;
            }
        }
    }

    /// How the connection ends.
    pub fn end(&mut self) -> ErrorKind {
        loop {
            if let Err(kind) = self.packet() {
                return kind;
            }
        }
    }
}

pub fn controls(description: &str) -> Vec<String> {
    description.lines().filter_map(|line| line.strip_prefix("a=control:")).map(str::to_owned).collect()
}

#[derive(Clone, Debug)]
pub struct Rtp {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

impl Rtp {
    pub fn parse(packet: &[u8]) -> Self {
        let word = |at: usize| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
        Self {
            marker: packet[1] & 0x80 != 0,
            payload_type: packet[1] & 0x7f,
            sequence: word(0) as u16,
            timestamp: word(4),
            ssrc: word(8),
            payload: packet[12..].to_vec(),
        }
    }
}

/// Puts access units together again, each complete with its marker; JPEG as the compressed data only.
pub fn units(codec: Codec, mut next: impl FnMut() -> Rtp, count: usize) -> Vec<Vec<Vec<u8>>> {
    let mut list = Vec::new();
    let mut current: Vec<Vec<u8>> = Vec::new();
    while list.len() < count {
        let packet = next();
        let payload = &packet.payload;
        let (head, flags, body) = match codec {
            Codec::H264 if payload[0] & 0x1f == 28 => {
                (vec![payload[0] & 0xe0 | payload[1] & 0x1f], payload[1], &payload[2..])
            }
            Codec::H265 if payload[0] >> 1 == 49 => {
                (vec![payload[0] & 0x81 | (payload[2] & 0x3f) << 1, payload[1]], payload[2], &payload[3..])
            }
            Codec::Jpeg => {
                let first = payload[..4] == [0; 4];
                let restart = if payload[4] >= 64 { 4 } else { 0 };
                let tables = if first { 4 + 128 } else { 0 };
                (Vec::new(), if first { 0x80 } else { 0 }, &payload[8 + restart + tables..])
            }
            _ => (Vec::new(), 0x80, &payload[..]),
        };
        if flags & 0x80 != 0 {
            current.push(head);
        }
        current.last_mut().expect("a first fragment").extend_from_slice(body);
        if packet.marker {
            list.push(std::mem::take(&mut current));
        }
    }
    list
}

/// A clip that no decoder would play but every packetiser must carry: small and large units, 100 pictures a second.
pub fn synthetic(name: &str, codec: Codec) -> Clip {
    let noise = |len: usize, seed: u8| (0..len).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect::<Vec<u8>>();
    let picture = |i: usize| {
        let key = i.is_multiple_of(10);
        let units = match (codec, key) {
            (Codec::H264, true) => vec![
                [vec![0x67, 0x42, 0xc0, 0x1e], noise(9, 1)].concat(),
                vec![0x68, 0xce, 0x3c],
                [vec![0x65, 0x88], noise(5000, i as u8)].concat(),
            ],
            (Codec::H264, false) => vec![[vec![0x41, 0x9a], noise(300 * i, i as u8)].concat()],
            (Codec::H265, true) => vec![
                vec![0x40, 1, 1],
                vec![0x42, 1, 2],
                vec![0x44, 1, 3],
                [vec![0x26, 1, 0x80], noise(5000, i as u8)].concat(),
            ],
            (Codec::H265, false) => vec![[vec![0x02, 1, 0x80], noise(300 * i, i as u8)].concat()],
            (Codec::Jpeg, _) => unreachable!("made by GStreamer"),
        };
        AccessUnit { units, key }
    };
    Clip { name: name.to_owned(), codec, fps: 100.0, access_units: (0..20).map(picture).collect() }
}
