//! The simulated hardware decoders give what the software decoders inside give, in NV12, and say what they are.

#[path = "support/frames.rs"]
mod frames;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, OnceLock};

use frames::{Played, Seen, written};
use gst::prelude::*;

const SOFTWARE: &str = "avdec_h264 name=decoder max-threads=1 discard-corrupted-frames=true";
const SIMULATED: &str = "nvh264dec name=decoder";

/// The simulator's libraries, with the decoders loaded into this process, and clips.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        gst::init().expect("GStreamer");
        let folder = tempfile::tempdir().expect("a temporary folder");
        gpu_sim::stage::stage(folder.path()).expect("the libraries are built");
        gst::Plugin::load_file(folder.path().join("gstreamer/libgstsimdecoder.so")).expect("a plugin");
        let balls = "videotestsrc pattern=ball num-buffers=60 ! video/x-raw, framerate = 15/1, format = I420";
        let small = format!("{balls}, width = 322, height = 242");
        let large = format!("{balls}, width = 640, height = 360, colorimetry = bt709");
        let x264 = "x264enc key-int-max=15 bframes=2 bitrate=500 threads=1";
        let byte_stream = "h264parse ! video/x-h264, stream-format = byte-stream, alignment = au";
        let of = |name: &str| folder.path().join(name);
        written(&of("ball.mp4"), &format!("{large} ! {x264} ! h264parse ! mp4mux"));
        written(&of("422.mp4"), &format!("{} ! {x264} ! h264parse ! mp4mux", large.replace("I420", "Y42B")));
        let two = format!("concat name=both ! {byte_stream}");
        let parts = [&small, &large].map(|part| format!("{part} ! {x264} ! {byte_stream} ! both."));
        written(&of("sizes.h264"), &format!("{} {} {two}", parts[0], parts[1]));
        written(&of("ball.mjpeg"), &format!("{small} ! jpegenc quality=90"));
        let x265 = "x265enc speed-preset=ultrafast bitrate=500 log-level=none option-string=pools=1:bframes=2";
        if gst::ElementFactory::find("x265enc").is_some() {
            written(&of("ball.h265"), &format!("{small} ! {x265} ! video/x-h265, stream-format = byte-stream"));
        }
        folder
    });
    folder.path()
}

fn clip(name: &str) -> String {
    let path: PathBuf = folder().join(name);
    let parser = match name.rsplit_once('.') {
        Some((_, "mp4")) => "qtdemux ! h264parse",
        Some((_, "h264")) => "h264parse",
        Some((_, "h265")) => "h265parse",
        _ => "jpegparse",
    };
    format!("filesrc location={path:?} ! {parser} name=parser")
}

/// Plays the clip through both decoders; `meddle` sees each before it starts. Both must give the same; here it is.
#[track_caller]
fn same(clip: &str, decoders: [&str; 2], play: impl Fn(&Played) -> Vec<Seen>) -> Vec<Seen> {
    let [expected, got] = decoders.map(|decoder| play(&Played::new(&format!("{clip} ! {decoder}"))));
    assert_eq!(got.len(), expected.len());
    for (number, (got, expected)) in got.iter().zip(&expected).enumerate() {
        assert_eq!(got, expected, "frame {number}");
    }
    got
}

fn whole(played: &Played) -> Vec<Seen> {
    played.start();
    played.rest()
}

#[test]
fn every_frame_is_the_software_decoders() {
    let frames = same(&clip("ball.mp4"), [SOFTWARE, SIMULATED], whole);
    assert_eq!(frames.len(), 60);
    assert!(frames.windows(2).all(|pair| pair[0].pts < pair[1].pts && pair[0].pixels != pair[1].pixels));
    assert!(frames[0].caps.contains("bt709"), "{}", frames[0].caps);
    let jpeg = ["jpegdec name=decoder idct-method=islow", "nvjpegdec name=decoder"];
    assert_eq!(same(&clip("ball.mjpeg"), jpeg, whole).len(), 60);
    if folder().join("ball.h265").exists() {
        let h265 = ["avdec_h265 name=decoder max-threads=1 discard-corrupted-frames=true", "nvh265dec name=decoder"];
        assert_eq!(same(&clip("ball.h265"), h265, whole).len(), 60);
    }
}

