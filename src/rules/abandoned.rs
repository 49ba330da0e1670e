//! A thing that stands, with nobody near.

use std::time::Duration;

use super::Watch;
use super::gate::Gate;
use super::out::Out;
use super::place::{Labels, Place};
use super::spell::Spell;
use super::view::{Moment, View};
use crate::config;
use crate::types::event::EventType;
use crate::types::geometry::BBox;
use crate::types::observation::Seen;

/// A box that overlaps a spot by this much (intersection over union) is the thing that stands there, whatever its number.
const SAME: f32 = 0.35;
/// The spot's box is the mean of those of this time.
const SETTLE: Duration = Duration::from_secs(2);
/// Not seen for so long: it is gone. Until then somebody may have stood before it.
const GONE: Duration = Duration::from_secs(10);
/// The same for what has been there for less than [`SETTLE`].
const PASSED: Duration = Duration::from_secs(1);
/// Whoever is near for so long watches over it; for less he passes by.
const WATCHES: Duration = Duration::from_secs(3);
/// One who watches may be out of sight for so long.
const BLINK: Duration = Duration::from_secs(1);
/// Things that are followed at most.
const MOST: usize = 256;

/// `object.abandoned`, start and end. What is followed is the spot, not the track: a thing's track may flicker and come
/// back under another number. Ends when the thing is gone, or somebody watches over it.
pub(super) struct Abandoned {
    gate: Gate,
    place: Place,
    owners: Labels,
    after: Duration,
    near: f32,
    spots: Vec<Spot>,
    /// By class.
    labels: Vec<String>,
}

/// A thing and where it stands.
struct Spot {
    place: BBox,
    /// Boxes that `place` is the mean of.
    boxes: f32,
    /// As it was seen last.
    thing: Seen,
    first: Moment,
    latest: Moment,
    guard: Option<Guard>,
    /// When somebody watched over it last; when it was first seen, where nobody did.
    left: Moment,
    spell: Spell,
}

/// Somebody near.
#[derive(Clone, Copy)]
struct Guard {
    number: u64,
    since: Moment,
    latest: Moment,
}

impl Abandoned {
    pub(super) fn new(
        camera: &config::Camera,
        rule: &config::Rule,
        after: Duration,
        (owners, near): (&[String], f32),
    ) -> Self {
        Self {
            gate: Gate::new(&rule.common),
            place: Place::new(camera, rule),
            owners: Labels::new(owners),
            after,
            near,
            spots: Vec::with_capacity(MOST),
            labels: Vec::new(),
        }
    }

    /// Finds each thing its spot. Of several boxes on one spot the first counts.
    fn find(&mut self, view: &View<'_>) {
        let now = view.now();
        let owners = &self.owners;
        for (thing, _) in self.place.those(view).filter(|(thing, _)| !thing.coasted && !owners.has(thing)) {
            let bbox = thing.bbox();
            let overlap = |spot: &Spot| spot.place.iou(&bbox);
            let spot = self.spots.iter_mut().max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
            if let Some(spot) = spot.filter(|spot| overlap(spot) >= SAME) {
                if spot.latest != now {
                    spot.see(thing, now);
                }
            } else if has_room(&mut self.spots, now) {
                self.spots.push(Spot::new(thing, now));
            }
        }
    }
}

/// Is there room for one more? Where there is none, the one that was not seen for longest goes, of those nobody knows of.
fn has_room(spots: &mut Vec<Spot>, now: Moment) -> bool {
    if spots.len() >= MOST {
        let unknown = spots.iter().enumerate().filter(|(_, spot)| !spot.spell.is_told() && spot.latest != now);
        let oldest = unknown.min_by_key(|(_, spot)| spot.latest.media).map(|(at, _)| at);
        return oldest.map(|at| spots.remove(at)).is_some();
    }
    true
}

impl Spot {
    fn new(thing: &Seen, now: Moment) -> Self {
        Self {
            place: thing.bbox(),
            boxes: 1.0,
            thing: *thing,
            first: now,
            latest: now,
            guard: None,
            left: now,
            spell: Spell::Untold,
        }
    }

    fn see(&mut self, thing: &Seen, now: Moment) {
        (self.thing, self.latest) = (*thing, now);
        if now.since(self.first) <= SETTLE {
            self.boxes += 1.0;
            let (old, new, weight) = (self.place, thing.bbox(), 1.0 / self.boxes);
            let mean = |old: f32, new: f32| old + (new - old) * weight;
            self.place =
                BBox::new(mean(old.x1, new.x1), mean(old.y1, new.y1), mean(old.x2, new.x2), mean(old.y2, new.y2));
        }
    }

