//! What a model answered, and how far another answer is from it.

use super::super::workbench::ModelUser;
use crate::types::tensor::{TensorData, TensorRef};

/// Below this part of an output's largest value, and below this value, differences are not taken relative to the value
/// itself: the last digits of a score near 0 say nothing.
const FLOOR: f64 = 0.01;

/// All outputs of one run.
#[derive(Debug)]
pub(super) struct Answer(Vec<Option<Output>>);

#[derive(Debug)]
struct Output {
    shape: Vec<usize>,
    values: Values,
    /// Least magnitude that differences are taken relative to.
    floor: f64,
}

#[derive(Debug)]
enum Values {
    F32(Vec<f32>),
    I64(Vec<i64>),
    I32(Vec<i32>),
    U8(Vec<u8>),
}

impl Answer {
    /// Copies the outputs of the last run.
    pub(super) fn of(user: &ModelUser) -> Self {
        let outputs = user.model.io().outputs.len();
        Self((0..outputs).map(|index| user.output(index).map(|tensor| Output::copy(&tensor))).collect())
    }

    /// Outputs of a type that nothing reads, which are not compared either.
    pub(super) fn unread(&self) -> usize {
        self.0.iter().filter(|output| output.is_none()).count()
    }

    /// How far the outputs of the last run are from this answer: 0 where they are the same to the last bit, else the
    /// largest relative difference of two elements, and infinite where shapes, types or NaNs differ.
    pub(super) fn difference(&self, user: &ModelUser) -> f64 {
        let outputs = self.0.iter().enumerate();
        outputs.fold(0.0, |worst: f64, (index, expected)| {
            worst.max(match (expected, user.output(index)) {
                (Some(expected), Some(tensor)) => expected.difference(&tensor),
                (None, _) => 0.0,
                (Some(_), None) => f64::INFINITY,
            })
        })
    }
}

impl Output {
    fn copy(tensor: &TensorRef<'_>) -> Self {
        let values = match tensor.data {
            TensorData::F32(data) => Values::F32(data.to_vec()),
            TensorData::I64(data) => Values::I64(data.to_vec()),
            TensorData::I32(data) => Values::I32(data.to_vec()),
            TensorData::U8(data) => Values::U8(data.to_vec()),
            // Contexts here look through nothing on the device; if one did, its rows would be its answer.
            TensorData::Survivors(survivors) => Values::F32(survivors.rows.to_vec()),
        };
        let floor = match &values {
            Values::F32(data) => {
                let largest = data.iter().filter(|v| v.is_finite()).fold(0.0_f32, |most, v| most.max(v.abs()));
                (FLOOR * f64::from(largest)).clamp(f64::MIN_POSITIVE, FLOOR)
            }
            _ => 1.0,
        };
        Self { shape: tensor.shape.to_vec(), values, floor }
    }

    fn difference(&self, tensor: &TensorRef<'_>) -> f64 {
        if self.shape != tensor.shape {
            return f64::INFINITY;
        }
        match (&self.values, tensor.data) {
            (Values::F32(expected), TensorData::F32(data)) => {
                // Most runs end here: comparing bits is quicker than subtracting.
                if expected.iter().zip(data).all(|(a, b)| a.to_bits() == b.to_bits()) {
                    return 0.0;
                }
                self.largest(expected.iter().zip(data).map(|(a, b)| (f64::from(*a), f64::from(*b))))
            }
            (Values::I64(expected), TensorData::I64(data)) => {
                self.largest(expected.iter().zip(data).map(|(a, b)| (*a as f64, *b as f64)))
            }
            (Values::I32(expected), TensorData::I32(data)) => {
                self.largest(expected.iter().zip(data).map(|(a, b)| (f64::from(*a), f64::from(*b))))
            }
            (Values::F32(expected), TensorData::Survivors(survivors)) if expected.len() == survivors.rows.len() => {
                self.largest(expected.iter().zip(survivors.rows).map(|(a, b)| (f64::from(*a), f64::from(*b))))
            }
            (Values::U8(expected), TensorData::U8(data)) => {
                self.largest(expected.iter().zip(data).map(|(a, b)| (f64::from(*a), f64::from(*b))))
            }
            _ => f64::INFINITY,
        }
    }

    fn largest(&self, pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
        pairs.map(|(expected, got)| relative(expected, got, self.floor)).fold(0.0, f64::max)
    }
}

fn relative(expected: f64, got: f64, floor: f64) -> f64 {
    if expected == got || (expected.is_nan() && got.is_nan()) {
        return 0.0;
    }
    let difference = (got - expected).abs() / expected.abs().max(got.abs()).max(floor);
    // An infinity or a NaN that was none.
    if difference.is_nan() { f64::INFINITY } else { difference }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(expected: &[f32], got: &[f32]) -> f64 {
        let expected = Output::copy(&TensorRef { shape: &[expected.len()], data: TensorData::F32(expected) });
        expected.difference(&TensorRef { shape: &[got.len()], data: TensorData::F32(got) })
    }

    #[test]
    fn only_the_same_values_are_no_difference() {
        let values = [640.0, -3.5, 0.0, f32::NAN, f32::INFINITY];
        assert_eq!(difference(&values, &values), 0.0);
        let next = f32::from_bits(640.0_f32.to_bits() + 1);
        let off = difference(&values, &[next, -3.5, 0.0, f32::NAN, f32::INFINITY]);
        assert!(off > 0.0 && off < 1e-6, "{off}");
    }

    /// Boxes to 640 and scores to 1 stand in one tensor: a wrong score must not hide behind the boxes.
    #[test]
    fn a_wrong_score_counts_beside_large_coordinates() {
        assert!((difference(&[640.0, 0.9], &[640.0, 0.45]) - 0.5).abs() < 1e-6);
        assert!((difference(&[640.0, 0.9], &[320.0, 0.9]) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn digits_of_values_near_nothing_do_not_count_and_small_outputs_have_small_floors() {
        assert!(difference(&[640.0, 1e-7], &[640.0, 3e-7]) < 1e-4);
        assert!(difference(&[1e-6, 2e-6], &[1e-6, 1e-6]) > 0.4, "an output of small numbers");
        assert_eq!(difference(&[0.0, 0.0], &[0.0, 1.0]), 1.0, "an output of zeros");
    }

    #[test]
    fn nan_infinity_shape_and_type_are_as_wrong_as_can_be() {
        let wrong = [
            difference(&[1.0], &[f32::NAN]),
            difference(&[f32::NAN], &[1.0]),
            difference(&[1.0], &[f32::INFINITY]),
            difference(&[1.0, 2.0], &[1.0]),
        ];
        assert!(wrong.iter().all(|difference| difference.is_infinite()), "{wrong:?}");
        let expected = Output::copy(&TensorRef { shape: &[2], data: TensorData::I64(&[1, 2]) });
        let against = |data| expected.difference(&TensorRef { shape: &[2], data });
        assert!(against(TensorData::I32(&[1, 2])).is_infinite());
        assert_eq!((against(TensorData::I64(&[1, 2])), against(TensorData::I64(&[1, 4]))), (0.0, 0.5));
    }
}
