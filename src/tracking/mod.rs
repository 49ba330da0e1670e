//! Subjects followed from frame to frame.
//!
//! A tracker is a pure function of its state and its input: time comes with the frame, and
//! nothing depends on a clock, on chance or on the order of a hash map. The same recording gives
//! the same tracks.

mod assignment;
mod bytetrack;
pub mod identity;
mod kalman;
mod subject;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::config::{TrackerKind, Tracking};
use crate::types::detection::Detection;
use crate::types::track::Track;

pub use bytetrack::{COAST, MAX_DETECTIONS, MAX_TRACKS};

/// Follows the subjects of one camera through one run.
pub trait Tracker: Send {
    /// Takes in one frame.
    ///
    /// `time` is media time; how far it moved on sets how far tracks are predicted, so the frame
    /// rate may vary. A time that did not advance counts as no time passed; a source whose time
    /// jumps back has begun a new run, see [`Tracker::reset`]. Detections whose box is not
    /// [valid](crate::types::geometry::BBox::is_valid) or whose score is not a number are ignored.
    ///
    /// Returns the confirmed tracks: first those seen in this frame, then those only predicted
    /// (`coasted`), each part in order of their numbers. A track is listed for at most [`COAST`]
    /// after its last detection, and lives on unlisted until `max_gap`.
    fn update(&mut self, time: Duration, detections: &[Detection]) -> &[Track];

    /// The confirmed tracks that the latest [`Tracker::update`] or [`Tracker::reset`] ended, in
    /// order of their numbers, as they were last seen.
    fn ended(&self) -> &[Track];

    /// Ends every track and begins a new run: numbers start at 1 again.
    fn reset(&mut self);
}

/// The configured tracker, at the beginning of a run.
#[must_use]
pub fn new(settings: &Tracking) -> Box<dyn Tracker> {
    match settings.tracker {
        TrackerKind::Bytetrack => Box::new(bytetrack::ByteTrack::new(settings)),
    }
}
