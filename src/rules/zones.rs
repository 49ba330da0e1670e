//! Zones: who comes in, who goes out, who stays for long, and how many there are.
//!
//! Somebody is inside once he was seen there for `inertia`, and outside again once he was seen clearly outside, by more
//! than a detector's boxes tremble, for as long. Only sights count: whoever is out of sight is where he was. An event
//! comes with the frame in which it is certain, and says when it happened: `data.since`, the first frame inside, and
//! `data.until`, the first one outside, or the last sight of a track that ended inside. A visit outlives its track
//! ([`succession`](super::succession)), and it matters only at the entrance who counts: a label that changes its mind
//! makes nobody come or go.
//!
//! Where the track has another number by then than in `zone.enter`, `data.entered_as` is its id there.
//!
//! Whoever is inside when the zone's hours begin comes in then, with `data.since` before that.

use serde_json::{Map, Value};

use super::gate::{Answer, Filter, Gate};
use super::geometry;
use super::out::{Out, seconds};
use super::tally::Tally;
use super::view::{Moment, View};
use super::visit::{Enter, Sight, Stage, Step, Visit};
use crate::config;
use crate::types::event::{EventType, Phase};
use crate::types::observation::Seen;

/// Farther outside than this is clearly outside, in heights of the box.
const CLEAR: f32 = 0.05;
/// A subject that is cut off by the edge of the picture is at it, not beyond it.
const LAST: f32 = 1.0 - 1.0 / 16384.0;

/// A zone.
pub(super) struct Zone {
    config: config::Zone,
    bit: u64,
    filter: Filter,
    gate: Gate,
    /// In order of number.
    visits: Vec<Visit>,
    tally: Tally,
}

