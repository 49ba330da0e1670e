//! Subjects followed from frame to frame.
//!
//! A tracker is a pure function of its state and its input: time comes with the frame, and
//! nothing depends on a clock, on chance or on the order of a hash map. The same recording gives
//! the same tracks.

mod assignment;
mod bytetrack;
pub mod identity;
mod kalman;
mod keeper;
mod lives;
mod ocsort;
mod pairing;
mod parameters;
mod scores;
mod sieve;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::config::{TrackerKind, Tracking};
use crate::types::camera_motion::CameraMotion;
use crate::types::detection::Detection;
use crate::types::embedding::Embeddings;
use crate::types::track::{Change, Ended, Track};

pub use bytetrack::COAST;
pub use lives::MAX_TRACKS;
pub use parameters::{Parameters, UnknownParameter, with};
pub use sieve::MAX_DETECTIONS;

/// One frame, as a tracker takes it in.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Media time; how far it moved on sets how far tracks are predicted, so the frame rate may vary. A time that did
    /// not advance counts as no time passed; a source whose time jumps back has begun a new run, see
    /// [`Tracker::reset`].
    pub time: Duration,
    /// What was found. Those whose box is not [valid](crate::types::geometry::BBox::is_valid) or whose score is not a
    /// number are ignored.
    pub detections: &'a [Detection],
    /// What each detection looks like, one row each ([`Embeddings::get`] is `None` where nobody looked); `None`
    /// without a ReID model.
    pub appearance: Option<&'a Embeddings>,
    /// How the camera moved since the frame before.
    pub camera_motion: CameraMotion,
    /// Width and height of the picture in pixels, where they are known.
    pub size: Option<(u32, u32)>,
}

impl<'a> Input<'a> {
    /// Boxes alone, of a camera that stands still.
    #[must_use]
    pub fn new(time: Duration, detections: &'a [Detection]) -> Self {
        Self { time, detections, appearance: None, camera_motion: CameraMotion::NONE, size: None }
    }
}

/// Follows the subjects of one camera through one run.
pub trait Tracker: Send {
    /// Takes in one frame.
    ///
    /// Returns the confirmed tracks: first those seen in this frame, then those only predicted
    /// (`coasted`), each part in order of their numbers. A track is listed for at most [`COAST`]
    /// after its last detection, and lives on unlisted until `max_gap`; where its looks are known, keeper holds it
    /// ready for twice that, to be found by its looks alone.
    fn update(&mut self, input: &Input<'_>) -> &[Track];

    /// The confirmed tracks that the latest [`Tracker::update`] or [`Tracker::reset`] ended, in
    /// order of their numbers, as they were last seen.
    fn ended(&self) -> &[Ended];

    /// How states changed in the latest [`Tracker::update`] or [`Tracker::reset`], and why. Only keeper tells.
    fn changes(&self) -> &[Change] {
        &[]
    }

    /// Puts into `wanted` the places of those detections whose appearance would help the coming
    /// [`Tracker::update`] with the same detections, the most useful first; none where looks do not matter to it.
    fn wants(&mut self, input: &Input<'_>, wanted: &mut Vec<usize>) {
        let _ = input;
        wanted.clear();
    }

    /// What was seen so far is of another ReID model than what will be: looks of the two cannot be compared.
    fn forget_appearance(&mut self) {}

    /// Ends every track and begins a new run: numbers start at 1 again.
    fn reset(&mut self);
}

/// The configured tracker, at the beginning of a run.
#[must_use]
pub fn new(settings: &Tracking) -> Box<dyn Tracker> {
    match settings.tracker {
        TrackerKind::Keeper => Box::new(keeper::Keeper::new(settings, keeper::Settings::default())),
        TrackerKind::OcSort => Box::new(ocsort::OcSort::new(ocsort::Settings::new(settings))),
        TrackerKind::Bytetrack => Box::new(bytetrack::ByteTrack::new(bytetrack::Rules::new(settings))),
    }
}
