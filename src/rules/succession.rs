//! Tracks that are lost and begun anew: which new one is of the subject of which old one.
//!
//! A tracker lets go of somebody whom it does not see for a while, and numbers him anew when he is seen again. What
//! rules know of him must go on, or he would come into a zone twice, and cross a line unseen. So a track that is over
//! is held for a moment ([`HOLD`]), unless it left the picture, and a new one of the same class and about the same
//! height that begins near to where it would be by now is its [`Heir`].

use std::time::Duration;

use super::geometry;
use crate::config::Anchor;
use crate::types::geometry::BBox;
use crate::types::observation::{Observation, Seen};
use crate::types::track::EndReason;

/// Time since its last sight in which a track can have an heir. As long as trackers keep one by default.
const HOLD: Duration = Duration::from_secs(2);
/// The same for one that was leaving the picture: whoever comes in there later is somebody else.
const HOLD_LEAVING: Duration = Duration::from_millis(500);
/// Time since its first sight in which a track can be an heir: at first there may be little to see of it.
const FRESH: Duration = Duration::from_millis(500);
/// Time without a sight after which a track is over, should nobody say so. Longer than trackers wait at most, which is
/// twice an hour: until they say so it is where it was.
const SILENT: Duration = Duration::from_secs(3 * 3600);
/// Distance from the place where it was, or would be by now, in heights of the box: at once, and more per second.
const NEAR: (f32, f32) = (0.3, 0.5);
/// The same for one that was leaving the picture: people come in where others go out.
const NEAR_LEAVING: (f32, f32) = (0.1, 0.2);
/// Heights of the two boxes differ by no more than this factor.
const HEIGHTS: f32 = 1.5;
/// Velocity is that of about so long.
const MEMORY: f32 = 0.5;
/// A box that is so near to the edge of the picture may be cut off there, 0..1.
const EDGE: f32 = 0.01;
/// Faster than this toward an edge is leaving, in heights of the box a second.
const AWAY: f32 = 0.15;
/// Tracks that are followed; of more, the one unseen for longest is over.
const MOST: usize = 1024;

/// A track is of the subject of another one, which was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heir {
    /// The lost one's number.
    pub(super) of: u64,
    /// Its own.
    pub(super) number: u64,
}

/// A track is over, and nobody takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    /// Its number.
    pub(super) number: u64,
    /// It left the picture.
    pub(super) left: bool,
}

/// Follows tracks from their first sight until they can have no heir any more.
#[derive(Debug)]
pub(super) struct Succession {
    /// In order of number.
    lives: Vec<Life>,
    heirs: Vec<Heir>,
    gone: Vec<Gone>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    number: u64,
    class: u16,
    /// When it was first seen, or seen again after its heir had taken its place.
    first: Duration,
    /// When it was last seen.
    last: Duration,
    /// Where: the middle of the lower edge, and how high the upper one; heights of the picture.
    place: [f32; 3],
    /// The same a second.
    velocity: [f32; 3],
    /// It is cut off by an edge of the picture, and moves beyond it.
    leaves: bool,
    over: Option<EndReason>,
    /// It took another one's place.
    is_heir: bool,
    /// Who took its, and when.
    heir: Option<(u64, Duration)>,
}

impl Default for Succession {
    fn default() -> Self {
        Self { lives: Vec::with_capacity(128), heirs: Vec::with_capacity(32), gone: Vec::with_capacity(128) }
    }
}

impl Succession {
    /// Takes in a frame: who took whose place in it, and who is over for good.
    pub(super) fn see(&mut self, seen: &Observation) -> (&[Heir], &[Gone]) {
        let now = seen.media_time;
        let aspect = seen.size.0.max(1) as f32 / seen.size.1.max(1) as f32;
        self.heirs.clear();
        self.gone.clear();
        for track in seen.tracks.iter().filter(|track| !track.coasted) {
            match self.lives.binary_search_by_key(&track.number, |life| life.number) {
                Ok(at) => {
                    self.take_back(at, now);
                    self.lives[at].see(track, now, aspect);
                }
                Err(at) => self.lives.insert(at, Life::new(track, now, aspect)),
            }
        }
        for (number, reason) in &seen.ended {
            if let Ok(at) = self.lives.binary_search_by_key(number, |life| life.number) {
                self.lives[at].over = Some(*reason);
            }
        }
        self.find_heirs(now);
        self.let_go(now);
        (&self.heirs, &self.gone)
    }

    /// All tracks are over.
    pub(super) fn reset(&mut self) {
        self.lives.clear();
    }

    /// A track was only out of sight for a moment: whoever took its place is somebody else, and may be another one's
    /// heir.
    fn take_back(&mut self, at: usize, now: Duration) {
        let Life { number, heir, .. } = self.lives[at];
        let Some((heir, since)) = heir else { return };
        if now.saturating_sub(since) <= FRESH {
            self.heirs.push(Heir { of: heir, number });
            self.lives[at].is_heir = true;
            if let Ok(heir) = self.lives.binary_search_by_key(&heir, |life| life.number) {
                self.lives[heir].is_heir = false;
            }
        }
    }

