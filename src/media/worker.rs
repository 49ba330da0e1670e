//! The media thread: jobs to files.
//!
//! Whom a job says to hide is hidden in all that is made of it, before anything is cut out. Somebody whom the detector
//! has not found, or not confirmed yet, is in no job's list, and stays as he is.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use image::RgbImage;

use super::retention::Kept;
use super::{Counts, Job, Kind, Order, State, jpeg, mosaic, path};
use crate::config;
use crate::types::geometry::BBox;

/// Longest side of a crop, pixels.
const CROP_PX: u32 = 640;
/// What is too old is looked for this often, and whether a disk that failed takes something again.
const PRUNE_EVERY: Duration = Duration::from_secs(10);
/// Files deleted at once: the disk has other things to do.
const PRUNE_AT_ONCE: usize = 200;
/// So much must fit, bytes.
const PROBE: usize = 256 << 10;
/// Trouble that goes on is told this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Worker {
    settings: Arc<config::Media>,
    orders: Receiver<Order>,
    state: Arc<State>,
    counts: Arc<Counts>,
    kept: Kept,
    told: Option<Instant>,
}

impl Worker {
    pub(super) fn new(
        settings: Arc<config::Media>,
        orders: Receiver<Order>,
        state: Arc<State>,
        counts: Arc<Counts>,
    ) -> Self {
        Self { settings, orders, state, counts, kept: Kept::default(), told: None }
    }

    /// Until nobody can hand in jobs any more; `begun` is when it could first have written something.
    pub(super) fn run(mut self, begun: SystemTime) {
        self.kept = Kept::scan(&self.settings.dir, begun);
        self.counts.bytes.set(self.kept.bytes());
        let mut pruned = None::<Instant>;
        loop {
            match self.orders.recv_timeout(PRUNE_EVERY) {
                Ok(Order::Job(job)) => self.work(job),
                Ok(Order::Written(id, kind, bytes)) => self.keep(id, kind, bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let due = pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY);
            if due || self.kept.bytes() > self.settings.max_bytes {
                pruned = Some(Instant::now());
                self.prune();
            }
            if due {
                self.probe();
            }
        }
    }

    /// Does a disk that failed take something again? Until then no event is promised a picture.
    fn probe(&mut self) {
        if !self.state.failing.load(Ordering::Relaxed) {
            return;
        }
        let at = path(&self.settings.dir, ulid::Ulid::generate(), Kind::Snapshot);
        let written = write(&at, &[0; PROBE]);
        let _ = fs::remove_file(&at);
        if written.is_ok() {
            self.state.failing.store(false, Ordering::Relaxed);
            tracing::info!("{}: pictures can be written again", self.settings.dir.display());
        }
    }

    fn prune(&mut self) {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
        let deleted = self.kept.prune(now, self.settings.keep, self.settings.max_bytes, PRUNE_AT_ONCE);
        self.counts.deleted.add(deleted);
        self.counts.bytes.set(self.kept.bytes());
    }

    fn work(&mut self, job: Job) {
        let Job { id, pixels, snapshot, crop, hide, plain } = job;
        let picture = pixels.picture();
        let (width, height) = (picture.width, picture.height);
        let mut rgb = picture.to_rgb();
        // Others may need it as well.
        drop(pixels);
        let size = |side: usize| u32::try_from(side).unwrap_or(0);
        hide.iter().for_each(|bbox| mosaic::hide(&mut rgb, (width, height), bbox, plain.as_ref()));
        let crop = crop.and_then(|bbox| cut(&rgb, (width, height), &bbox));
        if snapshot && let Some(image) = RgbImage::from_raw(size(width), size(height), rgb) {
            self.file(id, Kind::Snapshot, image, self.settings.snapshot_px);
        }
        if let Some(image) = crop {
            self.file(id, Kind::Crop, image, CROP_PX);
        }
    }

    fn keep(&mut self, id: ulid::Ulid, kind: Kind, bytes: u64) {
        self.counts.written.inc();
        self.kept.add(id.timestamp_ms(), bytes, path(&self.settings.dir, id, kind));
        self.counts.bytes.set(self.kept.bytes());
    }

    fn file(&mut self, id: ulid::Ulid, kind: Kind, image: RgbImage, longest: u32) {
        let at = path(&self.settings.dir, id, kind);
        let written =
            jpeg::encode(image, longest, self.settings.jpeg_quality).map_err(std::io::Error::other).and_then(|bytes| {
                let written = write(&at, &bytes);
                self.state.failing.store(written.is_err(), Ordering::Relaxed);
                written.map(|()| bytes.len() as u64)
            });
        match written {
            Ok(bytes) => {
                self.keep(id, kind, bytes);
            }
            Err(error) => {
                self.counts.failed.inc();
                if self.told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                    self.told = Some(Instant::now());
                    let failed = self.counts.failed.get();
                    tracing::error!(
                        failed,
                        "{}: a picture cannot be written: {error}; free disk space, or look at the folder",
                        at.display()
                    );
                }
            }
        }
    }
}

/// Whole or not at all.
fn write(at: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(day) = at.parent() {
        fs::create_dir_all(day)?;
    }
    let part = at.with_extension("part");
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, at));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// The pixels in a box.
fn cut(rgb: &[u8], (width, height): (usize, usize), bbox: &BBox) -> Option<RgbImage> {
    let inside = bbox.clip(width as f32, height as f32);
    if !inside.is_valid() {
        return None;
    }
    let (x1, y1) = (inside.x1 as usize, inside.y1 as usize);
    let (x2, y2) = ((inside.x2.ceil() as usize).min(width), (inside.y2.ceil() as usize).min(height));
    let rows = (y1..y2).map(|y| rgb.get((y * width + x1) * 3..(y * width + x2) * 3));
    let pixels: Vec<u8> = rows.collect::<Option<Vec<_>>>()?.concat();
    RgbImage::from_raw(u32::try_from(x2 - x1).ok()?, u32::try_from(y2 - y1).ok()?, pixels)
}

#[cfg(test)]
mod tests;
