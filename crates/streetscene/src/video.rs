//! H.264 in MP4 from rendered frames, by GStreamer.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use gst::prelude::*;

/// Elements and the Debian packages that bring them.
const PACKAGES: [(&str, &str); 10] = [
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("filesink", "libgstreamer1.0-0"),
    ("capsfilter", "libgstreamer1.0-0"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
    ("h264parse", "gstreamer1.0-plugins-bad"),
    ("mp4mux", "gstreamer1.0-plugins-good"),
    ("rtph264pay", "gstreamer1.0-plugins-good"),
    ("rtpbin", "gstreamer1.0-plugins-good"),
    ("udpsink", "gstreamer1.0-plugins-good"),
];

/// Time that the file may take to be closed after the last frame.
const CLOSING: Duration = Duration::from_secs(60);

/// Fails where GStreamer lacks one of `elements`, with the package to install.
pub(crate) fn require(elements: &[&str]) -> Result<()> {
    gst::init().context("GStreamer cannot be started")?;
    for element in elements {
        if gst::ElementFactory::find(element).is_none() {
            match PACKAGES.iter().find(|(name, _)| name == element) {
                Some((_, package)) => bail!("GStreamer has no {element}; on Debian and Ubuntu install {package}"),
                None => bail!("GStreamer has no {element}"),
            }
        }
    }
    Ok(())
}

/// Caps of rendered frames: RGBA, rows without gaps. `fps` may have a fraction.
pub(crate) fn frame_caps(width: u32, height: u32, fps: f64) -> Result<gst::Caps> {
    let rate = gst::Fraction::approximate_f64(fps).filter(|_| (0.01..=1000.0).contains(&fps));
    let side = |side: u32, name| i32::try_from(side).ok().filter(|s| *s > 0).with_context(|| format!("bad {name}"));
    // Even sides: the encoder's chroma is halved both ways.
    ensure!(
        width.is_multiple_of(2) && height.is_multiple_of(2),
        "{width}x{height} cannot be encoded; both sides must be even"
    );
    Ok(gst::Caps::builder("video/x-raw")
        .field("format", "RGBA")
        .field("width", side(width, "width")?)
        .field("height", side(height, "height")?)
        .field("framerate", rate.with_context(|| format!("{fps} frames per second cannot be encoded"))?)
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build())
}

/// What turns RGBA into the encoder's input, with the colours said: BT.709, limited range.
pub(crate) const TO_I420: &str = "videoconvert ! video/x-raw,format=I420,colorimetry=bt709";

/// An MP4 file being written. Dropped without [`VideoWriter::finish`], the file cannot be played.
pub struct VideoWriter {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    source: gst_app::AppSrc,
    frame_bytes: usize,
    frame_time: gst::ClockTime,
    last: Option<gst::ClockTime>,
}

impl VideoWriter {
    /// Creates `path`, or empties it.
    ///
    /// `width` and `height` in pixels, both even; `fps` is the nominal rate that the file states, `bitrate_kbit` the
    /// mean in kbit/s. Fails where an element is missing, with the package to install, and where the file cannot be
    /// written.
    pub fn create(path: &Path, width: u32, height: u32, fps: f64, bitrate_kbit: u32) -> Result<Self> {
        require(&["appsrc", "videoconvert", "capsfilter", "x264enc", "h264parse", "mp4mux", "filesink"])?;
        let caps = frame_caps(width, height, fps)?;
        ensure!(bitrate_kbit > 0, "a bit rate of 0 cannot be encoded");
        // A key frame every two seconds. Sliced threads off and a fixed number of threads: the same frames give the
        // same bytes on any number of cores.
        let key = (fps * 2.0).round().max(1.0) as u32;
        let launch = format!(
            "appsrc name=source format=time block=true max-buffers=4 max-bytes=0 ! {TO_I420} \
             ! x264enc speed-preset=veryfast bitrate={bitrate_kbit} key-int-max={key} threads=2 \
             ! video/x-h264,profile=high ! h264parse ! mp4mux ! filesink name=file"
        );
        let pipeline = gst::parse::launch(&launch).context("the video pipeline cannot be built")?;
        let Ok(pipeline) = pipeline.downcast::<gst::Pipeline>() else { bail!("the video pipeline is none") };
        let file = pipeline.by_name("file").context("the video pipeline has no file")?;
        file.set_property("location", path.to_str().with_context(|| format!("{path:?} is not UTF-8"))?);
        let source = pipeline.by_name("source").and_then(|s| s.downcast::<gst_app::AppSrc>().ok());
        let source = source.context("the video pipeline has no source")?;
        source.set_caps(Some(&caps));
        let writer = Self {
            bus: pipeline.bus().context("the video pipeline has no bus")?,
            pipeline,
            source,
            frame_bytes: width as usize * height as usize * 4,
            frame_time: gst::ClockTime::from_nseconds((1e9 / fps).round() as u64),
            last: None,
        };
        if writer.pipeline.set_state(gst::State::Playing).is_err() {
            return Err(writer.trouble().context(format!("{} cannot be written", path.display())));
        }
        Ok(writer)
    }

    /// Adds a frame: `rgba` is `height` rows of `width` pixels of four bytes, `pts` its time in the video. Times must
    /// grow. Waits while the encoder is busy.
    pub fn write(&mut self, rgba: &[u8], pts: Duration) -> Result<()> {
        ensure!(rgba.len() == self.frame_bytes, "a frame has {} bytes, not {}", rgba.len(), self.frame_bytes);
        let pts = gst::ClockTime::try_from(pts).context("the frame's time does not fit")?;
        if let Some(last) = self.last.filter(|last| *last >= pts) {
            bail!("a frame at {pts} cannot follow one at {last}");
        }
        let mut buffer = gst::Buffer::from_slice(rgba.to_vec());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
            buffer.set_duration(self.frame_time);
        }
        if self.source.push_buffer(buffer).is_err() {
            return Err(self.trouble().context("the frame cannot be written"));
        }
        self.last = Some(pts);
        // An encoder or a disk that failed since is told now, not at the end.
        self.bus.pop_filtered(&[gst::MessageType::Error]).map_or(Ok(()), |message| Err(words(&message)))
    }

    /// Closes the file. Fails where it, or a frame before, could not be written, or where there was no frame.
    pub fn finish(self) -> Result<()> {
        ensure!(self.last.is_some(), "a video without frames cannot be closed");
        if self.source.end_of_stream().is_err() {
            return Err(self.trouble());
        }
        let wait = gst::ClockTime::try_from(CLOSING).ok();
        let message = self.bus.timed_pop_filtered(wait, &[gst::MessageType::Error, gst::MessageType::Eos]);
        match message.as_deref().map(gst::MessageRef::view) {
            Some(gst::MessageView::Eos(_)) => Ok(()),
            Some(_) => Err(message.as_ref().map_or_else(|| anyhow::anyhow!("no reason given"), words)),
            None => bail!("the video was not closed within {} s", CLOSING.as_secs()),
        }
    }

    /// Why the pipeline failed.
    fn trouble(&self) -> anyhow::Error {
        match self.bus.timed_pop_filtered(gst::ClockTime::from_seconds(1), &[gst::MessageType::Error]) {
            Some(message) => words(&message),
            None => anyhow::anyhow!("the video pipeline stopped and gave no reason"),
        }
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// An element's own words.
pub(crate) fn words(message: &gst::Message) -> anyhow::Error {
    let gst::MessageView::Error(error) = message.view() else { return anyhow::anyhow!("no reason given") };
    let element = message.src().map_or_else(String::new, |s| format!("{}: ", s.name()));
    match error.debug() {
        Some(debug) => anyhow::anyhow!("{element}{} ({})", error.error(), debug.lines().last().unwrap_or_default()),
        None => anyhow::anyhow!("{element}{}", error.error()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A grey picture with a red left half, darker with each frame.
    fn frame(number: usize) -> Vec<u8> {
        let pixel = |x: usize| if x < 64 { [200, 10, 10, 255] } else { [200 - 5 * number as u8; 4] };
        (0..72).flat_map(|_| (0..128).flat_map(pixel)).collect()
    }

    fn write(path: &Path) {
        let mut writer = VideoWriter::create(path, 128, 72, 10.0, 500).unwrap();
        for number in 0..25 {
            writer.write(&frame(number), Duration::from_millis(100 * number as u64)).unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn every_frame_comes_back_in_its_colours_at_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        write(&path);
        let launch = format!(
            "filesrc location={path:?} ! qtdemux ! h264parse ! avdec_h264 ! videoconvert \
             ! video/x-raw,format=RGBA ! appsink name=sink sync=false"
        );
        let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
        let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let mut count = 0;
        while let Ok(sample) = sink.pull_sample() {
            let buffer = sample.buffer().unwrap();
            let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap();
            let time = segment.to_stream_time(buffer.pts().unwrap());
            assert_eq!(time, Some(gst::ClockTime::from_mseconds(100 * count as u64)));
            let (bytes, want) = (buffer.map_readable().unwrap(), frame(count));
            for x in [20, 100] {
                let at = (36 * 128 + x) * 4;
                let (got, want) = (&bytes[at..at + 3], &want[at..at + 3]);
                assert!(got.iter().zip(want).all(|(a, b)| a.abs_diff(*b) < 8), "frame {count}: {got:?}, not {want:?}");
            }
            count += 1;
        }
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(count, 25);
    }

    #[test]
    fn the_same_frames_give_the_same_samples() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a.mp4", "b.mp4"].map(|name| folder.path().join(name));
        // The box `moov` holds the time of writing; `mdat` holds the video.
        let video = |path: &Path| {
            let bytes = std::fs::read(path).unwrap();
            let at = bytes.windows(4).position(|w| w == b"mdat").unwrap();
            let size = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
            bytes[at..at - 4 + size].to_vec()
        };
        let [a, b] = files.map(|path| {
            write(&path);
            video(&path)
        });
        assert!(a.len() > 500 && a == b, "{} and {} bytes", a.len(), b.len());
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let nowhere = VideoWriter::create(Path::new("/nonexistent/a.mp4"), 128, 72, 10.0, 500).err().unwrap();
        assert!(format!("{nowhere:#}").contains("/nonexistent/a.mp4"), "{nowhere:#}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        assert!(VideoWriter::create(&path, 127, 72, 10.0, 500).err().unwrap().to_string().contains("even"));
        assert!(VideoWriter::create(&path, 128, 72, 0.0, 500).is_err());
        let mut writer = VideoWriter::create(&path, 128, 72, 10.0, 500).unwrap();
        assert!(writer.write(&[0; 16], Duration::ZERO).is_err());
        writer.write(&frame(0), Duration::from_secs(1)).unwrap();
        assert!(writer.write(&frame(1), Duration::from_secs(1)).is_err(), "time stands still");
        assert!(VideoWriter::create(&path, 128, 72, 10.0, 500).unwrap().finish().is_err(), "no frame");
        let missing = require(&["videoconvert", "nosuchelement"]).unwrap_err().to_string();
        assert!(missing.contains("nosuchelement"), "{missing}");
    }
}
