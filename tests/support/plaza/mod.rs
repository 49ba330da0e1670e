//! Ten minutes of streetscene's plaza without its pictures: who really was where in each camera's picture, and what
//! happened at zones and lines by an account that knows nothing of the rules' code.

#![allow(dead_code, reason = "no test uses all of it")]

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
struct Judge {
    /// Farther off a line, or outside a zone, is clear, in heights of the box.
    clear: f64,
    /// Seconds for which it must be so at a zone, and at a line.
    inertia: f64,
    settle: f64,
    /// How far inside a zone somebody must come, in heights of the box.
    depth: f64,
    /// How far beyond a line's end its way may lie, in heights of the box.
    beyond: f64,
}

impl Judge {
    /// Takes the rules' own words.
    const PLAIN: Self = Self { clear: 0.05, inertia: INERTIA, settle: 0.1, depth: 0.0, beyond: 0.0 };
    /// What it accepts has happened without any doubt.
    const STRICT: Self = Self { clear: 0.09, inertia: INERTIA + 0.25, settle: 0.25, depth: 0.03, beyond: -0.05 };
    /// What it does not accept has not happened.
    const LENIENT: Self = Self { clear: 0.02, inertia: INERTIA - 0.15, settle: 0.05, depth: 0.0, beyond: 0.05 };
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
    verdicts: OnceLock<[Vec<Happened>; 3]>,
}

/// What happened, by the true ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// `enter`, `exit`, `in`, `out`.
    pub what: &'static str,
    pub place: String,
    pub time: f64,
    /// From when to when the foot was on the border; both `time` where nobody asks.
    pub on_border: [f64; 2],
}

/// Nearer to a border than this the foot is on it, in heights of the box: three centimetres of a person.
const ON_BORDER: f64 = 0.02;

/// Whoever is on it for longer has stopped there, seconds.
const STOPS: f64 = 0.3;

impl Happened {
    pub fn new(what: &'static str, place: &str, time: f64) -> Self {
        Self { what, place: place.to_owned(), time, on_border: [time; 2] }
    }

    /// How far off a time is, seconds. Nobody can tell when somebody went over who stopped on the border.
    pub fn off(&self, time: f64) -> f64 {
        let [from, until] = self.on_border;
        if until - from > STOPS { (from - time).max(time - until).max(0.0) } else { (time - self.time).abs() }
    }

    /// Whoever stops on a border goes over it as long as he stands there: about the place at an index of his way.
    fn over(self, way: &[Place], at: usize, off: impl Fn(&Place) -> f64) -> Self {
        let on = |place: &&Place| off(place) <= ON_BORDER * place.height();
        let from = way[..at].iter().rev().take_while(on).last().map_or(self.time, Place::time);
        let until = way[at..].iter().take_while(on).last().map_or(self.time, Place::time);
        Self { on_border: [from.min(self.time), until.max(self.time)], ..self }
    }
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
    let mut watched: Vec<Watched> =
        infos.into_iter().map(|info| Watched { info, stays: Vec::new(), verdicts: OnceLock::new() }).collect();
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
    /// What happened at this camera's zones and lines, told from the true ways alone; plain, strict, lenient.
    ///
    /// - A zone is entered by who is in it for the inertia without a break, from when he came in. He goes out when he is
    ///   clear of it for the inertia, from when he came out, or when he leaves the picture.
    /// - A line is crossed by who was clear of it on one side for a moment, and then on the other, and whose way between
    ///   the two went through the line; when it did so last. Who only comes up to it, or stands on it, has not crossed.
    ///
    /// That is what somebody would say who watches the ground. How far is clear, and how long a moment, is a matter
    /// of opinion: people stand on lines, turn back half a step beyond them, cut a corner of a zone, and brush the end of
    /// a line. So there are two judges. What the strict one accepts must be told; what even the lenient one does not
    /// accept must not; between them (some ten centimetres of a person, two frames and a half) either answer is right.
    pub fn happened(&self) -> &[Vec<Happened>; 3] {
        self.verdicts.get_or_init(|| [Judge::PLAIN, Judge::STRICT, Judge::LENIENT].map(|judge| self.judge(judge)))
    }

