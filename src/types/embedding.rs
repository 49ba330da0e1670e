//! Appearance of objects as vectors of unit length.

/// Rows of one length, one for each crop that a model saw; kept and filled anew for each frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    dim: usize,
    rows: Vec<f32>,
    sound: Vec<bool>,
}

impl Embeddings {
    /// Numbers in one: as many as the first one has; 0 while there is none.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many there are, unsound ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sound.len()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sound.is_empty()
    }

    /// Without embeddings, the next of which may have any length; memory is kept.
    pub fn clear(&mut self) {
        self.dim = 0;
        self.rows.clear();
        self.sound.clear();
    }

    /// Appends `row`, scaled to unit length. False where that cannot be ([`normalise`]) or it is not as long
    /// as the first: it then takes its place all the same, and [`Self::get`] gives `None` there.
    pub fn push(&mut self, row: &[f32]) -> bool {
        let start = self.append(row);
        let sound = row.len() == self.dim && normalise(&mut self.rows[start..]);
        self.sound.push(sound);
        sound
    }

    /// Appends `row`, which is of unit length already; not as long as the first, it is taken as in
    /// [`Self::push`].
    pub fn push_copy(&mut self, row: &[f32]) {
        self.append(row);
        self.sound.push(row.len() == self.dim);
    }

    /// `rows` rows of `dim` numbers, none of which is known yet; see [`Self::set_copy`].
    pub fn begin(&mut self, dim: usize, rows: usize) {
        self.dim = dim;
        self.rows.clear();
        self.rows.resize(dim * rows, 0.0);
        self.sound.clear();
        self.sound.resize(rows, false);
    }

    /// Gives number `i` of those that were begun its values, which are of unit length already; of another length
    /// than the others, or beyond the last, they are not taken.
    pub fn set_copy(&mut self, i: usize, row: &[f32]) {
        if row.len() != self.dim {
            return;
        }
        if let (Some(place), Some(sound)) = (self.rows.get_mut(i * self.dim..(i + 1) * self.dim), self.sound.get_mut(i))
        {
            place.copy_from_slice(row);
            *sound = true;
        }
    }

    fn append(&mut self, row: &[f32]) -> usize {
        if self.is_empty() {
            self.dim = row.len();
        }
        let start = self.rows.len();
        self.rows.extend_from_slice(&row[..row.len().min(self.dim)]);
        self.rows.resize(start + self.dim, 0.0);
        start
    }

    /// Number `i`, of unit length; `None` beyond the last and where it was not sound.
    #[must_use]
    pub fn get(&self, i: usize) -> Option<&[f32]> {
        self.sound.get(i).filter(|sound| **sound)?;
        self.rows.get(i * self.dim..(i + 1) * self.dim)
    }
}

/// Scales `vector` to unit length. False, and `vector` unchanged, where it has none: all zeros, empty, NaN
/// or infinite.
pub fn normalise(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if !length.is_normal() {
        return false;
    }
    for value in vector {
        *value = (f64::from(*value) / length) as f32;
    }
    true
}

/// Cosine of the angle between two vectors of unit length, -1..1; `None` where they are not equally long.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> Option<f32> {
    if a.len() != b.len() {
        return None;
    }
    // Sums of their own, so that the compiler may use vector instructions.
    let mut sums = [0.0_f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    Some((sums.iter().sum::<f32>() + rest).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_unit_length_or_are_none() {
        let mut rows = Embeddings::default();
        let given: [(&[f32], bool); 7] = [
            (&[3.0, -4.0], true),
            (&[0.0, 0.0], false),
            (&[f32::NAN, 1.0], false),
            (&[f32::INFINITY, 1.0], false),
            (&[1.0, 2.0, 3.0], false),
            (&[1.0], false),
            (&[3e38, 3e38], true), // its square is beyond f32
        ];
        for (row, sound) in given {
            assert_eq!(rows.push(row), sound, "{row:?}");
        }
        assert_eq!((rows.len(), rows.dim(), rows.is_empty()), (7, 2, false));
        assert_eq!(rows.get(0), Some(&[0.6, -0.8][..]));
        assert!((1..6).all(|i| rows.get(i).is_none()) && rows.get(7).is_none());
        assert_eq!(rows.get(6), Some(&[0.5_f32.sqrt(); 2][..]));
        rows.clear();
        assert!(rows.is_empty() && rows.push(&[0.0, 0.0, -2.0]));
        rows.push_copy(&[0.0, 1.0, 0.0]);
        assert_eq!((rows.get(0), rows.get(1)), (Some(&[0.0, 0.0, -1.0][..]), Some(&[0.0, 1.0, 0.0][..])));
    }

    #[test]
    fn rows_that_were_not_given_are_none() {
        let mut rows = Embeddings::default();
        rows.begin(2, 3);
        rows.set_copy(1, &[0.6, 0.8]);
        rows.set_copy(2, &[1.0]);
        rows.set_copy(3, &[1.0, 0.0]);
        assert_eq!((rows.len(), rows.dim()), (3, 2));
        assert_eq!((rows.get(0), rows.get(1), rows.get(2)), (None, Some(&[0.6, 0.8][..]), None));
        rows.begin(2, 3);
        assert_eq!(rows.get(1), None, "of the frame before");
    }

    #[test]
    fn cosine_is_of_the_angle() {
        let (mut a, mut b): (Vec<f32>, Vec<f32>) = (0..19).map(|i| (i as f32, (i % 5) as f32 - 2.0)).unzip();
        // 19 numbers: two full steps and a remainder
        let want = {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            (dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()) as f32
        };
        assert!(normalise(&mut a) && normalise(&mut b));
        assert!(cosine(&a, &b).is_some_and(|got| (got - want).abs() < 1e-6));
        assert!(cosine(&a, &a).is_some_and(|got| (got - 1.0).abs() < 1e-6 && got <= 1.0));
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 1.0]), Some(0.0));
        assert_eq!(cosine(&[1.0, 0.0], &[1.0]), None);
    }
}