impl Zone {
    /// The zone at an index of the camera's.
    pub(super) fn new(index: usize, config: &config::Zone) -> Self {
        Self {
            bit: u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0),
            filter: Filter::new(&config.common),
            gate: Gate::new(&config.common),
            visits: Vec::with_capacity(128),
            tally: Tally::new(config.count_every),
            config: config.clone(),
        }
    }

    /// Those who are in it, by class.
    pub(super) fn counts(&self) -> &[u32] {
        self.tally.now()
    }

    /// Classes have these names now.
    pub(super) fn heed(&mut self, labels: &[String]) {
        let known = self.tally.heed(labels);
        for Visit { track, .. } in &mut self.visits {
            let label = known.get(usize::from(track.class));
            let class = label.and_then(|known| labels.iter().position(|label| label == known));
            track.class = class.and_then(|class| u16::try_from(class).ok()).unwrap_or(u16::MAX);
        }
        self.filter.heed(labels);
        self.count();
    }

    /// A frame; says of each of its tracks whether it is inside.
    pub(super) fn see(&mut self, view: &View<'_>, inside: &mut [u64], out: &mut Out) {
        out.hand_over(&mut self.gate, view.heirs);
        for heir in view.heirs {
            self.hand_over(heir.of, heir.number, out);
        }
        for (track, inside) in view.seen.tracks.iter().zip(inside) {
            if !track.coasted {
                self.see_track(track, view, out);
            }
            if self.find(track.number).is_ok_and(|at| self.visits[at].is_inside()) {
                *inside |= self.bit;
            }
        }
        for gone in view.gone {
            if let Ok(at) = self.find(gone.number) {
                let visit = self.visits.remove(at);
                self.end(&visit, if gone.left { "left" } else { "ended" }, out);
            }
        }
        let now = view.now();
        self.visits.retain(|visit| !visit.is_forgotten(now, &self.config));
        self.count();
        self.tally.see(&self.config.common.classes, &self.gate, out);
    }

    /// All tracks are over.
    pub(super) fn reset(&mut self, out: &mut Out) {
        self.visits.iter().for_each(|visit| self.end(visit, "ended", out));
        self.visits.clear();
        self.count();
        self.tally.end(&self.config.common.classes, &self.gate, out);
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.visits.binary_search_by_key(&number, |visit| visit.number)
    }

    /// A visit goes on under another number.
    fn hand_over(&mut self, from: u64, to: u64, out: &mut Out) {
        let Ok(at) = self.find(from) else { return };
        let visit = self.visits.remove(at).becomes(to);
        match self.find(to) {
            // Both have been inside for some time: there were two visits, and there is one now.
            Ok(at) if self.visits[at].is_inside() => self.end(&visit, "ended", out),
            Ok(at) => self.visits[at] = visit,
            Err(at) => self.visits.insert(at, visit),
        }
    }

    fn see_track(&mut self, track: &Seen, view: &View<'_>, out: &mut Out) {
        let place = self.filter.place(track).map(|part| part.clamp(0.0, LAST));
        let within = geometry::contains(&self.config.polygon, place);
        let (now, counts) = (view.now(), self.filter.counts(track));
        let at = match self.find(track.number) {
            Ok(at) => at,
            Err(at) if within && counts => {
                self.visits.insert(at, Visit::new(track, now));
                at
            }
            Err(_) => return,
        };
        let visit = &mut self.visits[at];
        let far = || geometry::distance(&self.config.polygon, place, view.aspect()) > CLEAR * track.bbox().height();
        let clear = !within && visit.stage != Stage::Outside && far();
        match visit.step(&Sight { now, track, counts, within, clear }, &self.config) {
            Step::Stays if visit.stage == Stage::Inside => self.tell_of(at, now, out),
            Step::Stays => {}
            Step::Leaves => self.tell_end(&self.visits[at], "outside", out),
            Step::Forget => {
                self.visits.remove(at);
            }
        }
    }

    /// Tells of somebody inside what there is to be told.
    fn tell_of(&mut self, at: usize, now: Moment, out: &mut Out) {
        let (gate, visit) = (&mut self.gate, &mut self.visits[at]);
        if visit.enter == Enter::Untold {
            let answer = out.asks(gate, None);
            if answer == Answer::Open {
                let data = Map::from_iter([("since".to_owned(), visit.since.capture.to_string().into())]);
                out.tell(gate, EventType::ZoneEnter, Phase::Start, Some(&visit.track), data);
            }
            visit.enter = match answer {
                Answer::Open => Enter::Told(visit.number),
                Answer::Closed => Enter::Untold,
                Answer::HeldBack => Enter::HeldBack,
            };
        }
        let dwelt = now.since(visit.dwells_since);
        // Of whom they were not told that he came, they are not told that he stays.
        if !visit.dwell_told && visit.enter != Enter::HeldBack && self.config.dwell.is_some_and(|dwell| dwelt >= dwell)
        {
            let answer = out.asks(gate, Some(visit.number));
            if answer == Answer::Open {
                let mut data = Map::new();
                data.insert("since".to_owned(), visit.dwells_since.capture.to_string().into());
                data.insert("dwell_s".to_owned(), seconds(dwelt).into());
                visit.link(&mut data, out);
                out.tell(gate, EventType::ZoneDwell, Phase::Update, Some(&visit.track), data);
            }
            visit.dwell_told = answer != Answer::Closed;
        }
    }

    /// A visit is over, whatever its stage.
    fn end(&self, visit: &Visit, reason: &str, out: &mut Out) {
        if visit.is_inside() {
            self.tell_end(visit, reason, out);
        }
    }

    /// Tells that somebody went out, where it was told that he came in.
    fn tell_end(&self, visit: &Visit, reason: &str, out: &mut Out) {
        if !matches!(visit.enter, Enter::Told(_)) {
            return;
        }
        let until = visit.until();
        let mut data = Map::<String, Value>::new();
        data.insert("reason".to_owned(), reason.into());
        data.insert("since".to_owned(), visit.since.capture.to_string().into());
        data.insert("until".to_owned(), until.capture.to_string().into());
        data.insert("dwell_s".to_owned(), seconds(until.since(visit.since)).into());
        visit.link(&mut data, out);
        out.tell(&self.gate, EventType::ZoneExit, Phase::End, Some(&visit.track), data);
    }

    fn count(&mut self) {
        self.tally.set(self.visits.iter().filter(|visit| visit.is_inside()).map(|visit| visit.track.class));
    }
}
