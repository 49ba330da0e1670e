//! Moving against the way.

use std::time::Duration;

use super::Watch;
use super::book::{Book, Note};
use super::gate::Gate;
use super::out::Out;
use super::place::Place;
use super::spell::Once;
use super::trail::{Point, Trail};
use super::view::View;
use crate::config;
use crate::types::event::EventType;

/// Points of a way are at least so far apart in time.
const SPACING: Duration = Duration::from_millis(125);
/// The way that is judged took at least so long; whoever is slow is judged by more, up to what a trail keeps (4 s).
const WINDOW: Duration = Duration::from_millis(900);
/// Points at each end of the way whose mean is its end.
const END: usize = 3;
/// No single step makes up more of the way than this: a track that jumps to somebody else has not walked there.
const STEP: f32 = 0.5;
/// Less than this part of its own height is no way but a box that trembles.
const LEAST: f32 = 0.1;

/// `object.wrong_way`, once per track. Frames that have no detection of it do not count.
pub(super) struct WrongWay {
    gate: Gate,
    place: Place,
    /// Opposite of the right way, as given: 0..1 of the frame, of any length.
    against: [f32; 2],
    tolerance_deg: f32,
    distance: f32,
    book: Book<(Trail, Once)>,
}

impl Note for (Trail, Once) {
    fn is_told(&self) -> bool {
        self.1 == Once::Done
    }
}

impl WrongWay {
    pub(super) fn new(
        camera: &config::Camera,
        rule: &config::Rule,
        way: [f32; 2],
        (tolerance_deg, distance): (f32, f32),
    ) -> Self {
        Self {
            gate: Gate::new(&rule.common),
            place: Place::new(camera, rule),
            against: way.map(|part| -part),
            tolerance_deg,
            distance,
            book: Book::new(),
        }
    }
}

impl Watch for WrongWay {
    fn see(&mut self, view: &View<'_>, _: &mut [u64], out: &mut Out) {
        let (now, aspect) = (view.now(), view.aspect());
        let against = [self.against[0] * aspect, self.against[1]];
        out.hand_over(&mut self.gate, view.heirs);
        self.book.hand_over(view, |_| ());
        for (track, [x, y]) in self.place.those(view).filter(|(track, _)| !track.coasted) {
            let begin = || Some((Trail::new(), Once::Untold));
            let Some(page) = self.book.page(track, now, begin) else { continue };
            let (trail, once) = &mut page.note;
            if !trail.push(now.media, [x * aspect, y], SPACING) || *once == Once::Done {
                continue;
            }
            let least = self.distance.max(LEAST * track.bbox().height());
            let Some(way) = latest_way(trail.points(), least) else { continue };
            let off = angle_deg(way, against);
            if off > self.tolerance_deg {
                continue;
            }
            let place = &self.place;
            once.fire((&mut self.gate, out), EventType::ObjectWrongWay, track, || {
                let angle = (180.0 - f64::from(off)).round();
                let distance = (f64::from(way[0].hypot(way[1])) * 1e3).round() / 1e3;
                place.data_with([("angle_deg", angle.into()), ("distance", distance.into())])
            });
        }
        self.book.sweep(view, |_| ());
    }

    fn reset(&mut self, _: &mut Out) {
        self.book.close(|_| ());
    }

    fn heed(&mut self, labels: &[String]) {
        self.place.heed(labels);
        self.book.heed(labels);
    }
}

/// The latest way of at least this length that took at least [`WINDOW`], and that was walked, not jumped.
fn latest_way(points: &[Point], least: f32) -> Option<[f32; 2]> {
    let (end, ended) = mean(points.last_chunk::<END>()?);
    let starts = points.windows(END).enumerate().rev().skip(END);
    let mut ways = starts.filter_map(|(from, window)| {
        let (start, began) = mean(window.first_chunk::<END>()?);
        let way = [end[0] - start[0], end[1] - start[1]];
        let enough = ended.saturating_sub(began) >= WINDOW && way[0].hypot(way[1]) >= least;
        enough.then_some((from, way))
    });
    let (from, way) = ways.next()?;
    let length = way[0].hypot(way[1]);
    let steps = points.get(from..)?.windows(2);
    let longest = steps.filter_map(|step| {
        let [a, b] = step.first_chunk::<2>()?;
        Some(((b.at[0] - a.at[0]) * way[0] + (b.at[1] - a.at[1]) * way[1]) / length)
    });
    (longest.fold(0.0, f32::max) <= STEP * length).then_some(way)
}

/// Where and when, on average.
fn mean(points: &[Point; END]) -> ([f32; 2], Duration) {
    let sum = points.iter().fold(([0.0, 0.0], Duration::ZERO), |([x, y], time), point| {
        ([x + point.at[0], y + point.at[1]], time + point.time / END as u32)
    });
    (sum.0.map(|part| part / END as f32), sum.1)
}

/// Between two directions, 0..180.
fn angle_deg(a: [f32; 2], b: [f32; 2]) -> f32 {
    let (dot, cross) = (a[0] * b[0] + a[1] * b[1], a[0] * b[1] - a[1] * b[0]);
    cross.abs().atan2(dot).to_degrees()
}