    /// Looks for who is near. True: somebody watches over it, which takes so long.
    fn look_around(&mut self, view: &View<'_>, (owners, near): (&Labels, f32), watches: Duration) -> bool {
        let now = view.now();
        let aspect = view.aspect();
        let around = || {
            let others = view.seen.tracks.iter().filter(|track| owners.has(track));
            others
                .map(|owner| (owner.number, heights_apart(&owner.bbox(), &self.place, aspect)))
                .filter(|at| at.1 < near)
        };
        for heir in view.heirs {
            self.guard.iter_mut().filter(|guard| guard.number == heir.of).for_each(|guard| guard.number = heir.number);
        }
        self.guard = self.guard.filter(|guard| now.since(guard.latest) <= BLINK);
        let same = self.guard.filter(|guard| around().any(|(number, _)| number == guard.number));
        self.guard = match (same, self.guard) {
            (Some(same), _) => Some(Guard { latest: now, ..same }),
            (None, Some(away)) => Some(away),
            (None, None) => {
                let nearest = around().min_by(|a, b| a.1.total_cmp(&b.1));
                nearest.map(|(number, _)| Guard { number, since: now, latest: now })
            }
        };
        let watched = self.guard.is_some_and(|guard| guard.latest == now && now.since(guard.since) >= watches);
        if watched {
            self.left = now;
        }
        watched
    }

    fn is_gone(&self, now: Moment) -> bool {
        let patience = if self.latest.since(self.first) < SETTLE { PASSED } else { GONE };
        now.since(self.latest) > patience
    }

    fn end(&mut self, until: Moment, reason: &str, (gate, place): (&Gate, &Place), out: &mut Out) {
        let over = (Some(&self.thing), until, reason);
        self.spell.end((gate, out), EventType::ObjectAbandoned, over, || place.data());
    }
}

impl Watch for Abandoned {
    fn see(&mut self, view: &View<'_>, _: &mut [u64], out: &mut Out) {
        let now = view.now();
        self.find(view);
        let watches = WATCHES.min(self.after / 2);
        let (gate, place) = (&mut self.gate, &self.place);
        out.hand_over(gate, view.heirs);
        for at in 0..self.spots.len() {
            let Some(spot) = self.spots.get_mut(at) else { break };
            if spot.look_around(view, (&self.owners, self.near), watches) {
                spot.end(now, "owner", (gate, place), out);
            } else if spot.latest == now && now.since(spot.left) >= self.after && spot.spell == Spell::Untold {
                let number = spot.thing.number;
                // Its number was another thing's, or it stood elsewhere: one number, one thing.
                for other in self.spots.iter_mut().filter(|other| other.spell.number() == Some(number)) {
                    other.end(other.latest, "ended", (gate, place), out);
                }
                let Some(spot) = self.spots.get_mut(at) else { break };
                let event = EventType::ObjectAbandoned;
                spot.spell.begin((gate, out), event, (Some(&spot.thing), spot.left), || place.data());
            }
        }
        self.spots.retain_mut(|spot| {
            let gone = spot.is_gone(now);
            if gone {
                spot.end(spot.latest, "gone", (gate, place), out);
            }
            !gone
        });
    }

    fn reset(&mut self, out: &mut Out) {
        for spot in &mut self.spots {
            spot.end(spot.latest, "reset", (&self.gate, &self.place), out);
        }
        self.spots.clear();
    }

    fn heed(&mut self, labels: &[String]) {
        self.place.heed(labels);
        self.spots.iter_mut().for_each(|spot| Labels::renumber(&mut spot.thing, &self.labels, labels));
        self.labels = labels.to_vec();
        self.owners.heed(labels);
    }
}

/// How far somebody is from a thing, in his own heights: from his box, whatever he reaches out to, sideways; from where
/// he stands to where it stands in depth.
fn heights_apart(owner: &BBox, thing: &BBox, aspect: f32) -> f32 {
    let across = (thing.x1 - owner.x2).max(owner.x1 - thing.x2).max(0.0) * aspect;
    let along = owner.y2 - thing.y2;
    across.hypot(along) / owner.height().max(1e-3)
}
