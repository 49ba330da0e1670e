//! ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box",
//! ECCV 2022, algorithm 1), with the birth and death rules of the authors' code.
//!
//! What differs from that code: time is in seconds (see [`super::kalman`]); a track takes only
//! detections of its own class; one threshold (`match_iou`) serves confirmed and unconfirmed
//! tracks; tracks of a run's first frame are confirmed like any other; and low-score detections
//! keep a track alive for `max_gap` at most, so that a lamp post which once looked like a person
//! does not stay one.

#[cfg(test)]
mod golden;
mod rules;
mod subject;

use std::time::Duration;

use super::Input;
use super::lives::{Lives, Living};
use super::pairing::Pairing;
use super::sieve::Sieve;
use crate::types::detection::Detection;
use crate::types::track::{Ended, Track};
pub(super) use rules::Rules;
use subject::Subject;

/// How long a track without a detection is still published, as coasted.
pub const COAST: Duration = Duration::from_millis(500);

/// The tracker of one camera.
#[derive(Debug)]
pub(super) struct ByteTrack {
    rules: Rules,
    lives: Lives<Subject>,
    sieve: Sieve,
    pairing: Pairing,
    /// No frame came yet.
    first: bool,
}

/// Which overlaps make a pair.
#[derive(Clone, Copy)]
enum Least {
    /// Of intersection over union.
    Iou(f32),
    /// Of intersection over union, times score.
    Fused(f32),
}

impl ByteTrack {
    /// An empty tracker.
    pub fn new(rules: Rules) -> Self {
        let (lives, sieve, pairing) = (Lives::new(), Sieve::default(), Pairing::default());
        Self { rules, lives, sieve, pairing, first: true }
    }

    /// The three associations: confirmed tracks with high scores, those of them that were seen a
    /// frame ago with low scores, and unconfirmed tracks with the high scores that are left.
    fn associate(&mut self, detections: &[Detection]) {
        let Rules { config, low_iou, fused, .. } = self.rules;
        let likeness = if fused { Least::Fused(config.match_iou) } else { Least::Iou(config.match_iou) };

        self.wait(|s| s.life().confirmed);
        self.pair(detections, true, likeness);

        let (subjects, now) = (&self.lives.subjects, self.lives.now);
        self.pairing.waiting.retain(|&i| subjects[i].seen_before && now - subjects[i].last_high <= config.max_gap);
        self.pair(detections, false, Least::Iou(low_iou));

        self.wait(|s| !s.life().confirmed);
        self.pair(detections, true, likeness);
        self.lives.subjects.retain(|s| s.life().confirmed || s.life().seen);
    }

    fn wait(&mut self, which: impl Fn(&Subject) -> bool) {
        let subjects = &self.lives.subjects;
        self.pairing.wait(subjects.len(), |i| which(&subjects[i]));
    }

    /// Pairs waiting subjects with high or low scores.
    fn pair(&mut self, detections: &[Detection], high: bool, least: Least) {
        let Self { rules, lives, sieve, pairing, .. } = self;
        let free = if high { &mut sieve.high } else { &mut sieve.low };
        pairing.pair(free, |subject, detection| {
            let (life, detection) = (lives.subjects[subject].life(), &detections[detection]);
            if life.track.class != detection.class {
                return 0.0;
            }
            let overlap = rules.overlap(&life.bbox, &detection.bbox);
            match least {
                Least::Iou(least) => overlap - least,
                Least::Fused(least) => overlap * detection.score.min(1.0) - least,
            }
        });
        for &(subject, detection) in &pairing.pairs {
            lives.subjects[subject].see(rules, &detections[detection], lives.now);
        }
    }

    /// Begins a track for each strong detection that is left.
    fn begin(&mut self, detections: &[Detection]) {
        let Self { rules, lives, sieve, .. } = self;
        let (room, now) = (lives.room(), lives.now);
        let strong = sieve.high.iter().map(|&i| &detections[i]).filter(|d| d.score >= rules.config.start_score);
        lives.subjects.extend(strong.take(room).map(|d| Subject::new(rules, d, now)));
    }
}

impl super::Tracker for ByteTrack {
    fn update(&mut self, input: &Input<'_>) -> &[Track] {
        let config = self.rules.config;
        let elapsed = self.lives.begin_frame(input.time, config.max_gap);
        let steps = self.rules.motion.steps(elapsed);
        self.sieve.sort_out(input, config.low_score, config.high_score);
        let camera = input.camera_motion.or_none();
        self.lives.subjects.iter_mut().for_each(|subject| subject.predict(&self.rules, steps, &camera));
        self.associate(input.detections);
        self.begin(input.detections);
        self.lives.remove_duplicates(self.rules.duplicate_iou, |a, b| self.rules.overlap(a, b));
        let at_once = self.rules.first_at_once && std::mem::take(&mut self.first);
        self.lives.confirm(if at_once { Duration::ZERO } else { config.confirm });
        self.lives.publish(self.rules.coast);
        self.lives.published()
    }

    fn ended(&self) -> &[Ended] {
        self.lives.ended()
    }

    fn reset(&mut self) {
        self.lives.reset();
        self.first = true;
    }
}
