//! A frame as rules look at it.

use std::time::Duration;

use super::succession::{Gone, Heir};
use crate::types::observation::{Observation, Seen};
use crate::types::time::Timestamp;

/// A frame, and what its numbers mean.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// The frame.
    pub(super) seen: &'a Observation,
    /// By class.
    pub(super) labels: &'a [String],
    /// Tracks of this frame that are of the subject of a track that was lost: its state is theirs now.
    pub(super) heirs: &'a [Heir],
    /// Tracks that are over for good, held until nobody can take their place any more.
    pub(super) gone: &'a [Gone],
}

/// When a frame was taken, on both clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Position on the camera's own time line, which never goes back: what durations are told from.
    pub(super) media: Duration,
    /// What events say.
    pub(super) capture: Timestamp,
}

/// Going over a border takes no longer.
const TREMBLES: Duration = Duration::from_secs(1);

impl View<'_> {
    /// When it was taken.
    pub(super) fn now(&self) -> Moment {
        Moment { media: self.seen.media_time, capture: self.seen.capture.time }
    }

    /// Its label; empty where there is none.
    pub(super) fn label(&self, track: &Seen) -> &str {
        self.labels.get(usize::from(track.class)).map_or("", String::as_str)
    }

    /// Width of the picture to its height; 1 where they are not known.
    pub(super) fn aspect(&self) -> f32 {
        let (width, height) = self.seen.size;
        if width == 0 || height == 0 { 1.0 } else { width as f32 / height as f32 }
    }
}

impl Moment {
    /// Time since an earlier one.
    pub(super) fn since(self, earlier: Self) -> Duration {
        self.media.saturating_sub(earlier.media)
    }

    /// So long before.
    pub(super) fn earlier(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self { media: self.media.saturating_sub(by), capture: Timestamp(self.capture.0.saturating_sub(micros)) }
    }

    /// When somebody went over a border who was first seen to do so at one moment, and last at this one. In between
    /// he trembled, or his box did. If that took long, he stood there, and the last time is what counts.
    pub(super) fn settled(self, first: Self) -> Self {
        let trembled = self.since(first);
        if trembled <= TREMBLES { self.earlier(trembled / 2) } else { self }
    }
}