    fn judge(&self, judge: Judge) -> Vec<Happened> {
        let zones = self.info.zones.iter().map(|zone| zone.polygon.iter().map(|corner| self.pixels(*corner)).collect());
        let zones: Vec<Vec<[f64; 2]>> = zones.collect();
        let mut all = Vec::new();
        for stay in &self.stays {
            for (zone, corners) in self.info.zones.iter().zip(&zones) {
                self.at_zone(stay, (&zone.id, corners), judge, &mut all);
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

    fn at_zone(&self, stay: &Stay, (id, corners): (&str, &[[f64; 2]]), judge: Judge, all: &mut Vec<Happened>) {
        let off = |place: &Place| off_outline(corners, place.foot());
        let mut tell = |what, at: usize| {
            all.push(Happened::new(what, id, stay.way[at].time()).over(&stay.way, at, off));
        };
        let (mut came, mut went, mut is_inside) = (None, None, false);
        let (mut clear_since, mut deep) = (None, false);
        for (at, place) in stay.way.iter().enumerate() {
            // The foot of who is cut off by the lower edge is on it.
            let foot = [place.foot()[0], place.foot()[1].min(f64::from(self.info.height) - 0.01)];
            let within = winds_around(corners, foot);
            let now = place.time();
            if within {
                (went, clear_since) = (None, None);
                let since = *came.get_or_insert(at);
                deep = deep || off_outline(corners, foot) >= judge.depth * place.height();
                if !is_inside && deep && now - stay.way[since].time() >= judge.inertia - 1e-9 {
                    is_inside = true;
                    tell("enter", since);
                }
                continue;
            }
            (came, deep) = (None, false);
            if is_inside {
                let since = *went.get_or_insert(at);
                if off_outline(corners, foot) <= judge.clear * place.height() {
                    clear_since = None;
                } else if now - *clear_since.get_or_insert(now) >= judge.inertia - 1e-9 {
                    is_inside = false;
                    tell("exit", since);
                }
            }
        }
        let last = stay.way.len() - 1;
        if is_inside {
            tell("exit", went.unwrap_or(last));
        }
    }

    fn at_line(&self, stay: &Stay, (id, ends): (&str, [[f64; 2]; 2]), judge: Judge, all: &mut Vec<Happened>) {
        let [from, to] = ends.map(|end| self.pixels(end));
        // Which side it was clear on for long enough, and when its way went through the line since.
        let (mut known, mut through, mut clear) = (0.0, None, (0.0, 0.0));
        let off = |place: &Place| right_of(from, to, place.foot()).abs();
        for (at, pair) in stay.way.windows(2).enumerate() {
            let (before, place) = (pair[0].foot(), pair[1].foot());
            let (was, is) = (right_of(from, to, before), right_of(from, to, place));
            let now = pair[1].time();
            if (was > 0.0) != (is > 0.0) {
                clear.0 = 0.0;
                let share = was / (was - is);
                let point = [0, 1].map(|axis: usize| before[axis] + (place[axis] - before[axis]) * share);
                let length = (to[0] - from[0]).hypot(to[1] - from[1]);
                let ends = [from, to].map(|end| (point[0] - end[0]).hypot(point[1] - end[1]));
                // On the line both ends together are as far off as they are from each other.
                let (out, nearest) = (ends[0] + ends[1] - length > 1e-6, ends[0].min(ends[1]));
                let on_it = if out { -nearest } else { nearest } >= -judge.beyond * pair[1].height();
                // There and back is nowhere.
                let time = pair[0].time() + (now - pair[0].time()) * share;
                through = if !on_it {
                    through
                } else if through.is_some() {
                    None
                } else {
                    Some((time, at + 1))
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
                    && let Some((time, at)) = through
                {
                    let what = if side > 0.0 { "in" } else { "out" };
                    all.push(Happened::new(what, id, time).over(&stay.way, at, off));
                }
                (known, through) = (side, None);
            }
        }
    }
}

/// By the sum of the angles under which the edges are seen.
fn winds_around(corners: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
    let beyond = |axis: usize, at: f64| {
        let mut all = corners.iter().map(|corner| corner[axis]);
        all.clone().all(|corner| corner < at) || all.all(|corner| corner > at)
    };
    if beyond(0, x) || beyond(1, y) {
        return false;
    }
    let mut sum = 0.0;
    for (i, a) in corners.iter().enumerate() {
        let b = corners[(i + 1) % corners.len()];
        let (ax, ay, bx, by) = (a[0] - x, a[1] - y, b[0] - x, b[1] - y);
        sum += (ax * by - ay * bx).atan2(ax * bx + ay * by);
    }
    sum.abs() > std::f64::consts::PI
}

fn off_outline(corners: &[[f64; 2]], point: [f64; 2]) -> f64 {
    let edges = corners.iter().zip(corners.iter().cycle().skip(1));
    edges.map(|(a, b)| off_edge(*a, *b, point)).fold(f64::MAX, f64::min)
}

/// By the triangle of the edge and the point: where an angle at the edge is obtuse, its corner is nearest.
fn off_edge(a: [f64; 2], b: [f64; 2], p: [f64; 2]) -> f64 {
    let far = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let (ab, ap, bp) = (far(a, b), far(a, p), far(b, p));
    if ab == 0.0 || bp * bp >= ab * ab + ap * ap || ap * ap >= ab * ab + bp * bp {
        return ap.min(bp);
    }
    right_of(a, b, p).abs()
}

/// Pixels to the right of the way from one point to another, seen with y downward.
fn right_of(from: [f64; 2], to: [f64; 2], [x, y]: [f64; 2]) -> f64 {
    let way = [to[0] - from[0], to[1] - from[1]];
    (way[0] * (y - from[1]) - way[1] * (x - from[0])) / way[0].hypot(way[1])
}