    fn find_heirs(&mut self, now: Duration) {
        for new in 0..self.lives.len() {
            let heir = self.lives[new];
            if heir.last != now {
                continue;
            }
            let near = |(old, life): (usize, &Life)| life.is_succeeded_by(&heir, now).map(|distance| (old, distance));
            let nearest = self.lives.iter().enumerate().filter_map(near).min_by(|a, b| a.1.total_cmp(&b.1));
            let Some((old, _)) = nearest else { continue };
            self.heirs.push(Heir { of: self.lives[old].number, number: heir.number });
            self.lives[old].heir = Some((heir.number, now));
            self.lives[new].is_heir = true;
        }
    }

    fn let_go(&mut self, now: Duration) {
        for _ in MOST..self.lives.len() {
            let oldest = self.lives.iter().enumerate().min_by_key(|(_, life)| life.last).map(|(at, _)| at);
            let life = oldest.map(|at| self.lives.remove(at));
            self.gone
                .extend(life.filter(|life| life.heir.is_none()).map(|life| Gone { number: life.number, left: false }));
        }
        let gone = &mut self.gone;
        self.lives.retain(|life| {
            let unseen = now.saturating_sub(life.last);
            let has_left = life.leaves || life.over == Some(EndReason::Left);
            let held = unseen < if has_left { HOLD_LEAVING } else { HOLD };
            let over = life.over.is_some() && (life.heir.is_some() || !held) || unseen >= SILENT;
            if over && life.heir.is_none() {
                gone.push(Gone { number: life.number, left: has_left });
            }
            !over
        });
    }
}

impl Life {
    fn new(track: &Seen, now: Duration, aspect: f32) -> Self {
        let place = standing(track, aspect);
        Self {
            number: track.number,
            class: track.class,
            first: now,
            last: now,
            place,
            velocity: [0.0; 3],
            leaves: false,
            over: None,
            is_heir: false,
            heir: None,
        }
    }

    fn see(&mut self, track: &Seen, now: Duration, aspect: f32) {
        let place = standing(track, aspect);
        let elapsed = now.saturating_sub(self.last).as_secs_f32();
        if elapsed > 0.0 {
            // As long as it is young, what there is counts in full.
            let known = self.last.saturating_sub(self.first).as_secs_f32();
            let share = elapsed / (elapsed + known.min(MEMORY));
            for (velocity, (to, from)) in self.velocity.iter_mut().zip(place.iter().zip(self.place)) {
                *velocity += ((to - from) / elapsed - *velocity) * share;
            }
        }
        if self.heir.take().is_some() {
            self.first = now;
        }
        (self.class, self.last, self.place, self.over) = (track.class, now, place, None);
        self.leaves = self.is_leaving(&track.bbox());
    }

    fn height(&self) -> f32 {
        (self.place[1] - self.place[2]).max(f32::EPSILON)
    }

    fn is_leaving(&self, bbox: &BBox) -> bool {
        let [right, down, top_down] = self.velocity.map(|speed| speed / self.height());
        (bbox.x1 <= EDGE && right < -AWAY)
            || (bbox.x2 >= 1.0 - EDGE && right > AWAY)
            || (bbox.y1 <= EDGE && down < -AWAY)
            // What is cut off moves no more.
            || (bbox.y2 >= 1.0 - EDGE && top_down > AWAY)
    }

    /// How far off where this one is expected the other one is, in heights; `None`: it is another subject.
    fn is_succeeded_by(&self, heir: &Self, now: Duration) -> Option<f32> {
        let unseen = now.saturating_sub(self.last);
        let was_double = self.over == Some(EndReason::Duplicate);
        let has_left = self.over == Some(EndReason::Left);
        let is_held = self.heir.is_none() && !has_left && unseen <= if self.leaves { HOLD_LEAVING } else { HOLD };
        let is_new = !heir.is_heir && now.saturating_sub(heir.first) <= FRESH && self.last < heir.first;
        let (lower, higher) = (heir.height().min(self.height()), heir.height().max(self.height()));
        let is_like = heir.class == self.class && higher <= HEIGHTS * lower;
        if self.number == heir.number || !is_held || !(is_new || was_double) || !is_like {
            return None;
        }
        let seconds = unseen.as_secs_f32();
        let off = |by: f32| {
            let expected = [0, 1].map(|axis: usize| self.place[axis] + self.velocity[axis] * by);
            (expected[0] - heir.place[0]).hypot(expected[1] - heir.place[1]) / self.height()
        };
        // Whoever hides may go on, or stand; he hardly goes on for long as he did.
        let distance = off(0.0).min(off(seconds)).min(off(seconds / 2.0));
        let (at_once, per_second) = if self.leaves { NEAR_LEAVING } else { NEAR };
        (distance <= at_once + per_second * seconds).then_some(distance)
    }
}

/// Middle of the lower edge, and the upper edge, heights of the picture.
fn standing(track: &Seen, aspect: f32) -> [f32; 3] {
    let bbox = track.bbox();
    let [x, y] = geometry::anchor(&bbox, Anchor::Bottom);
    [x * aspect, y, bbox.y1]
}
