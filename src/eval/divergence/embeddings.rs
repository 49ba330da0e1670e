//! Embeddings of the same crops by two engines.

use super::Mean;

/// Cosine of the angle between two vectors, -1..1; 0 where one has no direction or they differ in length.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    let value = dot(a, b) / norms;
    if a.len() == b.len() && value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 }
}

/// Crop by crop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    cosine: Mean,
    worst: Option<f64>,
}

impl Embeddings {
    /// Adds one crop; an embedding that is none is `None`. A crop of which the reference has none says nothing.
    pub fn add(&mut self, reference: Option<&[f32]>, other: Option<&[f32]>) {
        let Some(reference) = reference else { return };
        let cosine = other.map_or(0.0, |other| cosine(reference, other));
        self.cosine.add(cosine);
        self.worst = Some(self.worst.map_or(cosine, |worst| worst.min(cosine)));
    }

    /// How many were compared.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cosine.count()
    }

    /// Mean cosine; `None` without a crop.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.cosine.get()
    }

    /// The least cosine; `None` without a crop.
    #[must_use]
    pub fn worst(&self) -> Option<f64> {
        self.worst
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn direction_counts_and_length_does_not() {
        assert!((cosine(&[3.0, 4.0], &[6.0, 8.0]) - 1.0).abs() < 1e-12);
        assert!((cosine(&[1.0, 0.0], &[3.0, 4.0]) - 0.6).abs() < 1e-12);
        for nothing in [&[0.0, 0.0][..], &[f32::NAN, 1.0], &[1.0]] {
            assert_eq!(cosine(&[1.0, 0.0], nothing), 0.0);
        }
    }

    #[test]
    fn an_embedding_that_is_none_is_a_miss_unless_the_reference_has_none_either() {
        let mut embeddings = Embeddings::default();
        embeddings.add(Some(&[1.0, 0.0]), Some(&[1.0, 0.0]));
        embeddings.add(Some(&[1.0, 0.0]), None);
        embeddings.add(None, Some(&[1.0, 0.0]));
        assert_eq!((embeddings.mean(), embeddings.worst(), embeddings.count()), (Some(0.5), Some(0.0), 2));
    }
}
