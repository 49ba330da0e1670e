//! A subject followed over frames of one camera.

use std::time::Duration;

use serde::Serialize;

use super::geometry::BBox;

/// A track as the tracker publishes it after one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Number within its camera and run, from 1, never reused.
    pub number: u64,
    /// Index into the model's labels. Keeper: what most of its latest detections say, weighed by score. ByteTrack and
    /// OC-SORT: the class of its first detection, the only one it takes.
    pub class: u16,
    /// Pixels of the frame: the detection where there was one, else the prediction. Keeper mixes a quarter of its
    /// filter's box into a detected one, which takes out some of the detector's trembling.
    pub bbox: BBox,
    /// Score of the latest detection, 0..1.
    pub score: f32,
    /// Best score so far.
    pub top_score: f32,
    /// Median of its latest scores: one lucky or unlucky frame does not move it.
    pub median_score: f32,
    /// Media time of its first detection.
    pub first_seen: Duration,
    /// Media time of its latest detection.
    pub last_seen: Duration,
    /// True where this frame had no detection for it and `bbox` is predicted.
    pub coasted: bool,
    /// True where it has stayed where it is for some time. Keeper only; false with the others.
    pub stationary: bool,
}

/// A track that is over, as it was last seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ended {
    /// As last seen.
    pub track: Track,
    /// Why it is over.
    pub reason: EndReason,
}

/// Why a track is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// It was at the edge of the picture, on its way out. Keeper only, and only where the picture's size is known.
    Left,
    /// It was not seen for `max_gap`; with keeper, where its looks are known, for twice that.
    NotSeen,
    /// It and another track were one subject. Not with OC-SORT.
    Duplicate,
    /// The camera began a new run, its picture changed, or the daemon stopped.
    Reset,
}

impl EndReason {
    /// The word in events and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::NotSeen => "not-seen",
            Self::Duplicate => "duplicate",
            Self::Reset => "reset",
        }
    }
}

/// Where a subject is in its life as a track. Only keeper tells; see [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackState {
    /// Seen, and not yet often enough to be believed: not published.
    Tentative,
    /// Believed and seen in this frame.
    Confirmed,
    /// Believed and seen in this frame, where it has been for some time.
    Stationary,
    /// Believed and not seen in this frame.
    Lost,
    /// Over.
    Ended,
}

/// Why a track's state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeReason {
    /// To tentative: a detection that no track took.
    Appeared,
    /// To confirmed: seen again, for `confirm_s`.
    SeenAgain,
    /// To confirmed, or to stationary: found after it was lost, where it was expected.
    FoundByMotion,
    /// To confirmed, or to stationary: found after it was lost, by what it looks like.
    FoundByAppearance,
    /// To confirmed: it moves again.
    Moved,
    /// To stationary: it has stayed where it is.
    Stayed,
    /// To lost: another track covers it.
    Occluded,
    /// To lost: it is at the edge of the picture.
    AtEdge,
    /// To lost: no detection, and no reason known.
    Missed,
    /// To ended, tentative: not seen again soon enough to be believed.
    NotBelieved,
    /// To ended.
    Over(EndReason),
}

impl TrackState {
    /// The word in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tentative => "tentative",
            Self::Confirmed => "confirmed",
            Self::Stationary => "stationary",
            Self::Lost => "lost",
            Self::Ended => "ended",
        }
    }
}

impl ChangeReason {
    /// The word in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::SeenAgain => "seen-again",
            Self::FoundByMotion => "found-by-motion",
            Self::FoundByAppearance => "found-by-appearance",
            Self::Moved => "moved",
            Self::Stayed => "stayed",
            Self::Occluded => "occluded",
            Self::AtEdge => "at-edge",
            Self::Missed => "missed",
            Self::NotBelieved => "not-believed",
            Self::Over(reason) => reason.name(),
        }
    }
}

/// A change of one track's state, as keeper lists them; the other trackers list none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number; `None` before it is confirmed.
    pub number: Option<u64>,
    /// From now on.
    pub state: TrackState,
    /// Why.
    pub reason: ChangeReason,
}
