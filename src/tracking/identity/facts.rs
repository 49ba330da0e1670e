//! What a gallery says.

use std::time::Duration;

use serde::Serialize;

use super::TrackKey;

/// Something that a gallery has found, or thinks otherwise of now. Told once, in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// A track is like nobody known.
    New {
        /// When, by the clock of the input.
        time: Duration,
        /// A number never used before.
        identity: u64,
        /// Its first track.
        track: TrackKey,
    },
    /// A track without an identity is probably somebody known.
    ProbablySame {
        /// When.
        time: Duration,
        /// Who.
        identity: u64,
        /// The track.
        track: TrackKey,
        /// How probable, 0..1.
        score: f32,
        /// Why.
        reasons: Reasons,
    },
    /// Two identities are probably one.
    Merged {
        /// When.
        time: Duration,
        /// Goes on.
        kept: u64,
        /// Is no more.
        gone: u64,
        /// How probable, 0..1.
        score: f32,
        /// Why, of the track that is surest; `None` where nothing older is known any more.
        reasons: Option<Reasons>,
        /// Those of `gone` that are still held. Any others of it are of `kept` now, too.
        tracks: Vec<TrackKey>,
    },
    /// Tracks of one identity are probably somebody else.
    Split {
        /// When.
        time: Duration,
        /// Goes on, with the other tracks.
        from: u64,
        /// A number never used before.
        new: u64,
        /// Those that are of `new` now.
        tracks: Vec<TrackKey>,
        /// How probable it is that they belong to who they are with now; `None` where they are alone.
        score: Option<f32>,
        /// Why; `None` where they are alone.
        reasons: Option<Reasons>,
    },
    /// An identity and all that was kept of it is forgotten.
    Forgotten {
        /// When.
        time: Duration,
        /// Who.
        identity: u64,
        /// Why.
        because: ForgottenBecause,
    },
}

/// Why an identity was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForgottenBecause {
    /// Not seen for the time to live.
    TimeToLive,
    /// The gallery was full, and others were seen since.
    Capacity,
    /// It was asked to forget everything.
    Asked,
}

/// What speaks for two tracks being one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reasons {
    /// The track of the identity that it is likest to.
    pub with: TrackKey,
    /// True where that is a track of an earlier process: its name may be that of another track of this one.
    pub earlier: bool,
    /// Cosine of the two tracks' looks, -1..1.
    pub likeness: f32,
    /// Seconds from leaving the one camera to appearing in the other; negative where both saw it at the same time.
    pub gap_s: f32,
    /// How it got from one to the other.
    pub path: Path,
    /// Embeddings it was seen by, of the track with fewer.
    pub looks: u32,
    /// Score above that of the likest other identity, 0..1; `None` where there is no other.
    pub margin: Option<f32>,
    /// How far apart both stood while both were seen, mapped onto one picture: median, in their own heights; `None`
    /// where the cameras are not known to see one place, or did not see them at the same time.
    pub ground: Option<f32>,
}

/// How a subject got from one track to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// It was in the same camera, earlier.
    SameCamera,
    /// Within the time that the topology gives.
    InTime,
    /// The cameras see the same place.
    Overlap,
    /// The topology says nothing of these cameras.
    Open,
}

/// Whom a track is taken for.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// Identity, from 1.
    pub identity: u64,
    /// How probable it is that the track belongs to the others of it, 0..1; `None` while it is alone.
    pub score: Option<f32>,
    /// Why; `None` while it is alone.
    pub reasons: Option<Reasons>,
}

/// What a gallery holds and what it did. Nothing is dropped that is not counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Identities held.
    pub identities: u64,
    /// Tracks held.
    pub tracks: u64,
    /// Embeddings held.
    pub embeddings: u64,
    /// The last number given; numbers may have been passed over.
    pub given: u64,
    /// Merges told.
    pub merged: u64,
    /// Splits told.
    pub split: u64,
    /// Identities forgotten since they were not seen for the time to live.
    pub expired: u64,
    /// Identities forgotten to make room.
    pub evicted: u64,
    /// Sightings taken in.
    pub sightings: u64,
    /// Embeddings refused: of another length, or not of unit length.
    pub refused: u64,
    /// Embeddings dropped, since their identity has newer ones enough.
    pub thinned: u64,
    /// Tracks not compared again in a revision, since others were seen later: too many at once.
    pub postponed: u64,
    /// Identities of earlier not compared with in a revision: too many at once.
    pub left_out: u64,
    /// Sightings refused: older than what is still revisable.
    pub late: u64,
}