#[test]
fn it_gives_nv12_in_system_memory() {
    let played = Played::new(&format!("{} ! {SIMULATED}", clip("ball.mp4")));
    played.start();
    assert!(played.next().is_some());
    let caps = played.decoder.static_pad("src").and_then(|pad| pad.current_caps()).expect("caps");
    assert_eq!(caps.structure(0).and_then(|caps| caps.get::<&str>("format").ok()), Some("NV12"));
    assert!(caps.features(0).is_none_or(|features| features.contains("memory:SystemMemory")), "{caps}");
}

#[test]
fn a_new_size_comes_through() {
    let frames = same(&clip("sizes.h264"), [SOFTWARE, SIMULATED], whole);
    let sizes = |width: &str| frames.iter().filter(|frame| frame.caps.contains(width)).count();
    assert_eq!((sizes("width=(gint) 322"), sizes("width=(gint) 640")), (60, 60));
}

#[test]
fn a_seek_flushes_and_goes_on_at_the_same_frame() {
    let frames = same(&clip("ball.mp4"), [SOFTWARE, SIMULATED], |played| {
        played.start();
        let mut frames: Vec<_> = (0..5).filter_map(|_| played.next()).collect();
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT;
        played.pipeline.seek_simple(flags, gst::ClockTime::from_mseconds(2500)).expect("it seeks");
        frames.extend(played.rest());
        frames
    });
    assert_eq!(frames.len(), 5 + 30);
    assert!(frames[5].flags.contains(gst::BufferFlags::DISCONT), "{:?}", frames[5]);
}

#[test]
fn gaps_and_damage_leave_the_same_frames_with_the_same_flags() {
    let frames = same(&clip("ball.mp4"), [SOFTWARE, SIMULATED], |played| {
        let (sink, count) = (played.decoder.static_pad("sink").expect("a pad"), Mutex::new(0));
        sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let mut count = count.lock().expect("no panic");
            *count += 1;
            let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data else { return gst::PadProbeReturn::Ok };
            if *count % 13 == 5 {
                return gst::PadProbeReturn::Handled;
            }
            if *count % 17 == 8 {
                let mut bytes = buffer.make_mut().map_writable().expect("memory");
                let middle = bytes.len() / 2;
                bytes[middle..].fill(0x55);
            }
            gst::PadProbeReturn::Ok
        });
        whole(played)
    });
    assert!((20..56).contains(&frames.len()), "{}", frames.len());
}

#[test]
fn late_frames_are_left_out_as_the_software_decoder_does() {
    let frames = same(&clip("ball.mp4"), [SOFTWARE, SIMULATED], |played| {
        // On the streaming thread, so that both decoders learn it between the same two frames.
        let sink = played.pipeline.by_name("sink").and_then(|sink| sink.static_pad("sink")).expect("a pad");
        let count = Mutex::new(0);
        sink.add_probe(gst::PadProbeType::BUFFER, move |sink, info| {
            let mut count = count.lock().expect("no panic");
            *count += 1;
            if let (5, Some(gst::PadProbeData::Buffer(buffer))) = (*count, &info.data) {
                let (kind, late) = (gst::QOSType::Underflow, gst::ClockTime::from_seconds(1));
                sink.push_event(gst::event::Qos::new(kind, 1.0, late.nseconds() as i64, buffer.pts()));
            }
            gst::PadProbeReturn::Ok
        });
        whole(played)
    });
    assert!((10..50).contains(&frames.len()), "{}", frames.len());
}

#[test]
fn what_cannot_be_decoded_ends_with_the_software_decoders_error_under_its_own_name() {
    let errors = [SOFTWARE, SIMULATED].map(|decoder| {
        let played = Played::new(&format!("{} ! {decoder}", clip("ball.mp4")));
        let parser = played.pipeline.by_name("parser").and_then(|parser| parser.static_pad("src")).expect("a pad");
        parser.add_probe(gst::PadProbeType::BUFFER, |_, info| {
            if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
                buffer.make_mut().map_writable().expect("memory").fill(0);
            }
            gst::PadProbeReturn::Ok
        });
        assert!(whole(&played).is_empty());
        played.error().expect("an error")
    });
    assert_eq!(errors[0], errors[1]);
    assert_eq!(errors[1].1, "decoder");
}

