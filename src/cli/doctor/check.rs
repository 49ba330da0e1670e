//! One line of the report.

use serde::{Deserialize, Serialize};

/// How it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// As it should be.
    Ok,
    /// It works, but somebody should look.
    Warning,
    /// It does not work.
    Failed,
    /// Not there, or not asked.
    Skipped,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Check {
    /// What was looked at, in few words.
    pub(super) name: String,
    /// How it looks.
    pub(super) outcome: Outcome,
    /// What was found.
    pub(super) found: String,
    /// What to do.
    pub(super) next: Option<String>,
}

impl Check {
    pub(super) fn new(outcome: Outcome, name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), outcome, found: found.into(), next: None }
    }

    pub(super) fn ok(name: &str, found: impl Into<String>) -> Self {
        Self::new(Outcome::Ok, name, found)
    }

    pub(super) fn warning(name: &str, found: impl Into<String>) -> Self {
        Self::new(Outcome::Warning, name, found)
    }

    pub(super) fn failed(name: &str, found: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, name, found)
    }

    pub(super) fn skipped(name: &str, found: impl Into<String>) -> Self {
        Self::new(Outcome::Skipped, name, found)
    }

    /// With what to do about it.
    pub(super) fn then(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}
