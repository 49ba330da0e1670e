//! The ground as a camera sees it: from places in the picture to metres.

/// A part of the ground that a quadrilateral in the picture shows.
///
/// Four lengths do not fix a quadrilateral's shape: it can be leant over. Of all shapes with these sides, in this order,
/// the one with the greatest area is taken, whose corners lie on a circle: a rectangle where opposite sides are equal,
/// a symmetric trapezium where two of them are. Whoever measures a rectangle is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    /// Picture, 0..1, to metres: a homography, row by row.
    matrix: [[f64; 3]; 3],
}

impl Ground {
    /// `corners` in the picture in order, 0..1 of the frame; `sides_m` from each to the next, the last one back to the
    /// first, metres.
    ///
    /// # Errors
    /// Where there are not four corners, they are not convex, or no quadrilateral has such sides: which of it, in words.
    pub fn new(corners: &[[f32; 2]], sides_m: [f32; 4]) -> Result<Self, String> {
        let corners: &[[f32; 2]; 4] = corners.try_into().map_err(|_| {
            format!("speed needs a zone with 4 corners, one for each length; this one has {}", corners.len())
        })?;
        let corners = corners.map(|corner| corner.map(f64::from));
        if !is_convex(&corners) {
            return Err("speed needs a zone whose corners go round it in order, without a dent".to_owned());
        }
        let metres = shape(sides_m.map(f64::from))?;
        let (picture, ground) = (from_square(&corners), from_square(&metres));
        let matrix = picture.zip(ground).map(|(picture, ground)| multiply(&ground, &adjugate(&picture)));
        matrix.map(|matrix| Self { matrix }).ok_or_else(|| "the zone's corners are too near to each other".to_owned())
    }

    /// A place in the picture on the ground, metres; only near the zone, and below the horizon, does it mean anything.
    #[must_use]
    pub fn place(&self, [x, y]: [f32; 2]) -> [f64; 2] {
        let [u, v, w] = self.matrix.map(|row| row[0] * f64::from(x) + row[1] * f64::from(y) + row[2]);
        [u / w, v / w]
    }
}

fn is_convex(corners: &[[f64; 2]; 4]) -> bool {
    let turn = |i: usize| {
        let [a, b, c] = [i, (i + 1) % 4, (i + 2) % 4].map(|i| corners[i]);
        (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
    };
    let turns = [0, 1, 2, 3].map(turn);
    turns.iter().all(|turn| *turn > 1e-9) || turns.iter().all(|turn| *turn < -1e-9)
}

/// Corners of the quadrilateral with these sides that has the greatest area.
fn shape([a, b, c, d]: [f64; 4]) -> Result<[[f64; 2]; 4], String> {
    let (sum, longest) = (a + b + c + d, a.max(b).max(c).max(d));
    if !(sum.is_finite() && [a, b, c, d].iter().all(|side| *side > 0.0)) {
        return Err("a zone's lengths must be more than 0 m".to_owned());
    }
    if longest >= sum - longest {
        return Err(format!(
            "no zone has sides of {a}, {b}, {c} and {d} m: the longest must be shorter than the other three together"
        ));
    }
    // Bretschneider: opposite angles of a cyclic quadrilateral add up to half a turn.
    let at_first = (a * a + d * d - b * b - c * c) / (2.0 * (a * d + b * c));
    let at_second = (a * a + b * b - c * c - d * d) / (2.0 * (a * b + c * d));
    let sine = |cosine: f64| (1.0 - cosine * cosine).max(0.0).sqrt();
    let third = [a - b * at_second, b * sine(at_second)];
    let fourth = [d * at_first, d * sine(at_first)];
    Ok([[0.0, 0.0], [a, 0.0], third, fourth])
}

/// The homography that takes the corners of the unit square, in order, to these.
/// Source: P. Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, section 2.2.3.
fn from_square(corners: &[[f64; 2]; 4]) -> Option<[[f64; 3]; 3]> {
    let [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = *corners;
    let (dx1, dx2, sx) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
    let (dy1, dy2, sy) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
    let by = dx1 * dy2 - dx2 * dy1;
    if by.abs() < 1e-12 {
        return None;
    }
    let (g, h) = ((sx * dy2 - dx2 * sy) / by, (dx1 * sy - sx * dy1) / by);
    Some([[x1 - x0 + g * x1, x3 - x0 + h * x3, x0], [y1 - y0 + g * y1, y3 - y0 + h * y3, y0], [g, h, 1.0]])
}

/// The inverse, but for a factor, which a homography does not mind.
fn adjugate(m: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let minor = |r: usize, c: usize| {
        let ([r1, r2], [c1, c2]) = ([(r + 1) % 3, (r + 2) % 3], [(c + 1) % 3, (c + 2) % 3]);
        m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
    };
    [0, 1, 2].map(|r| [0, 1, 2].map(|c| minor(c, r)))
}

fn multiply(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    a.map(|row| [0, 1, 2].map(|c| row[0] * b[0][c] + row[1] * b[1][c] + row[2] * b[2][c]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PICTURE: [[f32; 2]; 4] = [[0.1, 0.9], [0.8, 0.95], [0.6, 0.3], [0.35, 0.28]];

    fn side(ground: &Ground, a: [f32; 2], b: [f32; 2]) -> f64 {
        let ([x1, y1], [x2, y2]) = (ground.place(a), ground.place(b));
        (x1 - x2).hypot(y1 - y2)
    }

    #[test]
    fn sides_are_as_long_as_they_were_measured() {
        for sides in [[4.0, 12.0, 4.0, 12.0], [4.0, 12.0, 3.0, 11.0], [5.0, 3.0, 9.0, 2.0]] {
            let ground = Ground::new(&PICTURE, sides).unwrap();
            for (i, length) in sides.into_iter().enumerate() {
                let got = side(&ground, PICTURE[i], PICTURE[(i + 1) % 4]);
                assert!((got - f64::from(length)).abs() < 1e-6, "{sides:?}: side {i} is {got}");
            }
        }
    }

    #[test]
    fn equal_opposite_sides_are_a_rectangle() {
        let ground = Ground::new(&PICTURE, [4.0, 12.0, 4.0, 12.0]).unwrap();
        for (a, b) in [(0, 2), (1, 3)] {
            assert!((side(&ground, PICTURE[a], PICTURE[b]) - 160f64.sqrt()).abs() < 1e-6);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let refused = |corners: &[[f32; 2]], sides: [f32; 4], word: &str| {
            let message = Ground::new(corners, sides).unwrap_err();
            assert!(message.contains(word), "{message}");
        };
        refused(&PICTURE[..3], [1.0; 4], "has 3");
        refused(&[[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]], [1.0; 4], "in order");
        refused(&[[0.0, 0.0], [1.0, 0.0], [0.2, 0.2], [0.0, 1.0]], [1.0; 4], "dent");
        refused(&PICTURE, [10.0, 2.0, 3.0, 4.0], "shorter");
        refused(&PICTURE, [10.0, 0.0, 3.0, 4.0], "more than 0");
        refused(&PICTURE, [f32::NAN, 1.0, 3.0, 4.0], "more than 0");
    }
}
