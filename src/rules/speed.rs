//! Faster than allowed.

use std::time::Duration;

use super::Watch;
use super::book::{self, Book};
use super::gate::Gate;
use super::held::{Held, lapse};
use super::out::Out;
use super::place::Place;
use super::spell::Once;
use super::trail::{Point, Trail};
use super::view::View;
use crate::config;
use crate::types::event::EventType;
use crate::types::ground::Ground;

/// Points of a way are at least so far apart in time.
const SPACING: Duration = Duration::from_millis(60);
/// Speed is that of the latest points of so much time; of [`LEAST`] points where they are farther apart.
const WINDOW: Duration = Duration::from_millis(1000);
/// Of less time none is told.
const SHORTEST: Duration = Duration::from_millis(550);
/// Of fewer points none is told.
const LEAST: usize = 4;
/// Above the limit for so long is above the limit.
const BELIEVED: Duration = Duration::from_millis(250);
/// Farther than this off a straight and steady way, of its length, is none: a track that jumps, a box that trembles.
const UNSTEADY: f64 = 0.1;

/// `object.speeding`, once per track: fires once the speed has been above the limit for [`BELIEVED`]. Where the zone has
/// no real distances it never does.
pub(super) struct Speed {
    gate: Gate,
    place: Place,
    ground: Option<Ground>,
    above_kmh: f32,
    book: Book<Note>,
}

struct Note {
    trail: Trail,
    above: Held,
    /// Sum and number of the speeds since it is above, km/h.
    speeds: (f64, f64),
    once: Once,
}

impl book::Note for Note {
    fn is_told(&self) -> bool {
        self.once == Once::Done
    }
}

impl Speed {
    pub(super) fn new(camera: &config::Camera, rule: &config::Rule, above_kmh: f32) -> Self {
        let zone = rule.zone.and_then(|zone| camera.zones.get(zone));
        let ground = zone.and_then(|zone| Ground::new(&zone.polygon, zone.distances_m?).ok());
        Self { gate: Gate::new(&rule.common), place: Place::new(camera, rule), ground, above_kmh, book: Book::new() }
    }
}

impl Watch for Speed {
    fn see(&mut self, view: &View<'_>, _: &mut [u64], out: &mut Out) {
        let Some(ground) = &self.ground else { return };
        let (now, limit) = (view.now(), f64::from(self.above_kmh));
        out.hand_over(&mut self.gate, view.heirs);
        self.book.hand_over(view, |_| ());
        for (track, at) in self.place.those(view).filter(|(track, _)| !track.coasted) {
            let begin = || {
                let (trail, above) = (Trail::new(), Held::default());
                Some(Note { trail, above, speeds: (0.0, 0.0), once: Once::Untold })
            };
            let Some(page) = self.book.page(track, now, begin) else { continue };
            let note = &mut page.note;
            if !note.trail.push(now.media, ground.place(at).map(|metres| metres as f32), SPACING) {
                continue;
            }
            let speed = measure(note.trail.points());
            note.above.see(speed.is_some_and(|speed| speed.kmh - speed.error > limit), now, lapse(BELIEVED));
            if note.above.since().is_none() {
                note.speeds = (0.0, 0.0);
            }
            let Some(speed) = speed else { continue };
            note.speeds = (note.speeds.0 + speed.kmh, note.speeds.1 + 1.0);
            if note.above.held(BELIEVED, now).is_some() {
                let (place, kmh) = (&self.place, note.speeds.0 / note.speeds.1);
                note.once.fire((&mut self.gate, out), EventType::ObjectSpeeding, track, || {
                    let rounded = |value: f64| (value * 10.0).round() / 10.0;
                    place.data_with([("kmh", rounded(kmh).into()), ("limit_kmh", rounded(limit).into())])
                });
            }
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

#[derive(Clone, Copy, Debug)]
struct Measured {
    kmh: f64,
    /// Standard error.
    error: f64,
}

/// The speed of the latest points, by least squares; `None`: too few, or no steady way.
fn measure(points: &[Point]) -> Option<Measured> {
    let latest = points.last()?.time;
    let recent = points.partition_point(|point| latest.saturating_sub(point.time) > WINDOW);
    let points = points.get(recent.min(points.len().checked_sub(LEAST)?)..)?;
    let span = latest.saturating_sub(points.first()?.time);
    if span < SHORTEST {
        return None;
    }
    let count = points.len() as f64;
    let ago = |point: &Point| -latest.saturating_sub(point.time).as_secs_f64();
    let axis = |of: usize| {
        let value = |point: &Point| point.at.get(of).copied().map_or(0.0, f64::from);
        let mean_time = points.iter().map(ago).sum::<f64>() / count;
        let mean = points.iter().map(value).sum::<f64>() / count;
        let spread: f64 = points.iter().map(|point| (ago(point) - mean_time).powi(2)).sum();
        let slope = points.iter().map(|point| (ago(point) - mean_time) * (value(point) - mean)).sum::<f64>() / spread;
        let off: f64 =
            points.iter().map(|point| (value(point) - mean - slope * (ago(point) - mean_time)).powi(2)).sum();
        (slope, off, spread)
    };
    let ((across, off_across, spread), (along, off_along, _)) = (axis(0), axis(1));
    let speed = across.hypot(along);
    let off = off_across + off_along;
    let steady = (off / count).sqrt() <= UNSTEADY * speed * span.as_secs_f64();
    let error = (off / (count - 2.0).max(1.0) / spread).sqrt();
    steady.then_some(Measured { kmh: speed * 3.6, error: error * 3.6 })
}
