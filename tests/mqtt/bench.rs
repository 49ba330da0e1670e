//! A sink and what it is opened with, made by hand; certificates for a broker.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use watchkeeper::config::{
    Camera, ClientCertificate, Common, Concurrency, Config, Dialect, Line, Log, LogFormat, Mqtt, MqttVersion, Outbox,
    Policy, Runtime, Scene, Server, Sink, SinkKind, SourceKind, Tracking, Transport, Zone,
};
use watchkeeper::outbox::sinks::{Failure, FailureKind, Opening, Stored, Target, mqtt};
use watchkeeper::telemetry::metrics::Metrics;
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::track::Track;

/// A sink towards a broker on this machine.
pub struct Bench {
    pub mqtt: Mqtt,
    pub dialect: Dialect,
    pub metrics: Arc<Metrics>,
    cameras: Vec<Camera>,
}

impl Bench {
    pub fn new(port: u16) -> Self {
        let server =
            Server { host: "127.0.0.1".to_owned(), port, tls: None, login: None, timeout: Duration::from_secs(5) };
        let mqtt = Mqtt {
            server,
            version: MqttVersion::V311,
            prefix: "watchkeeper".to_owned(),
            client_id: "watchkeeper-test".to_owned(),
            keep_alive: Duration::from_secs(30),
            discovery: None,
            public_url: None,
        };
        Self { mqtt, dialect: Dialect::Native, metrics: Arc::default(), cameras: Vec::new() }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Mqtt)) -> Self {
        change(&mut self.mqtt);
        self
    }

    pub fn cameras(mut self, cameras: Vec<Camera>) -> Self {
        self.cameras = cameras;
        self
    }

    pub fn try_open(&self) -> Result<Box<dyn Target>, Failure> {
        let sink = Sink {
            id: "broker".to_owned(),
            dialect: self.dialect,
            types: Vec::new(),
            cameras: Vec::new(),
            kind: SinkKind::Mqtt(Box::new(self.mqtt.clone())),
        };
        let config = Arc::new(config(&self.cameras));
        mqtt::open(&Opening { sink: &sink, config: &config, metrics: &self.metrics })
    }

    pub fn open(&self) -> Box<dyn Target> {
        self.try_open().unwrap_or_else(|failure| panic!("{failure}"))
    }
}

fn config(cameras: &[Camera]) -> Config {
    Config {
        path: PathBuf::from("watchkeeper.toml"),
        runtime: Runtime {
            policy: Policy::Any,
            concurrency: Concurrency::Parallel,
            state_dir: PathBuf::new(),
            device: "test".to_owned(),
            time_zone: jiff::tz::TimeZone::UTC,
            drain: Duration::from_secs(5),
            inference_workers: 1,
            threads_per_inference: 1,
            onnxruntime_library: None,
            tensorrt_library: None,
            require_verified: None,
        },
        log: Log { filter: String::new(), format: LogFormat::Text },
        http: None,
        models: Vec::new(),
        tracking: Tracking::default(),
        identity: None,
        cameras: cameras.iter().cloned().map(Arc::new).collect(),
        outbox: Outbox::default(),
        track_log: None,
        media: None,
        sinks: Vec::new(),
    }
}

/// A camera with zones, each with the classes that count in it, and lines.
pub fn camera(id: &str, zones: &[(&str, &[&str])], lines: &[&str]) -> Camera {
    let zone = |(id, classes): &(&str, &[&str])| Zone {
        common: Common { classes: classes.iter().map(|class| (*class).to_owned()).collect(), ..Common::new(id) },
        polygon: vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]],
        inertia: Duration::ZERO,
        dwell: None,
        grace: Duration::ZERO,
        distances_m: None,
        count_every: None,
    };
    let line = |id: &&str| Line {
        common: Common::new(id),
        from: [0.0, 0.5],
        to: [1.0, 0.5],
        direction: Default::default(),
        frames: 1,
    };
    let second = Duration::from_secs(1);
    Camera {
        id: id.to_owned(),
        source: SourceKind::Test { pattern: "ball".to_owned(), width: 320, height: 240, fps: 10 },
        credentials: None,
        models: Vec::new(),
        zones: zones.iter().map(zone).collect(),
        lines: lines.iter().map(line).collect(),
        rules: Vec::new(),
        scene: Scene::default(),
        detect_fps: None,
        transport: Transport::Tcp,
        latency: second,
        decoder: None,
        connect_timeout: second,
        first_frame_timeout: second,
        stall_timeout: second,
        retry_min: second,
        retry_max: second,
        retry_refused: second,
    }
}

