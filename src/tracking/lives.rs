//! The lives of the subjects of one camera: when they are numbered, published and over.

use std::time::Duration;

use super::scores::Scores;
use crate::types::detection::Detection;
use crate::types::geometry::BBox;
use crate::types::track::{EndReason, Ended, Track};

/// Most subjects followed at once; while there are as many, no track begins.
pub const MAX_TRACKS: usize = 1000;

/// What every tracker knows of a subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// As last seen; the number is 0 until it is confirmed.
    pub track: Track,
    /// The box now: as detected in this frame, else as predicted.
    pub bbox: BBox,
    /// Has its number.
    pub confirmed: bool,
    /// Has a detection in this frame.
    pub seen: bool,
    /// To be removed, and why.
    pub over: Option<EndReason>,
    scores: Scores,
}

impl Life {
    /// Seen for the first time.
    pub fn new(detection: &Detection, now: Duration) -> Self {
        let Detection { bbox, score, class } = *detection;
        Self {
            track: Track {
                number: 0,
                class,
                bbox,
                score,
                top_score: score,
                median_score: score,
                first_seen: now,
                last_seen: now,
                coasted: false,
                stationary: false,
            },
            bbox,
            confirmed: false,
            seen: true,
            over: None,
            scores: Scores::new(score),
        }
    }

    /// Takes in its detection of this frame.
    pub fn see(&mut self, detection: &Detection, now: Duration) {
        self.bbox = detection.bbox;
        self.seen = true;
        self.scores.push(detection.score);
        let track = &mut self.track;
        track.bbox = detection.bbox;
        track.score = detection.score;
        track.top_score = track.top_score.max(detection.score);
        track.median_score = self.scores.median();
        track.last_seen = now;
    }

    /// From its first to its latest detection.
    pub fn age(&self) -> Duration {
        self.track.last_seen - self.track.first_seen
    }
}

/// A subject as a tracker knows it.
pub(super) trait Living {
    fn life(&self) -> &Life;
    fn life_mut(&mut self) -> &mut Life;
}

/// All subjects, in order of birth and so of number, and what is published of them.
#[derive(Debug)]
pub(super) struct Lives<S> {
    /// Time of the frame.
    pub now: Duration,
    pub subjects: Vec<S>,
    next_number: u64,
    published: Vec<Track>,
    ended: Vec<Ended>,
}

impl<S: Living> Lives<S> {
    /// Nobody, before the first frame.
    pub fn new() -> Self {
        Self { now: Duration::ZERO, subjects: vec![], next_number: 1, published: vec![], ended: vec![] }
    }

    /// Begins a frame: those unseen for longer than `max_gap` are over. Returns the time since the frame before.
    pub fn begin_frame(&mut self, time: Duration, max_gap: Duration) -> Duration {
        let elapsed = time.saturating_sub(self.now);
        self.now += elapsed;
        self.ended.clear();
        let now = self.now;
        for life in self.subjects.iter_mut().map(S::life_mut) {
            life.over = (now - life.track.last_seen > max_gap).then_some(EndReason::NotSeen);
        }
        self.remove_finished();
        elapsed
    }

    /// How many more subjects may be followed.
    pub fn room(&self) -> usize {
        MAX_TRACKS.saturating_sub(self.subjects.len())
    }

    /// Of a seen and an unseen track on the same spot, keeps the one that was followed for longer.
    pub fn remove_duplicates(&mut self, least_iou: f32, overlap: impl Fn(&BBox, &BBox) -> f32) {
        for unseen in 0..self.subjects.len() {
            let life = self.subjects[unseen].life();
            if life.seen || !life.confirmed {
                continue;
            }
            for seen in 0..self.subjects.len() {
                let (a, b) = (self.subjects[seen].life(), self.subjects[unseen].life());
                if a.seen && a.track.class == b.track.class && overlap(&a.bbox, &b.bbox) > least_iou {
                    let younger = if a.age() > b.age() { unseen } else { seen };
                    self.subjects[younger].life_mut().over = Some(EndReason::Duplicate);
                }
            }
        }
        self.remove_finished();
    }

    /// Numbers those that have proven themselves for `confirm`.
    pub fn confirm(&mut self, confirm: Duration) {
        let lives = self.subjects.iter_mut().map(S::life_mut);
        for life in lives.filter(|life| !life.confirmed && life.seen && life.age() >= confirm) {
            life.confirmed = true;
            life.track.number = self.next_number;
            self.next_number += 1;
        }
    }

    /// Takes those away that are over, and lists the confirmed ones.
    fn remove_finished(&mut self) {
        let ended = &mut self.ended;
        self.subjects.retain(|subject| {
            let life = subject.life();
            if let Some(reason) = life.over.filter(|_| life.confirmed) {
                ended.push(Ended { track: life.track, reason });
            }
            life.over.is_none()
        });
    }

    /// Ends a frame: lists what [`super::Tracker::update`] returns. Unseen tracks are listed for `coast`.
    pub fn publish(&mut self, coast: Duration) {
        self.published.clear();
        let confirmed = || self.subjects.iter().map(S::life).filter(|life| life.confirmed);
        self.published.extend(confirmed().filter(|life| life.seen).map(|life| life.track));
        let coasting = confirmed().filter(|life| !life.seen && self.now - life.track.last_seen <= coast);
        self.published.extend(coasting.map(|life| Track { bbox: life.bbox, coasted: true, ..life.track }));
        // Numbers are given in order of confirmation, which need not be that of birth.
        self.published.sort_unstable_by_key(|track| (track.coasted, track.number));
        self.ended.sort_unstable_by_key(|ended| ended.track.number);
    }

    /// See [`super::Tracker::update`].
    pub fn published(&self) -> &[Track] {
        &self.published
    }

    /// See [`super::Tracker::ended`].
    pub fn ended(&self) -> &[Ended] {
        &self.ended
    }

    /// See [`super::Tracker::reset`].
    pub fn reset(&mut self) {
        self.ended.clear();
        for life in self.subjects.iter_mut().map(S::life_mut) {
            life.over = Some(EndReason::Reset);
        }
        self.remove_finished();
        self.ended.sort_unstable_by_key(|ended| ended.track.number);
        self.published.clear();
        self.now = Duration::ZERO;
        self.next_number = 1;
    }
}
