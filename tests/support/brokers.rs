//! Real servers for sinks to speak to: nats-server and redis-server, each in a temporary folder on a free port.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use watchkeeper::config::{
    Config, Dialect, Log, LogFormat, Nats, Outbox, Policy, Redis, Runtime, Server, Sink, SinkKind, Tracking,
};
use watchkeeper::outbox::sinks::{Failure, Opening, Stored, Target, nats, redis};
use watchkeeper::telemetry::metrics::Metrics;
use watchkeeper::types::time::Timestamp;

/// A running server. It is ended when this is dropped; its data stays over `stop` and `start`.
pub struct Broker {
    program: &'static str,
    dir: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

/// nats-server with JetStream and further lines of its configuration; `{port}` and `{dir}` are filled in. `None`, with
/// a word on stderr, where it is not installed.
pub fn nats_server(lines: &str) -> Option<Broker> {
    nats_server_plain(&format!("jetstream {{ store_dir: \"{{dir}}/js\" }}\n{lines}"))
}

/// The same without JetStream.
pub fn nats_server_plain(lines: &str) -> Option<Broker> {
    nats_server_with(&format!("listen: \"127.0.0.1:{{port}}\"\n{lines}"))
}

/// The same with these lines and no others.
pub fn nats_server_with(lines: &str) -> Option<Broker> {
    Broker::start_new("nats-server", lines)
}

/// redis-server that keeps what it acknowledged, with further lines of its configuration.
pub fn redis_server(lines: &str) -> Option<Broker> {
    let base = "bind 127.0.0.1\nport {port}\ndir \"{dir}\"\nsave \"\"\nappendonly yes\nappendfsync always\n";
    Broker::start_new("redis-server", &format!("{base}{lines}"))
}

impl Broker {
    fn start_new(program: &'static str, lines: &str) -> Option<Self> {
        if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
            // Some releases have no package of it; all else is installed by scripts/setup.sh.
            assert!(program == "nats-server", "{program} is not here; run: make setup");
            let strict = std::env::var_os("CI").is_some();
            assert!(!(strict && has_package(program)), "{program} is not here; run: apt install {program}");
            eprintln!("skipped: {program} is not here (apt install {program})");
            return None;
        }
        // A free port may be somebody else's a moment later.
        for _ in 0..5 {
            let dir = tempfile::tempdir().unwrap();
            let port = free_port();
            let text = lines.replace("{port}", &port.to_string()).replace("{dir}", dir.path().to_str().unwrap());
            std::fs::write(dir.path().join("server.conf"), text).unwrap();
            let mut broker = Self { program, dir, port, child: None };
            if broker.begin() {
                return Some(broker);
            }
        }
        panic!("{program} does not start");
    }

