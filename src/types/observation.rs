//! What rules are told of one frame, in the numbers in which it is kept: a rule that is tried on the past is given
//! exactly what it would have been given live.

use std::sync::Arc;
use std::time::Duration;

use super::event::EventModel;
use super::geometry::BBox;
use super::pose::Keypoint;
use super::time::{CaptureTime, Clock, Timestamp};
use super::track::EndReason;

/// Fixed point of places: 1 / 16384 of the frame, -2 to 2.
pub const UNIT: f32 = 16384.0;
/// Fixed point of scores: as many digits as events have.
pub const SCORE_UNIT: f32 = 10_000.0;

/// What a camera's rules are told.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// From now on tracks are of this model. State goes on.
    Model(&'a Arc<Model>),
    /// A frame.
    Frame(&'a Observation),
    /// All tracks are over: the camera was silent for long, began anew, or the daemon ends.
    Reset {
        /// When its last frame was taken.
        capture: CaptureTime,
        /// When that arrived.
        arrival: Timestamp,
    },
}

/// What sees the tracks.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Labels of its classes.
    pub labels: Vec<String>,
    /// As it stands in events.
    pub event: Option<EventModel>,
}

/// What rules are told of one frame. Its memory is used again.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Connected session of the camera.
    pub run: u32,
    /// Run in which the tracks began: `camera:run:number` names one.
    pub track_run: u32,
    /// Number of the frame within its run.
    pub seq: u64,
    /// Width and height of the frame, pixels.
    pub size: (u32, u32),
    /// Position on the camera's own time line, which never goes back; whole microseconds.
    pub media_time: Duration,
    /// When the frame was taken.
    pub capture: CaptureTime,
    /// When it arrived.
    pub arrival: Timestamp,
    /// Confirmed tracks.
    pub tracks: Vec<Seen>,
    /// Tracks that ended with this frame, by number.
    pub ended: Vec<(u64, EndReason)>,
    /// What was measured of the picture; not in every frame.
    pub scene: Option<SceneStats>,
}

/// A track in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Number within its run.
    pub number: u64,
    /// Index into the labels.
    pub class: u16,
    /// Left, top, right, bottom: [`UNIT`] to the frame.
    pub bbox: [i16; 4],
    /// [`SCORE_UNIT`] to 1.
    pub score: u16,
    /// The same.
    pub top_score: u16,
    /// The same.
    pub median_score: u16,
    /// Media time of its first detection, whole microseconds.
    pub first_seen: Duration,
    /// Predicted: this frame has no detection of it.
    pub coasted: bool,
    /// It has stayed where it is for some time.
    pub stationary: bool,
    /// What its keypoints say; `None`: no pose model looked, or too little was seen.
    pub posture: Option<Posture>,
}

/// What keypoints say of how somebody holds himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posture {
    /// Angle of the trunk (middle of the shoulders to middle of the hips) to the vertical, whole degrees, 0 upright to
    /// 180 upside down.
    pub trunk_deg: u8,
    /// Height of the keypoints that were found, elbows and wrists left out, to their width, in sixteenths; 255: more
    /// than that.
    pub aspect_16: u8,
}

/// COCO's indices: left and right.
const SHOULDERS: (usize, usize) = (5, 6);
const HIPS: (usize, usize) = (11, 12);
/// Elbows and wrists: whoever spreads his arms does not lie.
const ARMS: std::ops::RangeInclusive<usize> = 7..=10;

