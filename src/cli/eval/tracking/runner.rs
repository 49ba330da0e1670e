//! One sequence through one tracker, and its score.

use std::time::{Duration, Instant};

use super::contender::Contender;
use crate::cli::eval::bad;
use crate::cli::exit::BadInput;
use crate::eval::sequence::Sequence;
use crate::eval::tracking::{self, Frames, Object, Scores, Summary};
use crate::tracking::Input;
use crate::types::embedding::Embeddings;
use crate::types::track::Track;

/// Tracks of a sequence.
pub(super) struct Tracked {
    /// Those seen in each frame.
    pub(super) frames: Vec<(u64, Vec<Track>)>,
    /// Median time that the tracker took for a frame.
    pub(super) per_frame: Duration,
}

/// How well a tracker did on one sequence.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    pub(super) scores: Scores,
    pub(super) summary: Summary,
    /// How many tracks there were.
    pub(super) tracks: u64,
    pub(super) per_frame: Duration,
}

/// Gives a tracker all frames of a sequence, those without detections too.
pub(super) fn track(sequence: &Sequence, contender: &Contender) -> Result<Tracked, BadInput> {
    let mut tracker = contender.tracker()?;
    let found = &sequence.detections;
    let step = 1.0 / sequence.facts.fps;
    let last = sequence.facts.frames.or(found.frames.keys().last().copied()).unwrap_or(0);
    let (mut frames, mut times) = (Vec::new(), Vec::new());
    let (mut wanted, mut appearance) = (Vec::new(), Embeddings::default());
    let has_appearance = found.dim().is_some();
    for number in (1..=last).step_by(usize::try_from(sequence.every).unwrap_or(1)) {
        let frame = found.frames.get(&number);
        let detections = frame.map_or(&[][..], |frame| &frame.detections);
        let time = Duration::from_secs_f64((number - 1) as f64 * step);
        let mut input = Input { size: sequence.facts.size, ..Input::new(time, detections) };
        let mut took = Duration::ZERO;
        if has_appearance {
            let began = Instant::now();
            tracker.wants(&input, &mut wanted);
            took += began.elapsed();
            // Nobody looks at what the tracker did not ask for: so it is in a camera, too.
            shown(frame.map(|frame| &frame.appearance), detections.len(), &wanted, &mut appearance);
            input.appearance = Some(&appearance);
        }
        let began = Instant::now();
        let tracks = tracker.update(&input);
        took += began.elapsed();
        frames.push((number, tracks.iter().filter(|track| !track.coasted).copied().collect()));
        times.push(took);
    }
    times.sort_unstable();
    let per_frame = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok(Tracked { frames, per_frame })
}

/// The rows that are wanted, and none in the places of the others.
fn shown(all: Option<&Embeddings>, count: usize, wanted: &[usize], shown: &mut Embeddings) {
    shown.clear();
    let Some(all) = all else { return };
    let nothing = vec![0.0; all.dim()];
    for at in 0..count {
        match all.get(at).filter(|_| wanted.contains(&at)) {
            Some(row) => shown.push_copy(row),
            None => {
                shown.push(&nothing);
            }
        }
    }
}

/// Scores tracks; counts of several classes are added up.
pub(super) fn score(sequence: &Sequence, tracked: &Tracked, classes: &[u32]) -> anyhow::Result<Scored> {
    let object = |track: &Track| {
        let b = track.bbox;
        let bbox = [b.x1, b.y1, b.width(), b.height()].map(f64::from);
        Object { id: track.number, class: u32::from(track.class) + 1, bbox, ignore: false }
    };
    let found: Frames = tracked.frames.iter().map(|(n, tracks)| (*n, tracks.iter().map(object).collect())).collect();
    let mut scores = Scores::default();
    for class in classes {
        scores = scores.and(&tracking::evaluate(&sequence.truth_of(*class), &found, Some(*class)).map_err(bad)?);
    }
    let numbers = tracked.frames.iter().flat_map(|(_, tracks)| tracks.iter().map(|track| track.number));
    let tracks = numbers.collect::<std::collections::BTreeSet<_>>().len() as u64;
    let Some(summary) = scores.summary() else {
        return Err(BadInput(format!("{}: its ground truth has nothing that is scored", sequence.name)).into());
    };
    Ok(Scored { scores, summary, tracks, per_frame: tracked.per_frame })
}
