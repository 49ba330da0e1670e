//! Coded video to an MP4 file that browsers play: packed anew, never coded again.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use gst::prelude::*;

use super::branch::make;
use super::decoder::Codec;
use super::ring::Cut;

/// Ticks a second: those of RTP, so that no time stamp is rounded.
const TIMESCALE: u32 = 90_000;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipFacts {
    /// Bytes of the file.
    pub bytes: u64,
    /// Pictures in it.
    pub pictures: usize,
    /// How long it plays.
    pub duration: Duration,
}

/// Writes a clip, whole or not at all; until it is whole it has another name, which ends with `part`. The index comes
/// first, so that it plays while it is fetched.
///
/// # Errors
/// Where an element is missing, the stream cannot be packed, the disk takes no more, or it takes longer than `limit`.
pub fn write_clip(cut: &Cut, path: &Path, limit: Duration) -> anyhow::Result<ClipFacts> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let (part, data) = (path.with_extension("part"), path.with_extension("data.part"));
    let written = pack(cut, &part, &data, Instant::now() + limit).and_then(|duration| {
        let bytes = fs::metadata(&part)?.len();
        fs::rename(&part, path)?;
        Ok(ClipFacts { bytes, pictures: cut.units.len(), duration })
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    // The muxer removes it, unless it failed.
    let _ = fs::remove_file(&data);
    written
}

/// Times of a unit in a clip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    decoded: Duration,
    shown: Duration,
    lasts: Duration,
}

/// A camera says when a picture is shown, a file also when it is decoded: in the same rhythm, and early enough for all.
fn times(shown: &[Duration]) -> Vec<Times> {
    let mut sorted = shown.to_vec();
    sorted.sort_unstable();
    let first = sorted.first().copied().unwrap_or_default();
    let early = sorted.iter().zip(shown).map(|(in_order, shown)| in_order.saturating_sub(*shown)).max();
    let early = early.unwrap_or_default();
    let steps = u32::try_from(sorted.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let mean = sorted.last().copied().unwrap_or_default().saturating_sub(first).checked_div(steps);
    (0..sorted.len())
        .map(|n| Times {
            decoded: sorted[n] - first,
            shown: shown[n] + early - first,
            lasts: sorted.get(n + 1).map_or(mean.unwrap_or_default(), |next| *next - sorted[n]),
        })
        .collect()
}

fn pack(cut: &Cut, part: &Path, data: &Path, deadline: Instant) -> anyhow::Result<Duration> {
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| anyhow!("the path is not UTF-8"));
    let source = gst_app::AppSrc::builder().caps(&cut.caps).format(gst::Format::Time).build();
    // All of it is in memory already.
    source.set_max_bytes(0);
    let (parser, filter, mux, sink) =
        (element(cut.codec.parser())?, element("capsfilter")?, element("mp4mux")?, element("filesink")?);
    // Parameter sets in the index, where every player looks for them.
    let form = match cut.codec {
        Codec::H264 => gst::Caps::builder("video/x-h264").field("stream-format", "avc"),
        Codec::H265 => gst::Caps::builder("video/x-h265").field("stream-format", "hvc1"),
        Codec::Jpeg => return Err(anyhow!("MJPEG is not kept in clips")),
    };
    filter.set_property("caps", form.field("alignment", "au").build());
    mux.set_property("faststart", true);
    mux.set_property("faststart-file", text(data)?);
    sink.set_property("location", text(part)?);
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([source.upcast_ref(), &parser, &filter, &mux, &sink])?;
    gst::Element::link_many([source.upcast_ref(), &parser, &filter])?;
    let track = mux.request_pad_simple("video_%u").ok_or_else(|| anyhow!("mp4mux takes no video"))?;
    track.set_property("trak-timescale", TIMESCALE);
    let coded = filter.static_pad("src").ok_or_else(|| anyhow!("no src pad"))?;
    coded.link(&track)?;
    let shown: Vec<Duration> = cut.units.iter().map(|unit| unit.time).collect();
    let times = times(&shown);
    let last = times.last().copied().unwrap_or_default();
    // A parser that knows no frame rate takes durations away, and a last picture that does not last is not shown.
    coded.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut().filter(|buffer| buffer.duration().is_none_or(|time| time.is_zero())) {
            buffer.make_mut().set_duration(clock(last.lasts));
        }
        gst::PadProbeReturn::Ok
    });
    mux.link(&sink)?;
    let bus = pipeline.bus().ok_or_else(|| anyhow!("a pipeline without a bus"))?;
    let running = Stopped(pipeline);
    let started = running.0.set_state(gst::State::Playing);
    if started.is_ok() {
        for (unit, times) in cut.units.iter().zip(&times) {
            let mut buffer = gst::Buffer::from_slice(std::sync::Arc::clone(&unit.bytes));
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_pts(clock(times.shown));
                buffer.set_dts(clock(times.decoded));
                buffer.set_duration(clock(times.lasts));
                if !unit.key {
                    buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
                }
            }
            // Refused where it failed already, as the bus will tell.
            if source.push_buffer(buffer).is_err() {
                break;
            }
        }
        let _ = source.end_of_stream();
    }
    let left = clock(deadline.saturating_duration_since(Instant::now()));
    let message = bus.timed_pop_filtered(left, &[gst::MessageType::Eos, gst::MessageType::Error]);
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => {}
        Some(gst::MessageView::Error(error)) => return Err(anyhow!("{}", error.error())),
        _ => return Err(anyhow!("it took too long")),
    }
    drop(running);
    Ok(last.decoded + last.lasts)
}

/// A pipeline that ends with its owner.
struct Stopped(gst::Pipeline);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

fn element(name: &str) -> anyhow::Result<gst::Element> {
    make(name).map_err(|fault| anyhow!(fault.detail))
}

fn clock(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn of(shown: &[u64]) -> Vec<(u64, u64)> {
        let shown: Vec<Duration> = shown.iter().copied().map(ms).collect();
        let whole = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        times(&shown).iter().map(|times| (whole(times.decoded), whole(times.shown))).collect()
    }

    #[test]
    fn a_clip_begins_at_zero_and_keeps_the_rhythm_of_the_camera() {
        assert_eq!(of(&[5_000, 5_066, 5_140]), [(0, 0), (66, 66), (140, 140)]);
        assert_eq!(times(&[ms(40), ms(80), ms(120)]).last().map(|times| times.lasts), Some(ms(40)));
        assert!(of(&[]).is_empty());
        assert_eq!(of(&[7]), [(0, 0)]);
    }

    #[test]
    fn pictures_that_are_decoded_before_they_are_shown_are_decoded_in_time() {
        // I P B B P: the first P is shown after both B.
        let times = of(&[0, 120, 40, 80, 240]);
        assert_eq!(times, [(0, 40), (40, 160), (80, 80), (120, 120), (240, 280)]);
        assert!(times.iter().all(|(decoded, shown)| decoded <= shown));
    }
}
