//! Lines of the report have the shape of the GPU contract's checks.

pub(super) use crate::inference::{Check, Outcome};

pub(super) fn ok(name: &str, found: impl AsRef<str>) -> Check {
    Check::new(name, Outcome::Passed, found.as_ref(), None)
}

pub(super) fn warning(name: &str, found: impl AsRef<str>) -> Check {
    Check::new(name, Outcome::Warning, found.as_ref(), None)
}

pub(super) fn failed(name: &str, found: impl AsRef<str>) -> Check {
    Check::new(name, Outcome::Failed, found.as_ref(), None)
}

/// Not there, or not asked.
pub(super) fn skipped(name: &str, found: impl AsRef<str>) -> Check {
    Check::new(name, Outcome::Skipped, found.as_ref(), None)
}

/// What to do about it.
pub(super) trait Then {
    fn then(self, next: impl Into<String>) -> Self;
}

impl Then for Check {
    fn then(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}
