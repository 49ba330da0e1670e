//! What is in an MP4 file, by GStreamer's own demuxer and decoders.

use std::path::Path;

use fault_camera::clip::{AccessUnit, Codec};
use gst::prelude::*;

/// A coded picture of a file.
pub struct Coded {
    /// Milliseconds from the beginning.
    pub shown: f64,
    pub key: bool,
    /// NAL units.
    pub units: Vec<Vec<u8>>,
}

/// A file: its codec as caps say it, parameter sets, and coded pictures in order.
pub struct Mp4 {
    pub codec: String,
    pub parameters: Vec<u8>,
    pub pictures: Vec<Coded>,
    /// Seconds.
    pub duration: f64,
}

/// A picture that was decoded: milliseconds from the beginning, and the middle of what is white in it.
pub type Shown = (f64, Option<[f64; 2]>);

/// Runs it to its end; all that came to the element named `out`.
fn run(launch: &str) -> (Vec<gst::Sample>, f64) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut samples = Vec::new();
    let mut duration = 0.0;
    while let Some(sample) = out.try_pull_sample(gst::ClockTime::from_seconds(20)) {
        let whole = pipeline.query_duration::<gst::ClockTime>().unwrap_or_default();
        duration = whole.nseconds() as f64 / 1e9;
        samples.push(sample);
    }
    let wrong = [gst::MessageType::Error, gst::MessageType::Warning];
    let message = pipeline.bus().unwrap().pop_filtered(&wrong);
    assert!(message.is_none() && out.is_eos(), "{launch}: {message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    (samples, duration)
}

/// Writes what `launch` makes into a file.
pub fn record(launch: &str, path: &Path) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(&format!("{launch} ! filesink location={path:?}")).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let ends = [gst::MessageType::Error, gst::MessageType::Eos];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

/// When a sample is shown, milliseconds.
fn shown(sample: &gst::Sample) -> f64 {
    let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap();
    segment.to_running_time(sample.buffer().unwrap().pts()).unwrap().nseconds() as f64 / 1e6
}

/// Coded pictures of a file.
pub fn demux(path: &Path) -> Mp4 {
    let (samples, duration) = run(&format!("filesrc location={path:?} ! qtdemux ! appsink name=out sync=false"));
    let caps = samples[0].caps().unwrap().structure(0).unwrap().to_owned();
    let data = caps.get::<gst::Buffer>("codec_data").unwrap();
    let pictures = samples.iter().map(|sample| {
        let buffer = sample.buffer().unwrap();
        let bytes = buffer.map_readable().unwrap();
        let (mut rest, mut units) = (bytes.as_slice(), Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (unit, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            units.push(unit.to_vec());
            rest = after;
        }
        Coded { shown: shown(sample), key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT), units }
    });
    Mp4 {
        codec: caps.name().to_string(),
        parameters: data.map_readable().unwrap().to_vec(),
        pictures: pictures.collect(),
        duration,
    }
}

/// Decodes a file; what is wrong with it is a failure of the test.
pub fn play(path: &Path) -> Vec<Shown> {
    let launch =
        "decodebin ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=out sync=false max-buffers=0".to_owned();
    let (samples, _) = run(&format!("filesrc location={path:?} ! {launch}"));
    let picture = |sample: &gst::Sample| {
        let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let bytes = sample.buffer().unwrap().map_readable().unwrap();
        let stride = info.stride()[0] as usize;
        (shown(sample), middle(&bytes, stride, (info.width() as usize, info.height() as usize)))
    };
    samples.iter().map(picture).collect()
}

/// The middle of what is white; `None` where nothing is.
pub fn middle(luma: &[u8], stride: usize, (width, height): (usize, usize)) -> Option<[f64; 2]> {
    let (mut count, mut sum) = (0_u32, [0.0; 2]);
    for y in 0..height {
        for x in (0..width).filter(|x| luma[y * stride + x] > 128) {
            count += 1;
            sum[0] += x as f64;
            sum[1] += y as f64;
        }
    }
    (count > 0).then(|| sum.map(|sum| sum / f64::from(count)))
}

/// Distance of two middles, pixels.
pub fn apart(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// NAL units of pictures, without what describes them.
pub fn slices(codec: Codec, units: &[Vec<u8>]) -> Vec<&[u8]> {
    let is_slice = |unit: &&Vec<u8>| match codec {
        Codec::H264 => (1..=5).contains(&(unit[0] & 0x1f)),
        Codec::H265 => unit[0] >> 1 & 0x3f < 32,
        Codec::Jpeg => true,
    };
    units.iter().filter(is_slice).map(Vec::as_slice).collect()
}

/// Number of the picture among those that were sent.
pub fn number(codec: Codec, picture: &Coded, sent: &[AccessUnit]) -> usize {
    let slices_of = |units| slices(codec, units);
    let found = sent.iter().position(|unit| slices_of(&unit.units) == slices_of(&picture.units));
    found.expect("a picture that was never sent like that")
}
