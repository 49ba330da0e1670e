//! The world as live cameras: one world in real time, each camera an RTSP stream on loopback.
//!
//! Two threads: one runs GStreamer's RTSP server, one moves the world, renders and hands frames to the encoders of
//! the cameras that somebody watches. A frame's time is the instant of the world that it shows: its RTP time stamp
//! comes from there, and the sender reports relate that to the wall clock.

mod command;
mod mounts;
mod stage;

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, ensure};

pub use command::{Args, run};

use crate::{Options, World};
use mounts::Mounts;

/// Who may watch.
pub struct Login {
    /// User name.
    pub username: String,
    /// Password; asked for by RTSP digest authentication.
    pub password: String,
}

/// What to serve.
pub struct ServeOptions {
    /// The world.
    pub world: Options,
    /// The first so many of the world's cameras are served.
    pub cameras: usize,
    /// Frames per second of each camera.
    pub fps: f64,
    /// TCP port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Who may watch; `None` lets anyone on this machine.
    pub login: Option<Login>,
    /// Folder to which `truth.jsonl` and `crossings.jsonl` are appended, each line with the wall clock time of its
    /// frame or crossing as `wall_us`, microseconds since 1970. Only frames that were sent have a line.
    pub truth: Option<PathBuf>,
}

/// A camera being served.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CameraUrl {
    /// The camera's id.
    pub id: String,
    /// Where to watch it; without user name and password.
    pub url: String,
}

/// How the serving went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Frames handed to encoders, over all cameras.
    pub frames: u64,
    /// Instants of the world left out because the one before took too long to render.
    pub late: u64,
    /// Frames left out because a camera's encoder was behind.
    pub full: u64,
}

/// A running server; stops when dropped.
pub struct Server {
    mounts: Mounts,
    cameras: Vec<CameraUrl>,
    quit: Option<mpsc::Sender<()>>,
    stage: Option<JoinHandle<Result<Counts>>>,
}

impl Server {
    /// Builds the world and accepts connections.
    ///
    /// Fails where an element of GStreamer is missing, with the package to install; where the port is taken; where
    /// the truth cannot be written; where the world has fewer cameras than asked for.
    pub fn start(options: ServeOptions) -> Result<Self> {
        let world = World::new(&options.world);
        let ids: Vec<String> = world.cameras().iter().take(options.cameras).map(|c| c.id.clone()).collect();
        ensure!(options.cameras > 0, "0 cameras cannot be served");
        ensure!(
            ids.len() == options.cameras,
            "{} cameras cannot be served; the world has {}",
            options.cameras,
            ids.len()
        );
        let truth = options.truth.as_deref().map(stage::TruthLog::open).transpose()?;
        let picture = (options.world.width, options.world.height);
        let mounts = Mounts::start(&ids, picture, options.fps, options.port, options.login.as_ref())?;
        let cameras = ids
            .into_iter()
            .map(|id| CameraUrl { url: format!("rtsp://127.0.0.1:{}/{id}", mounts.port()), id })
            .collect();
        let (quit, quitting) = mpsc::channel();
        let stage = stage::Stage::new(world, mounts.watched(), options.fps, truth);
        let stage = std::thread::Builder::new()
            .name("world".to_owned())
            .spawn(move || stage.run(&quitting))
            .context("the world's thread cannot be started")?;
        Ok(Self { mounts, cameras, quit: Some(quit), stage: Some(stage) })
    }

    /// TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.mounts.port()
    }

    /// The cameras and where to watch them.
    #[must_use]
    pub fn urls(&self) -> &[CameraUrl] {
        &self.cameras
    }

    /// False once the world has stopped by itself; [`Server::stop`] then says why.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.stage.as_ref().is_some_and(|stage| !stage.is_finished())
    }

    /// Says goodbye to all watchers, frees the port and closes the truth. Fails where the truth could not be written.
    pub fn stop(mut self) -> Result<Counts> {
        self.halt()
    }

    fn halt(&mut self) -> Result<Counts> {
        drop(self.quit.take());
        let counts = match self.stage.take().map(JoinHandle::join) {
            Some(Ok(counts)) => counts,
            Some(Err(_)) => Err(anyhow::anyhow!("the world's thread panicked")),
            None => Ok(Counts::default()),
        };
        self.mounts.stop();
        counts
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.halt();
    }
}

#[cfg(test)]
mod tests;
