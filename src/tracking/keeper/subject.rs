//! A subject as the tracker knows it.

use std::time::Duration;

use super::found::Found;
use super::motion::Motion;
use super::settings::Settings;
use super::similarity::WOBBLE;
use super::votes::Votes;
use crate::tracking::scores::Scores;
use crate::types::camera_motion::CameraMotion;
use crate::types::geometry::BBox;
use crate::types::track::{EndReason, Track, TrackState};

/// Sightings that are remembered, this many to the time of a direction.
const SIGHTINGS: usize = 24;
const PER_DIRECTION: f32 = 20.0;

/// Where it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    pub time: Duration,
    pub bbox: BBox,
}

/// One subject, published once it is confirmed.
#[derive(Clone, Debug)]
pub struct Subject {
    /// As last seen; the number is 0 until it is confirmed.
    pub track: Track,
    pub motion: Motion,
    /// Where it is expected, before it is seen in a frame.
    pub bbox: BBox,
    /// As detected.
    pub last: Sighting,
    sightings: [Sighting; SIGHTINGS],
    noted: usize,
    scores: Scores,
    votes: Votes,
    /// When a strong detection was last taken.
    pub last_high: Duration,
    pub confirmed: bool,
    /// Has a detection in this frame.
    pub seen: bool,
    /// Found by looks in this frame.
    pub by_looks: bool,
    pub state: TrackState,
    /// Is, or would be, at the picture's edge and on its way out.
    pub leaving: bool,
    /// To be removed, and why.
    pub over: Option<EndReason>,
    /// Where its looks are kept, and when they were last seen.
    pub looks: Option<usize>,
    pub looked: Duration,
    /// Where it went lately, of length 1; zeros where it stood.
    pub heading: (f32, f32),
    /// The place it stays at, and since when.
    anchor: (f32, f32),
    anchored: Duration,
}

impl Subject {
    /// Seen for the first time.
    pub fn new(found: &Found, now: Duration, s: &Settings) -> Self {
        let d = found.detection;
        let sighting = Sighting { time: now, bbox: d.bbox };
        Self {
            track: Track {
                number: 0,
                class: d.class,
                bbox: d.bbox,
                score: d.score,
                top_score: d.score,
                median_score: d.score,
                first_seen: now,
                last_seen: now,
                coasted: false,
                stationary: false,
            },
            motion: Motion::new(&d.bbox, s),
            bbox: d.bbox,
            last: sighting,
            sightings: [sighting; SIGHTINGS],
            noted: 1,
            scores: Scores::new(d.score),
            votes: Votes::new(d.class, found.level),
            last_high: now,
            confirmed: false,
            seen: true,
            by_looks: false,
            state: TrackState::Tentative,
            leaving: false,
            over: None,
            looks: None,
            looked: now,
            heading: (0.0, 0.0),
            anchor: d.bbox.centre(),
            anchored: now,
        }
    }

    /// Since it was last seen.
    pub fn gap(&self, now: Duration) -> Duration {
        now.saturating_sub(self.track.last_seen)
    }

    /// From its first to its latest detection.
    pub fn age(&self) -> Duration {
        self.track.last_seen - self.track.first_seen
    }

    /// Moves on to the next frame, in which it is not seen yet.
    pub fn predict(&mut self, elapsed: Duration, camera: &CameraMotion, s: &Settings) {
        if *camera != CameraMotion::NONE {
            self.motion.follow(camera);
            self.anchor = camera.point(self.anchor);
            for sighting in self.sightings.iter_mut().chain([&mut self.last]) {
                sighting.bbox = camera.bbox(&sighting.bbox);
            }
            let (x, y) = self.heading;
            let zoom = camera.zoom().max(f32::MIN_POSITIVE);
            self.heading = ((camera.a * x - camera.b * y) / zoom, (camera.b * x + camera.a * y) / zoom);
        }
        let t = s.seconds(elapsed);
        if !self.seen {
            self.motion.fade(t, s);
        }
        self.motion.predict(t, s);
        self.bbox = self.motion.bbox();
        self.seen = false;
        self.by_looks = false;
    }

