//! What can be drawn: shapes in picture coordinates, how they are lit, where they lie.

use crate::geometry::Seen;

/// Linear colour, 0..1 per channel.
pub type Rgb = [f32; 3];

/// How a surface point is coloured. `side` is -1..1 across the shape (right in the picture), `along` is 0..1 from `a`
/// to `b`.
pub type Paint<'a> = Box<dyn Fn(f32, f32) -> Rgb + 'a>;

/// How the light falls on an object, in camera coordinates.
#[derive(Debug, Clone, Copy)]
pub struct Lit {
    /// Light from everywhere.
    pub ambient: Rgb,
    /// Light from one direction.
    pub direct: Rgb,
    /// Towards that light; right, down, ahead.
    pub towards: [f32; 3],
}

impl Lit {
    /// The colour of a surface with this normal (camera coordinates).
    pub fn shade(&self, base: Rgb, n: [f32; 3]) -> Rgb {
        let d = (n[0] * self.towards[0] + n[1] * self.towards[1] + n[2] * self.towards[2]).max(0.0);
        // Looking-up surfaces see more sky.
        let sky = 0.86 - 0.14 * n[1];
        std::array::from_fn(|i| base[i] * (self.ambient[i] * sky + self.direct[i] * d))
    }
}

/// What a shape adds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Picture and mask.
    Both,
    /// Picture only.
    Picture,
    /// Mask only: what an annotator fills.
    Mask,
}

/// One drawable piece, projected.
pub enum Form<'a> {
    /// Two circles and all between them.
    Cone {
        /// One end.
        a: Seen,
        /// Its radius, pixels.
        ra: f32,
        /// The other end.
        b: Seen,
        /// Its radius, pixels.
        rb: f32,
        /// Colour by side and along.
        paint: Paint<'a>,
    },
    /// A tube with an axis from `a` to `b`, its half-width a profile along it, its ends ellipses.
    Tube {
        /// Start of the axis.
        a: Seen,
        /// End of the axis.
        b: Seen,
        /// Half-widths at equal steps from `a` to `b`, pixels.
        profile: [f32; 9],
        /// How far the end at `a` bulges out, pixels.
        cap_a: f32,
        /// How far the end at `b` bulges out, pixels.
        cap_b: f32,
        /// Colour by side and along.
        paint: Paint<'a>,
    },
    /// An ellipse; the paint gets its own unit coordinates (right, down before turning).
    Ball {
        /// Centre.
        c: Seen,
        /// Half axes, pixels.
        rx: f32,
        /// Half axes, pixels.
        ry: f32,
        /// Direction of the second axis (unit vector, picture).
        axis: [f32; 2],
        /// Colour by unit coordinates.
        paint: Paint<'a>,
    },
    /// A convex polygon in space.
    Face {
        /// Corners in order.
        corners: Vec<Seen>,
        /// Rounding added outside, pixels.
        round: f32,
        /// Its colour.
        color: Rgb,
        /// Opacity, 0..1.
        alpha: f32,
    },
}

/// A shape with its place in the drawing order.
pub struct Shape<'a> {
    /// Larger is drawn first.
    pub order: f32,
    /// What it adds to.
    pub layer: Layer,
    /// What it is.
    pub form: Form<'a>,
}

impl Form<'_> {
    /// Left, top, right, bottom in pixels.
    pub fn bounds(&self) -> [f32; 4] {
        match self {
            Form::Cone { a, ra, b, rb, .. } => {
                [(a.x - ra).min(b.x - rb), (a.y - ra).min(b.y - rb), (a.x + ra).max(b.x + rb), (a.y + ra).max(b.y + rb)]
            }
            Form::Tube { a, b, profile, cap_a, cap_b, .. } => {
                let r = profile.iter().fold(cap_a.max(*cap_b), |m, v| m.max(*v));
                [a.x.min(b.x) - r, a.y.min(b.y) - r, a.x.max(b.x) + r, a.y.max(b.y) + r]
            }
            Form::Ball { c, rx, ry, .. } => {
                let r = rx.max(*ry);
                [c.x - r, c.y - r, c.x + r, c.y + r]
            }
            Form::Face { corners, round, .. } => {
                corners.iter().fold([f32::MAX, f32::MAX, f32::MIN, f32::MIN], |m, c| {
                    [m[0].min(c.x - round), m[1].min(c.y - round), m[2].max(c.x + round), m[3].max(c.y + round)]
                })
            }
        }
    }
}

