//! How tracks begin, are believed, change and end.

use std::time::Duration;

use super::association::HIDDEN_LOOKS;
use super::similarity::covered;
use super::subject::Subject;
use super::{COAST, Keeper, MAX_TRACKS};
use crate::types::embedding::Embeddings;
use crate::types::track::{Change, ChangeReason, EndReason, Ended, Track, TrackState};

impl Keeper {
    /// Ends what was unseen for too long.
    pub(super) fn expire(&mut self) {
        let (now, s) = (self.now, &self.settings);
        for subject in &mut self.subjects {
            let gap = subject.gap(now);
            let left = subject.leaving && s.over(gap, s.edge_gap_s);
            let kept = if subject.looks.is_some() { s.looks_gap.max(1.0) } else { 1.0 };
            let too_long = s.seconds(gap) > kept * s.seconds(self.common.max_gap);
            if too_long || (left && kept <= 1.0) {
                subject.over = Some(if subject.leaving { EndReason::Left } else { EndReason::NotSeen });
            }
        }
        self.remove();
    }

    /// Begins a track for each strong detection that is left, unless it is a part of what is followed already.
    pub(super) fn begin(&mut self, appearance: Option<&Embeddings>) {
        let s = self.settings;
        for i in 0..self.found.len() {
            let found = self.found[i];
            if self.subjects.len() >= MAX_TRACKS {
                break;
            }
            if found.taken || found.level < s.start {
                continue;
            }
            let d = &found.detection;
            let known = |t: &Subject| {
                let same = || covered(&d.bbox, &t.last.bbox) > s.covered;
                let other = || t.last.bbox.iou(&d.bbox) > s.duplicate_iou;
                t.seen && if t.track.class == d.class { same() } else { other() }
            };
            if self.subjects.iter().any(known) {
                continue;
            }
            let mut subject = Subject::new(&found, self.now, &s);
            // Of a hidden box, they are those of whoever hides it.
            let look = appearance.filter(|_| found.hidden <= HIDDEN_LOOKS).and_then(|a| a.get(found.index));
            subject.looks = look.map(|row| self.looks.keep(row));
            self.subjects.push(subject);
            self.changes.push(Change { number: None, state: TrackState::Tentative, reason: ChangeReason::Appeared });
        }
    }

    /// Of a seen and an unseen track on the same spot, keeps the one that was followed for longer.
    pub(super) fn remove_duplicates(&mut self) {
        let least = self.settings.duplicate_iou;
        for unseen in 0..self.subjects.len() {
            if self.subjects[unseen].seen || !self.subjects[unseen].confirmed {
                continue;
            }
            for seen in 0..self.subjects.len() {
                let (a, b) = (&self.subjects[seen], &self.subjects[unseen]);
                let same = a.seen && a.track.class == b.track.class && a.track.bbox.iou(&b.bbox) > least;
                if same {
                    let younger = if a.age() > b.age() { unseen } else { seen };
                    self.subjects[younger].over = Some(EndReason::Duplicate);
                }
            }
        }
        self.remove();
    }