impl Posture {
    /// Of the 17 keypoints of COCO, pixels; those that score less than `min_score` were not found. `None`: too little was
    /// found, which is no shoulder or no hip.
    #[must_use]
    pub fn of(keypoints: &[Keypoint], min_score: f32) -> Option<Self> {
        let keypoints: &[Keypoint; 17] = keypoints.try_into().ok()?;
        let found = |k: &Keypoint| k.score >= min_score && k.x.is_finite() && k.y.is_finite();
        let pair = |(left, right): (usize, usize)| {
            [left, right].map(|i| keypoints.get(i).filter(|k| found(k)).map(|k| [k.x, k.y]))
        };
        let (shoulders, hips) = (pair(SHOULDERS), pair(HIPS));
        // Of one side only: its own shoulder over its own hip, or the body's width would be taken for a lean.
        let one_side = shoulders.iter().zip(&hips).find_map(|(shoulder, hip)| (*shoulder).zip(*hip));
        let (shoulder, hip) = match (shoulders, hips) {
            ([Some(a), Some(b)], [Some(c), Some(d)]) => (middle(a, b), middle(c, d)),
            ([a, b], [c, d]) => one_side.or_else(|| a.or(b).zip(c.or(d)))?,
        };
        let (dx, up) = (shoulder[0] - hip[0], hip[1] - shoulder[1]);
        if dx.hypot(up) < 1.0 {
            return None;
        }
        let trunk = dx.abs().atan2(up).to_degrees().round();
        let body = keypoints.iter().enumerate().filter(|(i, k)| !ARMS.contains(i) && found(k));
        let none = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
        let [x1, y1, x2, y2] =
            body.fold(none, |[x1, y1, x2, y2], (_, k)| [x1.min(k.x), y1.min(k.y), x2.max(k.x), y2.max(k.y)]);
        let aspect = (16.0 * (y2 - y1) / (x2 - x1).max(1e-3)).round();
        Some(Self { trunk_deg: trunk.clamp(0.0, 180.0) as u8, aspect_16: aspect.clamp(0.0, 255.0) as u8 })
    }
}

fn middle(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0]
}

/// What is measured of a picture's luma, cheaply.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SceneStats {
    /// Mean luma, 0..255.
    pub mean: f32,
    /// Standard deviation of luma.
    pub deviation: f32,
    /// Mean absolute difference to the picture measured before it.
    pub difference: f32,
    /// Variance of the Laplacian of the shrunk picture: the less, the more blurred.
    pub sharpness: f32,
    /// Likeness of its edges to those of the last minutes, -1..1; NaN: not known yet.
    pub likeness: f32,
    /// Part of the picture whose texture is gone, where there was some in the last minutes, 0..1.
    pub covered: f32,
    /// How far the camera's own clock is ahead of ours, seconds; NaN: it does not tell the time.
    pub clock_skew_s: f32,
}

impl Observation {
    /// Empty, with room for `tracks` tracks.
    #[must_use]
    pub fn with_capacity(tracks: usize) -> Self {
        Self {
            run: 0,
            track_run: 0,
            seq: 0,
            size: (0, 0),
            media_time: Duration::ZERO,
            capture: CaptureTime { time: Timestamp(0), clock: Clock::Free },
            arrival: Timestamp(0),
            tracks: Vec::with_capacity(tracks),
            ended: Vec::with_capacity(tracks),
            scene: None,
        }
    }
}

impl Seen {
    /// Its box, 0..1 of the frame (a part outside it is beyond).
    #[must_use]
    pub fn bbox(&self) -> BBox {
        let [x1, y1, x2, y2] = self.bbox.map(|edge| f32::from(edge) / UNIT);
        BBox::new(x1, y1, x2, y2)
    }

    /// Median of its latest scores, 0..1.
    #[must_use]
    pub fn median_score(&self) -> f32 {
        f32::from(self.median_score) / SCORE_UNIT
    }
}

/// A box in fixed point.
#[must_use]
pub fn fixed_box(bbox: &BBox, (width, height): (u32, u32)) -> [i16; 4] {
    let (width, height) = (width.max(1) as f32, height.max(1) as f32);
    let fixed = |value: f32| (value * UNIT).round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
    [fixed(bbox.x1 / width), fixed(bbox.y1 / height), fixed(bbox.x2 / width), fixed(bbox.y2 / height)]
}

/// A score in fixed point.
#[must_use]
pub fn fixed_score(score: f32) -> u16 {
    (score.clamp(0.0, 1.0) * SCORE_UNIT).round() as u16
}

/// Cut to whole microseconds.
#[must_use]
pub fn whole_micros(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