/// Tracks of these classes.
pub fn tracks(classes: &[u16]) -> Vec<Track> {
    let track = |(number, class): (usize, &u16)| Track {
        number: number as u64 + 1,
        class: *class,
        bbox: BBox { x1: 0.0, y1: 0.0, x2: 10.0, y2: 10.0 },
        score: 0.9,
        top_score: 0.9,
        median_score: 0.9,
        first_seen: Duration::ZERO,
        last_seen: Duration::ZERO,
        coasted: false,
        stationary: false,
    };
    classes.iter().enumerate().map(track).collect()
}

/// An event of about so many bytes.
pub fn event(seq: u64, bytes: usize) -> Stored {
    let body = serde_json::json!({"schema": "event/1", "seq": seq, "type": "line.crossed", "pad": "x".repeat(bytes)});
    Stored {
        seq,
        id: format!("{seq:026}"),
        event_type: "line.crossed".to_owned(),
        camera: "gate".to_owned(),
        body: Arc::from(body.to_string()),
    }
}

pub fn events(seqs: std::ops::RangeInclusive<u64>, bytes: usize) -> Vec<Stored> {
    seqs.map(|seq| event(seq, bytes)).collect()
}

/// Hands over until all is there, as the outbox does.
pub fn deliver_all(target: &mut Box<dyn Target>, events: &[Stored]) {
    let until = Instant::now() + Duration::from_secs(60);
    let mut left = events;
    while !left.is_empty() {
        let (done, result) = target.deliver(left);
        left = &left[done..];
        if let Err(failure) = result {
            assert_eq!(failure.kind, FailureKind::Retry, "{failure}");
            assert!(Instant::now() < until, "{} events left: {failure}", left.len());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// An authority, a broker's certificate and a client's.
pub struct Pki {
    dir: PathBuf,
}

impl Pki {
    pub fn in_folder(dir: &Path, host: &str) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
        let key = KeyPair::generate().unwrap();
        let write = |name: &str, label: &str, der: &[u8]| std::fs::write(dir.join(name), pem(label, der)).unwrap();
        write("ca.pem", "CERTIFICATE", authority.self_signed(&key).unwrap().der());
        let issuer = Issuer::new(authority, key);
        for (name, names, usage) in [
            ("server", vec![host.to_owned()], ExtendedKeyUsagePurpose::ServerAuth),
            ("client", Vec::new(), ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name.push(rcgen::DnType::CommonName, format!("Test {name}"));
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate().unwrap();
            write(&format!("{name}.pem"), "CERTIFICATE", params.signed_by(&key, &issuer).unwrap().der());
            write(&format!("{name}.key"), "PRIVATE KEY", &key.serialize_der());
        }
        Self { dir: dir.to_owned() }
    }

    pub fn authority(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    pub fn client(&self) -> ClientCertificate {
        ClientCertificate { certificate_file: self.dir.join("client.pem"), key_file: self.dir.join("client.key") }
    }

    /// Lines of a broker's configuration.
    pub fn listener(&self, more: &str) -> String {
        let dir = self.dir.display();
        format!("cafile {dir}/ca.pem\ncertfile {dir}/server.pem\nkeyfile {dir}/server.key\n{more}")
    }

    /// Arguments of `mosquitto_sub` and `mosquitto_pub`.
    pub fn arguments(&self) -> Vec<String> {
        let dir = self.dir.display();
        ["--insecure", "--cafile", "ca.pem", "--cert", "client.pem", "--key", "client.key"]
            .iter()
            .map(|arg| if arg.starts_with("--") { (*arg).to_owned() } else { format!("{dir}/{arg}") })
            .collect()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
