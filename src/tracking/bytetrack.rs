//! ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box",
//! ECCV 2022, algorithm 1), with the birth and death rules of the authors' code.
//!
//! What differs from that code: time is in seconds (see [`super::kalman`]); a track takes only
//! detections of its own class; one threshold (`match_iou`) serves confirmed and unconfirmed
//! tracks; tracks of a run's first frame are confirmed like any other; and low-score detections
//! keep a track alive for `max_gap` at most, so that a lamp post which once looked like a person
//! does not stay one.

use std::time::Duration;

use super::assignment::Assignment;
use super::subject::Subject;
use crate::config::Tracking;
use crate::types::detection::Detection;
use crate::types::geometry::BBox;
use crate::types::track::{EndReason, Ended, Track};

/// Most detections of one frame that are used; of more, those with the highest scores.
pub const MAX_DETECTIONS: usize = 1000;
/// Most subjects followed at once; while there are as many, no track begins.
pub const MAX_TRACKS: usize = 1000;
/// How long a track without a detection is still published, as coasted.
pub const COAST: Duration = Duration::from_millis(500);

/// Boxes that reach further from the frame's corner are ignored: their squares leave no
/// precision. Pixels.
const MAX_COORDINATE: f32 = 1e6;
/// Least overlap in the second association (the authors' code).
const LOW_IOU: f32 = 0.5;
/// A seen and an unseen track that overlap more are one subject (the authors' code).
const DUPLICATE_IOU: f32 = 0.85;

/// The tracker of one camera.
#[derive(Debug)]
pub(super) struct ByteTrack {
    settings: Tracking,
    now: Duration,
    next_number: u64,
    /// In order of birth, and so of number.
    subjects: Vec<Subject>,
    published: Vec<Track>,
    ended: Vec<Ended>,
    /// Indices of this frame's detections that no track has taken yet.
    high: Vec<usize>,
    low: Vec<usize>,
    /// Indices of the subjects that take part in an association and found no detection yet.
    waiting: Vec<usize>,
    assignment: Assignment,
}

/// One frame, as the associations see it.
struct Frame<'a> {
    now: Duration,
    detections: &'a [Detection],
    high_score: f32,
}

/// How alike a track and a detection must be, 0..1.
#[derive(Clone, Copy)]
enum Least {
    /// Intersection over union.
    Iou(f32),
    /// Intersection over union, times score.
    FusedIou(f32),
}

impl Least {
    /// How far above the threshold a pair is.
    fn gain(self, subject: &Subject, detection: &Detection) -> f32 {
        let iou = subject.bbox.iou(&detection.bbox);
        match self {
            Self::Iou(least) => iou - least,
            Self::FusedIou(least) => iou * detection.score - least,
        }
    }
}

impl ByteTrack {
    /// An empty tracker.
    pub fn new(settings: &Tracking) -> Self {
        Self {
            settings: *settings,
            now: Duration::ZERO,
            next_number: 1,
            subjects: Vec::new(),
            published: Vec::new(),
            ended: Vec::new(),
            high: Vec::new(),
            low: Vec::new(),
            waiting: Vec::new(),
            assignment: Assignment::default(),
        }
    }

    /// Sorts the usable detections into high and low scores.
    fn sort_out(&mut self, detections: &[Detection]) {
        let Tracking { high_score, low_score, .. } = self.settings;
        let usable = |d: &Detection| {
            let BBox { x1, y1, x2, y2 } = d.bbox;
            d.score.is_finite()
                && d.score >= low_score
                && d.bbox.is_valid()
                && [x1, y1, x2, y2].iter().all(|v| v.abs() <= MAX_COORDINATE)
        };
        self.high.clear();
        self.high.extend((0..detections.len()).filter(|&i| usable(&detections[i])));
        if self.high.len() > MAX_DETECTIONS {
            let by_score = |a: &usize, b: &usize| detections[*b].score.total_cmp(&detections[*a].score);
            self.high.sort_unstable_by(|a, b| by_score(a, b).then(a.cmp(b)));
            self.high.truncate(MAX_DETECTIONS);
        }
        self.low.clear();
        self.low.extend(self.high.iter().filter(|&&i| detections[i].score < high_score));
        self.high.retain(|&i| detections[i].score >= high_score);
    }

    /// Moves every subject to the time of the frame; those unseen for too long are over.
    fn advance(&mut self, elapsed: Duration) {
        let (now, max_gap) = (self.now, self.settings.max_gap);
        for subject in &mut self.subjects {
            subject.over = (now - subject.track.last_seen > max_gap).then_some(EndReason::NotSeen);
            subject.predict(elapsed);
        }
        self.remove_finished();
    }

