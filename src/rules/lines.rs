//! Lines: who crosses them, and which way.
//!
//! `in` is from the left of the way `from` -> `to` to its right, as seen in the picture: with `from = [0.2, 0.5]` and
//! `to = [0.8, 0.5]`, a line from left to right, whoever walks down the picture goes in, and whoever walks up goes out.
//!
//! What crosses is the way of the anchor from one place to the next, and what it must cross is the line itself: who goes
//! round its end does not. A crossing counts once the track was seen clearly on one side in `frames` frames and
//! then clearly on the other in as many, clearly meaning by more than a detector's boxes tremble: whoever stands on the
//! line does not cross it. Predicted places are a part of the way, and prove nothing. Whoever does not count when that is
//! known crosses once he does, unless he is back by then.
//!
//! An event comes with the frame in which that is certain; `data.crossed_at` says when it happened, where that was
//! earlier. Within a track's cool-down nothing is told of it; if it is on the other side when that is over, it is then.

use std::time::Duration;

use serde_json::Map;

use super::gate::{Answer, Filter, Gate};
use super::out::Out;
use super::passage::{Passage, Segment};
use super::view::View;
use crate::config::{self, Common, Directions};
use crate::types::event::{EventType, Phase};

/// A line.
pub(super) struct Line {
    config: config::Line,
    filter: Filter,
    gate: Gate,
    /// In order of number.
    passages: Vec<Passage>,
    crossed: [u64; 2],
}

impl Line {
    pub(super) fn new(config: &config::Line) -> Self {
        // What to make of a cool-down is known here only: a crossing within it may be undone.
        let gate = Gate::new(&Common { cooldown: Duration::ZERO, ..config.common.clone() });
        let filter = Filter::new(&config.common);
        Self { filter, gate, passages: Vec::with_capacity(128), crossed: [0; 2], config: config.clone() }
    }

    /// Crossings so far: in, out.
    pub(super) fn crossed(&self) -> [u64; 2] {
        self.crossed
    }

    /// Classes have these names now.
    pub(super) fn heed(&mut self, labels: &[String]) {
        self.filter.heed(labels);
    }

    /// A frame.
    pub(super) fn see(&mut self, view: &View<'_>, out: &mut Out) {
        for heir in view.heirs {
            self.hand_over(heir.of, heir.number, out);
        }
        let segment = Segment::new(self.config.from, self.config.to, view.aspect());
        for track in &view.seen.tracks {
            let place = segment.place(self.filter.place(track));
            let at = match self.find(track.number) {
                Ok(at) => at,
                Err(_) if track.coasted => continue,
                Err(at) => {
                    self.passages.insert(at, Passage::new(track, place, view.now()));
                    at
                }
            };
            let passage = &mut self.passages[at];
            passage.goes(place, &segment, view.now());
            if !track.coasted {
                passage.settles(track, self.config.frames, self.filter.counts(track));
                if passage.is_due(self.config.common.cooldown) {
                    self.tell_of(at, out);
                }
            }
        }
        for gone in view.gone {
            if let Ok(at) = self.find(gone.number) {
                self.end(at, out);
                self.passages.remove(at);
            }
        }
    }

    /// All tracks are over.
    pub(super) fn reset(&mut self, out: &mut Out) {
        (0..self.passages.len()).for_each(|at| self.end(at, out));
        self.passages.clear();
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.passages.binary_search_by_key(&number, |passage| passage.number)
    }

    /// A way goes on under another number.
    fn hand_over(&mut self, from: u64, to: u64, out: &mut Out) {
        let Ok(at) = self.find(from) else { return };
        let heir = self.find(to).ok().map(|at| self.passages[at]).filter(Passage::is_settled);
        if heir.is_some_and(|heir| !heir.crossed_since(self.passages[at].due_since)) {
            self.end(at, out);
        }
        let passage = self.passages.remove(at).becomes(to);
        match self.find(to) {
            // It has been on its own way for some time. What the other one still had to tell is told, or it is the same.
            Ok(at) if self.passages[at].is_settled() => {}
            Ok(at) => self.passages[at] = passage,
            Err(at) => self.passages.insert(at, passage),
        }
    }

    /// What waited for the end of its cool-down waits no more.
    fn end(&mut self, at: usize, out: &mut Out) {
        while self.passages[at].due != 0 {
            self.tell_of(at, out);
        }
    }

    /// Counts a crossing, and tells of it.
    fn tell_of(&mut self, at: usize, out: &mut Out) {
        let passage = &mut self.passages[at];
        let is_in = passage.due > 0;
        let wanted = match self.config.direction {
            Directions::Both => true,
            Directions::In => is_in,
            Directions::Out => !is_in,
        };
        let answer = if wanted { out.asks(&mut self.gate, None) } else { Answer::Closed };
        passage.done(answer != Answer::Closed);
        if answer == Answer::Closed {
            return;
        }
        // What is held back has happened all the same.
        self.crossed[usize::from(!is_in)] += 1;
        if answer == Answer::Open {
            let mut data = Map::new();
            let [ins, outs] = self.crossed;
            data.insert("direction".to_owned(), if is_in { "in" } else { "out" }.into());
            data.insert("count".to_owned(), serde_json::json!({"in": ins, "out": outs}));
            if passage.due_since.capture != out.now() {
                data.insert("crossed_at".to_owned(), passage.due_since.capture.to_string().into());
            }
            out.tell(&self.gate, EventType::LineCrossed, Phase::Instant, Some(&passage.track), data);
        }
    }
}
