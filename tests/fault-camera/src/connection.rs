//! Answers the requests of one client.

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::auth;
use crate::camera::Shared;
use crate::clip::Clip;
use crate::faults::{Faults, path_and_query};
use crate::message::{self, Malformed, Message, Request};
use crate::sdp::{self, Medium};
use crate::session::Session;
use crate::stream::Stream;
use crate::track::{Track, Transport};

const METHODS: &str = "OPTIONS, DESCRIBE, SETUP, TEARDOWN, PLAY, GET_PARAMETER, SET_PARAMETER";
const MAX_INPUT: usize = 1 << 20;

pub(crate) struct Connection {
    camera: Arc<Shared>,
    session: Arc<Session>,
    faults: Faults,
    clip: Option<Arc<Clip>>,
    video: Option<Track>,
    audio: Option<Track>,
    player: Option<JoinHandle<()>>,
    input: Vec<u8>,
}

/// A reply without its first lines.
#[derive(Default)]
struct Reply {
    status: u16,
    headers: String,
    body: String,
}

impl Reply {
    fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.headers, "{name}: {value}\r\n");
        self
    }
}

impl Connection {
    pub(crate) fn new(camera: Arc<Shared>, session: Arc<Session>) -> Self {
        Self {
            camera,
            session,
            faults: Faults::default(),
            clip: None,
            video: None,
            audio: None,
            player: None,
            input: Vec::new(),
        }
    }

