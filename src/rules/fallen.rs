//! Lying, by its pose.

use std::time::Duration;

use super::Watch;
use super::book::{self, Book, Page};
use super::gate::Gate;
use super::held::{Held, lapse};
use super::out::Out;
use super::place::Place;
use super::spell::Spell;
use super::view::{Moment, View};
use crate::config;
use crate::types::event::EventType;
use crate::types::observation::Posture;

/// Up again only once it has been up for so long.
const UP: Duration = Duration::from_secs(1);
/// Without a word from the pose model for so long, what it said is no longer known.
const SILENCE: Duration = Duration::from_secs(10);

/// The trunk farther than this from upright is that of somebody who lies, degrees.
const LYING_DEG: u8 = 60;
/// Keypoints of a lesser height to their width are, sixteenths.
const LYING_ASPECT: u8 = 16;
/// Nearer to upright than this is up again, degrees; between the two nothing changes.
const UP_DEG: u8 = 45;
/// The same for height to width: 1.25.
const UP_ASPECT: u8 = 20;

/// `object.fallen`, start and end. Frames in which no keypoints were found say nothing, either way.
pub(super) struct Fallen {
    gate: Gate,
    place: Place,
    after: Duration,
    book: Book<Note>,
}

#[derive(Default)]
struct Note {
    /// Lying, as its keypoints said last.
    is_down: bool,
    down: Held,
    up: Held,
    /// When its keypoints said anything.
    heard: Option<Moment>,
    spell: Spell,
}

impl book::Note for Note {
    fn is_told(&self) -> bool {
        self.spell.is_told()
    }

    fn told_as(&self) -> Option<u64> {
        self.spell.number()
    }
}

impl Note {
    fn hear(&mut self, posture: Posture, after: Duration, now: Moment) {
        let silent = self.heard.replace(now).is_some_and(|heard| now.since(heard) > SILENCE);
        if silent && !self.spell.is_told() {
            self.down.clear();
        }
        self.is_down = if self.is_down { !is_up(posture) } else { is_lying(posture) };
        self.down.see(self.is_down, now, lapse(after));
        self.up.see(!self.is_down, now, lapse(UP));
    }
}

impl Fallen {
    pub(super) fn new(camera: &config::Camera, rule: &config::Rule, after: Duration) -> Self {
        Self { gate: Gate::new(&rule.common), place: Place::new(camera, rule), after, book: Book::new() }
    }
}

fn end(page: &mut Page<Note>, until: Moment, reason: &str, (gate, place): (&Gate, &Place), out: &mut Out) {
    let over = (Some(&page.seen), until, reason);
    page.note.spell.end((gate, out), EventType::ObjectFallen, over, || place.data());
}

impl Watch for Fallen {
    fn see(&mut self, view: &View<'_>, _: &mut [u64], out: &mut Out) {
        let now = view.now();
        let (gate, place) = (&mut self.gate, &self.place);
        out.hand_over(gate, view.heirs);
        self.book.hand_over(view, |page| end(page, page.at, "ended", (gate, place), out));
        for track in view.seen.tracks.iter().filter(|track| !track.coasted) {
            let inside = place.of(track).is_some();
            let Some(page) = self.book.page(track, now, || inside.then(Note::default)) else { continue };
            let Some(posture) = track.posture else { continue };
            // Whoever was told to have fallen may be anywhere when he gets up.
            if !inside && !page.note.spell.is_told() {
                continue;
            }
            page.note.hear(posture, self.after, now);
            if let Some(up) = page.note.up.held(UP, now) {
                end(page, up, "up", (gate, place), out);
            }
            if let Some(since) = page.note.down.held(self.after, now) {
                let event = EventType::ObjectFallen;
                page.note.spell.begin((gate, out), event, (Some(track), since), || {
                    place.data_with([("trunk_deg", posture.trunk_deg.into())])
                });
            }
        }
        self.book.sweep(view, |page| end(page, page.at, "ended", (gate, place), out));
    }

    fn reset(&mut self, out: &mut Out) {
        let (gate, place) = (&self.gate, &self.place);
        self.book.close(|page| end(page, page.at, "reset", (gate, place), out));
    }

    fn heed(&mut self, labels: &[String]) {
        self.place.heed(labels);
        self.book.heed(labels);
    }
}

fn is_lying(posture: Posture) -> bool {
    posture.trunk_deg > LYING_DEG || posture.aspect_16 < LYING_ASPECT
}

fn is_up(posture: Posture) -> bool {
    posture.trunk_deg < UP_DEG && posture.aspect_16 >= UP_ASPECT
}
