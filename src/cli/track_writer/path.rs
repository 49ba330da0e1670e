//! Where a subject went, in few points.

/// Points of a finished path.
pub(super) const MOST: usize = 64;
/// Points kept while it grows; then half of them go.
const ROOM: usize = 1024;

/// A place and when it was there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Seconds.
    pub(super) t: f64,
    /// Pixels.
    pub(super) x: f64,
    /// Pixels.
    pub(super) y: f64,
}

/// A path that grows, in bounded memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    points: Vec<Point>,
}

impl Path {
    pub(super) fn push(&mut self, point: Point) {
        if self.points.len() >= ROOM {
            self.points = thinned(&self.points, ROOM / 2, 0.0);
        }
        self.points.push(point);
    }

    /// At most [`MOST`] points, none of which is closer than `tolerance` pixels to where the others say it was then.
    pub(super) fn thinned(&self, tolerance: f64) -> Vec<Point> {
        thinned(&self.points, MOST, tolerance)
    }
}

/// Length of a path in pixels.
pub(super) fn length(points: &[Point]) -> f64 {
    points.windows(2).map(|pair| (pair[1].x - pair[0].x).hypot(pair[1].y - pair[0].y)).sum()
}

/// Douglas-Peucker from the coarse end, until there are `most` points or all others are within `tolerance`; a point's
/// distance is to where a straight and even walk would be at its time (Meratnia and de By, "Spatiotemporal
/// Compression Techniques for Moving Point Objects", EDBT 2004).
fn thinned(points: &[Point], most: usize, tolerance: f64) -> Vec<Point> {
    let Some(last) = points.len().checked_sub(1).filter(|last| *last > 0) else { return points.to_vec() };
    let mut kept = vec![0, last];
    let mut pieces = vec![furthest(points, 0, last)];
    while kept.len() < most {
        // Of equals the earliest.
        let widest = (0..pieces.len()).reduce(|best, at| if pieces[at].1 > pieces[best].1 { at } else { best });
        let Some(piece) = widest.filter(|at| pieces[*at].1 > tolerance) else { break };
        let at = pieces[piece].0;
        kept.insert(piece + 1, at);
        pieces.splice(piece..=piece, [furthest(points, kept[piece], at), furthest(points, at, kept[piece + 2])]);
    }
    kept.into_iter().map(|at| points[at]).collect()
}

/// The point that is furthest from an even walk between two others, and how far.
fn furthest(points: &[Point], from: usize, to: usize) -> (usize, f64) {
    let (a, b) = (points[from], points[to]);
    let mut found = (from, 0.0);
    for (at, p) in points.iter().enumerate().take(to).skip(from + 1) {
        let share = if b.t > a.t { (p.t - a.t) / (b.t - a.t) } else { 0.0 };
        let distance = (p.x - a.x - share * (b.x - a.x)).hypot(p.y - a.y - share * (b.y - a.y));
        if distance > found.1 {
            found = (at, distance);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(points: impl Iterator<Item = (f64, f64)>) -> Path {
        let mut path = Path::default();
        points.enumerate().for_each(|(at, (x, y))| path.push(Point { t: at as f64, x, y }));
        path
    }

    #[test]
    fn a_straight_walk_is_two_points_and_a_corner_a_third() {
        let straight = path((0..500).map(|i| (f64::from(i), 10.0)));
        assert_eq!(straight.thinned(0.5).len(), 2);
        let corner = path((0..100).map(|i| (f64::from(i.min(50)), f64::from((i - 50).max(0))))).thinned(0.5);
        assert_eq!(corner.iter().map(|p| (p.x, p.y)).collect::<Vec<_>>(), [(0.0, 0.0), (50.0, 0.0), (50.0, 49.0)]);
        assert_eq!(length(&corner), 99.0);
        // A wait is a change of pace, though not of direction.
        assert_eq!(path((0..90).map(|i| (f64::from(i.clamp(30, 60)), 0.0))).thinned(0.5).len(), 4);
    }

    #[test]
    fn a_long_path_stays_within_its_bounds() {
        let circle = |i: i32| (f64::from(i) / 900.0).sin_cos();
        let path = path((0..20_000).map(|i| (1000.0 * circle(i).0, 1000.0 * circle(i).1)));
        assert!(path.points.len() <= ROOM);
        let thin = path.thinned(1.0);
        assert!(thin.len() <= MOST);
        let whole = 1000.0 * 19_999.0 / 900.0;
        assert!((length(&thin) - whole).abs() < 0.05 * whole, "{} of {whole}", length(&thin));
        assert_eq!((thin[0].t, thin[thin.len() - 1].t), (0.0, 19_999.0));
    }

    #[test]
    fn short_paths_are_left_as_they_are() {
        assert!(path(std::iter::empty()).thinned(1.0).is_empty());
        assert_eq!(path([(1.0, 2.0)].into_iter()).thinned(1.0).len(), 1);
        assert_eq!(path([(1.0, 2.0); 2].into_iter()).thinned(1.0).len(), 2);
    }
}
