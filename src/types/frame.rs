//! A frame's facts and a borrowed view of its pixels.

use std::time::{Duration, Instant};

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
    /// When it left the decoder, wall clock.
    pub arrival: Timestamp,
    /// The same moment on the clock that is never set.
    pub received: Instant,
    /// Position on the camera's own time line: monotonic over all runs of the camera, so that a
    /// tracker can tell how long a gap was. Zero is the first frame of the first run.
    pub media_time: Duration,
}

/// Matrix that turns YCbCr into RGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition, JPEG.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
}

/// Numeric range of YCbCr samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma 16..235, chroma 16..240.
    Limited,
    /// 0..255; every JPEG.
    Full,
}

/// How YCbCr samples are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Conversion matrix.
    pub matrix: Matrix,
    /// Sample range.
    pub range: Range,
}

/// Rows of samples in memory.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// All rows; the last may be shorter than `stride`.
    pub data: &'a [u8],
    /// Bytes from one row to the next, at least the row's width.
    pub stride: usize,
}

/// How many pixels share a chroma sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subsampling {
    /// 4:2:0 (I420, NV12): two by two.
    Yuv420,
    /// 4:2:2 (Y42B): two in a row.
    Yuv422,
    /// 4:4:4 (Y444): none; a JPEG of the best quality.
    Yuv444,
}

impl Subsampling {
    /// Pixels per chroma sample, across and down.
    #[must_use]
    pub const fn shared(self) -> (usize, usize) {
        match self {
            Self::Yuv420 => (2, 2),
            Self::Yuv422 => (2, 1),
            Self::Yuv444 => (1, 1),
        }
    }
}

/// Planes of an 8-bit YCbCr picture.
#[derive(Clone, Copy, Debug)]
pub enum Planes<'a> {
    /// Three planes (I420, Y42B, Y444).
    Planar {
        /// Luma, `height` rows.
        y: Plane<'a>,
        /// Cb.
        u: Plane<'a>,
        /// Cr.
        v: Plane<'a>,
        /// How many pixels share a chroma sample.
        subsampling: Subsampling,
    },
    /// Luma and interleaved CbCr, 4:2:0 (NV12).
    Nv12 {
        /// Luma, `height` rows.
        y: Plane<'a>,
        /// Cb and Cr in turn, `height / 2` rows rounded up.
        uv: Plane<'a>,
    },
}

/// Borrowed pixels of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The samples.
    pub planes: Planes<'a>,
    /// How to read them.
    pub colour: Colour,
}
