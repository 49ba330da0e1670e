//! The settings that a sweep tries.

use std::str::FromStr;

use super::contender::Contender;
use crate::cli::exit::BadInput;

/// Most settings of one sweep.
const MOST: usize = 20_000;

/// A parameter and its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) name: String,
    pub(super) values: Vec<f32>,
}

impl FromStr for Axis {
    type Err = String;

    /// `name=v1,v2,v3`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text}: NAME=V1,V2,... with numbers is wanted, such as high_score=0.4,0.5,0.6");
        let (name, values) = text.split_once('=').ok_or_else(wrong)?;
        let value = |text: &str| text.trim().parse().ok().filter(|value: &f32| value.is_finite());
        let values = values.split(',').map(value).collect::<Option<Vec<f32>>>().ok_or_else(wrong)?;
        if name.trim().is_empty() { Err(wrong()) } else { Ok(Self { name: name.trim().to_owned(), values }) }
    }
}

/// Each value of each axis with each of the others; the first axis changes slowest.
pub(super) fn settings(contender: &Contender, axes: &[Axis]) -> Result<Vec<Contender>, BadInput> {
    for (at, axis) in axes.iter().enumerate() {
        if axes[..at].iter().any(|other| other.name == axis.name) {
            return Err(BadInput(format!("--sweep {}: given twice; put all its values into one", axis.name)));
        }
    }
    let count = axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.values.len()));
    let Some(count) = count.filter(|count| *count <= MOST) else {
        let message =
            format!("--sweep: more than {MOST} settings; take fewer values, or one parameter after the other");
        return Err(BadInput(message));
    };
    let setting = |number: usize| {
        let mut rest = number;
        let mut chosen: Vec<(String, f32)> = Vec::with_capacity(axes.len());
        for axis in axes.iter().rev() {
            chosen.push((axis.name.clone(), axis.values[rest % axis.values.len()]));
            rest /= axis.values.len();
        }
        chosen.reverse();
        contender.and(&chosen, "--sweep")
    };
    (0..count).map(setting).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::eval::tracking::contender;

    #[test]
    fn every_value_meets_every_other() {
        let axes: Vec<Axis> =
            ["high_score=0.5,0.6", "max_gap_s=1,2,3"].iter().map(|text| text.parse().unwrap()).collect();
        let one = contender::all(&["bytetrack".to_owned()], None, &["low_score=0.2".to_owned()]).unwrap().remove(0);
        let settings = settings(&one, &axes).unwrap();
        let told: Vec<Vec<f32>> =
            settings.iter().map(|one| one.overrides.iter().map(|(_, value)| *value).collect()).collect();
        assert_eq!(told.len(), 6);
        assert_eq!([&told[0], &told[1], &told[5]], [&[0.2, 0.5, 1.0], &[0.2, 0.5, 2.0], &[0.2, 0.6, 3.0]]);
    }

    #[test]
    fn an_axis_has_a_name_and_numbers() {
        assert!(["high_score", "=1", "a=", "a=1,,2", "a=x", "a=inf"].iter().all(|text| text.parse::<Axis>().is_err()));
        let large: Vec<Axis> = ["low_score", "high_score", "start_score"]
            .map(|name| Axis { name: name.to_owned(), values: vec![0.1; 100] })
            .into();
        let one = contender::all(&["bytetrack".to_owned()], None, &[]).unwrap().remove(0);
        assert!(settings(&one, &large).unwrap_err().to_string().contains("more than 20000 settings"));
    }
}
