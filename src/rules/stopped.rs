//! Stands where it should not.

use std::time::Duration;

use super::Watch;
use super::book::{self, Book, Page};
use super::gate::Gate;
use super::held::{Held, lapse};
use super::out::Out;
use super::place::Place;
use super::spell::Spell;
use super::stand::Stand;
use super::view::{Moment, View};
use crate::config;
use crate::types::event::EventType;

/// `object.stopped`, start and end: it has not moved by more than a fifth of its own height for `after`. Ends when it
/// moves or its track ends. What stands from the start counts from its first frame.
pub(super) struct Stopped {
    gate: Gate,
    place: Place,
    after: Duration,
    book: Book<Note>,
}

struct Note {
    stand: Stand,
    /// It counts, and it is in the zone.
    inside: Held,
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

impl Stopped {
    pub(super) fn new(camera: &config::Camera, rule: &config::Rule, after: Duration) -> Self {
        Self { gate: Gate::new(&rule.common), place: Place::new(camera, rule), after, book: Book::new() }
    }
}

fn end(page: &mut Page<Note>, until: Moment, reason: &str, (gate, place): (&Gate, &Place), out: &mut Out) {
    let over = (Some(&page.seen), until, reason);
    page.note.spell.end((gate, out), EventType::ObjectStopped, over, || place.data());
}

impl Watch for Stopped {
    fn see(&mut self, view: &View<'_>, _: &mut [u64], out: &mut Out) {
        let now = view.now();
        let (gate, place) = (&mut self.gate, &self.place);
        out.hand_over(gate, view.heirs);
        self.book.hand_over(view, |page| end(page, page.at, "ended", (gate, place), out));
        for track in view.seen.tracks.iter().filter(|track| !track.coasted) {
            let inside = place.of(track).is_some();
            let begin = || {
                let stand = Stand::new(&track.bbox(), now);
                inside.then(|| Note { stand, inside: Held::default(), spell: Spell::Untold })
            };
            let Some(page) = self.book.page(track, now, begin) else { continue };
            page.note.inside.see(inside, now, lapse(self.after));
            if page.note.stand.see(&track.bbox(), view.aspect(), now) {
                end(page, now, "moved", (gate, place), out);
            }
            let note = &mut page.note;
            let (Some(stands), Some(within)) = (note.stand.since(), note.inside.since()) else { continue };
            let since = if stands.media > within.media { stands } else { within };
            if now.since(since) >= self.after {
                let event = EventType::ObjectStopped;
                note.spell.begin((gate, out), event, (Some(track), since), || place.data());
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