    /// Numbers those that have proven themselves, forgets those that have not, and says who changed.
    pub(super) fn settle(&mut self, elapsed: Duration, size: Option<(u32, u32)>) {
        let s = self.settings;
        let (credit, confirm) = (s.worth * s.seconds(elapsed), s.seconds(self.common.confirm));
        for i in 0..self.subjects.len() {
            let hidden = self.is_hidden(i);
            let subject = &mut self.subjects[i];
            let mut say = |number, state, reason| self.changes.push(Change { number, state, reason });
            if !subject.confirmed {
                // The credit shortens the wait; it does not replace a second sighting.
                let again = confirm <= 0.0 || !subject.age().is_zero();
                if subject.seen && again && s.seconds(subject.age()) + credit >= confirm {
                    subject.confirmed = true;
                    subject.state = TrackState::Confirmed;
                    subject.track.number = self.next_number;
                    self.next_number += 1;
                    say(Some(subject.track.number), TrackState::Confirmed, ChangeReason::SeenAgain);
                }
                continue;
            }
            let number = Some(subject.track.number);
            if !subject.seen {
                subject.leaving = size.is_some_and(|size| subject.is_leaving(size));
                if subject.state != TrackState::Lost {
                    subject.state = TrackState::Lost;
                    let reason = match (subject.leaving, hidden) {
                        (true, _) => ChangeReason::AtEdge,
                        (_, true) => ChangeReason::Occluded,
                        _ => ChangeReason::Missed,
                    };
                    say(number, TrackState::Lost, reason);
                }
                continue;
            }
            subject.leaving = false;
            let state = if subject.track.stationary { TrackState::Stationary } else { TrackState::Confirmed };
            if subject.state != state {
                let reason = match (subject.state, state) {
                    (TrackState::Lost, _) if subject.by_looks => ChangeReason::FoundByAppearance,
                    (TrackState::Lost, _) => ChangeReason::FoundByMotion,
                    (_, TrackState::Stationary) => ChangeReason::Stayed,
                    _ => ChangeReason::Moved,
                };
                subject.state = state;
                say(number, state, reason);
            }
        }
        let changes = &mut self.changes;
        let looks = &mut self.looks;
        self.subjects.retain(|subject| {
            let keep = subject.confirmed || subject.seen;
            if !keep {
                changes.push(Change { number: None, state: TrackState::Ended, reason: ChangeReason::NotBelieved });
                subject.looks.inspect(|&place| looks.release(place));
            }
            keep
        });
    }

    /// Whether a track that just went out of sight is behind another. Only the first frame's answer is used.
    fn is_hidden(&self, i: usize) -> bool {
        let subject = &self.subjects[i];
        if subject.seen || !subject.confirmed || subject.state == TrackState::Lost {
            return false;
        }
        self.subjects.iter().any(|o| o.seen && covered(&subject.bbox, &o.track.bbox) > self.settings.hidden)
    }

    /// Lists who is followed: those seen in this frame, then those only expected, both by number.
    pub(super) fn publish(&mut self) {
        let now = self.now;
        let s = self.settings;
        self.published.clear();
        let confirmed = || self.subjects.iter().filter(|t| t.confirmed);
        self.published.extend(confirmed().filter(|t| t.seen).map(|t| t.track));
        let expected = |t: &&Subject| {
            let gap = t.gap(now);
            let away = gap > self.common.max_gap || s.over(gap, COAST.as_secs_f32());
            let out = t.leaving && s.over(gap, s.edge_gap_s);
            !(t.seen || away || out)
        };
        self.published.extend(confirmed().filter(expected).map(|t| Track { bbox: t.bbox, coasted: true, ..t.track }));
        self.published.sort_unstable_by_key(|t| (t.coasted, t.number));
        self.ended.sort_unstable_by_key(|ended| ended.track.number);
    }

    /// Ends what is expected at no place that a box can be.
    pub(super) fn forget_unsound(&mut self) {
        for subject in self.subjects.iter_mut().filter(|subject| !subject.bbox.is_valid()) {
            subject.over = Some(EndReason::NotSeen);
        }
        self.remove();
    }

    /// Takes out those that are over.
    fn remove(&mut self) {
        let (ended, changes, looks) = (&mut self.ended, &mut self.changes, &mut self.looks);
        self.subjects.retain(|t| {
            let Some(reason) = t.over else { return true };
            let number = t.confirmed.then_some(t.track.number);
            if t.confirmed {
                ended.push(Ended { track: t.track, reason });
            }
            changes.push(Change { number, state: TrackState::Ended, reason: ChangeReason::Over(reason) });
            t.looks.inspect(|&place| looks.release(place));
            false
        });
    }

    /// Ends everything.
    pub(super) fn end_all(&mut self) {
        for subject in &mut self.subjects {
            subject.over = Some(EndReason::Reset);
        }
        self.remove();
        self.ended.sort_unstable_by_key(|ended| ended.track.number);
    }
}
