//! Moves the world in real time and shows it to the cameras that somebody watches.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};

use super::Counts;
use super::mounts::{Refusal, Watched};
use crate::{View, World};

/// The two files of truth.
pub(super) struct TruthLog {
    truth: BufWriter<File>,
    crossings: BufWriter<File>,
}

impl TruthLog {
    /// Opens both files in `folder` for appending, and makes the folder.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let open = |name| {
            let path = folder.join(name);
            let file = File::options().append(true).create(true).open(&path);
            file.map(BufWriter::new).with_context(|| format!("{} cannot be written", path.display()))
        };
        Ok(Self { truth: open("truth.jsonl")?, crossings: open("crossings.jsonl")? })
    }

    fn flush(&mut self) -> Result<()> {
        self.truth.flush().and_then(|()| self.crossings.flush()).context("the truth cannot be written")
    }
}

/// Writes `value` as a line with the wall clock time of its frame or crossing.
fn line(out: &mut impl Write, value: &impl serde::Serialize, wall_us: u64) -> Result<()> {
    let mut value = serde_json::to_value(value).context("the truth cannot be written as JSON")?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("wall_us".to_owned(), wall_us.into());
    }
    writeln!(out, "{value}").context("the truth cannot be written")
}

/// Microseconds since 1970 at `instant`, which lies in the past.
fn wall_us(instant: Instant) -> u64 {
    let wall = SystemTime::now().checked_sub(instant.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The world, its served cameras and who watches them.
pub(super) struct Stage {
    world: World,
    cameras: Vec<(View, Watched)>,
    fps: f64,
    log: Option<TruthLog>,
    counts: Counts,
}

impl Stage {
    /// A stage for the first cameras of `world`, as many as `watched` has.
    pub(super) fn new(world: World, watched: Vec<Watched>, fps: f64, log: Option<TruthLog>) -> Self {
        let cameras = watched.into_iter().enumerate().map(|(i, watched)| (View::new(&world, i), watched)).collect();
        Self { world, cameras, fps, log, counts: Counts::default() }
    }

    /// Runs until the sender of `quitting` is gone. Instants that cannot be kept are left out and counted, so that
    /// the world never lags behind the wall clock.
    pub(super) fn run(mut self, quitting: &Receiver<()>) -> Result<Counts> {
        let start = Instant::now();
        let mut number: u64 = 0;
        loop {
            let due = start + Duration::from_secs_f64(number as f64 / self.fps);
            match quitting.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => break,
            }
            let behind = (due.elapsed().as_secs_f64() * self.fps) as u64;
            if behind > 0 {
                self.counts.late += behind;
                number += behind;
                continue;
            }
            self.show(number, due)?;
            number += 1;
        }
        if let Some(log) = &mut self.log {
            log.flush()?;
        }
        Ok(self.counts)
    }

    /// The world at `number / fps`, which is at `due` on our clock.
    fn show(&mut self, number: u64, due: Instant) -> Result<()> {
        let time_s = number as f64 / self.fps;
        self.world.advance_to(time_s);
        let crossings = self.world.take_crossings();
        let wall = wall_us(due);
        for (view, watched) in &mut self.cameras {
            let ready = match watched.ready() {
                Ok(ready) => ready,
                Err(Refusal::Idle) => continue,
                Err(Refusal::Full) => {
                    self.counts.full += 1;
                    continue;
                }
            };
            let frame = match &self.log {
                Some(_) => view.render(&self.world, number + 1),
                None => view.render_pixels(&self.world, number + 1),
            };
            if ready.push(&frame.rgba, due) {
                self.counts.frames += 1;
                if let Some(log) = &mut self.log {
                    line(&mut log.truth, view.truth(), wall)?;
                }
            }
        }
        if let Some(log) = &mut self.log {
            let served = |id: &str| self.cameras.iter().any(|(view, _)| view.truth().camera == id);
            for crossing in crossings.iter().filter(|crossing| served(&crossing.camera)) {
                let ago = Duration::try_from_secs_f64(time_s - crossing.time_s).unwrap_or_default();
                line(&mut log.crossings, crossing, wall_us(due - ago))?;
            }
            log.flush()?;
        }
        Ok(())
    }
}
