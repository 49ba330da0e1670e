//! Elements of a session's pipeline, by kind of source.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gst::prelude::*;
use parking_lot::Mutex;

use super::decoder::{self, Codec};
use super::fault::{Fault, FaultClass};
use super::gate::Gate;
use super::intake::Intake;
use super::liveness::{Liveness, Step, StreamFacts};
use super::ring::Feed;
use crate::config::{Camera, Credentials, Policy, SourceKind, Transport};
use crate::telemetry::metrics::CameraMetrics;

/// Pictures above this many pixels are refused before a decoder allocates room for them.
const MOST_PIXELS: i64 = 33_177_600; // 7680 x 4320

/// What all parts of a branch share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) camera: Arc<Camera>,
    pub(super) policy: Policy,
    /// How RTP travels in this session; with `Auto` the supervisor decides.
    pub(super) transport: Transport,
    pub(super) metrics: Arc<CameraMetrics>,
    pub(super) facts: Arc<StreamFacts>,
    pub(super) liveness: Arc<Liveness>,
    pub(super) quarantined: BTreeSet<String>,
    /// First failure found on a streaming thread; more exact than what the bus will say of it.
    pub(super) fault: Arc<Mutex<Option<Fault>>>,
    /// Where coded video goes besides.
    pub(super) feed: Option<Feed>,
}

impl Shared {
    fn fail(&self, element: &gst::Element, fault: Fault) {
        self.fault.lock().get_or_insert(fault);
        // Wakes the supervisor; the fault above is what it will report.
        gst::element_error!(element, gst::StreamError::Failed, ("the branch cannot be built"));
    }

    fn decoder_chosen(&self, name: String, hardware: bool) {
        // Streaming threads carry no span.
        let (camera, news) = (&self.camera.id, self.metrics.status().decoder != name);
        if news {
            tracing::info!(%camera, decoder = %name, hardware, "decoder chosen");
        }
        self.metrics.update_status(|status| {
            status.decoder.clone_from(&name);
            status.hardware_decoder = hardware;
        });
        *self.facts.decoder.lock() = (name, hardware);
    }

    fn codec_known(&self, codec: &str) {
        self.metrics.update_status(|status| codec.clone_into(&mut status.codec));
        codec.clone_into(&mut self.facts.codec.lock());
    }
}

pub(super) fn make(name: &str) -> Result<gst::Element, Fault> {
    gst::ElementFactory::make(name).build().map_err(|_| {
        let detail = format!("GStreamer element {name} is missing; run scripts/setup.sh, or install its plugin");
        Fault::new(FaultClass::UnsupportedCodec, detail)
    })
}

