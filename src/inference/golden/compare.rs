//! How far an answer is from its recording, and how far it may be.

use std::fmt;

use super::{Answer, Recording};
use crate::config::Precision;

/// Relative differences (L2) allowed, of the values of an output that are kept, all kinds together. Measured with the
/// shipped models, rounded as the precision rounds: TF32 1.4e-3, FP16 1.5e-3, INT8 7e-2.
const EXACT: f64 = 1e-3;
const HALF: f64 = 2e-2;
const EIGHT_BITS: f64 = 1e-1;

/// Values of one kind alone (scores, boxes) may be so much further off. Measured: TF32 6.1e-3, FP16 4.3e-3, INT8 8.6e-2, all
/// of scores.
const OF_A_PART: f64 = 3.0;

/// The norm of a part whose values are smaller on average is taken to be of such values: scores near 0 say nothing.
const SMALLEST: f64 = 0.01;

/// Convolutions and products of FP32 engines are computed in TF32, which has FP16's mantissa, from this compute capability
/// on, unless the builder was told not to (TensorRT's `BuilderFlag::kTF32`, on by default).
const HAS_TF32: (u32, u32) = (8, 0);

/// Between two answers of one plan on one kind of GPU. Tactics are fixed in a plan, so most answer alike to the last bit; where
/// sums are added up in the order in which threads come, each value may be rounded otherwise. Rounding to FP16 is off by
/// 2^-11/sqrt(3) = 2.8e-4 (RMS), two such answers by 4e-4 from each other.
const SAME_PLAN: f64 = 1e-3;

/// How far it may be, and why.
pub(super) struct Allowed {
    share: f64,
    why: &'static str,
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} is allowed for {}", self.share, self.why)
    }
}

/// A plan does not say its precision; where nobody else does, it is taken for fp16.
pub(super) fn allowed(recording: &Recording, precision: Option<Precision>, capability: (u32, u32)) -> Allowed {
    if let Some(share) = recording.tolerance {
        return Allowed { share, why: "it by the recording" };
    }
    let (share, why) = match precision {
        Some(Precision::Fp32) if capability < HAS_TF32 => (EXACT, "fp32"),
        Some(Precision::Fp32) => (HALF, "fp32, which is TF32 on this GPU"),
        Some(Precision::Fp16) | None => (HALF, "fp16"),
        Some(Precision::Int8) => (EIGHT_BITS, "int8"),
        Some(Precision::Best) => (EIGHT_BITS, "best, which may be int8"),
    };
    Allowed { share, why }
}

/// Whatever the precision, and whatever a recording says of others.
pub(super) fn allowed_for_the_same_plan() -> Allowed {
    Allowed { share: SAME_PLAN, why: "the same plan" }
}

/// Are these answers at all? If not, what is wrong with them, for a sentence.
pub(super) fn are_sound(answers: &[Answer]) -> Result<(), String> {
    let not_finite = |answer: &&Answer| answer.values.iter().any(|value| !value.is_finite());
    if let Some(answer) = answers.iter().find(not_finite) {
        return Err(format!("gives values that are no numbers, in output {:?}", answer.name));
    }
    // One output alone may well be: the labels of a model that found one thing.
    let constant = |answer: &Answer| answer.values.windows(2).all(|pair| pair[0] == pair[1]);
    if answers.iter().all(constant) {
        return Err("gives the same value everywhere".to_owned());
    }
    Ok(())
}

/// The largest relative difference of an output, or what is wrong.
pub(super) fn difference(recording: &Recording, answers: &[Answer], allowed: &Allowed) -> Result<f64, String> {
    let mut largest = 0.0_f64;
    for recorded in &recording.outputs {
        let name = &recorded.name;
        let Some(answer) = answers.iter().find(|answer| answer.name == *name) else {
            return Err(format!("it has no output {name:?}"));
        };
        if answer.shape != recorded.shape || answer.values.len() != recorded.count {
            return Err(format!("output {name:?} is of shape {:?}, recorded is {:?}", answer.shape, recorded.shape));
        }
        let mut whole = Sum::default();
        for part in &recorded.parts {
            let pairs = part.places.iter().zip(&part.values);
            let pairs = pairs.map(|(place, value)| (answer.values[*place as usize], *value));
            let sum = pairs.fold(Sum::default(), Sum::with);
            let (off, most) = (sum.share(), allowed.share * OF_A_PART);
            if off > most {
                return Err(format!(
                    "{} of output {name:?} are {off:.3} off the recording, {most:.3} is allowed for {}",
                    part.name, allowed.why
                ));
            }
            whole = whole.and(&sum);
        }
        // The norm is of all values, also of those that are not kept.
        let least = (recorded.count as f64).sqrt() * SMALLEST;
        let norm = recorded.l2.map_or(0.0, |right| (answer.l2() - right).abs() / right.max(least));
        let off = whole.share().max(norm);
        if off > allowed.share {
            return Err(format!("output {name:?} is {off:.3} off the recording, {allowed}"));
        }
        largest = largest.max(off);
    }
    Ok(largest)
}

/// Squares of differences and of what is right.
#[derive(Default)]
struct Sum {
    off: f64,
    right: f64,
    count: usize,
}

impl Sum {
    fn with(self, (got, right): (f32, f32)) -> Self {
        let (got, right) = (f64::from(got), f64::from(right));
        Self { off: self.off + (got - right).powi(2), right: self.right + right.powi(2), count: self.count + 1 }
    }

    fn and(self, other: &Self) -> Self {
        Self { off: self.off + other.off, right: self.right + other.right, count: self.count + other.count }
    }

    fn share(&self) -> f64 {
        let least = self.count as f64 * SMALLEST.powi(2);
        if self.count == 0 { 0.0 } else { (self.off / self.right.max(least)).sqrt() }
    }
}
