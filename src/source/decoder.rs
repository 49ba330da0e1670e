//! Which decoder element: a table of names per codec in order of preference, since ranks differ between
//! releases (VA decoders have rank none in some) and hardware is not always marked as such.

use std::collections::BTreeSet;

use gst::prelude::*;

use super::fault::{Fault, FaultClass};
use crate::config::Policy;

/// Surfaces beyond those that decoding needs: the slot, the frame in work and two for the decoder's own turn.
const EXTRA_SURFACES: u32 = 4;

/// Bytes of the surfaces that a hardware decoder has for pictures of that size, about: NV12 with rows of a multiple of 256
/// bytes and whole macroblocks, as many as H.264 may refer to at the lowest level that has room for such a picture (ITU-T
/// H.264, Table A-1: `MaxFS`, `MaxDpbMbs`), the one being decoded, and `EXTRA_SURFACES`.
pub fn surfaces((width, height): (u32, u32)) -> u64 {
    const LEVELS: [(u64, u64); 7] = [
        (396, 2_376),       // 2
        (1_620, 8_100),     // 3
        (3_600, 18_000),    // 3.1
        (8_192, 32_768),    // 4
        (22_080, 110_400),  // 5
        (36_864, 184_320),  // 5.1
        (139_264, 696_320), // 6
    ];
    let (columns, rows) = (u64::from(width).div_ceil(16), u64::from(height).div_ceil(16));
    let blocks = (columns * rows).max(1);
    let (_, room) = LEVELS.into_iter().find(|(most, _)| blocks <= *most).unwrap_or(LEVELS[6]);
    let referred = (room / blocks).clamp(1, 16);
    let surface = u64::from(width).next_multiple_of(256) * rows * 16 * 3 / 2;
    surface * (referred + 1 + u64::from(EXTRA_SURFACES))
}

/// Codecs that a chain is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    H264,
    H265,
    Jpeg,
}

impl Codec {
    /// From the `encoding-name` of an RTP payload (RFC 6184, 7798, 2435).
    pub(super) fn from_rtp(encoding: &str) -> Option<Self> {
        match encoding {
            "H264" => Some(Self::H264),
            "H265" => Some(Self::H265),
            "JPEG" => Some(Self::Jpeg),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Jpeg => "MJPEG",
        }
    }

    pub(super) const fn depayloader(self) -> &'static str {
        match self {
            Self::H264 => "rtph264depay",
            Self::H265 => "rtph265depay",
            Self::Jpeg => "rtpjpegdepay",
        }
    }

    pub(super) const fn parser(self) -> &'static str {
        match self {
            Self::H264 => "h264parse",
            Self::H265 => "h265parse",
            Self::Jpeg => "jpegparse",
        }
    }

    /// openh264dec comes last: half as fast, and silent when a stream is damaged.
    const fn decoders(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::H264 => &[
                ("nvv4l2decoder", Kind::Jetson),
                ("nvh264dec", Kind::Hardware),
                ("nvh264sldec", Kind::Hardware),
                ("vah264dec", Kind::Hardware),
                ("v4l2slh264dec", Kind::Hardware),
                ("avdec_h264", Kind::Software),
                ("openh264dec", Kind::Software),
            ],
            Self::H265 => &[
                ("nvv4l2decoder", Kind::Jetson),
                ("nvh265dec", Kind::Hardware),
                ("nvh265sldec", Kind::Hardware),
                ("vah265dec", Kind::Hardware),
                ("v4l2slh265dec", Kind::Hardware),
                ("avdec_h265", Kind::Software),
                ("libde265dec", Kind::Software),
            ],
            Self::Jpeg => &[
                ("nvjpegdec", Kind::Hardware),
                ("vajpegdec", Kind::Hardware),
                ("jpegdec", Kind::Software),
                ("avdec_mjpeg", Kind::Software),
            ],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Frames in NVMM memory; a copy to system memory follows.
    Jetson,
    Hardware,
    Software,
}

