//! Who is in whose picture, and who crosses which zone or line there.

use std::collections::BTreeMap;

use super::{STEP, TRACK_GAP, World, bike_place};
use crate::geometry::{Pinhole, V3, v3};
use crate::regions;
use crate::truth::{Class, Crossing, Kind};

/// Somebody or something, where the world has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Subject {
    /// The same in all cameras.
    pub identity: u32,
    /// What it is.
    pub class: Class,
    /// Where it stands.
    pub at: V3,
    /// Height, metres.
    pub height: f64,
    /// Half of its width, metres, seen from where it is widest.
    pub half_width: f64,
}

impl World {
    /// Everybody and everything as of the latest step ([`STEP`]), whether a camera sees it or not: truth for
    /// those who need no pictures, in no time.
    pub fn present(&self) -> Vec<Subject> {
        let subject = |(identity, class, at, height, half_width)| Subject { identity, class, at, height, half_width };
        self.subjects().into_iter().map(subject).collect()
    }

    /// Everybody with a ground point now: identity, class, ground point, height, half width.
    pub(super) fn subjects(&self) -> Vec<(u32, Class, V3, f64, f64)> {
        let mut list = Vec::new();
        for w in self.walkers.iter().filter(|w| w.away.is_none()) {
            let wide = if w.rides() { 0.9 } else { 0.5 };
            list.push((w.identity, Class::Person, w.now.at, w.look.height + 0.1, wide));
            if let Some(b) = &w.bike {
                let at = bike_place(w.now.at, w.now.heading, b.ridden);
                list.push((b.identity, Class::Bicycle, at, 1.15, 0.95));
            }
        }
        for c in &self.cars {
            list.push((
                c.identity,
                Class::Car,
                c.place(&self.lanes, 1.0, false).at,
                c.car.height,
                c.car.length / 2.0 + 0.2,
            ));
        }
        for r in &self.racks {
            list.push((r.0, Class::Bicycle, r.2, 1.15, 0.95));
        }
        list
    }

    /// Gives tracks to who is in a picture and notes what was crossed in the last step.
    pub(super) fn watch(&mut self, now: f64) {
        let subjects = self.subjects();
        let mut ground = BTreeMap::new();
        for (identity, class, at, height, wide) in subjects {
            ground.insert(identity, at);
            let before = self.ground.get(&identity).copied().unwrap_or(at);
            for camera in 0..self.cameras.len() {
                let lens = self.site.cameras[camera].0;
                if overlaps(&lens, at, height, wide) {
                    let next = self.next_track[camera];
                    let track = self.tracks[camera].entry(identity).or_insert((0, f64::MIN));
                    if now - track.1 > TRACK_GAP {
                        track.0 = next;
                        self.next_track[camera] += 1;
                    }
                    track.1 = now;
                }
                self.cross(camera, &lens, identity, class, before, at, now);
            }
        }
        self.ground = ground;
    }

    #[allow(clippy::too_many_arguments, reason = "one step of one subject in one picture")]
    fn cross(&mut self, camera: usize, lens: &Pinhole, identity: u32, class: Class, before: V3, at: V3, now: f64) {
        let track = self.tracks[camera].get(&identity).map_or(0, |t| t.0);
        let name = self.cameras[camera].id.clone();
        let record = |share: f64, kind: Kind, id: &str, direction: Option<&str>| Crossing {
            time_s: ((now - STEP + STEP * share) * 1e4).round() / 1e4,
            camera: name.clone(),
            identity,
            track,
            class,
            kind,
            id: id.to_owned(),
            direction: direction.map(str::to_owned),
        };
        for (z, zone) in self.zones.iter().enumerate() {
            if !self.cameras[camera].zones.iter().any(|w| w.id == zone.id) {
                continue;
            }
            let within = |p: V3| regions::inside(&zone.points, p) && regions::in_picture(lens, p);
            let key = (camera, identity, z);
            let (was, is) = (self.within.contains(&key), within(at));
            if was == is {
                continue;
            }
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..14 {
                let mid = (low + high) / 2.0;
                if within(before.lerp(at, mid)) == is { high = mid } else { low = mid }
            }
            if is {
                self.within.insert(key);
                self.crossings.push(record(high, Kind::ZoneEnter, zone.id, None));
            } else {
                self.within.remove(&key);
                self.crossings.push(record(high, Kind::ZoneExit, zone.id, None));
            }
        }
        for line in &self.lines {
            if !self.cameras[camera].lines.iter().any(|w| w.id == line.id) {
                continue;
            }
            if let Some((share, side)) = regions::crosses(&line.points, before, at)
                && regions::in_picture(lens, before.lerp(at, share))
            {
                let direction = if side > 0.0 { "in" } else { "out" };
                self.crossings.push(record(share, Kind::LineCrossed, line.id, Some(direction)));
            }
        }
    }
}

/// Whether an upright box around a subject falls, in part, into the picture.
fn overlaps(lens: &Pinhole, at: V3, height: f64, wide: f64) -> bool {
    let (mut x0, mut y0, mut x1, mut y1) = (f64::MAX, f64::MAX, f64::MIN, f64::MIN);
    for z in [0.0, height] {
        for (dx, dy) in [(-wide, -wide), (wide, -wide), (wide, wide), (-wide, wide)] {
            let Some(s) = lens.project(at + v3(dx, dy, z)) else { continue };
            let (x, y) = (f64::from(s.x), f64::from(s.y));
            (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x), y1.max(y));
        }
    }
    x1 > 0.0 && y1 > 0.0 && x0 < lens.width && y0 < lens.height && x1 >= x0
}
