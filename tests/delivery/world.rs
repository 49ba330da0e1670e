//! The program with its far ends: what is configured, started, killed, and asked afterwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::brokers::{self, Broker};
use crate::mosquitto::{Listener, Mosquitto};
use crate::nats_client::Client;
use crate::support::daemon::{Daemon, blob_config, camera_section};
use crate::support::wait_for;
use crate::webhook_server::{Act, WebhookServer};

pub const SOON: Duration = Duration::from_secs(30);
const DEVICE: &str = "lab-1";

/// All far ends, and a folder.
pub struct World {
    pub dir: tempfile::TempDir,
    pub mosquitto: Mosquitto,
    pub nats: Broker,
    pub redis: Broker,
    webhook: WebhookServer,
    /// Bodies of the requests that were answered with success.
    posted: Arc<Mutex<Vec<Vec<u8>>>>,
    listener: Listener,
    config: PathBuf,
}

impl World {
    /// `None`, with a word on stderr, where a broker is not installed.
    pub fn new(settings: &Settings) -> Option<Self> {
        let (nats, redis) = (brokers::nats_server("")?, brokers::redis_server("")?);
        let mosquitto = Mosquitto::start_with(&format!(
            "allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 200\n{}",
            settings.mosquitto
        ));
        // A session that the broker keeps: it gets whatever the broker acknowledged, also over restarts.
        let listener = mosquitto.listen_with(&["watchkeeper/events"], &["-c", "-i", "witness"]);
        let (posted, calls) = (Arc::<Mutex<Vec<_>>>::default(), AtomicU64::new(0));
        let taken = Arc::clone(&posted);
        // It takes its time, and not everything at once.
        let webhook = WebhookServer::deciding([], None, move |request| {
            std::thread::sleep(Duration::from_millis(20));
            if calls.fetch_add(1, Ordering::Relaxed) % 7 == 3 {
                return Some(Act::Say(503, Vec::new()));
            }
            taken.lock().unwrap().push(request.body.clone());
            None
        });
        let dir = tempfile::tempdir().unwrap();
        let mut world = Self { dir, mosquitto, nats, redis, webhook, posted, listener, config: PathBuf::new() };
        world.configure(settings);
        Some(world)
    }

    /// Writes the configuration.
    pub fn configure(&mut self, settings: &Settings) {
        let mqtt = match &settings.tls {
            None => format!("url = \"mqtt://127.0.0.1:{}\"", self.mosquitto.port),
            Some((port, ca)) => format!("url = \"mqtts://127.0.0.1:{port}\"\nca_file = {ca:?}"),
        };
        let extra = format!(
            "device = \"{DEVICE}\"\ndrain_s = {}\n\n[http]\nlisten = \"127.0.0.1:0\"\n\n\
             [[sinks]]\ntype = \"mqtt\"\n{mqtt}\ntimeout_s = 2.0\n\n\
             [[sinks]]\ntype = \"nats\"\nurl = \"nats://127.0.0.1:{}\"\ntimeout_s = 2.0\n\n\
             [[sinks]]\ntype = \"redis\"\nurl = \"redis://127.0.0.1:{}\"\ntimeout_s = 2.0\n\n\
             [[sinks]]\ntype = \"webhook\"\nurl = \"{}\"\nbatch = 20\ntimeout_s = 2.0\n",
            settings.drain_s,
            self.nats.port(),
            self.redis.port(),
            self.webhook.url("/hook"),
        );
        let cameras: String = (0..settings.cameras)
            .map(|n| camera_section(&format!("c{n}"), "test://ball", &format!("{PICTURE}\n{}", places())))
            .collect();
        self.config = blob_config(self.dir.path(), &extra, &cameras);
    }

    pub fn start(&self) -> Daemon {
        Daemon::start(&self.config)
    }

    /// One of the brokers stands still.
    pub fn freeze_one(&self, which: u64) {
        match which % 3 {
            0 => self.mosquitto.freeze(),
            1 => self.nats.freeze(),
            _ => self.redis.freeze(),
        }
    }

    /// One of them is stopped and begins again.
    pub fn restart_one(&mut self, which: u64) {
        let broker = match which % 3 {
            // Killed, it would forget what it has acknowledged.
            0 => return self.mosquitto.restart(),
            1 => &mut self.nats,
            _ => &mut self.redis,
        };
        broker.kill();
        broker.start();
    }

    /// All brokers stand still.
    pub fn freeze(&self) {
        self.mosquitto.freeze();
        self.nats.freeze();
        self.redis.freeze();
    }