/// Adds the source and all that can be linked before data flows. Returns the source element.
pub(super) fn build(pipeline: &gst::Pipeline, shared: &Shared, intake: Intake) -> Result<gst::Element, Fault> {
    let camera = &shared.camera;
    match &camera.source {
        SourceKind::Rtsp { url } => rtsp(pipeline, shared, intake, url),
        SourceKind::Http { url } => {
            let source = make("souphttpsrc")?;
            source.set_property("location", url);
            source.set_property("timeout", u32::try_from(camera.connect_timeout.as_secs().max(1)).unwrap_or(5));
            // Live MJPEG has no time stamps of its own, and never fills a buffer that a recording would.
            let live = !is_recording(url);
            source.set_property("do-timestamp", live);
            source.set_property("is-live", live);
            login(&source, camera.credentials.as_ref());
            // It would follow to any host and answer any host that asks for a password.
            source.set_property("automatic-redirect", camera.credentials.is_none());
            decoded(pipeline, shared, intake, vec![source], !live)
        }
        SourceKind::File { path, .. } => {
            let source = make("filesrc")?;
            let path = path.to_str().ok_or_else(|| Fault::new(FaultClass::NotFound, "the path is not UTF-8"))?;
            source.set_property("location", path);
            let mut chain = vec![source];
            if path.to_lowercase().ends_with(".jpg") || path.to_lowercase().ends_with(".jpeg") {
                // decodebin knows no parser for pictures, and some decoders want one.
                chain.push(make("jpegparse")?);
            }
            let sync = intake.live_pace();
            decoded(pipeline, shared, intake, chain, sync)
        }
        SourceKind::V4l2 { device, width, height, fps } => {
            let source = make("v4l2src")?;
            source.set_property("device", device.to_string_lossy().as_ref());
            source.set_property("do-timestamp", true);
            let mut chain = vec![source];
            if let Some(filter) = size_filter(&["video/x-raw", "image/jpeg"], *width, *height, *fps)? {
                chain.push(filter);
            }
            decoded(pipeline, shared, intake, chain, false)
        }
        SourceKind::Csi { sensor, width, height, fps } => {
            let source = make("nvarguscamerasrc")?;
            source.set_property("sensor-id", i32::try_from(*sensor).unwrap_or(0));
            let filter = make("capsfilter")?;
            let caps = gst::Caps::builder("video/x-raw")
                .features(["memory:NVMM"])
                .field("format", "NV12")
                .field("width", i32::try_from(width.unwrap_or(1920)).unwrap_or(1920))
                .field("height", i32::try_from(height.unwrap_or(1080)).unwrap_or(1080))
                .field("framerate", gst::Fraction::new(i32::try_from(fps.unwrap_or(30)).unwrap_or(30), 1))
                .build();
            filter.set_property("caps", caps);
            raw(pipeline, shared, intake, vec![source, filter, make("nvvidconv")?])
        }
        SourceKind::Test { pattern, width, height, fps } => {
            let source = make("videotestsrc")?;
            set_word(&source, "pattern", pattern)?;
            source.set_property("is-live", intake.live_pace());
            let filter = make("capsfilter")?;
            let caps = gst::Caps::builder("video/x-raw")
                .field("format", "I420")
                .field("width", i32::try_from(*width).unwrap_or(640))
                .field("height", i32::try_from(*height).unwrap_or(480))
                .field("framerate", gst::Fraction::new(i32::try_from(*fps).unwrap_or(15), 1))
                .build();
            filter.set_property("caps", caps);
            raw(pipeline, shared, intake, vec![source, filter])
        }
    }
}

