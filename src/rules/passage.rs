//! A track's way about a line.

use std::time::Duration;

use super::view::Moment;
use crate::types::observation::Seen;

/// Farther off the line than this is clearly on one side, in heights of the box.
const CLEAR: f32 = 0.04;

/// A line in the picture, in heights of the picture.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    from: [f32; 2],
    /// Of length 1; of length 0 where the line has no length.
    way: [f32; 2],
    length: f32,
    aspect: f32,
}

/// A place as seen from a line's beginning.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// In the line's direction, heights of the picture.
    along: f32,
    /// To the right of it.
    off: f32,
}

impl Segment {
    /// Ends are 0..1 of a picture that is `aspect` times as wide as high.
    pub(super) fn new(from: [f32; 2], to: [f32; 2], aspect: f32) -> Self {
        let way = [(to[0] - from[0]) * aspect, to[1] - from[1]];
        let length = way[0].hypot(way[1]);
        let way = if length > 0.0 { way.map(|part| part / length) } else { [0.0; 2] };
        Self { from, way, length, aspect }
    }

    /// Where a point of the picture is, 0..1.
    pub(super) fn place(&self, [x, y]: [f32; 2]) -> Place {
        let [x, y] = [(x - self.from[0]) * self.aspect, y - self.from[1]];
        let [right, down] = self.way;
        Place { along: x * right + y * down, off: right * y - down * x }
    }
}

/// A track's way about a line.
#[derive(Clone, Copy)]
pub(super) struct Passage {
    pub(super) number: u64,
    /// As it was when it was last seen.
    pub(super) track: Seen,
    /// Its latest place, predicted ones included.
    place: Place,
    at: Moment,
    /// The side of the latest place that was not on the line itself: 1 to the right, -1 to the left, 0 neither yet.
    side: i8,
    /// Frames in which it was clearly there since it came there.
    clear: u32,
    /// The side on which it was clearly for long enough.
    settled: i8,
    /// How often it crossed since it was settled: to the right less to the left, and when it did first and last.
    through: i8,
    crossed: Option<(Moment, Moment)>,
    /// Crossings that count and were not told: to the right less to the left, and when the last one was.
    pub(super) due: i8,
    pub(super) due_since: Moment,
    /// Media time of the latest one that was told.
    told: Option<Duration>,
}

impl Passage {
    pub(super) fn new(track: &Seen, place: Place, now: Moment) -> Self {
        Self {
            number: track.number,
            track: *track,
            place,
            at: now,
            side: side(place),
            clear: 0,
            settled: 0,
            through: 0,
            crossed: None,
            due: 0,
            due_since: now,
            told: None,
        }
    }

    /// Its side is known.
    pub(super) fn is_settled(&self) -> bool {
        self.settled != 0
    }

    /// It moved on to a place, seen or predicted.
    pub(super) fn goes(&mut self, to: Place, segment: &Segment, now: Moment) {
        let (from, was_at) = (self.place, self.at);
        (self.place, self.at) = (to, now);
        let side = side(to);
        if side == 0 || side == self.side {
            return;
        }
        let had_one = self.side != 0;
        (self.side, self.clear) = (side, 0);
        // Where `from` is on the line itself, the crossing is there.
        let share = from.off / (from.off - to.off);
        let along = from.along + (to.along - from.along) * share;
        if had_one && (0.0..segment.length).contains(&along) {
            self.through = self.through.saturating_add(side);
            let at = now.earlier(now.since(was_at).mul_f32((1.0 - share).clamp(0.0, 1.0)));
            self.crossed = Some((self.crossed.map_or(at, |(first, _)| first), at));
        }
    }

    /// It was seen there: does that settle where it is?
    pub(super) fn settles(&mut self, track: &Seen, frames: u32, counts: bool) {
        self.track = *track;
        if self.side == 0 || self.place.off.abs() < CLEAR * track.bbox().height() {
            return;
        }
        self.clear = self.clear.saturating_add(1);
        if self.clear < frames {
            return;
        }
        let has_crossed = self.is_settled() && self.settled != self.side && self.through.signum() == self.side;
        if has_crossed {
            // A score or a height that is off its limit in this very frame is asked again in the next.
            if !counts {
                return;
            }
            let at = self.crossed.map_or(self.at, |(first, last)| last.settled(first));
            (self.due, self.due_since) = (self.due.saturating_add(self.side), at);
        }
        (self.settled, self.through, self.crossed) = (self.side, 0, None);
    }

    /// Has a crossing to be told now? What was told a cool-down ago does not matter.
    pub(super) fn is_due(&self, cooldown: Duration) -> bool {
        self.due != 0 && self.told.is_none_or(|told| self.at.media.saturating_sub(told) >= cooldown)
    }

    /// Did it cross since a moment, told or not?
    pub(super) fn crossed_since(&self, then: Moment) -> bool {
        self.due != 0 || self.told.is_some_and(|told| told >= then.media)
    }

    /// A crossing was told, or is not worth it.
    pub(super) fn done(&mut self, was_told: bool) {
        self.due -= self.due.signum();
        if was_told {
            self.told = Some(self.at.media);
        }
    }

    /// It goes on as another track.
    pub(super) fn becomes(self, number: u64) -> Self {
        Self { number, ..self }
    }
}

fn side(place: Place) -> i8 {
    match place.off {
        off if off > 0.0 => 1,
        off if off < 0.0 => -1,
        _ => 0,
    }
}
