//! `[outbox]`, `[track_log]` and `[media]` as meant.

use std::path::Path;
use std::time::Duration;

use crate::config::file;
use crate::config::meaning::{Media, Outbox, TrackLog};
use crate::config::report::Report;

use super::beside;

const MB: u64 = 1_000_000;

fn days(days: f64) -> Duration {
    Duration::from_secs_f64(days * 86_400.0)
}

pub(super) fn outbox(written: &file::Outbox) -> Outbox {
    Outbox {
        keep: days(written.keep_days),
        max_bytes: written.max_mb * MB,
        commit_every: Duration::from_millis(written.commit_every_ms),
    }
}

pub(super) fn track_log(written: &file::TrackLog) -> Option<TrackLog> {
    written.enabled.then(|| TrackLog { keep: days(written.keep_days), max_bytes: written.max_mb * MB })
}

pub(super) fn media(written: &file::Media, state_dir: &Path, report: &mut Report) -> Media {
    if written.clips && written.blur {
        report.warn(
            "media.clips",
            "clips show everybody, also with blur = true; switch one of them off where that matters",
        );
    }
    let dir = written.dir.as_ref().map_or_else(|| state_dir.join("media"), |dir| beside(dir, "media.dir", report));
    Media {
        dir,
        snapshots: written.snapshots,
        crops: written.crops,
        clips: written.clips,
        pre_roll: Duration::from_secs_f64(written.pre_roll_s),
        post_roll: Duration::from_secs_f64(written.post_roll_s),
        buffer_bytes: written.buffer_mb * MB,
        keep: days(written.keep_days),
        max_bytes: written.max_mb * MB,
        jpeg_quality: written.jpeg_quality,
        snapshot_px: written.snapshot_px,
        blur: written.blur,
    }
}
