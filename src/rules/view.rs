//! A frame as rules look at it.

use crate::types::observation::{Observation, Seen};

/// A frame, and what its numbers mean.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// The frame.
    pub(super) seen: &'a Observation,
    /// By class.
    pub(super) labels: &'a [String],
}

impl View<'_> {
    /// Its label; empty where there is none.
    pub(super) fn label(&self, track: &Seen) -> &str {
        self.labels.get(usize::from(track.class)).map_or("", String::as_str)
    }
}
