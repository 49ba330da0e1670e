//! What is counted.

use std::sync::{Mutex, PoisonError};

use crate::inference::InferenceError;

/// Different words of failures that are kept.
const WORDS: usize = 5;
/// Characters of them.
const LENGTH: usize = 400;

/// Of one model.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Runs that ended well.
    pub(super) runs: u64,
    /// Of these, answers that are not the same to the last bit.
    pub(super) different: u64,
    /// Of these, answers beyond the tolerance.
    pub(super) wrong: u64,
    /// Largest relative difference.
    pub(super) worst: f64,
    /// Runs that failed, of whatever kind.
    pub(super) failed: u64,
    /// Runs that were refused while the engine waited to be loaded anew.
    pub(super) refused: u64,
}

/// Of all threads.
#[derive(Debug)]
pub(super) struct Tallies {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    models: Vec<Tally>,
    /// What failures said, each once, with how often.
    words: Vec<(String, u64)>,
    lost: Option<String>,
}

impl Tallies {
    pub(super) fn new(models: usize) -> Self {
        Self { state: Mutex::new(State { models: vec![Tally::default(); models], ..State::default() }) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run ended, and its answer is so far from the expected one.
    pub(super) fn ran(&self, model: usize, difference: f64, tolerance: f64) {
        let mut state = self.lock();
        let tally = &mut state.models[model];
        tally.runs += 1;
        tally.different += u64::from(difference > 0.0);
        tally.wrong += u64::from(difference > tolerance);
        tally.worst = tally.worst.max(difference);
    }

    /// A run failed, or could not begin.
    pub(super) fn failed(&self, model: usize, error: &InferenceError) {
        let mut state = self.lock();
        match error {
            InferenceError::DeviceLost { reason } => {
                state.lost.get_or_insert_with(|| reason.clone());
                return;
            }
            // A consequence of a failure that is counted already.
            InferenceError::Reloading { .. } => return state.models[model].refused += 1,
            _ => state.models[model].failed += 1,
        }
        let words: String = error.to_string().chars().take(LENGTH).collect();
        if let Some((_, count)) = state.words.iter_mut().find(|(known, _)| *known == words) {
            *count += 1;
        } else if state.words.len() < WORDS {
            state.words.push((words, 1));
        }
    }

    /// Runs so far.
    pub(super) fn runs(&self) -> u64 {
        self.lock().models.iter().map(|tally| tally.runs).sum()
    }

    /// Failures and wrong answers so far.
    pub(super) fn trouble(&self) -> u64 {
        self.lock().models.iter().map(|tally| tally.failed + tally.wrong).sum()
    }

    /// Why the device is lost, where it is.
    pub(super) fn lost(&self) -> Option<String> {
        self.lock().lost.clone()
    }

    /// By model.
    pub(super) fn models(&self) -> Vec<Tally> {
        self.lock().models.clone()
    }

    /// What failures said, and how often.
    pub(super) fn words(&self) -> Vec<(String, u64)> {
        self.lock().words.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_how_far_they_are_off() {
        let tallies = Tallies::new(2);
        for difference in [0.0, 0.001, 0.02, f64::INFINITY] {
            tallies.ran(1, difference, 0.01);
        }
        let tally = &tallies.models()[1];
        assert_eq!((tally.runs, tally.different, tally.wrong, tally.worst), (4, 3, 2, f64::INFINITY));
        assert_eq!((tallies.models()[0].runs, tallies.runs(), tallies.trouble()), (0, 4, 2));
    }

    #[test]
    fn waiting_for_an_engine_is_no_failure_of_its_own() {
        let tallies = Tallies::new(1);
        let run = |reason: &str| InferenceError::Run { model: "m".into(), reason: reason.into() };
        tallies.failed(0, &InferenceError::Reloading { model: "m".into(), wait: std::time::Duration::from_secs(1) });
        for reason in ["a", "b", "a"] {
            tallies.failed(0, &run(reason));
        }
        let tally = &tallies.models()[0];
        assert_eq!((tally.failed, tally.refused, tallies.lost()), (3, 1, None));
        assert_eq!(tallies.words().iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 1]);
        tallies.failed(0, &InferenceError::DeviceLost { reason: "700".into() });
        assert_eq!((tallies.models()[0].failed, tallies.lost().as_deref()), (3, Some("700")));
    }
}