/// True for a URL whose path ends like a recording's; anything else over HTTP is a live stream.
fn is_recording(url: &str) -> bool {
    const ENDINGS: [&str; 8] = [".mp4", ".mkv", ".mov", ".avi", ".ts", ".webm", ".m3u8", ".mpd"];
    let path = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// Sets an enum property by its word; a word that the element does not know is the user's mistake.
fn set_word(element: &gst::Element, property: &str, word: &str) -> Result<(), Fault> {
    let wrong = || Fault::new(FaultClass::NotFound, format!("{word:?} is not a {property} of the test source"));
    let spec = element.find_property(property).ok_or_else(wrong)?;
    let class = gst::glib::EnumClass::with_type(spec.value_type()).ok_or_else(wrong)?;
    let value = class.to_value_by_nick(word).ok_or_else(wrong)?;
    element.set_property_from_value(property, &value);
    Ok(())
}

fn login(source: &gst::Element, credentials: Option<&Credentials>) {
    if let Some(credentials) = credentials {
        source.set_property("user-id", &credentials.username);
        source.set_property("user-pw", credentials.password.expose());
    }
}

fn size_filter(
    kinds: &[&str],
    width: Option<u32>,
    height: Option<u32>,
    fps: Option<u32>,
) -> Result<Option<gst::Element>, Fault> {
    if width.is_none() && height.is_none() && fps.is_none() {
        return Ok(None);
    }
    let mut caps = gst::Caps::new_empty();
    for kind in kinds {
        let mut structure = gst::Structure::new_empty(*kind);
        for (name, value) in [("width", width), ("height", height)] {
            if let Some(value) = value.and_then(|v| i32::try_from(v).ok()) {
                structure.set(name, value);
            }
        }
        if let Some(fps) = fps.and_then(|v| i32::try_from(v).ok()) {
            structure.set("framerate", gst::Fraction::new(fps, 1));
        }
        if let Some(caps) = caps.get_mut() {
            caps.append_structure(structure);
        }
    }
    let filter = make("capsfilter")?;
    filter.set_property("caps", caps);
    Ok(Some(filter))
}

fn rtsp(pipeline: &gst::Pipeline, shared: &Shared, intake: Intake, url: &str) -> Result<gst::Element, Fault> {
    let camera = &shared.camera;
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(5_000_000);
    let source = make("rtspsrc")?;
    source.set_property("location", url);
    source.set_property("latency", u32::try_from(camera.latency.as_millis()).unwrap_or(100));
    source.set_property("tcp-timeout", micros(camera.connect_timeout));
    source.set_property("timeout", micros(camera.connect_timeout));
    source.set_property_from_str(
        "protocols",
        // Never both: its own change over happens behind the redirect guard's back.
        match shared.transport {
            Transport::Tcp => "tcp",
            Transport::Udp | Transport::Auto => "udp",
        },
    );
    login(&source, camera.credentials.as_ref());
    intake.clock.listen(&source);
    // The first video; audio and metadata cost threads and bring nothing.
    let taken = std::sync::atomic::AtomicBool::new(false);
    source.connect("select-stream", false, move |args| {
        let caps = args.get(2).and_then(|value| value.get::<gst::Caps>().ok());
        let video = caps.as_ref().and_then(|caps| caps.structure(0)?.get::<&str>("media").ok()) == Some("video");
        let wanted = video && !taken.swap(true, std::sync::atomic::Ordering::Relaxed);
        Some(wanted.to_value())
    });
    pipeline.add(&source).map_err(internal)?;
    let weak = pipeline.downgrade();
    let shared = shared.clone();
    let intake = Mutex::new(Some(intake));
    source.connect_pad_added(move |source, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        // A second video pad is a new sender (SSRC): left unlinked, it ends the session, which is rebuilt.
        let Some(intake) = intake.lock().take() else { return };
        if let Err(fault) = rtsp_branch(&pipeline, &shared, intake, pad) {
            shared.fail(source, fault);
        }
    });
    Ok(source)
}

/// depayloader -> parser -> (gate) decoder -> conversion if need be -> intake
fn rtsp_branch(pipeline: &gst::Pipeline, shared: &Shared, intake: Intake, pad: &gst::Pad) -> Result<(), Fault> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let encoding = caps.structure(0).and_then(|s| s.get::<&str>("encoding-name").ok()).unwrap_or("unknown");
    let codec = Codec::from_rtp(encoding).ok_or_else(|| {
        Fault::new(
            FaultClass::UnsupportedCodec,
            format!("the camera sends {encoding}; H.264, H.265 and MJPEG are read"),
        )
    })?;
    shared.codec_known(codec.name());
    let choice = decoder::choose(codec, shared.camera.decoder.as_deref(), &shared.quarantined, shared.policy)?;
    let (depayloader, parser, decoder) = (make(codec.depayloader())?, make(codec.parser())?, choice.build()?);
    if parser.find_property("config-interval").is_some() {
        // Parameter sets in front of every key frame: hardware decoders want them in band.
        parser.set_property("config-interval", -1i32);
    }
    shared.decoder_chosen(choice.name(), choice.hardware);
    let mut chain = vec![depayloader.clone(), parser, decoder.clone()];
    if let Some(download) = choice.download {
        chain.push(make(download)?);
    }
    // Passes I420, NV12, Y42B and Y444 through untouched; anything else (10 bit, RGB) is converted.
    chain.push(make("videoconvert")?);
    chain.push(intake.into_sink(false).upcast());
    pipeline.add_many(&chain).map_err(internal)?;
    gst::Element::link_many(&chain).map_err(internal)?;
    let first = static_pad(&depayloader, "sink")?;
    count_packets(&first, shared);
    let coded = static_pad(&decoder, "sink")?;
    if let Some(feed) = &shared.feed {
        // Before the gate: a clip has also what the decoder had no time for.
        feed.listen(&coded);
    }
    watch_pictures(pipeline, &coded, shared, choice.name() == "nvv4l2decoder");
    for element in chain.iter().rev() {
        element.sync_state_with_parent().map_err(internal)?;
    }
    pad.link(&first).map_err(|error| Fault::new(FaultClass::Internal, format!("pads do not link: {error:?}")))?;
    Ok(())
}

