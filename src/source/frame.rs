use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrame};

use crate::types::frame::{Colour, FrameMeta, Matrix, Picture, Plane, Planes, Range, Subsampling};

/// A decoded frame: its facts and a read-only mapping of the decoder's own buffer. No pixel is copied;
/// while it lives, it holds one buffer of the decoder's pool.
#[derive(Debug)]
pub struct Frame {
    /// Its facts.
    pub meta: FrameMeta,
    pixels: VideoFrame<gst_video::video_frame::Readable>,
    colour: Colour,
}

impl Frame {
    /// Maps `buffer`; `None` where its memory does not hold what `info` says.
    pub(super) fn map(meta: FrameMeta, buffer: gst::Buffer, info: &gst_video::VideoInfo) -> Option<Self> {
        let colour = colour(info);
        let pixels = VideoFrame::from_buffer_readable(buffer, info).ok()?;
        Some(Self { meta, pixels, colour })
    }

    /// A view of its pixels; `None` for a format the capsfilter should not have let through.
    #[must_use]
    pub fn picture(&self) -> Option<Picture<'_>> {
        let stride = self.pixels.plane_stride();
        let plane = |index: usize| -> Option<Plane<'_>> {
            let data = self.pixels.plane_data(u32::try_from(index).ok()?).ok()?;
            Some(Plane { data, stride: usize::try_from(*stride.get(index)?).ok()? })
        };
        let planes = match self.pixels.format() {
            VideoFormat::I420 => {
                Planes::Planar { y: plane(0)?, u: plane(1)?, v: plane(2)?, subsampling: Subsampling::Yuv420 }
            }
            VideoFormat::Y42b => {
                Planes::Planar { y: plane(0)?, u: plane(1)?, v: plane(2)?, subsampling: Subsampling::Yuv422 }
            }
            VideoFormat::Y444 => {
                Planes::Planar { y: plane(0)?, u: plane(1)?, v: plane(2)?, subsampling: Subsampling::Yuv444 }
            }
            VideoFormat::Nv12 => Planes::Nv12 { y: plane(0)?, uv: plane(1)? },
            _ => return None,
        };
        Some(Picture {
            width: self.pixels.width() as usize,
            height: self.pixels.height() as usize,
            planes,
            colour: self.colour,
        })
    }
}

#[cfg(test)]
impl Frame {
    /// A black picture, the `seq`-th of run 1; with `readable`, of a format that can be read.
    pub(crate) fn black(seq: u64, (width, height): (u32, u32), readable: bool) -> Option<Self> {
        use crate::types::time::{CaptureTime, Clock, Timestamp};

        let format = if readable { VideoFormat::I420 } else { VideoFormat::Rgb };
        let info = gst_video::VideoInfo::builder(format, width, height).build().ok()?;
        let buffer = gst::Buffer::with_size(info.size()).ok()?;
        let now = Timestamp::now();
        let meta = FrameMeta {
            run: 1,
            seq,
            width,
            height,
            capture: CaptureTime { time: now, clock: Clock::Arrival },
            clock_skew_s: None,
            arrival: now,
            received: std::time::Instant::now(),
            media_time: std::time::Duration::from_millis(20 * seq),
        };
        Self::map(meta, buffer, &info)
    }
}

/// Matrix and range from the caps. H.264 without VUI says nothing: BT.601 up to 576 lines, else BT.709.
fn colour(info: &gst_video::VideoInfo) -> Colour {
    let colorimetry = info.colorimetry();
    let matrix = match colorimetry.matrix() {
        VideoColorMatrix::Bt709 => Matrix::Bt709,
        VideoColorMatrix::Bt601 | VideoColorMatrix::Fcc => Matrix::Bt601,
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        _ if info.height() <= 576 => Matrix::Bt601,
        _ => Matrix::Bt709,
    };
    let range = match colorimetry.range() {
        VideoColorRange::Range0_255 => Range::Full,
        _ => Range::Limited,
    };
    Colour { matrix, range }
}
