//! Planes seen by two cameras: the map from one picture to the other.

/// A point of one picture and the same point in the other.
pub(super) type Match = ([f64; 2], [f64; 2]);

/// Maps points of one picture to the other, by rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Homography(pub(super) [f64; 9]);

impl Homography {
    /// Where a point of the first picture is in the second; `None` beyond the plane's horizon.
    pub(super) fn map(&self, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        let h = &self.0;
        let w = h[6] * x + h[7] * y + h[8];
        (w > 1e-9).then(|| [(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w])
    }

    /// The best for all matches, at least four: least squares of the linear form (Hartley and Zisserman, Multiple View
    /// Geometry, 4.1) about the points' centres, with the corner element 1. `None` where they lie on a line.
    pub(super) fn of(matches: &[Match]) -> Option<Self> {
        let count = matches.len() as f64;
        if matches.len() < 4 {
            return None;
        }
        let mut centre = [0.0; 4];
        for (a, b) in matches {
            centre.iter_mut().zip([a[0], a[1], b[0], b[1]]).for_each(|(sum, v)| *sum += v / count);
        }
        let mut normal = [[0.0_f64; 9]; 8];
        for (a, b) in matches {
            let (x, y) = (a[0] - centre[0], a[1] - centre[1]);
            let (u, v) = (b[0] - centre[2], b[1] - centre[3]);
            let rows =
                [([x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y], u), ([0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y], v)];
            for (row, value) in rows {
                for i in 0..8 {
                    for j in 0..8 {
                        normal[i][j] += row[i] * row[j];
                    }
                    normal[i][8] += row[i] * value;
                }
            }
        }
        let h = solve(&mut normal)?;
        let centred = [h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], 1.0];
        let after = [1.0, 0.0, centre[2], 0.0, 1.0, centre[3], 0.0, 0.0, 1.0];
        let before = [1.0, 0.0, -centre[0], 0.0, 1.0, -centre[1], 0.0, 0.0, 1.0];
        // About the centre w is 1: positive where the points are.
        Some(Self(product(&product(&after, &centred), &before)))
    }

    /// The way back, positive at `at` of the second picture.
    pub(super) fn inverse(&self, at: [f64; 2]) -> Option<Self> {
        let m = &self.0;
        let cofactor = |a: usize, b: usize, c: usize, d: usize| m[a] * m[d] - m[b] * m[c];
        let determinant = m[0] * cofactor(4, 5, 7, 8) - m[1] * cofactor(3, 5, 6, 8) + m[2] * cofactor(3, 4, 6, 7);
        let mut inverse = [
            cofactor(4, 5, 7, 8),
            -cofactor(1, 2, 7, 8),
            cofactor(1, 2, 4, 5),
            -cofactor(3, 5, 6, 8),
            cofactor(0, 2, 6, 8),
            -cofactor(0, 2, 3, 5),
            cofactor(3, 4, 6, 7),
            -cofactor(0, 1, 6, 7),
            cofactor(0, 1, 3, 4),
        ];
        let w = inverse[6] * at[0] + inverse[7] * at[1] + inverse[8];
        if !determinant.is_normal() || !w.is_normal() {
            return None;
        }
        inverse.iter_mut().for_each(|v| *v /= w);
        Some(Self(inverse))
    }
}

fn product(a: &[f64; 9], b: &[f64; 9]) -> [f64; 9] {
    std::array::from_fn(|at| (0..3).map(|k| a[at / 3 * 3 + k] * b[k * 3 + at % 3]).sum())
}

/// Solves eight equations by elimination; `None` where they do not say enough.
fn solve(m: &mut [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot = (column..8).max_by(|a, b| m[*a][column].abs().total_cmp(&m[*b][column].abs()))?;
        if m[pivot][column].abs() < 1e-14 {
            return None;
        }
        m.swap(pivot, column);
        let lead = m[column];
        for (row, values) in m.iter_mut().enumerate() {
            if row != column {
                let share = values[column] / lead[column];
                values.iter_mut().zip(lead).for_each(|(value, lead)| *value -= share * lead);
            }
        }
    }
    let mut found = [0.0; 8];
    for (at, value) in found.iter_mut().enumerate() {
        *value = m[at][8] / m[at][at];
    }
    found.iter().all(|v: &f64| v.is_finite()).then_some(found)
}
