//! A real broker, and listeners that are not ours: `mosquitto` and the clients that come with it.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Waits until `condition` holds; false after `limit`.
pub fn wait_for(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    condition()
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn find(name: &str) -> Option<PathBuf> {
    let places = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists())
}

fn program(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| panic!("{name} is not installed; run: make setup"))
}

/// A broker on a port of its own, in a folder of its own.
pub struct Mosquitto {
    pub port: u16,
    pub dir: tempfile::TempDir,
    /// What its clients are called with: how they log in.
    pub client: Vec<String>,
    process: Option<Child>,
}

impl Mosquitto {
    /// A broker that lets everybody in.
    pub fn start() -> Self {
        Self::start_with("allow_anonymous true")
    }

    /// With these lines in its configuration; `{dir}` is its folder.
    pub fn start_with(lines: &str) -> Self {
        let mut broker = Self::prepare(lines);
        broker.run();
        broker
    }

    /// Not started yet.
    pub fn prepare(lines: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Self { port: free_port(), dir, client: Vec::new(), process: None };
        broker.configure(lines);
        broker
    }

    /// Writes its configuration anew, for the next start.
    pub fn configure(&self, lines: &str) {
        let dir = self.dir.path().display();
        let config = format!(
            "listener {} 127.0.0.1\nuser root\npersistence true\npersistence_location {dir}/\nautosave_interval 0\n\
             log_dest file {dir}/log\nlog_type all\n{}\n",
            self.port,
            lines.replace("{dir}", &dir.to_string())
        );
        std::fs::write(self.dir.path().join("mosquitto.conf"), config).unwrap();
    }

    /// Starts it, and waits until it listens.
    pub fn run(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        // Somebody may have the port for a moment.
        for _ in 0..10 {
            let mut process = Command::new(program("mosquitto"))
                .arg("-c")
                .arg(self.dir.path().join("mosquitto.conf"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut ended = false;
            let up = wait_for(Duration::from_secs(10), || {
                let up = TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok();
                ended = process.try_wait().unwrap().is_some();
                up || ended
            });
            if up && !ended {
                self.process = Some(process);
                return;
            }
            let _ = process.kill();
            let _ = process.wait();
            std::thread::sleep(Duration::from_millis(300));
        }
        panic!("mosquitto does not start: {}", self.log());
    }

    /// What it says.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Stops it in order: it keeps what it has for whoever comes back.
    pub fn stop(&mut self) {
        self.signal("TERM");
        self.process.take().unwrap().wait().unwrap();
    }

    /// Stops and starts it on the same port.
    pub fn restart(&mut self) {
        self.stop();
        self.run();
    }

    /// It stands still, with its connections open.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Publishes as somebody else.
    pub fn publish(&self, topic: &str, payload: &str, more: &[&str]) {
        let port = self.port.to_string();
        let status = Command::new(program("mosquitto_pub"))
            .args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", topic, "-m", payload])
            .args(more)
            .args(&self.client)
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "mosquitto_pub fails: {}", self.log());
    }

    /// Listens to topics.
    pub fn listen(&self, topics: &[&str]) -> Listener {
        self.listen_with(topics, &[])
    }

    /// Listens with further arguments of `mosquitto_sub`; comes back once it certainly hears.
    pub fn listen_with(&self, topics: &[&str], more: &[&str]) -> Listener {
        let ready = format!("test/ready/{:x}", topics.as_ptr() as usize);
        let port = self.port.to_string();
        let mut command = Command::new(program("mosquitto_sub"));
        command.args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-F", "%r %q %t %p", "-t", &ready]);
        command.args(topics.iter().flat_map(|topic| ["-t", *topic]));
        let mut process =
            command.args(more).args(&self.client).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (lines, into) = (BufReader::new(process.stdout.take().unwrap()), Arc::clone(&heard));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut parts = line.splitn(4, ' ');
                let mut next = || parts.next().unwrap_or_default().to_owned();
                let (retained, qos, topic, payload) = (next() == "1", next(), next(), next());
                into.lock().unwrap().push(Heard { retained, qos: qos.parse().unwrap_or(9), topic, payload });
            }
        });
        let listener = Listener { process, heard };
        let hears = || {
            self.publish(&ready, "?", &[]);
            wait_for(Duration::from_millis(200), || listener.heard.lock().unwrap().iter().any(|m| m.topic == ready))
        };
        assert!(wait_for(Duration::from_secs(10), hears), "mosquitto_sub hears nothing: {}", self.log());
        listener.heard.lock().unwrap().retain(|message| message.topic != ready);
        listener
    }

    /// What the broker retains, by topic.
    pub fn retained(&self, topics: &str) -> std::collections::BTreeMap<String, String> {
        let listener = self.listen(&[topics]);
        // Retained messages come with the answer to the subscription; whoever hears has them.
        std::thread::sleep(Duration::from_millis(100));
        let heard = listener.heard();
        heard.into_iter().filter(|message| message.retained).map(|m| (m.topic, m.payload)).collect()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A message that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub retained: bool,
    pub qos: u8,
    pub topic: String,
    pub payload: String,
}