fn count_packets(pad: &gst::Pad, shared: &Shared) {
    let shared = shared.clone();
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(kinds, move |_, info| {
        let packets = match &info.data {
            Some(gst::PadProbeData::BufferList(list)) => list.len() as u64,
            _ => 1,
        };
        shared.metrics.packets.add(packets);
        shared.liveness.packet();
        shared.facts.reach(Step::Packets);
        gst::PadProbeReturn::Ok
    });
}

/// Counts coded pictures, keeps late ones from the decoder, refuses giant ones, and ends the session on
/// a change of size where the decoder would hang on it.
fn watch_pictures(pipeline: &gst::Pipeline, pad: &gst::Pad, shared: &Shared, rebuild_on_resize: bool) {
    let weak = pipeline.downgrade();
    let shared = shared.clone();
    let state = Mutex::new((Gate::new(shared.camera.latency), None::<u32>, None::<(i32, i32)>));
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(kinds, move |pad, info| {
        let mut state = state.lock();
        let (gate, since_key, size) = &mut *state;
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                shared.liveness.picture();
                shared.facts.reach(Step::Pictures);
                shared.metrics.coded.inc();
                let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
                // Counted from key frame to key frame: the first one only begins the count.
                if key {
                    if let Some(interval) = since_key.replace(1) {
                        shared.facts.key_interval.store(interval, std::sync::atomic::Ordering::Relaxed);
                    }
                } else if let Some(count) = since_key {
                    *count += 1;
                }
                let now = weak.upgrade().and_then(|pipeline| pipeline.current_running_time());
                let lag = now
                    .zip(buffer.dts_or_pts())
                    .map_or(Duration::ZERO, |(now, then)| Duration::from_nanos(now.saturating_sub(then).nseconds()));
                if gate.admit(lag, key) {
                    gst::PadProbeReturn::Ok
                } else {
                    shared.metrics.gated.inc();
                    // Not Drop: cores before 1.24.8 complain of every buffer dropped by a Rust probe.
                    gst::PadProbeReturn::Handled
                }
            }
            Some(gst::PadProbeData::Event(event)) => {
                if let gst::EventView::Caps(caps) = event.view()
                    && let Some(new) = picture_size(caps.caps())
                {
                    if refuse_giant(&shared, pad, new) {
                        return gst::PadProbeReturn::Handled;
                    }
                    if rebuild_on_resize
                        && size.is_some_and(|old| old != new)
                        && let Some(element) = pad.parent_element()
                    {
                        let detail = format!("the picture is {}x{} now", new.0, new.1);
                        shared.fail(&element, Fault::new(FaultClass::Disconnected, detail));
                    }
                    *size = Some(new);
                }
                gst::PadProbeReturn::Ok
            }
            _ => gst::PadProbeReturn::Ok,
        }
    });
}

/// True, and the session over, for a picture that no decoder should be asked to allocate.
fn refuse_giant(shared: &Shared, pad: &gst::Pad, (width, height): (i32, i32)) -> bool {
    if i64::from(width) * i64::from(height) <= MOST_PIXELS {
        return false;
    }
    if let Some(element) = pad.parent_element() {
        let detail = format!("the picture is {width}x{height}, at most 33 megapixels are decoded");
        shared.fail(&element, Fault::new(FaultClass::UnsupportedCodec, detail));
    }
    true
}

