//! CLEAR MOT (Bernardin and Stiefelhagen, EURASIP JIVP 2008), as TrackEval counts it.

use super::{Frame, Sequence};
use crate::eval::assignment::maximise;

/// IoU from which a prediction may be a match.
const THRESHOLD: f64 = 0.5;

/// Counts over frames and tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clear {
    /// Matches.
    pub tp: u64,
    /// Truth without a match.
    pub misses: u64,
    /// Predictions without a match.
    pub false_alarms: u64,
    /// Matches with another track than the one before.
    pub switches: u64,
    /// Times that following was taken up again.
    pub fragmentations: u64,
    /// Tracks matched in more than 80 % of their frames.
    pub mostly_tracked: u64,
    /// Tracks in between.
    pub partly_tracked: u64,
    /// Tracks matched in less than 20 % of their frames.
    pub mostly_lost: u64,
    /// Sum of IoU over matches.
    pub similarity: f64,
}

/// What is known of one truth track on the way.
#[derive(Clone, Copy, Default)]
struct Followed {
    /// The prediction it was last matched with.
    last: Option<usize>,
    /// The same, where that was in the frame before.
    before: Option<usize>,
    matched: u32,
    begun: u64,
}

impl Clear {
    pub(super) fn of(sequence: &Sequence) -> Self {
        let mut clear = Self::default();
        let mut tracks = vec![Followed::default(); sequence.truth_lengths.len()];
        for frame in &sequence.frames {
            let pairs = matches(frame, &tracks);
            clear.tp += pairs.len() as u64;
            clear.misses += (frame.truth.len() - pairs.len()) as u64;
            clear.false_alarms += (frame.predictions.len() - pairs.len()) as u64;
            // As TrackEval: a frame that is empty on either side interrupts nothing.
            if !frame.truth.is_empty() && !frame.predictions.is_empty() {
                clear.follow(frame, &pairs, &mut tracks);
            }
        }
        for (track, length) in tracks.iter().zip(&sequence.truth_lengths) {
            let share = f64::from(track.matched) / f64::from(*length);
            if share > 0.8 {
                clear.mostly_tracked += 1;
            } else if share >= 0.2 {
                clear.partly_tracked += 1;
            } else {
                clear.mostly_lost += 1;
            }
            clear.fragmentations += track.begun.saturating_sub(1);
        }
        clear
    }

    fn follow(&mut self, frame: &Frame, pairs: &[(usize, usize)], tracks: &mut [Followed]) {
        let mut now = vec![None; tracks.len()];
        for &(t, p) in pairs {
            let (track, prediction) = (&mut tracks[frame.truth[t]], frame.predictions[p]);
            self.switches += u64::from(track.last.is_some_and(|last| last != prediction));
            self.similarity += frame.similarity(t, p);
            track.last = Some(prediction);
            track.matched += 1;
            track.begun += u64::from(track.before.is_none());
            now[frame.truth[t]] = Some(prediction);
        }
        for (track, now) in tracks.iter_mut().zip(now) {
            track.before = now;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.tp += other.tp;
        self.misses += other.misses;
        self.false_alarms += other.false_alarms;
        self.switches += other.switches;
        self.fragmentations += other.fragmentations;
        self.mostly_tracked += other.mostly_tracked;
        self.partly_tracked += other.partly_tracked;
        self.mostly_lost += other.mostly_lost;
        self.similarity += other.similarity;
    }

    /// MOTA: 1 less misses, false alarms and switches per wanted box; negative where they are more.
    #[must_use]
    pub fn mota(&self) -> f64 {
        let right = self.tp as f64 - self.false_alarms as f64 - self.switches as f64;
        right / ((self.tp + self.misses) as f64).max(1.0)
    }

    /// MOTP: mean IoU of matches.
    #[must_use]
    pub fn motp(&self) -> f64 {
        self.similarity / (self.tp as f64).max(1.0)
    }
}

/// The best pairs of positions, pairs of the frame before first.
fn matches(frame: &Frame, tracks: &[Followed]) -> Vec<(usize, usize)> {
    let gain = |(t, p): (usize, usize)| {
        let similarity = frame.similarity(t, p);
        let continued = tracks[frame.truth[t]].before == Some(frame.predictions[p]);
        match (similarity >= THRESHOLD - f64::EPSILON, continued) {
            (false, _) => 0.0,
            (true, false) => similarity,
            (true, true) => 1000.0 + similarity,
        }
    };
    let gains: Vec<f64> = frame.pairs().map(gain).collect();
    let mut pairs = maximise(&gains, frame.truth.len(), frame.predictions.len());
    pairs.retain(|(t, p)| gains[t * frame.predictions.len() + p] > 0.0);
    pairs
}
