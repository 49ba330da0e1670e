//! Which detection is whose.

use super::Keeper;
use super::found::Found;
use super::similarity::Expected;
use super::subject::Subject;
use crate::types::embedding::Embeddings;
use crate::types::track::TrackState;

/// Heights that differ more are not of one subject, whatever it looks like.
const HEIGHT_RATIO: f32 = 2.0;
/// Boxes hidden more than this say nothing about looks.
pub(super) const HIDDEN_LOOKS: f32 = 0.5;

impl Keeper {
    /// The rounds: confirmed tracks with strong detections; with weak ones; unconfirmed tracks with the strong ones
    /// that are left; what is left of both in a wider circle; and by looks alone.
    pub(super) fn associate(&mut self, appearance: Option<&Embeddings>) {
        let s = self.settings;
        let (now, max_gap) = (self.now, self.common.max_gap);
        let strong = |f: &Found| f.level >= s.high;
        let awake =
            |t: &Subject| t.confirmed && t.gap(now) <= max_gap && !(t.leaving && s.over(t.gap(now), s.edge_gap_s));

        self.wait(awake);
        self.offer(strong);
        self.pair(s.match_high, s.buffer, appearance);

        self.wait(|t| awake(t) && !s.over(t.gap(now), s.low_gap_s) && now - t.last_high <= max_gap);
        self.offer(|f| !strong(f));
        self.pair(s.match_low, 0.0, appearance);

        self.wait(|t| !t.confirmed);
        self.offer(strong);
        self.pair(s.match_high, s.buffer, appearance);

        self.wait(awake);
        self.offer(strong);
        self.pair(s.match_recover, s.buffer_recover, appearance);

        if let Some(appearance) = appearance {
            self.wait(|t| t.confirmed && t.looks.is_some());
            self.pair_by_looks(appearance);
        }
    }

    /// The tracks of a round.
    fn wait(&mut self, which: impl Fn(&Subject) -> bool) {
        let subjects = &self.subjects;
        self.rows.clear();
        self.rows.extend((0..subjects.len()).filter(|&i| !subjects[i].seen && which(&subjects[i])));
    }

    /// The detections of a round.
    fn offer(&mut self, which: impl Fn(&Found) -> bool) {
        let found = &self.found;
        self.columns.clear();
        self.columns.extend((0..found.len()).filter(|&i| !found[i].taken && which(&found[i])));
    }

    /// Pairs them so that the sum of what similarities are above `least` is greatest.
    fn pair(&mut self, least: f32, buffer: f32, appearance: Option<&Embeddings>) {
        if self.rows.is_empty() || self.columns.is_empty() {
            return;
        }
        let s = &self.settings;
        self.assignment.begin(self.columns.len());
        for &i in &self.rows {
            let subject = &self.subjects[i];
            let expected = Expected::of(subject, buffer, s);
            for (column, &j) in self.columns.iter().enumerate() {
                let found = &self.found[j];
                let mut similarity = expected.similarity(found, s);
                if similarity > 0.0
                    && let (Some(place), Some(row)) = (subject.looks, appearance.and_then(|a| a.get(found.index)))
                {
                    let likeness = self.looks.likeness(place, row);
                    similarity += s.w_looks * likeness;
                    if subject.state == TrackState::Lost && likeness < -s.refuse_looks {
                        continue;
                    }
                }
                self.assignment.pair(column, similarity - least);
            }
            self.assignment.end_row();
        }
        self.assignment.solve();
        self.take(appearance);
    }

    /// Pairs strong detections with tracks that look like them and could have come there.
    fn pair_by_looks(&mut self, appearance: &Embeddings) {
        let s = self.settings;
        self.offer(|f| f.level >= s.start && f.hidden < HIDDEN_LOOKS);
        if self.rows.is_empty() || self.columns.is_empty() {
            return;
        }
        self.assignment.begin(self.columns.len());
        for &i in &self.rows {
            let subject = &self.subjects[i];
            let gap = s.seconds(subject.gap(self.now));
            let reach = subject.motion.size() * (1.0 + s.looks_speed * gap);
            let (x, y) = subject.last.bbox.centre();
            let height = subject.last.bbox.height();
            for (column, &j) in self.columns.iter().enumerate() {
                let found = &self.found[j];
                let (cx, cy) = found.detection.bbox.centre();
                let ratio = found.detection.bbox.height() / height;
                if (cx - x).hypot(cy - y) > reach || !(HEIGHT_RATIO.recip()..HEIGHT_RATIO).contains(&ratio) {
                    continue;
                }
                if found.detection.class != subject.track.class {
                    continue;
                }
                if let (Some(place), Some(row)) = (subject.looks, appearance.get(found.index)) {
                    self.assignment.pair(column, self.looks.likeness(place, row) - s.match_looks);
                }
            }
            self.assignment.end_row();
        }
        self.assignment.solve();
        for (row, &i) in self.rows.iter().enumerate() {
            self.subjects[i].by_looks = self.assignment.column_of(row).is_some();
        }
        self.take(Some(appearance));
    }

    /// Gives each track of the round what the assignment found for it.
    fn take(&mut self, appearance: Option<&Embeddings>) {
        let s = &self.settings;
        for (row, &i) in self.rows.iter().enumerate() {
            let Some(column) = self.assignment.column_of(row) else { continue };
            let found = &mut self.found[self.columns[column]];
            found.taken = true;
            let subject = &mut self.subjects[i];
            if subject.by_looks {
                subject.restart(&found.detection.bbox, self.now, s);
            }
            subject.see(found, self.now, s);
            let Some(look) = appearance.and_then(|a| a.get(found.index)) else { continue };
            if found.level < s.high || found.hidden > HIDDEN_LOOKS {
                continue;
            }
            subject.looked = self.now;
            match subject.looks {
                None => subject.looks = Some(self.looks.keep(look)),
                Some(place) => {
                    self.looks.learn_alike(self.looks.cosine(place, look));
                    // Deep OC-SORT (Maggiolino et al., 2023): the better the view, the more it counts.
                    self.looks.mix(place, look, s.looks_new * found.level * (1.0 - found.hidden));
                    let other = self.subjects[(i + 1) % self.subjects.len()].looks;
                    if let Some(other) = other.filter(|&other| other != place) {
                        self.looks.learn_apart(self.looks.cosine(other, look));
                    }
                }
            }
        }
    }
}
