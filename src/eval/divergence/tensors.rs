//! Raw outputs.

/// Relative difference of an output over many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RelativeL2 {
    off: f64,
    right: f64,
}

impl RelativeL2 {
    /// Adds a run. What is no number is taken for 0. False, and nothing is added, where the lengths differ.
    pub fn add(&mut self, reference: &[f32], other: &[f32]) -> bool {
        let number = |value: f32| if value.is_finite() { f64::from(value) } else { 0.0 };
        if reference.len() != other.len() {
            return false;
        }
        for (right, got) in reference.iter().zip(other) {
            let (right, got) = (number(*right), number(*got));
            self.off += (got - right).powi(2);
            self.right += right.powi(2);
        }
        true
    }

    /// `|other - reference| / |reference|`; `None` where the reference is 0 everywhere.
    #[must_use]
    pub fn get(&self) -> Option<f64> {
        (self.right > 0.0).then(|| (self.off / self.right).sqrt())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_all_runs_together() {
        let mut l2 = RelativeL2::default();
        assert_eq!(l2.get(), None);
        assert!(l2.add(&[3.0, 0.0], &[3.0, 1.0]) && l2.add(&[0.0, 4.0], &[2.0, f32::NAN]));
        // Differences 0 1 2 4, values 3 0 0 4.
        assert!((l2.get().unwrap() - (21.0_f64 / 25.0).sqrt()).abs() < 1e-12);
        assert!(!l2.add(&[1.0], &[]));
    }
}
