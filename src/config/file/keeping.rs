//! What is kept on disk: `[outbox]`, `[track_log]` and `[media]` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::meaning;

const DAY_S: f64 = 86_400.0;
const MB: u64 = 1_000_000;

/// The durable log of all events, `events.db` in the state folder: what sinks deliver from, and `watchkeeper events`
/// shows.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Outbox {
    /// Older events are deleted, delivered or not, days.
    #[schemars(range(min = 0.01, max = 3650))]
    pub keep_days: f64,
    /// The oldest are deleted beyond this size, delivered or not, megabytes.
    #[schemars(range(min = 10, max = 1_000_000))]
    pub max_mb: u64,
    /// Events of so long become durable together, milliseconds: what a power cut may cost of events that nobody was
    /// told of yet, and what a sink waits.
    #[schemars(range(min = 0, max = 10_000))]
    pub commit_every_ms: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        let meant = meaning::Outbox::default();
        Self {
            keep_days: meant.keep.as_secs_f64() / DAY_S,
            max_mb: meant.max_bytes / MB,
            commit_every_ms: u64::try_from(meant.commit_every.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// What rules were told of tracks, kept in the state folder so that new rules can be tried on it (`watchkeeper rules
/// test`). Boxes, labels and scores, no pictures but one view per camera.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct TrackLog {
    /// Is it kept?
    pub enabled: bool,
    /// For so long, days.
    #[schemars(range(min = 0.01, max = 3650))]
    pub keep_days: f64,
    /// All cameras together at most, megabytes; the oldest goes.
    #[schemars(range(min = 10, max = 10_000_000))]
    pub max_mb: u64,
}

impl Default for TrackLog {
    fn default() -> Self {
        let meant = meaning::TrackLog::default();
        Self { enabled: true, keep_days: meant.keep.as_secs_f64() / DAY_S, max_mb: meant.max_bytes / MB }
    }
}

/// Pictures and clips of events. Without this section none are kept.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Media {
    /// Where they lie. Default: `media` in the state folder.
    #[schemars(length(min = 1))]
    pub dir: Option<String>,
    /// The whole picture of an event of a rule, and the best view of a track at its end.
    pub snapshots: bool,
    /// The subject, cut out: in the picture of an event of a rule, and in a track's best view.
    pub crops: bool,
    /// Clips (MP4) of events of rules, of the camera's own video, not coded again. H.264 and H.265 only.
    pub clips: bool,
    /// A clip begins so long before its event, seconds.
    #[schemars(range(min = 0, max = 60))]
    pub pre_roll_s: f64,
    /// And ends so long after it, seconds.
    #[schemars(range(min = 0, max = 60))]
    pub post_roll_s: f64,
    /// Coded video held for clips, megabytes per camera at most.
    #[schemars(range(min = 1, max = 1000))]
    pub buffer_mb: u64,
    /// Everything older is deleted, days.
    #[schemars(range(min = 0.01, max = 3650))]
    pub keep_days: f64,
    /// The oldest are deleted beyond this size, megabytes.
    #[schemars(range(min = 10, max = 10_000_000))]
    pub max_mb: u64,
    /// Quality of JPEG, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub jpeg_quality: u8,
    /// Longest edge of a snapshot, pixels.
    #[schemars(range(min = 64, max = 8192))]
    pub snapshot_px: u32,
    /// People whom an event is not about are made unrecognisable in its snapshot.
    pub blur: bool,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            dir: None,
            snapshots: true,
            crops: true,
            clips: false,
            pre_roll_s: 5.0,
            post_roll_s: 5.0,
            buffer_mb: 32,
            keep_days: 7.0,
            max_mb: 5000,
            jpeg_quality: 80,
            snapshot_px: 1280,
            blur: false,
        }
    }
}