    /// Takes in its detection of this frame.
    pub fn see(&mut self, found: &Found, now: Duration, s: &Settings) {
        let d = found.detection;
        let doubt = (1.0 + s.r_weak * (1.0 - found.level)) * (1.0 + s.r_hidden * found.hidden);
        self.motion.update(&d.bbox, doubt, s);
        self.seen = true;
        if found.level >= s.high {
            self.last_high = now;
        }
        self.note(&d.bbox, now, s);
        self.votes.add(d.class, found.level, self.gap(now), s);
        self.track.class = self.votes.winner(self.track.class, s);
        self.rest(now, s);

        let filtered = self.motion.bbox();
        let mix = |seen: f32, filtered: f32| seen + (filtered - seen) * s.smooth;
        self.track.bbox = BBox::new(
            mix(d.bbox.x1, filtered.x1),
            mix(d.bbox.y1, filtered.y1),
            mix(d.bbox.x2, filtered.x2),
            mix(d.bbox.y2, filtered.y2),
        );
        self.track.score = d.score;
        self.track.top_score = self.track.top_score.max(d.score);
        self.scores.push(d.score);
        self.track.median_score = self.scores.median();
        self.track.last_seen = now;
    }

    /// Is somewhere else: where it went meanwhile is unknown, and so is where it goes.
    pub fn restart(&mut self, bbox: &BBox, now: Duration, s: &Settings) {
        self.motion = Motion::new(bbox, s);
        self.sightings = [Sighting { time: now, bbox: *bbox }; SIGHTINGS];
        self.noted = 1;
    }

    /// Remembers where it is, and works out where it goes.
    fn note(&mut self, bbox: &BBox, now: Duration, s: &Settings) {
        let newest = Sighting { time: now, bbox: *bbox };
        self.last = newest;
        // The latest of those that are old enough, else the oldest.
        let known = self.noted.min(SIGHTINGS);
        let before = |back: usize| self.sightings[(self.noted - back) % SIGHTINGS];
        let mut from = before(known);
        for back in (1..known).rev() {
            let sighting = before(back);
            if s.seconds(now.saturating_sub(sighting.time)) < s.direction_s {
                break;
            }
            from = sighting;
        }
        let (a, b) = (from.bbox.centre(), bbox.centre());
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let way = (dx * dx + dy * dy).sqrt();
        self.heading = if way > WOBBLE * bbox.area().sqrt() { (dx / way, dy / way) } else { (0.0, 0.0) };
        let latest = self.sightings[(self.noted - 1) % SIGHTINGS].time;
        if s.seconds(now.saturating_sub(latest)) * PER_DIRECTION >= s.direction_s {
            self.sightings[self.noted % SIGHTINGS] = newest;
            self.noted += 1;
        }
    }

    /// Stationary or not: it must go twice as far to move again as it may wander while it stays.
    fn rest(&mut self, now: Duration, s: &Settings) {
        let (dx, dy) = (self.motion.cx.x - self.anchor.0, self.motion.cy.x - self.anchor.1);
        let far = dx.hypot(dy) / self.motion.size();
        if far > if self.track.stationary { 2.0 * s.still } else { s.still } {
            self.anchor = (self.motion.cx.x, self.motion.cy.x);
            self.anchored = now;
            self.track.stationary = false;
        } else if s.seconds(now.saturating_sub(self.anchored)) >= s.still_s {
            self.track.stationary = true;
        }
    }

    /// Whether it is at the edge of a picture of this size and on its way out.
    pub fn is_leaving(&self, (width, height): (u32, u32)) -> bool {
        /// Share of the box that is left in the picture, as its centre goes.
        const LEFT: f32 = 0.25;
        let b = &self.bbox;
        let (x, y) = b.centre();
        let (vx, vy) = (self.motion.cx.v, self.motion.cy.v);
        let (near_x, near_y) = (LEFT * b.width(), LEFT * b.height());
        (x < near_x && vx < 0.0)
            || (x > width as f32 - near_x && vx > 0.0)
            || (y < near_y - b.height() / 2.0 && vy < 0.0)
            || (y > height as f32 - near_y + b.height() / 2.0 && vy > 0.0)
    }
}
