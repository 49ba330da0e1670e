//! What is watched for in a camera's picture: zones, lines, further rules, the scene itself.
//!
//! Places are `[x, y]`, 0..1 of the frame from its top left.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::types::schedule::Schedule;

/// What all rules have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// `[a-z0-9_-]+`; `rule` in events. Unique within the camera, zones and lines included.
    pub id: String,
    /// Labels that count; empty: all.
    pub classes: Vec<String>,
    /// Tracks whose median score is lower do not count, 0..1.
    pub min_score: f32,
    /// Which point of a box says where its subject is.
    pub anchor: Anchor,
    /// Boxes of a lesser height do not count, 0..1 of the frame's height.
    pub min_height: f32,
    /// Boxes of a greater height do not count, of the frame's height.
    pub max_height: f32,
    /// When it may fire; `None`: always.
    pub active: Option<Schedule>,
    /// After it fired for a track (a rule about a place: for the place) it does not fire again for so long.
    pub cooldown: Duration,
    /// Fires at most so often within any hour; what is beyond is counted. `None`: no limit.
    pub max_per_hour: Option<u32>,
    /// It is logged and counted when it fires, and nobody is told.
    pub shadow: bool,
}

impl Common {
    /// Everything counts, always.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            classes: Vec::new(),
            min_score: 0.0,
            anchor: Anchor::Bottom,
            min_height: 0.0,
            max_height: f32::INFINITY,
            active: None,
            cooldown: Duration::ZERO,
            max_per_hour: None,
            shadow: false,
        }
    }
}

/// The point of a box that says where its subject is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// Middle of its lower edge: where feet and wheels are.
    #[default]
    Bottom,
    /// Its middle.
    Centre,
    /// Middle of its upper edge.
    Top,
    /// Middle of its left edge.
    Left,
    /// Middle of its right edge.
    Right,
}

/// A part of the picture. Events: `zone.enter`, `zone.exit`, `zone.dwell`.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// See there. Its `cooldown` is for `zone.dwell`.
    pub common: Common,
    /// Corners in order.
    pub polygon: Vec<[f32; 2]>,
    /// A track is inside, or outside again, once it has been there for so long.
    pub inertia: Duration,
    /// `zone.dwell` after so long inside; `None`: never.
    pub dwell: Option<Duration>,
    /// Time outside that does not begin the dwell anew.
    pub grace: Duration,
    /// Lengths of the four sides in metres, in order of the corners: what speed is told from.
    pub distances_m: Option<[f32; 4]>,
    /// Numbers of objects in it are told each so long (`zone.count`); `None`: never.
    pub count_every: Option<Duration>,
}

/// A line across the picture. Event: `line.crossed`.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// See there; `cooldown` is per track.
    pub common: Common,
    /// One end.
    pub from: [f32; 2],
    /// The other end.
    pub to: [f32; 2],
    /// Crossings that count. `in` is from the left of the way `from` -> `to` to its right, as seen in the picture.
    pub direction: Directions,
    /// Frames that a track must have been seen on each side before its crossing counts.
    pub frames: u32,
}

/// Directions that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Directions {
    /// In and out.
    #[default]
    Both,
    /// From the left of the way `from` -> `to` to its right.
    In,
    /// From its right to its left.
    Out,
}

/// A further rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// See there.
    pub common: Common,
    /// Index of its zone in [`Camera::zones`](super::Camera::zones); `None`: the whole picture.
    pub zone: Option<usize>,
    /// What it watches for.
    pub kind: RuleKind,
}

/// What a rule watches for.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// So many at once. Events: `crowd.start`, `crowd.end`.
    Crowd {
        /// It begins with so many.
        from: u32,
        /// It ends with so few.
        until: u32,
        /// Both only where it stays so for so long.
        hold: Duration,
    },
    /// Nobody there. Events: `zone.absence`, start and end.
    Absence {
        /// For so long.
        after: Duration,
    },
    /// Moving against the way. Event: `object.wrong_way`.
    WrongWay {
        /// The right way, `[x, y]` in the picture, of any length.
        way: [f32; 2],
        /// Farther than this off the opposite of the right way is not wrong, degrees.
        tolerance_deg: f32,
        /// Least way that is judged, 0..1 of the frame's height.
        distance: f32,
    },
    /// Stands where it should not. Events: `object.stopped`, start and end.
    Stopped {
        /// For so long.
        after: Duration,
    },
    /// Left behind by whoever brought it: a thing that stands, with nobody near. Events: `object.abandoned`, start and end.
    Abandoned {
        /// For so long.
        after: Duration,
        /// Labels of those who may watch over it.
        owners: Vec<String>,
        /// Nearer than this is near, in heights of the owner.
        near: f32,
    },
    /// Faster than allowed, where the zone has real distances. Event: `object.speeding`.
    Speed {
        /// The limit, km/h.
        above_kmh: f32,
    },
    /// Lying, by its pose. Events: `object.fallen`, start and end.
    Fallen {
        /// For so long.
        after: Duration,
    },
}

/// What is watched for in the picture itself, whatever is in it. Events: `scene.*`, start and end.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Is any of it watched?
    pub enabled: bool,
    /// The same picture, bit for bit or nearly so, for so long: frozen.
    pub frozen: Option<Duration>,
    /// Black for so long.
    pub black: Option<Duration>,
    /// Out of focus, by far, for so long.
    pub blurred: Option<Duration>,
    /// Something is before the lens for so long.
    pub covered: Option<Duration>,
    /// It looks elsewhere for so long.
    pub moved: Option<Duration>,
    /// Fewer frames a second than this for 10 seconds; `None`: nobody asks.
    pub min_fps: Option<f32>,
    /// The camera's own clock is off ours by more.
    pub clock_skew: Option<Duration>,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            enabled: true,
            frozen: Some(Duration::from_secs(60)),
            black: Some(Duration::from_secs(5)),
            blurred: Some(Duration::from_secs(30)),
            covered: Some(Duration::from_secs(5)),
            moved: Some(Duration::from_secs(10)),
            min_fps: None,
            clock_skew: Some(Duration::from_secs(5)),
        }
    }
}

/// What is kept of all tracks, for rules to be tried on.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackLog {
    /// For so long.
    pub keep: Duration,
    /// In so many bytes at most, all cameras together.
    pub max_bytes: u64,
}

impl Default for TrackLog {
    fn default() -> Self {
        Self { keep: Duration::from_secs(7 * 86_400), max_bytes: 2_000_000_000 }
    }
}

/// Pictures and clips of events.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// Where they lie.
    pub dir: std::path::PathBuf,
    /// The whole picture of an event of a rule, and the best view of a track at its end.
    pub snapshots: bool,
    /// The best view of a track, cut out, at its end.
    pub crops: bool,
    /// Clips of events of rules.
    pub clips: bool,
    /// A clip begins so long before its event.
    pub pre_roll: Duration,
    /// And ends so long after it.
    pub post_roll: Duration,
    /// Encoded video held for pre-roll, bytes per camera.
    pub buffer_bytes: u64,
    /// Everything older is deleted.
    pub keep: Duration,
    /// The oldest are deleted beyond so many bytes.
    pub max_bytes: u64,
    /// Quality of JPEG, 1..100.
    pub jpeg_quality: u8,
    /// Longest edge of a snapshot, pixels.
    pub snapshot_px: u32,
    /// People whom the event is not about are made unrecognisable in snapshots.
    pub blur: bool,
}
