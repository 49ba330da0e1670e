//! Zones and lines of the plaza, and who crosses them in whose picture.

use serde::{Deserialize, Serialize};

use crate::geometry::{NEAR, Pinhole, V3, v3};
use crate::site::Site;

/// A zone on the ground.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Its name.
    pub id: &'static str,
    /// Corners; two for a line.
    pub points: Vec<V3>,
}

/// A zone in a camera's picture, clipped to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Zone {
    /// Its name, the same in all cameras.
    pub id: String,
    /// Corners, 0..1 of the picture.
    pub polygon: Vec<[f64; 2]>,
    /// Corners on the ground before clipping, metres east and north.
    pub world: Vec<[f64; 2]>,
}

/// A line in a camera's picture, clipped to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// Its name, the same in all cameras.
    pub id: String,
    /// Start, 0..1 of the picture.
    pub from: [f64; 2],
    /// End, 0..1 of the picture.
    pub to: [f64; 2],
    /// Ends on the ground before clipping, metres east and north.
    pub world: [[f64; 2]; 2],
}

/// All zones of a seed.
pub fn zones(site: &Site) -> Vec<Ground> {
    let rect =
        |x0: f64, y0: f64, x1: f64, y1: f64| vec![v3(x0, y0, 0.0), v3(x1, y0, 0.0), v3(x1, y1, 0.0), v3(x0, y1, 0.0)];
    let (k, c) = (site.kiosk, site.crossing);
    vec![
        Ground { id: "kiosk", points: rect(k.x - 2.4, k.y - 5.2, k.x + 2.4, k.y - 1.1) },
        Ground { id: "square", points: rect(7.0, 4.2, 17.0, 8.2) },
        Ground { id: "crossing", points: rect(c - 2.2, -0.3, c + 2.2, 3.4) },
    ]
}

/// All lines of a seed.
pub fn lines(site: &Site) -> Vec<Ground> {
    let tilt = f64::from(site.salt % 100) / 100.0 - 0.5;
    vec![
        Ground { id: "middle", points: vec![v3(12.0 + tilt * 2.0, 2.5, 0.0), v3(12.0 - tilt * 2.0, 12.5, 0.0)] },
        Ground { id: "front", points: vec![v3(3.0, 3.6 + tilt, 0.0), v3(21.0, 3.6 - tilt, 0.0)] },
        Ground { id: "zebra", points: vec![v3(site.crossing - 2.5, -0.4, 0.0), v3(site.crossing + 2.5, -0.4, 0.0)] },
    ]
}

/// Whether a ground point lies in a polygon.
pub fn inside(polygon: &[V3], p: V3) -> bool {
    let n = polygon.len();
    let mut odd = false;
    for i in 0..n {
        let (a, b) = (polygon[i], polygon[(i + 1) % n]);
        if (a.y > p.y) != (b.y > p.y) && p.x < a.x + (b.x - a.x) * (p.y - a.y) / (b.y - a.y) {
            odd = !odd;
        }
    }
    odd
}

/// Where the way from `p` to `q` crosses the line: the share of the way, and the side it comes from (positive: left).
pub fn crosses(line: &[V3], p: V3, q: V3) -> Option<(f64, f64)> {
    let (a, b) = (line[0], line[1]);
    let side = |c: V3| (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
    let (s, e) = (side(p), side(q));
    if (s > 0.0) == (e > 0.0) {
        return None;
    }
    let t = s / (s - e);
    let at = p.lerp(q, t);
    let along = (at - a).dot(b - a) / (b - a).dot(b - a);
    (0.0..=1.0).contains(&along).then_some((t, s))
}

/// Whether a ground point falls into the picture.
pub fn in_picture(camera: &Pinhole, p: V3) -> bool {
    camera.project(p).is_some_and(|s| {
        (0.0..=camera.width).contains(&f64::from(s.x)) && (0.0..=camera.height).contains(&f64::from(s.y))
    })
}

/// A ground polygon in the picture, 0..1, clipped to it.
pub fn project(camera: &Pinhole, points: &[V3], closed: bool) -> Vec<[f64; 2]> {
    let (w, h) = (camera.width, camera.height);
    // Half-spaces of the picture in camera coordinates: near, left, right, top, bottom.
    let f = camera.focal;
    let planes = [
        (v3(0.0, 0.0, 1.0), NEAR),
        (v3(f, 0.0, w / 2.0), 0.0),
        (v3(-f, 0.0, w / 2.0), 0.0),
        (v3(0.0, f, h / 2.0), 0.0),
        (v3(0.0, -f, h / 2.0), 0.0),
    ];
    let mut list: Vec<V3> = points.iter().map(|p| camera.to_camera(*p)).collect();
    for (n, least) in planes {
        let mut out = Vec::new();
        let edges = if closed { list.len() } else { list.len().saturating_sub(1) };
        for i in 0..list.len() {
            let a = list[i];
            let da = a.dot(n) - least;
            if da >= 0.0 {
                out.push(a);
            }
            if i < edges {
                let b = list[(i + 1) % list.len()];
                let db = b.dot(n) - least;
                if (da >= 0.0) != (db >= 0.0) {
                    out.push(a.lerp(b, da / (da - db)));
                }
            }
        }
        list = out;
    }
    let round = |v: f64| (v.clamp(0.0, 1.0) * 1e5).round() / 1e5;
    list.iter().map(|c| [round((f * c.x / c.z + w / 2.0) / w), round((f * c.y / c.z + h / 2.0) / h)]).collect()
}

/// The area of a polygon.
pub fn area(polygon: &[[f64; 2]]) -> f64 {
    let n = polygon.len();
    (0..n).map(|i| polygon[i][0] * polygon[(i + 1) % n][1] - polygon[(i + 1) % n][0] * polygon[i][1]).sum::<f64>().abs()
        / 2.0
}

/// The zones that a camera watches: the two largest in its picture.
pub fn watched_zones(camera: &Pinhole, all: &[Ground]) -> Vec<Zone> {
    let mut seen: Vec<(f64, Zone)> = all
        .iter()
        .filter_map(|g| {
            let polygon = project(camera, &g.points, true);
            let size = area(&polygon);
            let world = g.points.iter().map(|p| [p.x, p.y]).collect();
            (polygon.len() >= 3 && size > 0.004).then(|| (size, Zone { id: g.id.to_owned(), polygon, world }))
        })
        .collect();
    seen.sort_by(|a, b| b.0.total_cmp(&a.0));
    seen.truncate(2);
    seen.into_iter().map(|s| s.1).collect()
}

/// The lines that a camera watches: the two longest in its picture.
pub fn watched_lines(camera: &Pinhole, all: &[Ground]) -> Vec<Line> {
    let mut seen: Vec<(f64, Line)> = all
        .iter()
        .filter_map(|g| {
            let ends = project(camera, &g.points, false);
            let (from, to) = (*ends.first()?, *ends.last()?);
            let size = (from[0] - to[0]).hypot(from[1] - to[1]);
            let world = [[g.points[0].x, g.points[0].y], [g.points[1].x, g.points[1].y]];
            (size > 0.12).then(|| (size, Line { id: g.id.to_owned(), from, to, world }))
        })
        .collect();
    seen.sort_by(|a, b| b.0.total_cmp(&a.0));
    seen.truncate(2);
    seen.into_iter().map(|s| s.1).collect()
}