/// Outward half-plane of each edge: `a x + b y + c` is the signed distance, negative inside.
pub fn edges(corners: &[Seen]) -> Vec<[f32; 3]> {
    let n = corners.len();
    let area: f32 = (0..n)
        .map(|i| {
            let (a, b) = (corners[i], corners[(i + 1) % n]);
            a.x * b.y - b.x * a.y
        })
        .sum();
    let sign = if area < 0.0 { -1.0 } else { 1.0 };
    (0..n)
        .filter_map(|i| {
            let (a, b) = (corners[i], corners[(i + 1) % n]);
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            let len = (dx * dx + dy * dy).sqrt();
            (len > 1e-3).then(|| {
                let (nx, ny) = (dy / len * sign, -dx / len * sign);
                [nx, ny, -(nx * a.x + ny * a.y)]
            })
        })
        .collect()
}

/// The columns of the row at `py` that can be within `reach` of the polygon with these edges.
pub fn span(edges: &[[f32; 3]], py: f32, reach: f32, columns: (i32, i32)) -> (i32, i32) {
    let (mut low, mut high) = (columns.0 as f32, columns.1 as f32);
    for e in edges {
        let rest = reach - e[1] * py - e[2];
        if e[0] > 1e-4 {
            high = high.min(rest / e[0] + 2.0);
        } else if e[0] < -1e-4 {
            low = low.max(rest / e[0] - 2.0);
        } else if rest < -0.1 * reach.abs() - 1.0 {
            return (0, 0);
        }
    }
    (low as i32, (high as i32).max(low as i32))
}

/// The columns of the row at `py` that surely are within `reach` of the polygon: a run inside `columns`.
pub fn inner(edges: &[[f32; 3]], py: f32, reach: f32, columns: (i32, i32)) -> (i32, i32) {
    let (mut low, mut high) = (columns.0 as f32, columns.1 as f32 - 1.0);
    for e in edges {
        let rest = reach - e[1] * py - e[2] - 0.01;
        if e[0] > 1e-4 {
            high = high.min(rest / e[0] - 0.51);
        } else if e[0] < -1e-4 {
            low = low.max(rest / e[0] - 0.49);
        } else if rest < 1.0 {
            return (columns.1, columns.1);
        }
    }
    let (low, high) = (low.ceil(), high.floor() + 1.0);
    if low < high { (low as i32, high as i32) } else { (columns.1, columns.1) }
}

/// `1 / depth` as an affine function of the pixel, from the corners of a plane polygon.
pub fn depth_plane(corners: &[Seen]) -> [f32; 3] {
    let n = corners.len();
    let mut best = (0.0f32, [0.0, 0.0, 0.1]);
    for (i, j, k) in [(0, n / 3, 2 * n / 3), (0, 1 % n, 2 % n)] {
        let (a, b, c) = (corners[i], corners[j], corners[k]);
        let (ia, ib, ic) = (1.0 / a.z, 1.0 / b.z, 1.0 / c.z);
        let det = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
        if det.abs() > best.0.max(1e-3) {
            let gx = ((ib - ia) * (c.y - a.y) - (ic - ia) * (b.y - a.y)) / det;
            let gy = ((b.x - a.x) * (ic - ia) - (c.x - a.x) * (ib - ia)) / det;
            best = (det.abs(), [gx, gy, ia - gx * a.x - gy * a.y]);
        }
    }
    if best.0 == 0.0 {
        let mean = corners.iter().map(|c| 1.0 / c.z).sum::<f32>() / n.max(1) as f32;
        return [0.0, 0.0, mean];
    }
    best.1
}
