//! OC-SORT (Cao et al., "Observation-Centric SORT: Rethinking SORT for Robust Multi-Object Tracking", CVPR 2023).
//!
//! Trusts what was seen over what the filter believes, three times: a pair of track and detection counts more if the
//! detection continues the way along which the track was seen (momentum); a track that is found nowhere near its
//! prediction may still be found where it was last seen (recovery); and once it is found after a gap, the filter is
//! taken back to the gap's beginning and led along the straight line between both detections (re-update). Low scores
//! keep a track alive as in ByteTrack, which the authors' code offers, too.
//!
//! What differs from that code: time is in seconds; a track takes only detections of its own class; boxes move as
//! [`super::kalman`] says and not by their area; pairs that overlap too little are left out before the assignment and
//! not after it; an unconfirmed track that is not seen is forgotten; and a confirmed track stays confirmed.

mod observations;
mod settings;
mod subject;
#[cfg(test)]
mod tests;

use super::Input;
use super::lives::{Lives, Living};
use super::pairing::Pairing;
use super::sieve::Sieve;
use crate::types::detection::Detection;
use crate::types::track::{Ended, Track};
pub(super) use settings::Settings;
use subject::Subject;

/// The tracker of one camera.
#[derive(Debug)]
pub(super) struct OcSort {
    settings: Settings,
    lives: Lives<Subject>,
    sieve: Sieve,
    pairing: Pairing,
    /// Where the direction of each subject begins in this frame.
    origins: Vec<(f32, f32)>,
    /// Indices of the subjects that the first association left.
    left: Vec<usize>,
}

impl OcSort {
    /// An empty tracker.
    pub fn new(settings: Settings) -> Self {
        let (lives, sieve, pairing) = (Lives::new(), Sieve::default(), Pairing::default());
        Self { settings, lives, sieve, pairing, origins: Vec::new(), left: Vec::new() }
    }

    /// The three associations: all tracks with high scores by overlap and momentum; those that are left, with low
    /// scores by overlap; and again with high scores, by where they were last seen.
    fn associate(&mut self, detections: &[Detection]) {
        let Self { settings, lives, sieve, pairing, origins, left } = self;
        let (now, max_gap) = (lives.now, settings.config.max_gap);
        let same_class = |life: &super::lives::Life, d: &Detection| life.track.class == d.class;

        origins.clear();
        origins.extend(lives.subjects.iter().map(|subject| subject.origin(settings, now)));
        pairing.wait(lives.subjects.len(), |_| true);
        pairing.pair(&mut sieve.high, |i, d| {
            let (subject, detection) = (&lives.subjects[i], &detections[d]);
            let iou = subject.life().bbox.iou(&detection.bbox);
            if iou * detection.score.min(1.0) < settings.config.match_iou || !same_class(subject.life(), detection) {
                return 0.0;
            }
            iou + settings.momentum * detection.score.min(1.0) * subject.momentum(origins[i], detection)
        });
        take(settings, lives, pairing, detections);

        left.clone_from(&pairing.waiting);
        let subjects = &lives.subjects;
        pairing.waiting.retain(|&i| subjects[i].life().confirmed && now - subjects[i].last_high <= max_gap);
        pairing.pair(&mut sieve.low, |i, d| {
            let (life, detection) = (subjects[i].life(), &detections[d]);
            if same_class(life, detection) { life.bbox.iou(&detection.bbox) - settings.low_iou } else { 0.0 }
        });
        take(settings, lives, pairing, detections);

        pairing.waiting.clone_from(left);
        let subjects = &lives.subjects;
        pairing.waiting.retain(|&i| !subjects[i].life().seen);
        pairing.pair(&mut sieve.high, |i, d| {
            let (subject, detection) = (&subjects[i], &detections[d]);
            let iou = subject.last.iou(&detection.bbox);
            if same_class(subject.life(), detection) { iou - settings.recovery_iou } else { 0.0 }
        });
        take(settings, lives, pairing, detections);

        lives.subjects.retain(|subject| subject.life().confirmed || subject.life().seen);
    }

    /// Begins a track for each strong detection that is left.
    fn begin(&mut self, detections: &[Detection]) {
        let Self { settings, lives, sieve, .. } = self;
        let (room, now) = (lives.room(), lives.now);
        let strong = sieve.high.iter().map(|&i| &detections[i]).filter(|d| d.score >= settings.config.start_score);
        lives.subjects.extend(strong.take(room).map(|d| Subject::new(settings, d, now)));
    }
}

/// Gives the subjects of the latest association their detections.
fn take(settings: &Settings, lives: &mut Lives<Subject>, pairing: &Pairing, detections: &[Detection]) {
    for &(subject, detection) in &pairing.pairs {
        lives.subjects[subject].see(settings, &detections[detection], lives.now);
    }
}

impl super::Tracker for OcSort {
    fn update(&mut self, input: &Input<'_>) -> &[Track] {
        let config = self.settings.config;
        let elapsed = self.lives.begin_frame(input.time, config.max_gap);
        let steps = self.settings.motion.steps(elapsed);
        self.sieve.sort_out(input, config.low_score, config.high_score);
        let camera = input.camera_motion.or_none();
        self.lives.subjects.iter_mut().for_each(|subject| subject.predict(&self.settings, steps, &camera));
        self.associate(input.detections);
        self.begin(input.detections);
        self.lives.confirm(config.confirm);
        self.lives.publish(self.settings.coast);
        self.lives.published()
    }

    fn ended(&self) -> &[Ended] {
        self.lives.ended()
    }

    fn reset(&mut self) {
        self.lives.reset();
    }
}