/// A decoder to build.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) factory: gst::ElementFactory,
    pub(super) hardware: bool,
    /// Element that brings frames to system memory.
    pub(super) download: Option<&'static str>,
}

impl Choice {
    pub(super) fn name(&self) -> String {
        self.factory.name().to_string()
    }

    /// The element, set up for one camera among many.
    pub(super) fn build(&self) -> Result<gst::Element, Fault> {
        let decoder = self.factory.create().build().map_err(|error| {
            Fault::new(FaultClass::UnsupportedCodec, format!("decoder {} cannot be made: {error}", self.name()))
        })?;
        tune(&decoder);
        Ok(decoder)
    }
}

/// Settings for one camera among many; each property only where this version of the element has it.
pub(super) fn tune(decoder: &gst::Element) {
    let name = decoder.factory().map(|f| f.name().to_string()).unwrap_or_default();
    let has = |property: &str| decoder.find_property(property).is_some();
    if name.starts_with("avdec_") {
        // Cameras are the parallelism; more threads per camera only add latency and memory.
        if has("max-threads") {
            decoder.set_property("max-threads", 1i32);
        }
        // Grey and smeared pictures make detections of nothing.
        if has("discard-corrupted-frames") {
            decoder.set_property("discard-corrupted-frames", true);
        }
    }
    // Its default is coarser, and costs average precision.
    if name == "jpegdec" && has("idct-method") {
        decoder.set_property_from_str("idct-method", "islow");
    }
    if name == "nvv4l2decoder" && has("num-extra-surfaces") {
        decoder.set_property("num-extra-surfaces", EXTRA_SURFACES);
    }
}

/// True for a decoder that runs on the GPU or another engine.
pub(super) fn is_hardware(factory: &gst::ElementFactory) -> bool {
    let name = factory.name();
    let listed = [Codec::H264, Codec::H265, Codec::Jpeg]
        .iter()
        .flat_map(|codec| codec.decoders())
        .find(|(known, _)| *known == name.as_str());
    match listed {
        Some((_, kind)) => *kind != Kind::Software,
        None => factory.metadata("klass").is_some_and(|klass| klass.contains("Hardware")),
    }
}

/// The best decoder that exists, is allowed and has not failed this camera before.
pub(super) fn choose(
    codec: Codec,
    wanted: Option<&str>,
    quarantined: &BTreeSet<String>,
    policy: Policy,
) -> Result<Choice, Fault> {
    let unsupported = |detail: String| Fault::new(FaultClass::UnsupportedCodec, detail);
    if let Some(name) = wanted {
        let factory = gst::ElementFactory::find(name)
            .ok_or_else(|| unsupported(format!("decoder = {name:?}: no such element is installed")))?;
        let choice = choice(factory);
        if policy == Policy::GpuOnly && !choice.hardware {
            return Err(unsupported(format!("decoder {name} is software, and policy = \"gpu-only\" refuses it")));
        }
        return Ok(choice);
    }
    let mut refused = Vec::new();
    let decoders = codec.decoders().iter().copied();
    // Last of all those that failed this camera before: better one more try than none.
    let (again, fresh): (Vec<_>, Vec<_>) = decoders.partition(|(name, _)| quarantined.contains(*name));
    for (name, kind) in fresh.into_iter().chain(again) {
        let Some(factory) = gst::ElementFactory::find(name) else { continue };
        if policy == Policy::GpuOnly && kind == Kind::Software {
            refused.push(name);
            continue;
        }
        return Ok(choice(factory));
    }
    Err(unsupported(if refused.is_empty() {
        format!("no {} decoder is installed", codec.name())
    } else {
        format!("no hardware {} decoder; policy = \"gpu-only\" refuses {}", codec.name(), refused.join(", "))
    }))
}

fn choice(factory: gst::ElementFactory) -> Choice {
    let hardware = is_hardware(&factory);
    let download = (factory.name() == "nvv4l2decoder").then_some("nvvidconv");
    Choice { factory, hardware, download }
}