#[test]
fn it_takes_what_the_real_one_takes() {
    let play = |decoder: &str| whole(&Played::new(&format!("{} ! {decoder}", clip("422.mp4")))).len();
    assert!(play("avdec_h264 name=decoder ! videoconvert ! video/x-raw, format = I420") > 0);
    assert_eq!(play(SIMULATED), 0, "no NVIDIA decoder of these years takes H.264 4:2:2");
}

#[test]
fn decodebin_prefers_it_and_finds_no_software_decoder_in_it() {
    let location = folder().join("ball.mp4");
    let pipeline = gst::parse::launch(&format!("filesrc location={location:?} ! decodebin name=bin ! fakesink"))
        .expect("elements that exist")
        .downcast::<gst::Pipeline>()
        .expect("a pipeline");
    let found = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&found);
    pipeline.connect_deep_element_added(move |_, _, element| {
        let factory = element.factory().map(|factory| factory.name().to_string());
        into.lock().expect("no panic").extend(factory);
    });
    pipeline.by_name("bin").expect("decodebin").sync_state_with_parent().expect("a state");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a bus");
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &wanted);
    assert_eq!(end.map(|message| message.type_()), Some(gst::MessageType::Eos));
    pipeline.set_state(gst::State::Null).expect("it stops");
    let found = found.lock().expect("no panic");
    assert!(found.iter().any(|name| name == "nvh264dec"), "{found:?}");
    assert!(!found.iter().any(|name| name.starts_with("avdec")), "{found:?}");
}

/// One of GStreamer's tools with the simulator's folder in its environment, as README.md says.
fn tool(program: &str, faults: &str, words: &str) -> Output {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    Command::new(program)
        .args(words.split(' '))
        .env("LD_LIBRARY_PATH", folder())
        .env("GST_PLUGIN_PATH", folder().join("gstreamer"))
        .env("GST_REGISTRY", folder().join("registry.bin"))
        .env("WATCHKEEPER_SIM", faults)
        .output()
        .expect("gstreamer1.0-tools")
}

#[test]
fn it_says_that_it_is_simulated() {
    for element in ["nvh264dec", "nvh265dec", "nvjpegdec"] {
        let output = tool("gst-inspect-1.0", "{}", element);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("Codec/Decoder/Video/Hardware") && said.contains("(257)"), "{said}");
        for field in ["Long-name", "Description", "Author"] {
            let line = said.lines().find(|line| line.trim_start().starts_with(field)).expect(field);
            assert!(line.to_lowercase().contains("simulated"), "{line}");
        }
    }
}

#[test]
fn faults_that_are_asked_for_happen() {
    let out = folder().join("out.raw");
    let launch = |faults: &str| {
        let _ = std::fs::remove_file(&out);
        let (from, to) = (folder().join("ball.mp4"), out.display());
        let chain =
            format!("filesrc location={} ! qtdemux ! h264parse ! nvh264dec ! filesink location={to}", from.display());
        let output = tool("gst-launch-1.0", faults, &format!("-q {chain}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said, std::fs::read(&out).unwrap_or_default())
    };
    let frame = 640 * 360 * 3 / 2;
    let (well, said, frames) = launch("{}");
    assert!(well && frames.len() == 60 * frame && frames.iter().any(|byte| *byte != 0), "{said}");
    let (well, said, frames) = launch(r#"{"decoder":{"fail":true}}"#);
    assert!(!well && said.contains("[simulated] the decoder cannot be opened") && frames.is_empty(), "{said}");
    let (well, said, frames) = launch(r#"{"decoder":{"fail":true,"element":"nvh265dec"}}"#);
    assert!(well && frames.len() == 60 * frame, "{said}");
    let (well, said, frames) = launch(r#"{"decoder":{"fail_picture":20}}"#);
    assert!(!well && said.contains("[simulated] picture 20"), "{said}");
    assert!(!frames.is_empty() && frames.len() < 20 * frame, "{}", frames.len() / frame);
    let (well, said, frames) = launch(r#"{"decoder":{"no_frames":true}}"#);
    assert!(well && frames.is_empty(), "{said}");
    let (well, said, frames) = launch(r#"{"decoder":{"blank_frames":true}}"#);
    assert!(well && frames.len() == 60 * frame && frames.iter().all(|byte| *byte == 0), "{said}");
}
