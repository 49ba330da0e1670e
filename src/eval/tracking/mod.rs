//! How well objects are followed: HOTA, CLEAR MOT and identity scores, as TrackEval computes them.

mod clear;
mod hota;
mod identity;
mod prepare;

use std::collections::BTreeMap;

use super::boxes::Xywh;
pub use clear::Clear;
pub use hota::Hota;
pub use identity::Identity;
pub(super) use prepare::prepare;

/// One object in one frame, wanted or found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Object {
    /// Its track; once per frame and class.
    pub id: u64,
    /// Number of its class.
    pub class: u32,
    /// Pixels.
    pub bbox: Xywh,
    /// Of truth: finding it is neither right nor wrong.
    pub ignore: bool,
}

/// Objects per frame. Frames without objects need no entry. The key orders them: the number of the frame, or camera
/// and frame.
pub type Frames<K = u64> = BTreeMap<K, Vec<Object>>;

/// A track twice in one frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("track {id} of class {class} is in frame {frame} of the {side} twice; a track has one box per frame")]
pub struct TwiceInFrame {
    /// `truth` or `predictions`.
    pub side: &'static str,
    /// The frame's key.
    pub frame: String,
    /// The track.
    pub id: u64,
    /// Its class.
    pub class: u32,
}

/// Counts and sums of any number of sequences and classes; the scores follow from them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Detection and association, over 19 thresholds.
    pub hota: Hota,
    /// Misses, false alarms and switches.
    pub clear: Clear,
    /// Tracks to tracks, one to one.
    pub identity: Identity,
}

impl Scores {
    /// Both together, as one set of sequences: counts add up (TrackEval's `combine_sequences`, and
    /// `combine_classes_det_averaged` over classes).
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.hota.add(&other.hota);
        self.clear.add(&other.clear);
        self.identity.add(&other.identity);
        self
    }

    /// The scores by name; `None` where the truth holds nothing that is wanted.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        (self.clear.tp + self.clear.misses > 0).then(|| Summary {
            hota: self.hota.hota(),
            deta: self.hota.deta(),
            assa: self.hota.assa(),
            loca: self.hota.loca(),
            mota: self.clear.mota(),
            motp: self.clear.motp(),
            idf1: self.identity.idf1(),
            idp: self.identity.idp(),
            idr: self.identity.idr(),
            fp: self.clear.false_alarms,
            r#fn: self.clear.misses,
            idsw: self.clear.switches,
            frag: self.clear.fragmentations,
            mt: self.clear.mostly_tracked,
            pt: self.clear.partly_tracked,
            ml: self.clear.mostly_lost,
            idtp: self.identity.tp,
            idfp: self.identity.false_alarms,
            idfn: self.identity.misses,
        })
    }
}

/// Scores by the names of the field. Shares are 0..1 (`mota` may be negative), the others are counts.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[allow(missing_docs, reason = "the names are the field's")]
pub struct Summary {
    pub hota: f64,
    pub deta: f64,
    pub assa: f64,
    pub loca: f64,
    pub mota: f64,
    pub motp: f64,
    pub idf1: f64,
    pub idp: f64,
    pub idr: f64,
    pub fp: u64,
    pub r#fn: u64,
    pub idsw: u64,
    pub frag: u64,
    pub mt: u64,
    pub pt: u64,
    pub ml: u64,
    pub idtp: u64,
    pub idfp: u64,
    pub idfn: u64,
}

/// Scores one class of one sequence.
///
/// With `class`, only objects of that class take part on both sides; without, all of them as if they were one class.
/// Predictions on ignored truth are left out before anything is counted.
///
/// # Errors
/// A track that is twice in one frame.
pub fn evaluate<K: Ord + std::fmt::Debug>(
    truth: &Frames<K>,
    predictions: &Frames<K>,
    class: Option<u32>,
) -> Result<Scores, TwiceInFrame> {
    let sequence = prepare(truth, predictions, class)?;
    Ok(Scores { hota: Hota::of(&sequence), clear: Clear::of(&sequence), identity: Identity::of(&sequence) })
}

/// A sequence with tracks numbered from 0 without gaps, ready to be counted.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    frames: Vec<Frame>,
    /// Number of boxes per track.
    truth_lengths: Vec<u32>,
    prediction_lengths: Vec<u32>,
}

/// One frame of a [`Sequence`].
#[derive(Debug, Default)]
struct Frame {
    /// Track numbers.
    truth: Vec<usize>,
    predictions: Vec<usize>,
    /// IoU, row-major: one row per truth, one column per prediction.
    similarities: Vec<f64>,
}

impl Frame {
    fn similarity(&self, truth: usize, prediction: usize) -> f64 {
        self.similarities[truth * self.predictions.len() + prediction]
    }

    /// All pairs of positions, row by row.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.truth.len()).flat_map(|t| (0..self.predictions.len()).map(move |p| (t, p)))
    }
}
