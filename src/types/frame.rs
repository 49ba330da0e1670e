//! A frame's facts and a borrowed view of its pixels.

use std::time::{Duration, Instant};

pub use picture::{Colour, Matrix, Picture, Plane, Planes, Range, Subsampling};

use super::time::{CaptureTime, Timestamp};

/// Facts that travel with a frame from its source to its events.
#[derive(Clone, Copy, Debug)]
pub struct FrameMeta {
    /// Connected session of the camera, from 1; a reconnect begins a new run.
    pub run: u32,
    /// Number of the frame within its run, from 1, counted where it left the decoder.
    pub seq: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// When the camera took it, and how we know.
    pub capture: CaptureTime,
    /// How far the camera's own clock is ahead of ours, seconds, however far; `None`: it does not tell the time.
    pub clock_skew_s: Option<f32>,
    /// When it left the decoder, wall clock.
    pub arrival: Timestamp,
    /// The same moment on the clock that is never set.
    pub received: Instant,
    /// Position on the camera's own time line: monotonic over all runs of the camera, so that a
    /// tracker can tell how long a gap was. Zero is the first frame of the first run.
    pub media_time: Duration,
}
