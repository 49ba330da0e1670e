//! Ten minutes of streetscene's plaza without its pictures: who really was where in each camera's picture, and what
//! happened at zones and lines by an account that knows nothing of the rules' code.

pub mod score;
pub mod tracker;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use streetscene::geometry::{Pinhole, V3, v3};
use streetscene::truth::Class;
use streetscene::{CameraInfo, Options, World};

/// Seconds that are watched.
pub const LENGTH: f64 = 600.0;
/// The world is known each so many seconds; every second time a frame is taken.
pub const STEP: f64 = 0.05;
/// Whoever is out of the picture for longer has left it.
pub const AWAY: f64 = 1.0;
/// Frames on each side that a line asks for.
pub const FRAMES: u32 = 2;
/// Seconds of a zone's inertia.
pub const INERTIA: f64 = 0.3;

/// How strictly it is judged what happened.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    /// Farther off a line, or outside a zone, is clear, in heights of the box.
    clear: f64,
    /// Seconds for which it must be so at a zone, and at a line.
    inertia: f64,
    settle: f64,
}

impl Judge {
    /// What it accepts has happened without any doubt.
    pub const STRICT: Self = Self { clear: 0.09, inertia: INERTIA + 0.25, settle: 0.25 };
    /// What it does not accept has not happened.
    pub const LENIENT: Self = Self { clear: 0.02, inertia: INERTIA - 0.15, settle: 0.05 };
}

/// A true box in a picture: pixels, as far as it is in it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub step: u32,
    pub bounds: [f64; 4],
    /// Metres from the camera.
    pub depth: f64,
}

impl Place {
    pub fn time(&self) -> f64 {
        f64::from(self.step) * STEP
    }

    pub fn height(&self) -> f64 {
        self.bounds[3] - self.bounds[1]
    }

    /// Middle of the lower edge.
    pub fn foot(&self) -> [f64; 2] {
        [(self.bounds[0] + self.bounds[2]) / 2.0, self.bounds[3]]
    }
}

/// One uninterrupted stay of a subject in a picture.
pub struct Stay {
    pub class: Class,
    pub way: Vec<Place>,
}

/// A camera with all that was in its picture.
pub struct Watched {
    pub info: CameraInfo,
    pub stays: Vec<Stay>,
}

/// What happened, by the true ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// `enter`, `exit`, `in`, `out`.
    pub what: &'static str,
    pub place: String,
    pub time: f64,
}

/// Ten minutes, four cameras.
pub fn crowded() -> &'static [Watched] {
    static PLAZA: OnceLock<Vec<Watched>> = OnceLock::new();
    PLAZA.get_or_init(|| watch(11, 44))
}

fn watch(seed: u64, people: usize) -> Vec<Watched> {
    let mut world = World::new(&Options { seed, width: 1280, height: 720, people: Some(people), ..Options::default() });
    let infos = world.cameras().to_vec();
    let lenses: Vec<Pinhole> = infos
        .iter()
        .map(|c| {
            let [x, y, z] = c.position;
            Pinhole::new(v3(x, y, z), c.yaw, c.pitch, c.focal, c.width, c.height)
        })
        .collect();
    let mut open: Vec<BTreeMap<u32, Stay>> = infos.iter().map(|_| BTreeMap::new()).collect();
    let mut watched: Vec<Watched> = infos.into_iter().map(|info| Watched { info, stays: Vec::new() }).collect();
    for step in 0..(LENGTH / STEP) as u32 {
        world.advance_to(f64::from(step) * STEP);
        for subject in world.present() {
            for (camera, lens) in lenses.iter().enumerate() {
                let Some((bounds, depth)) = seen(lens, subject.at, subject.height, subject.half_width) else {
                    continue;
                };
                let place = Place { step, bounds, depth };
                let new = || Stay { class: subject.class, way: Vec::new() };
                let stay = open[camera].entry(subject.identity).or_insert_with(new);
                if stay.way.last().is_some_and(|last| place.time() - last.time() > AWAY) {
                    watched[camera].stays.push(std::mem::replace(stay, new()));
                }
                stay.way.push(place);
            }
        }
    }
    for (camera, open) in open.into_iter().enumerate() {
        watched[camera].stays.extend(open.into_values());
        watched[camera].stays.sort_by_key(|stay| stay.way[0].step);
    }
    watched
}

/// The box of an upright subject in a picture, cut off at its edges; `None` where a detector could not see it.
fn seen(lens: &Pinhole, at: V3, height: f64, half_width: f64) -> Option<([f64; 4], f64)> {
    let (low, high) = (lens.project(at)?, lens.project(at + v3(0.0, 0.0, height))?);
    let depth = f64::from(low.z);
    let (x, y1, y2) = (f64::from(low.x), f64::from(high.y), f64::from(low.y));
    let half = half_width * 0.6 * lens.scale(depth);
    let full = (y2 - y1) * 2.0 * half;
    let cut = [(x - half).max(0.0), y1.max(0.0), (x + half).min(lens.width), y2.min(lens.height)];
    let (width, height) = (cut[2] - cut[0], cut[3] - cut[1]);
    (depth > 1.5 && width > 4.0 && height > 24.0 && width * height > 0.4 * full).then_some((cut, depth))
}

