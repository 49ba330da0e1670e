//! `streetscene serve`.

use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Login, ServeOptions, Server};
use crate::{Light, Options};

/// Serves the world's cameras as live RTSP streams on 127.0.0.1, until SIGINT or SIGTERM.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Seed of the world.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Number of cameras.
    #[arg(long, default_value_t = 4)]
    cameras: usize,
    /// Frames per second of each camera.
    #[arg(long, default_value_t = 10.0)]
    fps: f64,
    /// Size of the pictures in pixels.
    #[arg(long, default_value = "640x360", value_parser = size, value_name = "WIDTHxHEIGHT")]
    size: (u32, u32),
    /// TCP port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// User name that watchers give, where there is a password.
    #[arg(long, default_value = "viewer")]
    username: String,
    /// File with the password; one line.
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    password_file: Option<PathBuf>,
    /// Environment variable with the password.
    #[arg(long, value_name = "NAME")]
    password_env: Option<String>,
    /// Light; by default what the seed gives.
    #[arg(long, value_enum)]
    light: Option<Light>,
    /// Folder to which truth.jsonl and crossings.jsonl are appended, with wall clock times.
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
    /// One JSON object per line on standard output: ready, stopped.
    #[arg(long)]
    json: bool,
    /// Also ends when standard input is closed, so that no server outlives the program that started it.
    #[arg(long)]
    until_stdin_closes: bool,
}

/// Width and height in pixels from `640x360`.
fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides.ok_or_else(|| "give width and height in pixels, such as 640x360".to_owned())
}

impl Args {
    fn login(&self) -> Result<Option<Login>> {
        let password = match (&self.password_file, &self.password_env) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| format!("--password-file {} cannot be read", path.display()))?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            (None, Some(name)) => std::env::var(name).with_context(|| format!("--password-env {name}"))?,
            (None, None) => return Ok(None),
        };
        if password.is_empty() {
            bail!("the password is empty; leave out --password-file and --password-env to serve without one");
        }
        Ok(Some(Login { username: self.username.clone(), password }))
    }
}

/// Serves until told to stop. Errors are those of [`Server::start`] and [`Server::stop`].
pub fn run(args: Args) -> Result<()> {
    let (ask, asked) = mpsc::channel();
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).context("signals cannot be handled")?;
    let told = ask.clone();
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            let _ = told.send(());
        }
        // A second one leaves at once.
        if let Some(signal) = signals.forever().next() {
            std::process::exit(128 + signal);
        }
    });
    let login = args.login()?;
    let (width, height) = args.size;
    let server = Server::start(ServeOptions {
        world: Options { seed: args.seed, width, height, light: args.light, ..Options::default() },
        cameras: args.cameras,
        fps: args.fps,
        port: args.port,
        login,
        truth: args.truth,
    })?;
    if args.json {
        let (port, cameras) = (server.port(), server.urls());
        say(&serde_json::json!({ "event": "ready", "port": port, "cameras": cameras }).to_string());
    } else {
        server.urls().iter().for_each(|camera| say(&format!("{} {}", camera.id, camera.url)));
    }
    if args.until_stdin_closes {
        std::thread::spawn(move || {
            let mut ignored = [0; 256];
            let mut read = || std::io::stdin().read(&mut ignored);
            while read().map_or_else(|e| e.kind() == ErrorKind::Interrupted, |n| n > 0) {}
            let _ = ask.send(());
        });
    }
    while server.is_running() && asked.recv_timeout(Duration::from_millis(500)) == Err(RecvTimeoutError::Timeout) {}
    let counts = server.stop()?;
    if args.json {
        say(&serde_json::json!({ "event": "stopped", "counts": counts }).to_string());
    } else {
        say(&format!("stopped: {} frames, {} instants late, {} frames full", counts.frames, counts.late, counts.full));
    }
    Ok(())
}

/// A line for whoever listens; nobody has to.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