    fn begin(&mut self) -> bool {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("server.log")).unwrap();
        let mut command = Command::new(self.program);
        if self.program == "nats-server" {
            command.arg("-c");
        }
        command.arg(self.dir.path().join("server.conf")).current_dir(self.dir.path());
        let mut child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if child.try_wait().unwrap().is_some() {
                eprintln!("{} ended at once:\n{}", self.program, self.log());
                return false;
            }
            if TcpStream::connect_timeout(&self.address(), Duration::from_secs(1)).is_ok() {
                self.child = Some(child);
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    /// Begins again, on the same port and data.
    pub fn start(&mut self) {
        assert!(self.begin(), "{} does not start again", self.program);
    }

    /// Ends it in good order.
    pub fn stop(&mut self) {
        self.signal("TERM");
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    /// Ends it on the spot.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// It goes on existing, but does nothing.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            let done = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
            assert!(done.success());
        }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Could it be installed from this system's packages?
fn has_package(name: &str) -> bool {
    let shown = Command::new("apt-cache").args(["show", name]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    shown.is_ok_and(|status| status.success())
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// An authority and what it has signed, as PEM files in a folder: `ca.pem`, `server.pem`, `server.key`,
/// `client.pem`, `client.key`.
pub struct Certificates(tempfile::TempDir);

impl Certificates {
    /// The server's is for `names`.
    pub fn new(names: &[&str]) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
        let mut ours = CertificateParams::new(Vec::new()).unwrap();
        ours.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ours.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
        let authority = CertifiedIssuer::self_signed(ours, KeyPair::generate().unwrap()).unwrap();
        write("ca.pem", pem("CERTIFICATE", authority.der()));
        for (name, names) in [("server", names), ("client", &["watchkeeper"] as &[&str])] {
            let key = KeyPair::generate().unwrap();
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
            write(&format!("{name}.pem"), pem("CERTIFICATE", certificate.der()));
            write(&format!("{name}.key"), pem("PRIVATE KEY", &key.serialize_der()));
        }
        Self(dir)
    }

    /// The path of one of them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The same in quotes, for a server's configuration.
    pub fn quoted(&self, name: &str) -> String {
        format!("\"{}\"", self.path(name).display())
    }
}

fn pem(what: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {what}-----\n{text}\n-----END {what}-----\n")
}

/// How a sink reaches a server on loopback. A step takes a second at most.
pub fn server(port: u16) -> Server {
    Server { host: "127.0.0.1".to_owned(), port, tls: None, login: None, timeout: Duration::from_secs(1) }
}

/// A sink of NATS, stream `EVENTS`, prefix `wk`.
pub fn nats_to(port: u16) -> Nats {
    Nats { server: server(port), credentials_file: None, stream: "EVENTS".to_owned(), prefix: "wk".to_owned() }
}

/// A sink of Redis, prefix `wk`.
pub fn redis_to(port: u16) -> Redis {
    Redis { server: server(port), database: 0, prefix: "wk".to_owned(), max_len: None }
}

/// Opens a sink of `device`.
pub fn open(device: &str, kind: SinkKind) -> Result<Box<dyn Target>, Failure> {
    open_in(Dialect::Native, device, kind)
}

/// The same, in a dialect.
pub fn open_in(dialect: Dialect, device: &str, kind: SinkKind) -> Result<Box<dyn Target>, Failure> {
    let sink = Sink { id: "bus".to_owned(), dialect, types: Vec::new(), cameras: Vec::new(), kind };
    let config = Arc::new(config(device));
    let metrics = Arc::new(Metrics::default());
    let opening = Opening { sink: &sink, config: &config, metrics: &metrics };
    match &sink.kind {
        SinkKind::Nats(_) => nats::open(&opening),
        _ => redis::open(&opening),
    }
}

fn config(device: &str) -> Config {
    Config {
        path: PathBuf::new(),
        runtime: Runtime {
            policy: Policy::Any,
            concurrency: watchkeeper::config::Concurrency::Parallel,
            state_dir: PathBuf::new(),
            device: device.to_owned(),
            drain: Duration::from_secs(1),
            inference_workers: 1,
            threads_per_inference: 1,
            onnxruntime_library: None,
            tensorrt_library: None,
            require_verified: None,
            time_zone: jiff::tz::TimeZone::UTC,
        },
        log: Log { filter: "info".to_owned(), format: LogFormat::Auto },
        http: None,
        models: Vec::new(),
        tracking: Tracking::default(),
        identity: None,
        cameras: Vec::new(),
        outbox: Outbox::default(),
        track_log: None,
        media: None,
        sinks: Vec::new(),
    }
}

/// Events `from..=to` of `device`, on two cameras, of two types, each with an id of its own.
pub fn events(device: &str, from: u64, to: u64) -> Vec<Stored> {
    let now = Timestamp::now().to_string();
    (from..=to)
        .map(|seq| {
            let id = ulid::Ulid::generate().to_string();
            let event_type = ["line.crossed", "zone.enter"][seq as usize % 2];
            let camera = ["gate", "yard", ""][seq as usize % 3];
            let body = format!(
                r#"{{"schema":"event/1","event_id":"{id}","seq":{seq},"device":"{device}","boot":"5f2c","type":"{event_type}","time":{{"emit":"{now}"}}}}"#
            );
            Stored { seq, id, event_type: event_type.to_owned(), camera: camera.to_owned(), body: body.into() }
        })
        .collect()
}

/// Four events of a device, of which DeepStream's dialect has words for the second and the fourth.
pub fn with_tracks(device: &str) -> Vec<Stored> {
    let mut events = events(device, 1, 4);
    for event in &mut events {
        let mut body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
        let (time, has_track) = (body["time"]["emit"].clone(), event.seq % 2 == 0);
        event.event_type = if has_track { "line.crossed" } else { "camera.online" }.to_owned();
        event.camera = "gate".to_owned();
        body["type"] = event.event_type.clone().into();
        body["camera"] = "gate".into();
        body["phase"] = "instant".into();
        body["time"] = serde_json::json!({"capture": time, "clock": "ntp", "arrival": time, "emit": time});
        if has_track {
            body["track"] = serde_json::json!({
                "id": "gate:1:7", "label": "person", "score": 0.9, "top_score": 0.9, "median_score": 0.9,
                "box": [0.1, 0.2, 0.3, 0.4], "age_s": 1.0, "stationary": false,
            });
        }
        event.body = body.to_string().into();
    }
    events
}

/// Delivers all, as the daemon does: what was refused for now is tried again, for `limit` at most. Answers the failures
/// on the way.
pub fn deliver_all(sink: &mut dyn Target, events: &[Stored], limit: Duration) -> Vec<String> {
    let until = Instant::now() + limit;
    let (mut done, mut failures) = (0, Vec::new());
    while done < events.len() {
        let (taken, result) = sink.deliver(&events[done..]);
        done += taken;
        if let Err(failure) = result {
            assert!(Instant::now() < until, "not delivered within {limit:?}: {failure}");
            failures.push(failure.reason);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    sink.flush().unwrap();
    failures
}

/// The failure of a delivery that must fail, and how many events went before it.
pub fn failure(sink: &mut dyn Target, events: &[Stored]) -> (usize, Failure) {
    let (taken, result) = sink.deliver(events);
    (taken, result.expect_err("it was delivered"))
}