fn picture_size(caps: &gst::CapsRef) -> Option<(i32, i32)> {
    let structure = caps.structure(0)?;
    Some((structure.get("width").ok()?, structure.get("height").ok()?))
}

/// Raw video from the chain's end to the intake.
fn raw(
    pipeline: &gst::Pipeline,
    shared: &Shared,
    intake: Intake,
    mut chain: Vec<gst::Element>,
) -> Result<gst::Element, Fault> {
    let Some(source) = chain.first().cloned() else { return Err(Fault::new(FaultClass::Internal, "empty chain")) };
    shared.codec_known("raw");
    shared.decoder_chosen("none".to_owned(), false);
    chain.push(make("videoconvert")?);
    chain.push(intake.into_sink(false).upcast());
    pipeline.add_many(&chain).map_err(internal)?;
    gst::Element::link_many(&chain).map_err(internal)?;
    shared.liveness.playing();
    let pad = static_pad(&source, "src")?;
    count_packets(&pad, shared);
    mark_pictures(&pad, shared);
    Ok(source)
}

/// Where what passes is already a whole picture.
fn mark_pictures(pad: &gst::Pad, shared: &Shared) {
    let shared = shared.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        shared.liveness.picture();
        shared.facts.reach(Step::Pictures);
        gst::PadProbeReturn::Ok
    });
}

/// Anything that has to be recognised first: files, HTTP, V4L2.
fn decoded(
    pipeline: &gst::Pipeline,
    shared: &Shared,
    intake: Intake,
    mut chain: Vec<gst::Element>,
    sync: bool,
) -> Result<gst::Element, Fault> {
    let Some(source) = chain.first().cloned() else { return Err(Fault::new(FaultClass::Internal, "empty chain")) };
    let decodebin = make("decodebin")?;
    chain.push(decodebin.clone());
    pipeline.add_many(&chain).map_err(internal)?;
    gst::Element::link_many(&chain).map_err(internal)?;
    shared.liveness.playing();
    count_packets(&static_pad(&source, "src")?, shared);

    // Audio stays coded and unlinked.
    decodebin.connect("autoplug-continue", false, |args| {
        let caps = args.get(2)?.get::<gst::Caps>().ok()?;
        let audio = caps.structure(0).is_some_and(|s| s.name().starts_with("audio/"));
        Some((!audio).to_value())
    });
    let gpu_only = shared.policy == Policy::GpuOnly;
    let wanted = shared.camera.decoder.clone();
    let refusing = shared.clone();
    decodebin.connect("autoplug-select", false, move |args| {
        let factory = args.get(3)?.get::<gst::ElementFactory>().ok()?;
        let video_decoder = factory.metadata("klass").is_some_and(|k| k.contains("Decoder") && k.contains("Video"))
            || factory.metadata("klass").is_some_and(|k| k.contains("Decoder") && k.contains("Image"));
        let refused = gpu_only && !decoder::is_hardware(&factory);
        let other = wanted.as_deref().is_some_and(|name| name != factory.name());
        let skip = video_decoder && (refused || other);
        if skip && refused {
            let detail = format!("policy = \"gpu-only\" refuses the software decoder {}", factory.name());
            refusing.fault.lock().get_or_insert(Fault::new(FaultClass::UnsupportedCodec, detail));
        }
        // GstAutoplugSelectResult belongs to the plugin and is known by name only.
        let class = gst::glib::EnumClass::with_type(gst::glib::Type::from_name("GstAutoplugSelectResult")?)?;
        class.to_value_by_nick(if skip { "skip" } else { "try" })
    });
    let tuning = shared.clone();
    decodebin.connect("deep-element-added", false, move |args| {
        let element = args.get(2)?.get::<gst::Element>().ok()?;
        let factory = element.factory()?;
        if factory.name() == "multipartdemux" {
            // Else decodebin waits for ever for more streams to come.
            element.set_property("single-stream", true);
        }
        let klass = factory.metadata("klass")?.to_owned();
        if klass.contains("Decoder") && (klass.contains("Video") || klass.contains("Image")) {
            decoder::tune(&element);
            // A refused one before it does not matter any more.
            *tuning.fault.lock() = None;
            tuning.decoder_chosen(factory.name().to_string(), decoder::is_hardware(&factory));
            let shared = tuning.clone();
            let kinds = gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER;
            let coded = element.static_pad("sink")?;
            if let Some(feed) = &shared.feed {
                feed.listen(&coded);
            }
            coded.add_probe(kinds, move |pad, info| {
                if let Some(gst::PadProbeData::Buffer(_)) = &info.data {
                    shared.metrics.coded.inc();
                } else if let Some(gst::PadProbeData::Event(event)) = &info.data
                    && let gst::EventView::Caps(caps) = event.view()
                    && let Some(structure) = caps.caps().structure(0)
                {
                    shared.codec_known(codec_of(structure.name()));
                    if picture_size(caps.caps()).is_some_and(|size| refuse_giant(&shared, pad, size)) {
                        return gst::PadProbeReturn::Handled;
                    }
                }
                gst::PadProbeReturn::Ok
            });
        }
        None
    });
    let weak = pipeline.downgrade();
    let shared = shared.clone();
    let intake = Arc::new(Mutex::new(Some(intake)));
    let (unused, failing) = (Arc::clone(&intake), shared.clone());
    decodebin.connect_no_more_pads(move |decodebin| {
        if unused.lock().is_some() {
            let recording = matches!(failing.camera.source, SourceKind::File { .. });
            let what = if recording { "recording" } else { "stream" };
            failing.fail(decodebin, Fault::new(FaultClass::NoVideo, format!("the {what} has no video")));
        }
    });
    decodebin.connect_pad_added(move |decodebin, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let video = caps.structure(0).is_some_and(|s| s.name() == "video/x-raw");
        if !video {
            return;
        }
        let Some(intake) = intake.lock().take() else { return };
        if let Err(fault) = decoded_branch(&pipeline, &shared, intake, pad, sync) {
            shared.fail(decodebin, fault);
        }
    });
    Ok(source)
}