impl Watched {
    /// What happened at this camera's zones and lines, told from the true ways alone.
    ///
    /// - A zone is entered by who is in it for the inertia without a break, from when he came in. He goes out when he is
    ///   clear of it for the inertia, from when he came out, or when he leaves the picture.
    /// - A line is crossed by who was clear of it on one side for a moment, and then on the other, and whose way between
    ///   the two went through the line; when it did so last. Who only comes up to it, or stands on it, has not crossed.
    ///
    /// That is what somebody would say who watches the ground. How far is clear, and how long a moment, is a matter
    /// of opinion: people stand on lines, and turn back half a step beyond them. So there are two judges. What the strict
    /// one accepts must be told; what even the lenient one does not accept must not; between them (from 4 to 16
    /// centimetres of a person, and two frames and a half) either answer is right.
    pub fn happened(&self, judge: Judge) -> Vec<Happened> {
        let mut all = Vec::new();
        for stay in &self.stays {
            for zone in &self.info.zones {
                self.at_zone(stay, (&zone.id, &zone.polygon), judge, &mut all);
            }
            for line in &self.info.lines {
                self.at_line(stay, (&line.id, [line.from, line.to]), judge, &mut all);
            }
        }
        all.sort_by(|a, b| a.time.total_cmp(&b.time));
        all
    }

    fn pixels(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [x * f64::from(self.info.width), y * f64::from(self.info.height)]
    }

    fn at_zone(&self, stay: &Stay, (id, polygon): (&str, &[[f64; 2]]), judge: Judge, all: &mut Vec<Happened>) {
        let corners: Vec<[f64; 2]> = polygon.iter().map(|corner| self.pixels(*corner)).collect();
        let mut tell = |what, time| all.push(Happened { what, place: id.to_owned(), time });
        let (mut came, mut went, mut is_inside) = (None, None, false);
        let mut clear_since = None;
        for place in &stay.way {
            // The foot of who is cut off by the lower edge is on it.
            let foot = [place.foot()[0], place.foot()[1].min(f64::from(self.info.height) - 0.01)];
            let within = winds_around(&corners, foot);
            let now = place.time();
            if within {
                (went, clear_since) = (None, None);
                let since = *came.get_or_insert(now);
                if !is_inside && now - since >= judge.inertia - 1e-9 {
                    is_inside = true;
                    tell("enter", since);
                }
                continue;
            }
            came = None;
            if is_inside {
                let since = *went.get_or_insert(now);
                if off_outline(&corners, foot) <= judge.clear * place.height() {
                    clear_since = None;
                } else if now - *clear_since.get_or_insert(now) >= judge.inertia - 1e-9 {
                    is_inside = false;
                    tell("exit", since);
                }
            }
        }
        let last = stay.way[stay.way.len() - 1].time();
        if is_inside && last < LENGTH - 3.0 {
            tell("exit", went.unwrap_or(last));
        }
    }

    fn at_line(&self, stay: &Stay, (id, ends): (&str, [[f64; 2]; 2]), judge: Judge, all: &mut Vec<Happened>) {
        let [from, to] = ends.map(|end| self.pixels(end));
        // Which side it was clear on for long enough, and when its way went through the line since.
        let (mut known, mut through, mut clear) = (0.0, None, (0.0, 0.0));
        for pair in stay.way.windows(2) {
            let (before, place) = (pair[0].foot(), pair[1].foot());
            let (was, is) = (right_of(from, to, before), right_of(from, to, place));
            let now = pair[1].time();
            if (was > 0.0) != (is > 0.0) {
                clear.0 = 0.0;
                let share = was / (was - is);
                let at = [0, 1].map(|axis| before[axis] + (place[axis] - before[axis]) * share);
                let on_it = [0, 1].iter().all(|&axis| {
                    let (low, high) = (from[axis].min(to[axis]), from[axis].max(to[axis]));
                    (low - 1e-6..=high + 1e-6).contains(&at[axis])
                });
                // There and back is nowhere.
                let time = pair[0].time() + (now - pair[0].time()) * share;
                through = if !on_it {
                    through
                } else if through.is_some() {
                    None
                } else {
                    Some(time)
                };
            }
            if is.abs() < judge.clear * pair[1].height() {
                continue;
            }
            let side = is.signum();
            if clear.0 != side {
                clear = (side, now);
            }
            if now - clear.1 >= judge.settle - 1e-9 {
                if known != 0.0
                    && known != side
                    && let Some(time) = through
                {
                    all.push(Happened { what: if side > 0.0 { "in" } else { "out" }, place: id.to_owned(), time });
                }
                (known, through) = (side, None);
            }
        }
    }
}

/// By the sum of the angles under which the edges are seen.
fn winds_around(corners: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
    let mut sum = 0.0;
    for (i, a) in corners.iter().enumerate() {
        let b = corners[(i + 1) % corners.len()];
        let (ax, ay, bx, by) = (a[0] - x, a[1] - y, b[0] - x, b[1] - y);
        sum += (ax * by - ay * bx).atan2(ax * bx + ay * by);
    }
    sum.abs() > std::f64::consts::PI
}

fn off_outline(corners: &[[f64; 2]], [x, y]: [f64; 2]) -> f64 {
    let mut nearest = f64::MAX;
    for (i, a) in corners.iter().enumerate() {
        let b = corners[(i + 1) % corners.len()];
        for part in 0..=200 {
            let share = f64::from(part) / 200.0;
            nearest = nearest.min((a[0] + (b[0] - a[0]) * share - x).hypot(a[1] + (b[1] - a[1]) * share - y));
        }
    }
    nearest
}

/// Pixels to the right of the way from one point to another, seen with y downward.
fn right_of(from: [f64; 2], to: [f64; 2], [x, y]: [f64; 2]) -> f64 {
    let way = [to[0] - from[0], to[1] - from[1]];
    (way[0] * (y - from[1]) - way[1] * (x - from[0])) / way[0].hypot(way[1])
}
