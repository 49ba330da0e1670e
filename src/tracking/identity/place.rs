//! Where a track stood, and when.

use std::time::Duration;

/// Where a subject stands in a picture, all as shares of the picture's width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Middle of the box.
    pub x: f32,
    /// Lower edge of the box, from the top.
    pub y: f32,
    /// Height of the box.
    pub height: f32,
    /// True where the feet are at the lower edge: nothing hides them, and the picture does not cut them off.
    pub feet: bool,
}

impl Place {
    /// How far apart two places are, in heights of who stands there.
    pub(super) fn heights_apart(&self, other: &Self) -> f32 {
        let height = f32::midpoint(self.height, other.height).max(1e-3);
        (self.x - other.x).hypot(self.y - other.y) / height
    }
}

/// Most moments kept of one track.
const MOST: usize = 64;
/// Least seconds between two of them, at first.
const STEP: f64 = 0.2;
/// Between moments further apart than this many steps nothing is known.
const BRIDGED: f64 = 4.0;

/// Where one track stood, coarser the longer it lasts.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    moments: Vec<(f64, Place)>,
    step: f64,
}

impl Path {
    pub(super) fn add(&mut self, time: Duration, place: Place) {
        let time = time.as_secs_f64();
        self.step = self.step.max(STEP);
        // Frames come a little early or late.
        if self.moments.last().is_some_and(|(last, _)| time - last < 0.9 * self.step) {
            return;
        }
        if self.moments.len() == MOST {
            let mut at = 0;
            self.moments.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.step *= 2.0;
        }
        self.moments.push((time, place));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn first(&self) -> Option<&Place> {
        self.moments.first().map(|(_, place)| place)
    }

    pub(super) fn last(&self) -> Option<&Place> {
        self.moments.last().map(|(_, place)| place)
    }

    /// Where both stood at the same times, feet to be seen, at most `most` of them, spread evenly.
    pub(super) fn together(&self, other: &Self, most: usize) -> Vec<(Place, Place)> {
        let (coarse, fine, swapped) = if self.step >= other.step { (self, other, false) } else { (other, self, true) };
        let mut found = Vec::new();
        let mut from = 0;
        for (time, place) in coarse.moments.iter().filter(|(_, place)| place.feet) {
            while fine.moments.get(from + 1).is_some_and(|(next, _)| next <= time) {
                from += 1;
            }
            let Some((before, a)) = fine.moments.get(from).filter(|(before, _)| before <= time) else { continue };
            let at = match fine.moments.get(from + 1) {
                Some((after, b)) if after - before <= BRIDGED * fine.step && a.feet && b.feet => {
                    let share = ((time - before) / (after - before).max(1e-6)) as f32;
                    let mix = |a: f32, b: f32| a + (b - a) * share;
                    Place { x: mix(a.x, b.x), y: mix(a.y, b.y), height: mix(a.height, b.height), feet: true }
                }
                _ if a.feet && (time - before) < 0.05 => *a,
                _ => continue,
            };
            found.push(if swapped { (at, *place) } else { (*place, at) });
        }
        if found.len() > most {
            let step = found.len() as f64 / most as f64;
            found = (0..most).filter_map(|n| found.get((n as f64 * step) as usize).copied()).collect();
        }
        found
    }
}