    /// Serves the client until either side has had enough.
    pub(crate) fn run(mut self) {
        let _ = self.serve();
        // After a reset nothing may be sent, not even a FIN.
        if !self.session.ended() {
            self.session.close();
        }
        if let Some(player) = self.player.take() {
            let _ = player.join();
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut last_request = Instant::now();
        while !self.session.ended() {
            self.wait_until_heard()?;
            match message::take(&mut self.input) {
                Ok(Some(Message::Request(request))) => {
                    last_request = Instant::now();
                    self.handle(&request)?;
                }
                Ok(Some(Message::Interleaved)) => {}
                Ok(None) => {
                    self.session.receive(&mut self.input)?;
                    let patience = self.faults.timeout.map(|seconds| Duration::from_secs_f64(f64::from(seconds) * 1.5));
                    if patience.is_some_and(|patience| last_request.elapsed() > patience) {
                        return Ok(());
                    }
                }
                Err(Malformed) => return self.send("0", Reply::status(400)),
            }
        }
        Ok(())
    }

    /// Waits while the session is muted. Goes on reading, up to a point, to notice a client that leaves.
    fn wait_until_heard(&mut self) -> io::Result<()> {
        while self.session.muted() && !self.session.ended() {
            if self.input.len() < MAX_INPUT {
                self.session.receive(&mut self.input)?;
            } else {
                self.session.sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    fn handle(&mut self, request: &Request) -> io::Result<()> {
        self.camera.count_request(&request.method, request.header("Authorization"));
        let sequence = request.header("CSeq").unwrap_or("0");
        if matches!(request.method.as_str(), "OPTIONS" | "DESCRIBE")
            && let Err(mistake) = self.choose(&request.url)
        {
            return self.send(sequence, Reply::status(400).header("X-Reason", &mistake));
        }
        if self.faults.hang.as_ref() == Some(&request.method) {
            self.session.freeze();
        }
        let reply = self.answer(request);
        let done = reply.status == 200;
        self.wait_until_heard()?;
        self.send(sequence, reply)?;
        match request.method.as_str() {
            "PLAY" if done => self.play(),
            "TEARDOWN" if done => self.session.close(),
            _ => {}
        }
        Ok(())
    }

    /// Notes clip and faults if this is not a URL inside the session, which carries neither.
    fn choose(&mut self, url: &str) -> Result<(), String> {
        let (path, query) = path_and_query(url);
        if !path.is_empty() && !path.starts_with(&self.session_path()) {
            self.faults = Faults::parse(query)?;
            self.clip = self.camera.clip(path);
            self.session.set_target(&if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") });
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request) -> Reply {
        if request.method == "OPTIONS" {
            return Reply::status(200).header("Public", METHODS);
        }
        if let Some(kind) = self.faults.auth {
            let nonce = auth::hash(&format!("nonce {}", self.session.id));
            if !auth::is_authorized(kind, request, &nonce, &self.camera.password()) {
                return Reply::status(401).header("WWW-Authenticate", &auth::challenge(kind, &nonce));
            }
        }
        match request.method.as_str() {
            "DESCRIBE" => self.describe(),
            "SETUP" => self.setup(request),
            "PLAY" if self.video.is_none() && self.player.is_none() => Reply::status(455),
            "PLAY" => self.in_session().header("Range", "npt=now-"),
            "TEARDOWN" | "GET_PARAMETER" | "SET_PARAMETER" => self.in_session(),
            _ => Reply::status(501),
        }
    }

    fn describe(&self) -> Reply {
        self.session.sleep(self.faults.delay);
        if let Some((status, times)) = self.faults.describe_status
            && self.camera.count_failure(&self.session.target()) <= times
        {
            return Reply::status(status);
        }
        if let Some(to) = &self.faults.redirect {
            return Reply::status(302).header("Location", &self.location(to));
        }
        let Some(clip) = &self.clip else { return Reply::status(404) };
        let local = self.session.local.to_string();
        let base = format!("rtsp://{}/{}", self.faults.control_host.as_ref().unwrap_or(&local), self.session_path());
        let mut reply =
            Reply::status(200).header("Content-Type", "application/sdp").header("Content-Base", &format!("{base}/"));
        reply.body = sdp::describe(clip, &self.faults, &base);
        reply
    }

    fn location(&self, to: &str) -> String {
        let target = self.session.target();
        match to {
            "file" => return "file:///etc/hostname".to_owned(),
            "self" => return format!("rtsp://{}/{target}", self.session.local),
            _ => {}
        }
        let host = if to.contains(':') { to.to_owned() } else { format!("{}:{to}", self.session.local.ip()) };
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let rest: Vec<&str> = query.split('&').filter(|part| !part.starts_with("redir=")).collect();
        let mark = if rest.is_empty() { "" } else { "?" };
        format!("rtsp://{host}/{path}{mark}{}", rest.join("&"))
    }

    fn setup(&mut self, request: &Request) -> Reply {
        if let Some(status) = self.faults.setup_status {
            return Reply::status(status);
        }
        let (Some(clip), Some(medium)) = (&self.clip, Medium::from_control(path_and_query(&request.url).0)) else {
            return Reply::status(404);
        };
        let wanted = request.header("Transport").unwrap_or_default();
        let ssrc = (self.session.id as u32) << 4 | medium as u32;
        let (transport, text) = if wanted.contains("RTP/AVP/TCP") && !self.faults.udp_only {
            let channel = medium as u8 * 2;
            let text = format!("RTP/AVP/TCP;unicast;interleaved={channel}-{}", channel + 1);
            (Transport::Interleaved(channel), text)
        } else if let Some(ports) = client_ports(wanted).filter(|_| !self.faults.tcp_only)
            && let Ok(Transport::Udp { rtp, rtcp }) = Transport::udp(&self.session, ports)
        {
            let port = |socket: &std::net::UdpSocket| socket.local_addr().map_or(0, |address| address.port());
            let text = format!(
                "RTP/AVP;unicast;client_port={}-{};server_port={}-{}",
                ports[0],
                ports[1],
                port(&rtp),
                port(&rtcp)
            );
            (Transport::Udp { rtp, rtcp }, text)
        } else {
            return Reply::status(461);
        };
        let track = Track::new(&self.session, transport, medium.payload_type(clip.codec), medium.clock_rate(), ssrc);
        match medium {
            Medium::Video => self.video = Some(track),
            Medium::Audio => self.audio = Some(track),
            Medium::Metadata => {}
        }
        self.in_session().header("Transport", &format!("{text};ssrc={ssrc:08X}"))
    }

    fn play(&mut self) {
        if let (Some(video), Some(clip), false) = (self.video.take(), &self.clip, self.faults.no_data) {
            let stream = Stream {
                camera: self.camera.clone(),
                session: self.session.clone(),
                clip: clip.clone(),
                faults: self.faults.clone(),
                video,
                audio: self.audio.take(),
            };
            self.player = Some(thread::spawn(|| stream.run()));
        }
    }

    fn session_path(&self) -> String {
        format!("session-{}", self.session.id)
    }

    fn in_session(&self) -> Reply {
        let timeout = self.faults.timeout.map(|seconds| format!(";timeout={seconds}")).unwrap_or_default();
        Reply::status(200).header("Session", &format!("{:08}{timeout}", self.session.id))
    }

    fn send(&self, sequence: &str, reply: Reply) -> io::Result<()> {
        let Reply { status, headers, body } = reply;
        let mut text =
            format!("RTSP/1.0 {status} {}\r\nCSeq: {sequence}\r\nServer: fault-camera\r\n{headers}", reason(status));
        if !body.is_empty() {
            let length = self.faults.content_length.clone().unwrap_or_else(|| body.len().to_string());
            let _ = write!(text, "Content-Length: {length}\r\n");
        }
        text.push_str("\r\n");
        text.push_str(&body);
        let Some(pause) = self.faults.trickle.filter(|_| self.player.is_none()) else {
            return self.session.send(text.as_bytes());
        };
        for byte in text.as_bytes() {
            self.session.send(&[*byte])?;
            self.session.sleep(pause);
        }
        Ok(())
    }
}

fn client_ports(transport: &str) -> Option<[u16; 2]> {
    if transport.contains("multicast") {
        return None;
    }
    let ports = transport.split(';').find_map(|part| part.trim().strip_prefix("client_port="))?;
    let (first, second) = ports.split_once('-')?;
    Some([first.parse().ok()?, second.parse().ok()?])
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        453 => "Not Enough Bandwidth",
        454 => "Session Not Found",
        455 => "Method Not Valid in This State",
        461 => "Unsupported Transport",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Injected",
    }
}
