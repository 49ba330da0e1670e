//! Watchkeeper's own tracker, clean-room, on what is best in published ones and in our own measurements.
//!
//! Each frame, tracks are moved on ([`motion`]), strong detections are paired with them by overlap, height, distance,
//! direction and score ([`similarity`], [`association`]), then weak ones, then what is left in a wider circle; what
//! is still left begins tracks, which are believed once they are seen again ([`life`]). With embeddings, looks count
//! in pairing and find tracks that motion lost ([`looks`]).
//!
//! From the literature: rounds by score from ByteTrack (Zhang et al., ECCV 2022), the filter's state and its following
//! of the camera from BoT-SORT (Aharon et al., 2022), direction from OC-SORT (Cao et al., CVPR 2023), overlap of
//! heights from Hybrid-SORT (Yang et al., AAAI 2024), grown boxes from C-BIoU (Yang et al., WACV 2023), distance in
//! sigmas from BoostTrack (Stanojevic and Todorovic, 2024), looks mixed by quality from Deep OC-SORT (Maggiolino et
//! al., ICIP 2023). Ours: thresholds as shares of the scene's usual score ([`found`]), hidden boxes that the filter
//! believes less, and noise and confirmation in continuous time, so that one setting serves 5 and 30 frames/s.
//! OC-SORT's re-update and its recovery at the last box were measured and made it worse: the filter does the same.

mod association;
mod found;
mod life;
mod looks;
mod motion;
mod settings;
mod similarity;
mod subject;
#[cfg(test)]
mod tests;
mod votes;
mod wants;

use std::time::Duration;

use super::assignment::Assignment;
use super::{COAST, Input, MAX_TRACKS};
use crate::config::{AppearanceUse, Tracking};
use crate::types::track::{Change, Ended, Track};
use found::{Found, Usual};
use looks::Looks;
pub use settings::Settings;
use subject::Subject;
use wants::Candidate;

/// Room that is made for subjects and detections before the first frame.
const ROOM: usize = 128;

/// The tracker of one camera.
#[derive(Debug)]
pub struct Keeper {
    common: Tracking,
    settings: Settings,
    now: Duration,
    /// Had a frame in this run.
    started: bool,
    usual: Usual,
    next_number: u64,
    /// In order of birth.
    subjects: Vec<Subject>,
    /// The detections of this frame, best first.
    found: Vec<Found>,
    /// Subjects and detections of a round of association.
    rows: Vec<usize>,
    columns: Vec<usize>,
    assignment: Assignment,
    looks: Looks,
    published: Vec<Track>,
    ended: Vec<Ended>,
    changes: Vec<Change>,
    /// Usefulness and place of detections whose looks would help.
    useful: Vec<(f32, usize)>,
    candidates: Vec<Candidate>,
}

impl Keeper {
    /// An empty tracker.
    pub fn new(common: &Tracking, settings: Settings) -> Self {
        Self {
            common: *common,
            settings,
            now: Duration::ZERO,
            started: false,
            usual: Usual::default(),
            next_number: 1,
            subjects: Vec::with_capacity(ROOM),
            found: Vec::with_capacity(ROOM),
            rows: Vec::with_capacity(ROOM),
            columns: Vec::with_capacity(ROOM),
            assignment: Assignment::default(),
            looks: Looks::default(),
            published: Vec::with_capacity(ROOM),
            ended: Vec::with_capacity(ROOM),
            changes: Vec::with_capacity(2 * ROOM),
            useful: Vec::with_capacity(ROOM),
            candidates: Vec::with_capacity(ROOM),
        }
    }

    fn goes_by_looks(&self) -> bool {
        self.common.appearance == AppearanceUse::Auto
    }

    /// Time since the frame before; none before the first one.
    fn elapsed(&self, time: Duration) -> Duration {
        if self.started { time.saturating_sub(self.now) } else { Duration::ZERO }
    }
}

impl super::Tracker for Keeper {
    fn update(&mut self, input: &Input<'_>) -> &[Track] {
        let appearance = input.appearance.filter(|_| self.goes_by_looks());
        let elapsed = self.elapsed(input.time);
        self.now = self.now.max(input.time);
        self.started = true;
        self.ended.clear();
        self.changes.clear();
        if appearance.is_some_and(|a| self.looks.fit(a)) {
            self.subjects.iter_mut().for_each(|subject| subject.looks = None);
        }
        let (low, s) = (self.common.low_score, self.settings);
        found::sort_out(&mut self.found, input, low, &mut self.usual, elapsed, &s);
        self.expire();
        let camera = input.camera_motion.or_none();
        for subject in &mut self.subjects {
            subject.predict(elapsed, &camera, &s);
        }
        self.forget_unsound();
        self.associate(appearance);
        self.begin(appearance);
        self.remove_duplicates();
        self.settle(elapsed, input.size);
        self.publish();
        &self.published
    }

    fn ended(&self) -> &[Ended] {
        &self.ended
    }

    fn changes(&self) -> &[Change] {
        &self.changes
    }

    fn wants(&mut self, input: &Input<'_>, wanted: &mut Vec<usize>) {
        wanted.clear();
        if self.goes_by_looks() {
            self.useful(input, wanted);
        }
    }

    fn forget_appearance(&mut self) {
        self.looks = Looks::default();
        self.subjects.iter_mut().for_each(|subject| subject.looks = None);
    }

    fn reset(&mut self) {
        self.ended.clear();
        self.changes.clear();
        self.end_all();
        self.published.clear();
        self.looks = Looks::default();
        self.usual = Usual::default();
        self.now = Duration::ZERO;
        self.started = false;
        self.next_number = 1;
    }
}