    /// They go on.
    pub fn thaw(&self) {
        self.mosquitto.thaw();
        self.nats.thaw();
        self.redis.thaw();
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Bytes of the file of events: it grows while events flow.
    pub fn written(&self) -> u64 {
        std::fs::metadata(self.dir.path().join("events.jsonl")).map_or(0, |meta| meta.len())
    }

    /// Waits for so many more bytes in the file: about 650 are an event.
    pub fn flows(&self, bytes: u64) -> bool {
        let before = self.written();
        wait_for(SOON, || self.written() >= before + bytes)
    }

    /// `watchkeeper events` with these words.
    pub fn events(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.arg("events").args(words).arg("--state-dir").arg(self.state()).stdin(Stdio::null());
        command
    }

    /// What the data base has, as the program itself says it.
    pub fn stored(&self) -> BTreeMap<u64, String> {
        let output = self.events(&["export"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| (seq(&parse(line)), line.to_owned())).collect()
    }

    /// What each far end was given, in order: its name, and bodies.
    pub fn received(&self) -> Vec<(&'static str, Vec<String>)> {
        let file = std::fs::read_to_string(self.dir.path().join("events.jsonl")).unwrap_or_default();
        vec![
            ("jsonl", file.lines().map(str::to_owned).collect()),
            ("mqtt", self.heard()),
            ("nats", self.in_nats()),
            ("redis", self.in_redis()),
            ("webhook", self.posted()),
        ]
    }

    /// What the broker passed on.
    pub fn heard(&self) -> Vec<String> {
        self.listener.on("watchkeeper/events")
    }

    fn in_nats(&self) -> Vec<String> {
        let mut client = Client::connect(self.nats.address());
        if client.stream("watchkeeper").get("error").is_some() {
            return Vec::new();
        }
        let messages = client.consume("watchkeeper", &format!("all-{}", nonce()), "watchkeeper.events.>");
        messages.into_iter().map(|message| message.body).collect()
    }

    fn in_redis(&self) -> Vec<String> {
        let port = self.redis.port().to_string();
        let key = format!("watchkeeper:events:{DEVICE}");
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &port, "XRANGE", &key, "-", "+"]);
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        // An id and four fields with their values, the last of which is the body.
        let lines: Vec<_> = text.trim_end().lines().collect();
        let entries = lines.chunks_exact(9);
        assert!(entries.remainder().is_empty(), "{:?}", entries.remainder());
        entries
            .map(|entry| {
                assert_eq!(entry[0], format!("{}-0", seq(&parse(entry[8]))));
                entry[8].to_owned()
            })
            .collect()
    }

    /// Requests that the webhook took.
    pub fn posts(&self) -> usize {
        self.posted.lock().unwrap().len()
    }

    fn posted(&self) -> Vec<String> {
        let posted = self.posted.lock().unwrap().clone();
        let bodies = posted.iter().map(|body| parse(std::str::from_utf8(body).unwrap()));
        bodies
            .flat_map(|body| match body {
                Value::Array(events) => events,
                event => vec![event],
            })
            .map(|event| event.to_string())
            .collect()
    }
}

/// What differs from test to test.
pub struct Settings {
    pub cameras: usize,
    pub drain_s: u32,
    /// Further lines of the broker's configuration.
    pub mosquitto: String,
    /// Port of the broker for TLS, and whom to believe.
    pub tls: Option<(u16, PathBuf)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cameras: 1, drain_s: 15, mosquitto: String::new(), tls: None }
    }
}

/// `watchkeeper events follow` beside the daemon.
pub struct Follow {
    process: Child,
    out: PathBuf,
}

impl Follow {
    /// From the first event on; the data base is there.
    pub fn start(world: &World) -> Self {
        let out = world.dir.path().join("followed");
        let process = world
            .events(&["follow", "--json", "--since-seq", "0"])
            .stdout(std::fs::File::create(&out).unwrap())
            .spawn()
            .unwrap();
        Self { process, out }
    }

    /// Whole lines so far.
    pub fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.out).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const PICTURE: &str = "width_px = 320\nheight_px = 240\nfps = 30";

/// Lines and zones all over the picture: whatever moves makes events, tens a second.
fn places() -> String {
    let mut text = String::new();
    let mut line = |id: String, from: [f64; 2], to: [f64; 2]| {
        let _ = write!(
            text,
            "[[cameras.lines]]\nid = \"{id}\"\nfrom = {from:?}\nto = {to:?}\nanchor = \"centre\"\nframes = 1\n\n"
        );
    };
    for n in 1..=30 {
        let at = f64::from(n) / 31.0;
        line(format!("x{n}"), [at, 0.0], [at, 1.0]);
        line(format!("y{n}"), [0.0, at], [1.0, at]);
    }
    for n in 0..4 {
        let (left, right) = (f64::from(n) / 4.0, f64::from(n + 1) / 4.0);
        let _ = write!(
            text,
            "[[cameras.zones]]\nid = \"z{n}\"\npolygon = [[{left:?}, 0.0], [{right:?}, 0.0], [{right:?}, 1.0], \
             [{left:?}, 1.0]]\ninertia_s = 0.1\nanchor = \"centre\"\n\n"
        );
    }
    text
}

pub fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub fn seq(event: &Value) -> u64 {
    event["seq"].as_u64().unwrap_or_else(|| panic!("no number: {event}"))
}

fn nonce() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A file system of its own in memory, so large; `None`, with a word on stderr, where that is not allowed.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    pub fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no file system can be mounted here (that takes root)");
            return None;
        }
        Some(Self(at.to_owned()))
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::options().create(true).append(true).open(self.0.join("ballast")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
