//! The synthetic cameras: `streetscene serve` as a child that ends when we do.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;

use super::super::exit::BadInput;
use super::PASSWORD;
use crate::config::{Config, SourceKind};

/// The world whose zones and lines stand in `configs/demo.toml`.
const SEED: &str = "7";
/// Longest wait for the cameras to accept connections.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Longest wait for them to end.
const GONE_WITHIN: Duration = Duration::from_secs(3);

/// Running cameras.
pub(super) struct Cameras {
    child: Child,
    port: u16,
}

/// What the child says when it accepts connections.
#[derive(Deserialize)]
struct Ready {
    event: String,
    port: u16,
}

impl Cameras {
    /// Serves as many cameras as the configuration has, at its port, or at a free one where that is taken.
    pub(super) fn start(config: &Config, password: &str) -> anyhow::Result<Self> {
        let camera = config.cameras.first().context("the configuration has no camera")?;
        let url = match &camera.source {
            SourceKind::Rtsp { url } => url::Url::parse(url).ok(),
            _ => None,
        };
        let (Some(url), Some(login)) = (url, &camera.credentials) else {
            let message = format!("camera {:?}: the demo's cameras are rtsp:// with username and password_env", camera.id);
            return Err(BadInput(message).into());
        };
        let wanted = url.port().unwrap_or(554);
        let port = if std::net::TcpListener::bind(("127.0.0.1", wanted)).is_ok() { wanted } else { 0 };
        let program = program()?;
        let mut child = Command::new(&program)
            .args(["serve", "--json", "--until-stdin-closes", "--fps", "10"])
            .args(["--seed", SEED, "--port", &port.to_string()])
            .args(["--cameras", &config.cameras.len().to_string()])
            .args(["--username", &login.username, "--password-env", PASSWORD])
            .env(PASSWORD, password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{}: cannot be started", program.display()))?;
        match ready(&mut child) {
            Ok(port) => Ok(Self { child, port }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Closes its standard input, which ends it.
    pub(super) fn stop(mut self) {
        drop(self.child.stdin.take());
        let until = Instant::now() + GONE_WITHIN;
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Beside this program, where one build puts both.
fn program() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("this program's own path is unknown")?;
    let beside = here.with_file_name("streetscene");
    if beside.is_file() {
        return Ok(beside);
    }
    let message = format!(
        "{}: not there; it serves the demo's cameras: build it beside this program (cargo build --release --workspace), \
         or run `make demo`",
        beside.display()
    );
    Err(BadInput(message).into())
}

fn ready(child: &mut Child) -> anyhow::Result<u16> {
    let stdout = child.stdout.take().context("streetscene has no standard output")?;
    let stderr = child.stderr.take().context("streetscene has no standard error")?;
    let (sender, lines) = mpsc::channel();
    // The thread ends with the child: a full pipe would hold it up.
    std::thread::Builder::new().name("cameras".to_owned()).spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    })?;
    let (sender, words) = mpsc::channel();
    std::thread::Builder::new().name("cameras' words".to_owned()).spawn(move || {
        let mut text = String::new();
        let _ = BufReader::new(stderr).take(1 << 20).read_to_string(&mut text);
        let _ = sender.send(text);
    })?;
    let until = Instant::now() + READY_WITHIN;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => match serde_json::from_str::<Ready>(&line) {
                Ok(ready) if ready.event == "ready" => return Ok(ready.port),
                _ => {}
            },
            Err(mpsc::RecvTimeoutError::Timeout) => {
                anyhow::bail!("streetscene did not become ready within {} s", READY_WITHIN.as_secs())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let text = words.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
                anyhow::bail!("streetscene ended at once: {}", text.trim())
            }
        }
    }
}

/// 128 random bits.
pub(super) fn password() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).context("/dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
