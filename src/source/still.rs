//! Frames without a decoder: pictures that are in memory.

use gst_video::{
    VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry, VideoFormat, VideoInfo,
    VideoTransferFunction,
};

use super::Frame;
use crate::types::frame::{FrameMeta, Matrix, Picture, Planes, Range, Subsampling};

/// A picture in memory that can be handed out as frames, any number of them at a time.
#[derive(Clone, Debug)]
pub struct Still {
    buffer: gst::Buffer,
    info: VideoInfo,
}

impl Still {
    /// Copies a picture; [`super::init`] comes first.
    ///
    /// # Errors
    /// Where its planes do not hold what its size says, or GStreamer knows no such picture.
    pub fn new(picture: &Picture<'_>) -> anyhow::Result<Self> {
        let format = match picture.planes {
            Planes::Nv12 { .. } => VideoFormat::Nv12,
            Planes::Planar { subsampling: Subsampling::Yuv420, .. } => VideoFormat::I420,
            Planes::Planar { subsampling: Subsampling::Yuv422, .. } => VideoFormat::Y42b,
            Planes::Planar { subsampling: Subsampling::Yuv444, .. } => VideoFormat::Y444,
        };
        let (first, second, third) = picture.sized()?;
        let matrix = match picture.colour.matrix {
            Matrix::Bt601 => VideoColorMatrix::Bt601,
            Matrix::Bt709 => VideoColorMatrix::Bt709,
            Matrix::Bt2020 => VideoColorMatrix::Bt2020,
        };
        let range = match picture.colour.range {
            Range::Limited => VideoColorRange::Range16_235,
            Range::Full => VideoColorRange::Range0_255,
        };
        let (transfer, primaries) = (VideoTransferFunction::Bt709, VideoColorPrimaries::Bt709);
        let colorimetry = VideoColorimetry::new(range, matrix, transfer, primaries);
        let (width, height) = (u32::try_from(picture.width)?, u32::try_from(picture.height)?);
        let info = VideoInfo::builder(format, width, height).colorimetry(&colorimetry).build()?;
        let mut bytes = vec![0; info.size()];
        let planes = [Some(first), Some(second), third];
        for ((plane, offset), stride) in planes.into_iter().flatten().zip(info.offset()).zip(info.stride()) {
            let stride = usize::try_from(*stride)?;
            for (row, out) in plane.iter().zip(bytes[*offset..].chunks_mut(stride)) {
                out[..row.len()].copy_from_slice(row);
            }
        }
        Ok(Self { buffer: gst::Buffer::from_mut_slice(bytes), info })
    }

    /// The picture as a frame. No pixel is copied.
    #[must_use]
    pub fn frame(&self, meta: FrameMeta) -> Option<Frame> {
        Frame::map(meta, self.buffer.clone(), &self.info)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{Duration, Instant};

    use super::*;
    use crate::types::frame::{Colour, Plane};
    use crate::types::time::{CaptureTime, Clock, Timestamp};

    fn meta() -> FrameMeta {
        let now = Timestamp::now();
        let capture = CaptureTime { time: now, clock: Clock::Free };
        let (received, media_time) = (Instant::now(), Duration::ZERO);
        FrameMeta {
            run: 1,
            seq: 1,
            width: 5,
            height: 3,
            capture,
            clock_skew_s: None,
            arrival: now,
            received,
            media_time,
        }
    }

    /// Odd sides, and rows with something between them.
    #[test]
    fn a_frame_holds_the_picture_in_every_layout() {
        crate::source::init().unwrap();
        let bytes: Vec<u8> = (0..64).collect();
        let plane = |stride: usize| Plane { data: &bytes, stride };
        let planar = |subsampling| Planes::Planar { y: plane(9), u: plane(7), v: plane(6), subsampling };
        for planes in [
            Planes::Nv12 { y: plane(9), uv: plane(8) },
            planar(Subsampling::Yuv420),
            planar(Subsampling::Yuv422),
            planar(Subsampling::Yuv444),
        ] {
            for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
                for range in [Range::Limited, Range::Full] {
                    let picture = Picture { width: 5, height: 3, planes, colour: Colour { matrix, range } };
                    let still = Still::new(&picture).unwrap();
                    let frames = [still.frame(meta()).unwrap(), still.frame(meta()).unwrap()];
                    for frame in &frames {
                        let got = frame.picture().unwrap();
                        assert_eq!((got.width, got.height, got.colour), (5, 3, picture.colour));
                        let rows = |picture: &Picture<'_>| {
                            let (y, u, v) = picture.sized().unwrap();
                            let planes = [Some(y), Some(u), v].into_iter().flatten();
                            planes.map(|plane| plane.iter().collect::<Vec<_>>().concat()).collect::<Vec<_>>()
                        };
                        assert_eq!(rows(&got), rows(&picture), "{planes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_picture_that_is_not_whole_is_refused() {
        crate::source::init().unwrap();
        let plane = Plane { data: &[0; 4], stride: 4 };
        let colour = Colour { matrix: Matrix::Bt601, range: Range::Full };
        let picture = Picture { width: 4, height: 4, planes: Planes::Nv12 { y: plane, uv: plane }, colour };
        assert!(Still::new(&picture).is_err());
    }
}
