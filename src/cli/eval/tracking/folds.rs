//! Which sequences are held out together.

use std::str::FromStr;

use crate::cli::exit::BadInput;

/// How sequences are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folds {
    /// Each recording by itself.
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
    /// The places of those held out, fold by fold; each sequence in one of them. `recordings` numbers for each
    /// sequence what it is of: several detectors on one recording are held out together, or what is held out would
    /// have its say.
    pub(super) fn of(self, recordings: &[usize]) -> Result<Vec<Vec<usize>>, BadInput> {
        let mut distinct: Vec<usize> = recordings.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let count = match self {
            Self::LeaveOneOut => distinct.len(),
            Self::Count(count) => count,
        };
        if distinct.len() < 2 {
            return Err(BadInput(
                "--sweep: one recording; a setting is chosen on some and judged on others, so give two at least"
                    .to_owned(),
            ));
        }
        if count > distinct.len() {
            return Err(BadInput(format!("--folds {count}: there are {} recordings only", distinct.len())));
        }
        let fold_of = |recording: &usize| distinct.iter().position(|other| other == recording).map(|at| at % count);
        let held_out = |fold| {
            let of_fold = |at: &usize| fold_of(&recordings[*at]) == Some(fold);
            (0..recordings.len()).filter(of_fold).collect()
        };
        Ok((0..count).map(held_out).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_sequence_is_held_out_once() {
        assert_eq!(Folds::LeaveOneOut.of(&[0, 1, 2]).unwrap(), [[0], [1], [2]]);
        assert_eq!("2".parse::<Folds>().unwrap().of(&[0, 1, 2, 3, 4]).unwrap(), [vec![0, 2, 4], vec![1, 3]]);
        assert!(Folds::LeaveOneOut.of(&[0]).is_err() && Folds::Count(4).of(&[0, 1, 2]).is_err());
        // Two detectors on one recording.
        assert_eq!(Folds::LeaveOneOut.of(&[0, 1, 0]).unwrap(), [vec![0, 2], vec![1]]);
        assert!(Folds::LeaveOneOut.of(&[0, 0]).is_err());
        assert!(["1", "0", "-2", "all", ""].iter().all(|text| text.parse::<Folds>().is_err()));
    }
}
