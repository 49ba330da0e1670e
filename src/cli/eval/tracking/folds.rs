//! Which sequences are held out together.

use std::str::FromStr;

use crate::cli::exit::BadInput;

/// How sequences are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folds {
    /// Each by itself.
    LeaveOneOut,
    /// Into that many, taking turns.
    Count(usize),
}

impl FromStr for Folds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "leave-one-out" {
            return Ok(Self::LeaveOneOut);
        }
        let count = text.parse().ok().filter(|count| *count >= 2);
        count.map(Self::Count).ok_or_else(|| "leave-one-out, or a number from 2 up".to_owned())
    }
}

impl Folds {
    /// The places of those held out, fold by fold; each sequence in one of them.
    pub(super) fn of(self, sequences: usize) -> Result<Vec<Vec<usize>>, BadInput> {
        let count = match self {
            Self::LeaveOneOut => sequences,
            Self::Count(count) => count,
        };
        if sequences < 2 {
            return Err(BadInput(
                "--sweep: one sequence; a setting is chosen on some and judged on others, so give two at least"
                    .to_owned(),
            ));
        }
        if count > sequences {
            return Err(BadInput(format!("--folds {count}: there are {sequences} sequences only")));
        }
        Ok((0..count).map(|fold| (fold..sequences).step_by(count).collect()).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_sequence_is_held_out_once() {
        assert_eq!(Folds::LeaveOneOut.of(3).unwrap(), [[0], [1], [2]]);
        assert_eq!("2".parse::<Folds>().unwrap().of(5).unwrap(), [vec![0, 2, 4], vec![1, 3]]);
        assert!(Folds::LeaveOneOut.of(1).is_err() && Folds::Count(4).of(3).is_err());
        assert!(["1", "0", "-2", "all", ""].iter().all(|text| text.parse::<Folds>().is_err()));
    }
}
