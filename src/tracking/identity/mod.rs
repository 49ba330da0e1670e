//! The same subject on several cameras, or on one camera after its track broke: which tracks probably belong
//! together, how probable that is, and why.
//!
//! A [`Gallery`] is a pure function of its state and its input: time comes with the input, nothing depends on chance
//! or on a hash map's order, and memory has a limit that [`Settings`] sets. What it says is an opinion, never a hard
//! claim: it changes while evidence comes in, and each change is a [`Fact`]. Whoever applies the facts in order holds
//! what [`Gallery::identity`] says.

mod cluster;
mod evidence;
mod facts;
mod frame;
mod gallery;
mod ground;
mod homography;
mod naming;
mod place;
mod revise;
mod rows;
mod settings;
mod snapshot;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod topology;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use evidence::Weights;
pub use facts::{Counters, Fact, ForgottenBecause, Opinion, Path, Reasons};
pub use frame::Frame;
pub use gallery::Gallery;
pub use place::Place;
pub use rows::Rows;
pub use settings::Settings;
pub use snapshot::RestoreError;
pub use topology::{Rule, Topology};

/// Names a track.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrackKey {
    /// Camera id.
    pub camera: String,
    /// Run in which it began.
    pub run: u32,
    /// Its number.
    pub number: u64,
}

/// As events name it: `camera:run:number`.
impl std::fmt::Display for TrackKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.camera, self.run, self.number)
    }
}

/// It is no `camera:run:number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a track is named camera:run:number")]
pub struct NoTrackKey;

impl std::str::FromStr for TrackKey {
    type Err = NoTrackKey;

    fn from_str(text: &str) -> Result<Self, NoTrackKey> {
        let mut parts = text.rsplitn(3, ':');
        let number = parts.next().and_then(|part| part.parse().ok()).ok_or(NoTrackKey)?;
        let run = parts.next().and_then(|part| part.parse().ok()).ok_or(NoTrackKey)?;
        let camera = parts.next().filter(|camera| !camera.is_empty()).ok_or(NoTrackKey)?.to_owned();
        Ok(Self { camera, run, number })
    }
}

/// The ReID model whose embeddings a gallery holds: those of another one mean something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Digest of its file, as `model.toml` writes it.
    pub digest: String,
    /// Numbers in one embedding.
    pub dim: usize,
}

/// A track was seen. Best told when the track is first published, and whenever it has a new embedding.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// Which track.
    pub track: &'a TrackKey,
    /// When, by one clock for all cameras (such as Unix time); a little disorder between cameras does no harm.
    pub time: Duration,
    /// Since when the track has been seen, by the same clock; not after `time`.
    pub since: Duration,
    /// Class by name. Tracks of different classes are never one subject.
    pub label: &'a str,
    /// What it looks like, of unit length; `None` where nobody looked this time.
    pub embedding: Option<&'a [f32]>,
    /// How far the embedding can be believed, 0..1: see [`quality`].
    pub quality: f32,
    /// Where it stands; `None` where that is not known.
    pub place: Option<Place>,
}

/// How far the embedding of a box can be believed, 0..1.
///
/// `score` is the detection's, `height_px` the box's in pixels of the frame, `covered` the share of it that other
/// boxes of the same frame cover, 0..1, and `at_edge` says that the picture cuts it off.
#[must_use]
pub fn quality(score: f32, height_px: f32, covered: f32, at_edge: bool) -> f32 {
    let size = (height_px / 96.0).clamp(0.0, 1.0);
    let whole = if at_edge { 0.5 } else { 1.0 };
    (score.clamp(0.0, 1.0) * size * (1.0 - covered.clamp(0.0, 1.0)) * whole).max(0.0)
}