fn decoded_branch(
    pipeline: &gst::Pipeline,
    shared: &Shared,
    intake: Intake,
    pad: &gst::Pad,
    sync: bool,
) -> Result<(), Fault> {
    let convert = make("videoconvert")?;
    let sink: gst::Element = intake.into_sink(sync).upcast();
    let mut chain = vec![convert, sink];
    let nvmm = pad.query_caps(None).features(0).is_some_and(|f| f.contains("memory:NVMM"));
    if nvmm {
        chain.insert(0, make("nvvidconv")?);
    }
    pipeline.add_many(&chain).map_err(internal)?;
    gst::Element::link_many(&chain).map_err(internal)?;
    for element in chain.iter().rev() {
        element.sync_state_with_parent().map_err(internal)?;
    }
    let first = static_pad(&chain[0], "sink")?;
    mark_pictures(&first, shared);
    pad.link(&first).map_err(|error| Fault::new(FaultClass::Internal, format!("pads do not link: {error:?}")))?;
    Ok(())
}

/// A caps name in the words people use.
fn codec_of(caps: &str) -> &str {
    match caps {
        "video/x-h264" => "H.264",
        "video/x-h265" => "H.265",
        "image/jpeg" => "MJPEG",
        other => other.strip_prefix("video/x-").unwrap_or(other),
    }
}

fn static_pad(element: &gst::Element, name: &str) -> Result<gst::Pad, Fault> {
    element.static_pad(name).ok_or_else(|| Fault::new(FaultClass::Internal, format!("no {name} pad")))
}

fn internal(error: impl std::fmt::Display) -> Fault {
    Fault::new(FaultClass::Internal, error.to_string())
}
