//! What comes out of a decoder: frames with their facts, messages.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::path::Path;

use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoFrameRef};

/// A decoded frame, comparable.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub pts: Option<gst::ClockTime>,
    pub duration: Option<gst::ClockTime>,
    pub running_time: Option<gst::ClockTime>,
    pub flags: gst::BufferFlags,
    /// All of the caps but the format, sorted.
    pub caps: String,
    /// Of the luma, and of the chroma interleaved.
    pub pixels: u64,
}

/// A pipeline that ends in a decoder called `decoder` and a sink.
pub struct Played {
    pub pipeline: gst::Pipeline,
    pub decoder: gst::Element,
    sink: gst_app::AppSink,
}

impl Played {
    /// `chain` ends with the decoder, which has the name `decoder`.
    pub fn new(chain: &str) -> Self {
        let launch = format!("{chain} ! appsink name=sink sync=false max-buffers=1 enable-last-sample=false");
        let pipeline = gst::parse::launch(&launch).expect("elements that exist");
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
        let sink = pipeline.by_name("sink").expect("the sink").downcast().expect("an appsink");
        let decoder = pipeline.by_name("decoder").expect("a decoder");
        Self { pipeline, decoder, sink }
    }

    pub fn start(&self) {
        // Where it fails, the bus says why.
        let _ = self.pipeline.set_state(gst::State::Playing);
    }

    /// The next frame; `None` at the end, or where ten seconds bring none.
    pub fn next(&self) -> Option<Seen> {
        let sample = self.sink.try_pull_sample(gst::ClockTime::from_seconds(10))?;
        Some(seen(&sample))
    }

    pub fn rest(&self) -> Vec<Seen> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// The first error there was: domain and code, words, and the element's name.
    pub fn error(&self) -> Option<(String, String)> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        let gst::MessageView::Error(error) = message.view() else { return None };
        let of = message.src().map(|source| source.name().to_string())?;
        Some((format!("{:?}: {}", error.error(), error.debug().is_some()), of))
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn seen(sample: &gst::Sample) -> Seen {
    let (buffer, caps) = (sample.buffer().expect("a buffer"), sample.caps().expect("caps"));
    let info = gst_video::VideoInfo::from_caps(caps).expect("video");
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &info).expect("a frame");
    let (width, height) = (info.width() as usize, info.height() as usize);
    let row = |plane: u32, line: usize, length: usize| {
        let from = line * frame.plane_stride()[plane as usize] as usize;
        &frame.plane_data(plane).expect("a plane")[from..from + length]
    };
    let mut hasher = DefaultHasher::new();
    (0..height).for_each(|line| hasher.write(row(0, line, width)));
    let half = width.div_ceil(2);
    for line in 0..height.div_ceil(2) {
        match info.format() {
            VideoFormat::Nv12 => hasher.write(row(1, line, 2 * half)),
            VideoFormat::I420 => {
                let pairs = row(1, line, half).iter().zip(row(2, line, half));
                hasher.write(&pairs.flat_map(|(u, v)| [*u, *v]).collect::<Vec<_>>());
            }
            other => panic!("{other:?}"),
        }
    }
    let fields = caps.structure(0).expect("a structure").iter().filter(|(name, _)| name.as_str() != "format");
    let mut fields: Vec<_> = fields.map(|(name, value)| format!("{name}={value:?}")).collect();
    fields.sort();
    let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
    Seen {
        pts: buffer.pts(),
        duration: buffer.duration(),
        running_time: segment.and_then(|segment| segment.to_running_time(buffer.pts())),
        flags: buffer.flags() - gst::BufferFlags::TAG_MEMORY,
        caps: fields.join(", "),
        pixels: hasher.finish(),
    }
}

/// Runs a pipeline that writes `file`, if it is not there yet.
pub fn written(file: &Path, chain: &str) {
    let pipeline = gst::parse::launch(&format!("{chain} ! filesink location={file:?}")).expect("elements that exist");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a bus");
    let limit = gst::ClockTime::from_seconds(60);
    let end = bus.timed_pop_filtered(limit, &[gst::MessageType::Eos, gst::MessageType::Error]);
    assert_eq!(end.map(|message| message.type_()), Some(gst::MessageType::Eos), "{chain}");
    pipeline.set_state(gst::State::Null).expect("it stops");
}
