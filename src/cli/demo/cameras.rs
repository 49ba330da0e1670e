//! The synthetic cameras: `streetscene serve` as a child that ends when we do.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;

use super::super::exit::BadInput;
use super::PASSWORD;
use crate::config::{Camera, Config, SourceKind};

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
    /// It is to end.
    ending: Arc<AtomicBool>,
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
        let mut own = Vec::new();
        for camera in &config.cameras {
            own.push(of_the_demo(camera, password).ok_or_else(|| {
                let id = &camera.id;
                BadInput(format!(
                    "camera {id:?}: not one of the demo's; those are rtsp://127.0.0.1 with username and \
                     password_env = \"{PASSWORD}\" (for other cameras: watchkeeper run)"
                ))
            })?);
        }
        let Some((wanted, username)) = own.first() else {
            return Err(BadInput("the configuration has no camera; take configs/demo.toml".to_owned()).into());
        };
        let port = if std::net::TcpListener::bind(("127.0.0.1", *wanted)).is_ok() { *wanted } else { 0 };
        let program = program()?;
        let mut child = Command::new(&program)
            .args(["serve", "--json", "--until-stdin-closes", "--fps", "10"])
            .args(["--seed", SEED, "--port", &port.to_string()])
            .args(["--cameras", &config.cameras.len().to_string()])
            .args(["--username", username, "--password-env", PASSWORD])
            .env(PASSWORD, password)
            // Ctrl-C is for us; it ends when we close its standard input.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{}: cannot be started", program.display()))?;
        // Until it is ready, whoever waits for that hears of its end.
        let ending = Arc::new(AtomicBool::new(true));
        match ready(&mut child, &ending) {
            Ok(port) => {
                ending.store(false, Ordering::Relaxed);
                Ok(Self { child, port, ending })
            }
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
        self.ending.store(true, Ordering::Relaxed);
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

/// Port and user name of a camera that `streetscene serve` can stand in for.
fn of_the_demo(camera: &Camera, password: &str) -> Option<(u16, String)> {
    let SourceKind::Rtsp { url } = &camera.source else { return None };
    let url = url::Url::parse(url).ok()?;
    let login = camera.credentials.as_ref().filter(|login| login.password.expose() == password)?;
    let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
    local.then(|| (url.port().unwrap_or(554), login.username.clone()))
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

fn ready(child: &mut Child, ending: &Arc<AtomicBool>) -> anyhow::Result<u16> {
    let stdout = child.stdout.take().context("streetscene has no standard output")?;
    let stderr = child.stderr.take().context("streetscene has no standard error")?;
    let (sender, lines) = mpsc::channel();
    let ending = Arc::clone(ending);
    // Both threads end with the child: a full pipe would hold it up.
    std::thread::Builder::new().name("cameras".to_owned()).spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
        drop(sender);
        if !ending.load(Ordering::Relaxed) {
            tracing::error!("streetscene has ended, and the demo with it");
            let _ = signal_hook::low_level::raise(signal_hook::consts::SIGTERM);
        }
    })?;
    let (sender, words) = mpsc::channel();
    std::thread::Builder::new().name("cameras' words".to_owned()).spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            tracing::warn!("streetscene: {line}");
            let _ = sender.send(line);
        }
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
                let mut text = Vec::new();
                while let Ok(line) = words.recv_timeout(Duration::from_secs(1)) {
                    text.push(line);
                }
                anyhow::bail!("streetscene ended at once: {}", text.join("; "))
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