/// A running `mosquitto_sub`.
pub struct Listener {
    process: Child,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Listener {
    /// All so far.
    pub fn heard(&self) -> Vec<Heard> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|message| !message.topic.starts_with("test/ready/")).cloned().collect()
    }

    /// Payloads on one topic, so far.
    pub fn on(&self, topic: &str) -> Vec<String> {
        self.heard().into_iter().filter(|message| message.topic == topic).map(|message| message.payload).collect()
    }

    /// Waits for a payload on a topic.
    pub fn hears(&self, topic: &str, payload: &str) -> bool {
        wait_for(Duration::from_secs(10), || self.on(topic).iter().any(|heard| heard == payload))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Stands between a client and the broker, and can cut the cable.
pub struct Cable {
    pub port: u16,
    cut: Arc<AtomicBool>,
    /// Each 4 KiB take so many milliseconds.
    pub slow_ms: Arc<AtomicU64>,
    /// So many of the next connections are let in, and ended soon afterwards without another word.
    pub flaps: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    /// To a port of this machine.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let cable = Self {
            port: listener.local_addr().unwrap().port(),
            cut: Arc::default(),
            slow_ms: Arc::default(),
            flaps: Arc::default(),
            open: Arc::default(),
        };
        let (cut, slow, open) = (Arc::clone(&cable.cut), Arc::clone(&cable.slow_ms), Arc::clone(&cable.open));
        let flaps = Arc::clone(&cable.flaps);
        std::thread::spawn(move || {
            for mut near in listener.incoming().map_while(Result::ok) {
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                if flaps.load(Ordering::SeqCst) > 0 {
                    flaps.fetch_sub(1, Ordering::SeqCst);
                    let mut hello = [0; 4096];
                    let _ = near.read(&mut hello);
                    // Accepted, in MQTT 3.1.1.
                    let _ = near.write_all(&[0x20, 2, 0, 0]);
                    std::thread::sleep(Duration::from_millis(300));
                    let _ = near.shutdown(std::net::Shutdown::Both);
                    continue;
                }
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                for (mut from, mut to) in [
                    (near.try_clone().unwrap(), far.try_clone().unwrap()),
                    (far.try_clone().unwrap(), near.try_clone().unwrap()),
                ] {
                    let slow = Arc::clone(&slow);
                    std::thread::spawn(move || {
                        let mut buffer = [0; 4096];
                        while let Ok(read @ 1..) = from.read(&mut buffer) {
                            std::thread::sleep(Duration::from_millis(slow.load(Ordering::SeqCst)));
                            if to.write_all(&buffer[..read]).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
                open.lock().unwrap().extend([near, far]);
            }
        });
        cable
    }

    /// Every connection breaks; new ones are not let through while `stay` holds.
    pub fn cut(&self, stay: bool) {
        self.cut.store(stay, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}
