//! Places that two cameras see both, learned from who is likely the same.
//!
//! People stand on the ground, so the feet of one person in two pictures are related by one plane's map
//! ([`Homography`]). It is found from pairs of tracks that look alike, with RANSAC (Fischler and Bolles, 1981), and
//! then says of any two tracks whether they stand at one place. No calibration is needed; who is wrongly taken for the
//! same does not fit the others, and is voted down.

use super::homography::{Homography, Match};
use super::place::{Path, Place};

/// Points of one pair of tracks.
const EACH: usize = 24;
/// Most points kept of tracks that are over.
const KEPT: usize = 256;
/// Most points fitted at a time.
const FITTED: usize = 768;
/// Draws of four points.
const DRAWS: usize = 256;
/// A point fits if it is no further off than this, in heights of who stands there.
const FITS: f64 = 0.3;
/// Least points, share of all, and pairs of tracks that fit before the map is believed.
const LEAST_POINTS: usize = 12;
const LEAST_SHARE: f64 = 0.35;
const LEAST_PAIRS: usize = 2;

/// Where feet were in two pictures, and which pair of tracks that was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) a: Place,
    pub(super) b: Place,
    pub(super) pair: u32,
}

impl Point {
    fn matched(&self) -> Match {
        ([f64::from(self.a.x), f64::from(self.a.y)], [f64::from(self.b.x), f64::from(self.b.y)])
    }
}

/// A map that is believed, both ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    pub(super) there: Homography,
    pub(super) back: Homography,
}

impl Fit {
    /// How far apart two places are, in heights, in the picture where it is more; `None` beyond the horizon.
    fn apart(&self, a: &Place, b: &Place) -> Option<f64> {
        let ([ax, ay], [bx, by]) = Point { a: *a, b: *b, pair: 0 }.matched();
        let off = |[x, y]: [f64; 2], [u, v]: [f64; 2], height: f32| (x - u).hypot(y - v) / f64::from(height.max(1e-3));
        let (there, back) = (self.there.map([ax, ay])?, self.back.map([bx, by])?);
        Some(off(there, [bx, by], b.height).max(off(back, [ax, ay], a.height)))
    }
}

/// What is known of two cameras.
#[derive(Clone, Debug, Default)]
pub(super) struct Relation {
    /// Of pairs of tracks that are over.
    pub(super) kept: Vec<Point>,
    pub(super) fit: Option<Fit>,
    /// Pairs of tracks ever kept.
    pub(super) pairs: u32,
    /// Points at the latest fit.
    fitted: usize,
}

impl Relation {
    /// Of which only the map is known.
    pub(super) fn of(fit: Fit) -> Self {
        Self { fit: Some(fit), ..Self::default() }
    }

    /// Keeps the points of two tracks one of which is over.
    pub(super) fn keep(&mut self, a: &Path, b: &Path) {
        let together = a.together(b, EACH);
        if together.is_empty() {
            return;
        }
        self.pairs = self.pairs.wrapping_add(1);
        let pair = self.pairs;
        self.kept.extend(together.into_iter().map(|(a, b)| Point { a, b, pair }));
        let over = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..over);
    }

    /// Learns from pairs of tracks that are likely the same.
    pub(super) fn learn<'a>(&mut self, pairs: impl Iterator<Item = (&'a Path, &'a Path)>) {
        let mut points = self.kept.clone();
        let first = self.pairs.wrapping_add(1);
        for (number, (a, b)) in (0_u32..).zip(pairs) {
            if points.len() >= FITTED {
                break;
            }
            let pair = first.wrapping_add(number);
            points.extend(a.together(b, EACH).into_iter().map(|(a, b)| Point { a, b, pair }));
        }
        // The same again would give the same again.
        if points.len() < LEAST_POINTS || points.len().abs_diff(self.fitted) * 10 < points.len() {
            return;
        }
        self.fitted = points.len();
        self.fit = fit(&points);
    }

    /// How far apart two tracks stood when both were seen, in heights: the median, and of how many moments. `None`
    /// where the cameras' pictures are not known to show one place, or the tracks were not seen together.
    pub(super) fn apart(&self, a: &Path, b: &Path) -> Option<(f32, usize)> {
        let fit = self.fit.as_ref()?;
        let mut apart: Vec<f64> =
            a.together(b, EACH).iter().map(|(a, b)| fit.apart(a, b).unwrap_or(f64::from(f32::MAX))).collect();
        let middle = apart.len() / 2;
        (!apart.is_empty()).then(|| {
            apart.sort_by(f64::total_cmp);
            (apart[middle] as f32, apart.len())
        })
    }
}

fn fit(points: &[Point]) -> Option<Fit> {
    let mut random = Random(points.len() as u64);
    let mut best: (usize, Option<Fit>) = (0, None);
    for _ in 0..DRAWS {
        let drawn: [&Point; 4] = std::array::from_fn(|_| &points[random.below(points.len())]);
        if drawn.iter().all(|point| point.pair == drawn[0].pair) {
            continue;
        }
        let Some(fit) = both_ways(&drawn.map(|point| *point)) else { continue };
        let fitting = points.iter().filter(|point| fits(&fit, point)).count();
        if fitting > best.0 {
            best = (fitting, Some(fit));
        }
    }
    let mut fit = best.1?;
    for _ in 0..4 {
        let fitting: Vec<Point> = points.iter().filter(|point| fits(&fit, point)).copied().collect();
        fit = both_ways(&fitting)?;
    }
    let mut pairs: Vec<u32> = points.iter().filter(|point| fits(&fit, point)).map(|point| point.pair).collect();
    let fitting = pairs.len();
    pairs.dedup();
    let believed =
        fitting >= LEAST_POINTS && fitting as f64 >= LEAST_SHARE * points.len() as f64 && pairs.len() >= LEAST_PAIRS;
    believed.then_some(fit)
}

fn both_ways(points: &[Point]) -> Option<Fit> {
    let matches: Vec<Match> = points.iter().map(Point::matched).collect();
    let there = Homography::of(&matches)?;
    let back = there.inverse(matches.first()?.1)?;
    Some(Fit { there, back })
}

fn fits(fit: &Fit, point: &Point) -> bool {
    fit.apart(&point.a, &point.b).is_some_and(|apart| apart <= FITS)
}

/// A small generator: the same points give the same fit.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize * most) >> 31
    }
}
