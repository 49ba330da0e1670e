//! Does a box stay where it is?

use std::time::Duration;

use super::view::Moment;
use crate::types::geometry::BBox;

/// Moved by more than this part of its own height is moved.
const PART: f32 = 0.2;
/// Grown or shrunk in width and height alike by more than this (natural logarithm) is moved: towards or away.
const GROWN: f32 = 0.25;
/// A detector's trembling is evened out over about this time.
const SMOOTH_S: f32 = 0.5;
/// Where it stands is the mean of the first so many boxes there.
const BOXES: f32 = 8.0;
/// A smoothed box is as good as so many.
const SMOOTHED: f32 = 5.0;
/// Moved only once it is elsewhere for so long, and in so many boxes: one wild box is nothing.
const ELSEWHERE: (Duration, u32) = (Duration::from_millis(600), 4);
/// An edge nearer than this to the picture's own is where the picture ends, not the subject.
const BORDER: f32 = 0.004;

/// A box over time, and where it has been standing since when. It has moved where opposite edges have moved alike: a
/// subject that others cover in part keeps the edges that can be seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    /// The box, smoothed: left, top, right, bottom.
    now: [f32; 4],
    /// Where it stands, and the boxes that this is the mean of.
    place: [f32; 4],
    boxes: f32,
    at: Moment,
    since: Moment,
    /// Since when it is elsewhere, and boxes since then.
    away: Option<(Moment, u32)>,
}

impl Stand {
    pub(super) fn new(bbox: &BBox, now: Moment) -> Self {
        let edges = edges(bbox);
        Self { now: edges, place: edges, boxes: 1.0, at: now, since: now, away: None }
    }

    /// It was seen there (0..1 of a frame that is `aspect` times as wide as high). True: it has moved, and stands there
    /// from now on.
    pub(super) fn see(&mut self, bbox: &BBox, aspect: f32, now: Moment) -> bool {
        let passed = now.since(self.at).as_secs_f32();
        self.at = now;
        let weight = (1.0 - (-passed / SMOOTH_S).exp()).min(0.5);
        let edges = edges(bbox);
        follow(&mut self.now, edges, weight);
        if !self.is_elsewhere(aspect) {
            self.away = None;
            if self.boxes < BOXES {
                self.boxes += 1.0;
                follow(&mut self.place, edges, 1.0 / self.boxes);
            }
            return false;
        }
        let (away, boxes) = self.away.map_or((now, 1), |(away, boxes)| (away, boxes + 1));
        self.away = Some((away, boxes));
        let moved = now.since(away) >= ELSEWHERE.0 && boxes >= ELSEWHERE.1;
        if moved {
            (self.place, self.boxes, self.since, self.away) = (self.now, SMOOTHED, now, None);
        }
        moved
    }

    /// Since when it stands; `None`: it is elsewhere at the moment.
    pub(super) fn since(&self) -> Option<Moment> {
        self.away.is_none().then_some(self.since)
    }

    fn is_elsewhere(&self, aspect: f32) -> bool {
        let ([x1, y1, x2, y2], [left, top, right, bottom]) = (self.now, self.place);
        let (height, width) = ((bottom - top).max(1e-3), (right - left).max(1e-3));
        let across = shift((left, x1), (right, x2)) * aspect;
        let along = shift((top, y1), (bottom, y2));
        let grown = alike(((x2 - x1).max(1e-3) / width).ln(), ((y2 - y1).max(1e-3) / height).ln());
        across.hypot(along) > PART * height || grown.abs() > GROWN
    }
}

fn follow(smooth: &mut [f32; 4], edges: [f32; 4], weight: f32) {
    for (smooth, edge) in smooth.iter_mut().zip(edges) {
        *smooth += weight * (edge - *smooth);
    }
}

fn edges(bbox: &BBox) -> [f32; 4] {
    [bbox.x1, bbox.y1, bbox.x2, bbox.y2]
}

/// How far two opposite edges have moved together. Of an edge that the picture cuts off nothing is known.
fn shift(low: (f32, f32), high: (f32, f32)) -> f32 {
    let cut_low = low.0.min(low.1) < BORDER;
    let cut_high = high.0.max(high.1) > 1.0 - BORDER;
    match (cut_low, cut_high) {
        (true, false) => high.1 - high.0,
        (false, true) => low.1 - low.0,
        _ => alike(low.1 - low.0, high.1 - high.0),
    }
}

/// The lesser of two changes in one direction; 0: they differ.
fn alike(a: f32, b: f32) -> f32 {
    if a * b <= 0.0 {
        0.0
    } else if a.abs() < b.abs() {
        a
    } else {
        b
    }
}