    /// The three associations: confirmed tracks with high scores, those of them that were seen a
    /// frame ago with low scores, and unconfirmed tracks with the high scores that are left.
    fn associate(&mut self, detections: &[Detection]) {
        let Tracking { high_score, match_iou, max_gap, .. } = self.settings;
        let frame = Frame { now: self.now, detections, high_score };

        self.wait(|s| s.confirmed);
        pair_up(
            &frame,
            Least::FusedIou(match_iou),
            &mut self.subjects,
            &mut self.waiting,
            &mut self.high,
            &mut self.assignment,
        );

        let subjects = &self.subjects;
        self.waiting.retain(|&i| subjects[i].seen_before && frame.now - subjects[i].last_high <= max_gap);
        pair_up(
            &frame,
            Least::Iou(LOW_IOU),
            &mut self.subjects,
            &mut self.waiting,
            &mut self.low,
            &mut self.assignment,
        );

        self.wait(|s| !s.confirmed);
        pair_up(
            &frame,
            Least::FusedIou(match_iou),
            &mut self.subjects,
            &mut self.waiting,
            &mut self.high,
            &mut self.assignment,
        );
        self.subjects.retain(|s| s.confirmed || s.seen);
    }

    fn wait(&mut self, which: impl Fn(&Subject) -> bool) {
        self.waiting.clear();
        self.waiting.extend((0..self.subjects.len()).filter(|&i| which(&self.subjects[i])));
    }

    /// Begins a track for each strong detection that is left.
    fn begin(&mut self, detections: &[Detection]) {
        let room = MAX_TRACKS.saturating_sub(self.subjects.len());
        let strong = self.high.iter().map(|&i| &detections[i]).filter(|d| d.score >= self.settings.start_score);
        self.subjects.extend(strong.take(room).map(|d| Subject::new(d, self.now)));
    }

    /// Of a seen and an unseen track on the same spot, keeps the one that was followed for longer.
    fn remove_duplicates(&mut self) {
        self.wait(|s| s.confirmed && !s.seen);
        for seen in 0..self.subjects.len() {
            if !self.subjects[seen].seen {
                continue;
            }
            for &unseen in &self.waiting {
                let (a, b) = (&self.subjects[seen], &self.subjects[unseen]);
                if a.track.class == b.track.class && a.bbox.iou(&b.bbox) > DUPLICATE_IOU {
                    let younger = if a.age() > b.age() { unseen } else { seen };
                    self.subjects[younger].over = Some(EndReason::Duplicate);
                }
            }
        }
        self.remove_finished();
    }

    /// Numbers those that have proven themselves.
    fn confirm(&mut self) {
        let confirm = self.settings.confirm;
        for subject in self.subjects.iter_mut().filter(|s| !s.confirmed && s.age() >= confirm) {
            subject.confirmed = true;
            subject.track.number = self.next_number;
            self.next_number += 1;
        }
    }

    fn remove_finished(&mut self) {
        let ended = &mut self.ended;
        self.subjects.retain(|s| {
            if let Some(reason) = s.over.filter(|_| s.confirmed) {
                ended.push(Ended { track: s.track, reason });
            }
            s.over.is_none()
        });
    }

    fn publish(&mut self) {
        self.published.clear();
        let confirmed = || self.subjects.iter().filter(|s| s.confirmed);
        self.published.extend(confirmed().filter(|s| s.seen).map(|s| s.track));
        let coasting = confirmed().filter(|s| !s.seen && self.now - s.track.last_seen <= COAST);
        self.published.extend(coasting.map(|s| Track { bbox: s.bbox, coasted: true, ..s.track }));
        self.ended.sort_unstable_by_key(|ended| ended.track.number);
    }
}

/// Pairs subjects with detections, and takes those that found each other off both lists.
fn pair_up(
    frame: &Frame,
    least: Least,
    subjects: &mut [Subject],
    waiting: &mut Vec<usize>,
    free: &mut Vec<usize>,
    assignment: &mut Assignment,
) {
    if waiting.is_empty() || free.is_empty() {
        return;
    }
    assignment.begin(free.len());
    for &i in waiting.iter() {
        for (column, &d) in free.iter().enumerate() {
            let (subject, detection) = (&subjects[i], &frame.detections[d]);
            if subject.track.class == detection.class {
                assignment.pair(column, least.gain(subject, detection));
            }
        }
        assignment.end_row();
    }
    assignment.solve();
    let mut row = 0;
    waiting.retain(|&i| {
        let column = assignment.column_of(row);
        row += 1;
        if let Some(column) = column {
            subjects[i].see(&frame.detections[free[column]], frame.now, frame.high_score);
        }
        column.is_none()
    });
    let mut column = 0;
    free.retain(|_| {
        column += 1;
        !assignment.is_taken(column - 1)
    });
}

impl super::Tracker for ByteTrack {
    fn update(&mut self, input: &super::Input<'_>) -> &[Track] {
        let detections = input.detections;
        let elapsed = input.time.saturating_sub(self.now);
        self.now += elapsed;
        self.ended.clear();
        self.sort_out(detections);
        self.advance(elapsed);
        self.associate(detections);
        self.begin(detections);
        self.remove_duplicates();
        self.confirm();
        self.publish();
        &self.published
    }

    fn ended(&self) -> &[Ended] {
        &self.ended
    }

    fn reset(&mut self) {
        self.ended.clear();
        let confirmed = self.subjects.iter().filter(|s| s.confirmed);
        self.ended.extend(confirmed.map(|s| Ended { track: s.track, reason: EndReason::Reset }));
        self.subjects.clear();
        self.published.clear();
        self.now = Duration::ZERO;
        self.next_number = 1;
    }
}
