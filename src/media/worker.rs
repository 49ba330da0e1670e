//! The media thread: jobs to files.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use image::RgbImage;

use super::retention::Kept;
use super::{Counts, Job, Kind, Order, jpeg, mosaic, path};
use crate::config;
use crate::telemetry::progress::Stage;
use crate::types::geometry::BBox;

/// Longest side of a crop, pixels.
const CROP_PX: u32 = 640;
/// What is too old is looked for this often.
const PRUNE_EVERY: Duration = Duration::from_secs(10);
/// Files deleted at once: the disk has other things to do.
const PRUNE_AT_ONCE: usize = 200;
/// Trouble that goes on is told this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Worker {
    settings: Arc<config::Media>,
    orders: Receiver<Order>,
    give_back: Sender<Vec<u8>>,
    counts: Arc<Counts>,
    kept: Kept,
    told: Option<Instant>,
}

impl Worker {
    pub(super) fn new(
        settings: Arc<config::Media>,
        orders: Receiver<Order>,
        give_back: Sender<Vec<u8>>,
        counts: Arc<Counts>,
    ) -> Self {
        let kept = Kept::scan(&settings.dir);
        counts.bytes.set(kept.bytes());
        Self { settings, orders, give_back, counts, kept, told: None }
    }

    /// Until nobody can hand in jobs any more.
    pub(super) fn run(mut self, stage: &Stage) {
        let mut pruned = None::<Instant>;
        loop {
            stage.idle();
            match self.orders.recv_timeout(PRUNE_EVERY) {
                Ok(order) => {
                    stage.busy();
                    match order {
                        Order::Job(job) => self.work(job),
                        Order::Written(id, kind, bytes) => self.keep(id, kind, bytes),
                    }
                }
                Err(RecvTimeoutError::Timeout) => stage.busy(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) || self.kept.bytes() > self.settings.max_bytes {
                pruned = Some(Instant::now());
                self.prune();
            }
        }
        stage.idle();
    }

    fn prune(&mut self) {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
        let deleted = self.kept.prune(now, self.settings.keep, self.settings.max_bytes, PRUNE_AT_ONCE);
        self.counts.deleted.add(deleted);
        self.counts.bytes.set(self.kept.bytes());
    }

    fn work(&mut self, job: Job) {
        let Job { id, pixels, snapshot, crop, hide } = job;
        let picture = pixels.picture();
        let (width, height) = (picture.width, picture.height);
        let mut rgb = picture.to_rgb();
        let _ = self.give_back.try_send(pixels.into_memory());
        let size = |side: usize| u32::try_from(side).unwrap_or(0);
        let crop = crop.and_then(|bbox| cut(&rgb, (width, height), &bbox));
        if snapshot {
            hide.iter().for_each(|bbox| mosaic::hide(&mut rgb, (width, height), bbox));
            if let Some(image) = RgbImage::from_raw(size(width), size(height), rgb) {
                self.file(id, Kind::Snapshot, image, self.settings.snapshot_px);
            }
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
        let written = jpeg::encode(image, longest, self.settings.jpeg_quality)
            .map_err(std::io::Error::other)
            .and_then(|bytes| write(&at, &bytes).map(|()| bytes.len() as u64));
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
