//! The binary as a user runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::wait_for;

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    pub dir: PathBuf,
}

/// Writes a config into `dir` that tracks the blob in every camera: `cameras` are whole
/// `[[cameras]]` sections, `extra` goes in front of them.
pub fn blob_config(dir: &Path, extra: &str, cameras: &str) -> PathBuf {
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines");
    let text = format!(
        "{extra}\n[models.detection]\nonnx = {:?}\nbackend = \"onnxruntime\"\nhead = \"yolo\"\nlabels = {:?}\n\n\
         [[sinks]]\ntype = \"jsonl\"\npath = \"events.jsonl\"\n\n{cameras}\n",
        engines.join("blob.onnx"),
        engines.join("blob.txt"),
    );
    let text = if text.contains("[runtime]") {
        text.replacen("[runtime]", "[runtime]\npolicy = \"any\"\nstate_dir = \"state\"", 1)
    } else {
        format!("[runtime]\npolicy = \"any\"\nstate_dir = \"state\"\n{text}")
    };
    let path = dir.join("watchkeeper.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// One `[[cameras]]` section.
pub fn camera_section(id: &str, url: &str, more: &str) -> String {
    format!("[[cameras]]\nid = \"{id}\"\nurl = \"{url}\"\n{more}\n\n")
}

impl Daemon {
    pub fn start(config: &Path) -> Self {
        Self::start_with(config, |_| {})
    }

    pub fn start_with(config: &Path, setup: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.args(["run", "--config"]).arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        setup(&mut command);
        let mut child = command.spawn().unwrap();
        let log = Arc::<Mutex<String>>::default();
        let (lines, copy) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = copy.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, log, dir: config.parent().unwrap().to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line of the log that holds `text`.
    pub fn says(&self, text: &str, limit: Duration) -> bool {
        wait_for(limit, || self.log.lock().unwrap().contains(text))
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end; `None` where it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        wait_for(limit, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status
    }

    /// SIGTERM, and how it ended and how long it took.
    pub fn stop(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.signal("TERM");
        let status = self.wait(Duration::from_secs(20));
        (status.and_then(|status| status.code()), began.elapsed())
    }

    /// Its events so far, oldest first.
    pub fn events(&self) -> Vec<serde_json::Value> {
        read_events(&self.dir.join("events.jsonl"))
    }

    /// Events of one type.
    pub fn events_of(&self, kind: &str) -> Vec<serde_json::Value> {
        self.events().into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// The address its HTTP listener took.
    pub fn http_address(&self) -> String {
        assert!(self.says("HTTP listens", Duration::from_secs(20)), "{}", self.log());
        let log = self.log();
        let line = log.lines().find(|line| line.contains("HTTP listens")).unwrap();
        let address = line.split("address").nth(1).unwrap();
        address.trim_start_matches(|c: char| !c.is_ascii_digit()).split_whitespace().next().unwrap().to_owned()
    }

    /// GET, status line and headers included.
    pub fn get(&self, path: &str) -> String {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    /// POST of JSON, status line and headers of the answer included.
    pub fn post(&self, path: &str, body: &str) -> String {
        let length = body.len();
        self.request(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Anything else: the whole answer.
    pub fn request(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.http_address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A counter or gauge by its whole name with labels.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics");
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Resident kilobytes, threads, open files.
    pub fn resources(&self) -> (u64, usize, usize) {
        let proc = PathBuf::from(format!("/proc/{}", self.pid()));
        let status = std::fs::read_to_string(proc.join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
        };
        let files = std::fs::read_dir(proc.join("fd")).unwrap().count();
        (field("VmRSS:"), usize::try_from(field("Threads:")).unwrap(), files)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn read_events(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A notify socket that keeps what it is told.
pub struct NotifySocket {
    pub path: PathBuf,
    told: Arc<Mutex<Vec<(Duration, String)>>>,
}

impl NotifySocket {
    pub fn bind(dir: &Path) -> Self {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let told = Arc::<Mutex<Vec<_>>>::default();
        let (copy, began) = (Arc::clone(&told), Instant::now());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                copy.lock().unwrap().push((began.elapsed(), text));
            }
        });
        Self { path, told }
    }

    pub fn told(&self) -> Vec<(Duration, String)> {
        self.told.lock().unwrap().clone()
    }

    pub fn count(&self, text: &str) -> usize {
        self.told().iter().filter(|(_, told)| told.contains(text)).count()
    }
}
