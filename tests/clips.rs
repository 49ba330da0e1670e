//! Clips of events: cut from what a camera sent, and not coded again.

#![allow(clippy::unwrap_used)]

#[path = "support/mp4.rs"]
mod mp4;
mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fault_camera::clip::{Clip, Codec};
use fault_camera::{FaultCamera, clips};
use mp4::{apart, demux, middle, number, play};
use support::daemon::{Daemon, blob_config, camera_section};
use support::rig::camera;
use support::wait_for;
use ulid::Ulid;
use watchkeeper::config::{Camera, Policy};
use watchkeeper::media::Kind;
use watchkeeper::source::slot::{FrameSlot, Take};
use watchkeeper::source::{self, ClipFacts, Delivery, Limits, Ring, Ripe, Setup, Source, Span, write_clip};
use watchkeeper::telemetry::metrics::CameraMetrics;
use watchkeeper::telemetry::progress::Progress;
use watchkeeper::types::frame::{FrameMeta, Planes};

const SOON: Duration = Duration::from_secs(20);
const FPS: f64 = clips::FPS as f64;

/// Frames, and where the ball was.
type Frames = Arc<Mutex<Vec<(FrameMeta, [f64; 2])>>>;

/// A camera that is watched: its frames with the middle of the ball in each, and a ring of what it sends.
struct Watched {
    source: Option<Source>,
    slot: Arc<FrameSlot>,
    ring: Arc<Ring>,
    frames: Frames,
    done: Arc<AtomicBool>,
    taker: Option<JoinHandle<()>>,
}

impl Watched {
    fn start(url: &str, bytes: u64) -> Self {
        Self::start_camera(Camera { retry_min: Duration::from_millis(100), ..camera(url) }, bytes)
    }

    fn start_camera(camera: Camera, bytes: u64) -> Self {
        process::prepare(&[], &[]);
        source::init().unwrap();
        let slot = Arc::new(FrameSlot::new(Delivery::Newest));
        let ring = Arc::new(Ring::new(Limits { bytes, span: Duration::from_secs(60) }));
        let source = Source::start(Setup {
            metrics: Arc::new(CameraMetrics::new(&camera.id)),
            camera: Arc::new(camera),
            policy: Policy::Any,
            delivery: Delivery::Newest,
            slot: Arc::clone(&slot),
            stage: Progress::default().stage("test"),
            ring: Some(Arc::clone(&ring)),
            notify: Arc::new(|_| {}),
        })
        .unwrap();
        let (frames, done) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(AtomicBool::new(false)));
        let (from, to, stop) = (Arc::clone(&slot), Arc::clone(&frames), Arc::clone(&done));
        let taker = std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                let Take::Frame(frame) = from.take(Duration::from_millis(50)) else { continue };
                let picture = frame.picture().unwrap();
                let (Planes::Planar { y, .. } | Planes::Nv12 { y, .. }) = picture.planes;
                let middle = middle(y.data, y.stride, (picture.width, picture.height)).unwrap_or_default();
                to.lock().unwrap().push((frame.meta, middle));
            }
        });
        Self { source: Some(source), slot, ring, frames, done, taker: Some(taker) }
    }

    fn frames(&self) -> Vec<(FrameMeta, [f64; 2])> {
        self.frames.lock().unwrap().clone()
    }

    /// The first frame so long after the first one of a run.
    fn frame_at(&self, run: u32, after: Duration) -> (FrameMeta, [f64; 2]) {
        let find = || {
            let frames = self.frames();
            let first = frames.iter().find(|(meta, _)| meta.run == run)?.0.media_time;
            frames.into_iter().find(|(meta, _)| meta.run == run && meta.media_time >= first + after)
        };
        assert!(wait_for(SOON, || find().is_some()), "run {run} has no such frame");
        find().unwrap()
    }

    /// Waits for what comes after, and writes the clip.
    fn clip(&self, span: &Span, path: &Path) -> ClipFacts {
        assert!(wait_for(SOON, || self.ring.ripe(span) != Ripe::NotYet));
        let facts = write_clip(&self.ring.cut(span).unwrap(), path, SOON).unwrap();
        assert_eq!(facts.bytes, fs::metadata(path).unwrap().len());
        facts
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            source.stop();
            self.slot.close();
            source.join();
        }
        self.done.store(true, Ordering::SeqCst);
        if let Some(taker) = self.taker.take() {
            let _ = taker.join();
        }
    }
}

fn around(meta: &FrameMeta, before: u64, after: u64) -> Span {
    let (before, after) = (Duration::from_millis(before), Duration::from_millis(after));
    Span { run: meta.run, at: meta.media_time, before, after }
}

/// The clip has the very pictures that were sent, one after the other, begins with a key frame and plays from zero.
/// Answers the pictures' numbers.
fn assert_as_sent(path: &Path, sent: &Clip) -> Vec<usize> {
    let file = demux(path);
    let codec = if sent.codec == Codec::H265 { "video/x-h265" } else { "video/x-h264" };
    assert_eq!(file.codec, codec);
    let numbers: Vec<usize> =
        file.pictures.iter().map(|picture| number(sent.codec, picture, &sent.access_units)).collect();
    let next = |n: usize| (n + 1) % sent.access_units.len();
    assert!(numbers.windows(2).all(|pair| pair[1] == next(pair[0])), "{numbers:?}");
    assert!(file.pictures[0].key && sent.access_units[numbers[0]].key);
    for set in sent.parameter_sets() {
        assert!(file.parameters.windows(set.len()).any(|part| part == set), "the index lacks a parameter set");
    }
    assert!(file.pictures[0].shown.abs() < 0.1, "{}", file.pictures[0].shown);
    let length = file.pictures.len() as f64 / sent.fps;
    assert!((file.duration - length).abs() < 0.1, "{} s, not {length}", file.duration);
    // Its index comes before its pictures.
    let bytes = fs::read(path).unwrap();
    let at = |name: &[u8]| bytes.windows(4).position(|part| part == name).unwrap();
    assert!(at(b"moov") < at(b"mdat"));
    // And nothing else is left.
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(names.iter().all(|name| name.extension().unwrap() != "part"), "{names:?}");
    numbers
}

/// Plays the clip; the picture of its moment is where it should be, counted from the end.
fn assert_shows(path: &Path, moment: [f64; 2], after: Duration) {
    let shown = play(path);
    assert_eq!(shown.len(), demux(path).pictures.len(), "not all can be decoded");
    let far = |n: &usize| shown[*n].1.map_or(f64::MAX, |at| apart(at, moment));
    let best = (0..shown.len()).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap();
    assert!(
        far(&best) < 1.0,
        "no picture is of the moment {moment:?}: {} px from picture {best} of {shown:?}",
        far(&best)
    );
    let left = (shown.len() - 1 - best) as f64;
    let wanted = after.as_secs_f64() * FPS;
    assert!((left - wanted).abs() <= 1.0, "{left} pictures follow it, not {wanted}");
}

fn check(sent: &Clip) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a-clip.mp4");
    let server = FaultCamera::start([sent.clone()]);
    let watched = Watched::start(&server.url(&sent.name), 30_000_000);
    let (meta, ball) = watched.frame_at(1, Duration::from_millis(2500));
    let span = around(&meta, 1500, 800);
    let facts = watched.clip(&span, &path);
    let pictures = assert_as_sent(&path, sent).len();
    // From the key frame before its beginning, and those come once a second.
    let least = 2.3 * FPS;
    assert!((least - 1.0..=least + FPS + 1.0).contains(&(pictures as f64)), "{pictures}");
    assert_eq!(facts.pictures, pictures);
    assert!((facts.duration.as_secs_f64() - pictures as f64 / FPS).abs() < 0.1, "{facts:?}");
    assert_shows(&path, ball, span.after);
}

#[test]
fn an_h264_clip_has_the_pictures_as_they_were_sent_around_its_moment() {
    check(&clips::h264_320x240());
}

#[test]
fn an_h265_clip_has_the_pictures_as_they_were_sent_around_its_moment() {
    let Some(clip) = clips::h265_320x240() else { return eprintln!("skipped: no H.265 encoder") };
    check(&clip);
}

#[test]
fn clips_of_a_recording_and_overlapping_ones_have_the_same_pictures() {
    let sent = clips::h264_320x240();
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("recording.mp4");
    let server = FaultCamera::start([sent.clone()]);
    let watched = Watched::start(&server.url(&sent.name), 30_000_000);
    let (meta, _) = watched.frame_at(1, Duration::from_millis(4000));
    watched.clip(&around(&meta, 4000, 100), &recording);
    drop(watched);

    let watched = Watched::start(recording.to_str().unwrap(), 30_000_000);
    let moments = [1500, 1900].map(|after| watched.frame_at(1, Duration::from_millis(after)));
    let paths = ["one", "other"].map(|name| dir.path().join(format!("{name}.mp4")));
    let mut numbers = Vec::new();
    for ((meta, ball), path) in moments.iter().zip(&paths) {
        let span = around(meta, 400, 600);
        watched.clip(&span, path);
        assert_shows(path, *ball, span.after);
        numbers.push(assert_as_sent(path, &sent));
    }
    assert!(numbers[0].iter().any(|number| numbers[1].contains(number)), "{numbers:?}");
}

#[test]
fn a_clip_ends_with_its_session_and_never_goes_on_in_the_next() {
    let sent = clips::h264_320x240();
    let dir = tempfile::tempdir().unwrap();
    let server = FaultCamera::start([sent.clone()]);
    let watched = Watched::start(&server.url(&format!("{}?close=2.5", sent.name)), 30_000_000);
    watched.frame_at(2, Duration::from_millis(1200));
    let frames = watched.frames();
    let last = frames.iter().rfind(|(meta, _)| meta.run == 1).unwrap();
    let path = dir.path().join("first.mp4");
    watched.clip(&around(&last.0, 1000, 10_000), &path);
    assert_as_sent(&path, &sent);
    assert_shows(&path, last.1, Duration::ZERO);

    let (meta, ball) = watched.frame_at(2, Duration::from_millis(300));
    let (path, span) = (dir.path().join("second.mp4"), around(&meta, 60_000, 500));
    watched.clip(&span, &path);
    // It begins where the session did, not in the one before.
    assert_eq!(assert_as_sent(&path, &sent)[0], 0);
    assert_shows(&path, ball, span.after);
}

#[test]
fn pictures_that_are_decoded_before_they_are_shown_play_in_order() {
    gst::init().unwrap();
    if gst::ElementFactory::find("x264enc").is_none() {
        return eprintln!("skipped: no x264enc");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.mp4");
    let recording = dir.path().join("recording.mp4");
    mp4::record(
        &format!(
            "videotestsrc num-buffers=90 pattern=ball ! video/x-raw,width=320,height=240,framerate={}/1 ! x264enc \
             bframes=2 b-adapt=false key-int-max=15 speed-preset=veryfast ! video/x-h264,profile=main ! mp4mux",
            clips::FPS
        ),
        &recording,
    );
    let watched = Watched::start(recording.to_str().unwrap(), 30_000_000);
    let (meta, ball) = watched.frame_at(1, Duration::from_millis(2500));
    let span = around(&meta, 1000, 1000);
    watched.clip(&span, &path);
    let order: Vec<f64> = demux(&path).pictures.iter().map(|picture| picture.shown).collect();
    assert!(!order.is_sorted(), "there is nothing to reorder: {order:?}");
    let mut shown: Vec<f64> = play(&path).iter().map(|(at, _)| *at).collect();
    assert!(shown.is_sorted() && shown[0] < 0.1, "{shown:?}");
    // What is shown last may be shown after what ends it.
    shown.truncate(shown.len() - 2);
    assert!(shown.windows(2).all(|pair| (pair[1] - pair[0] - 1000.0 / FPS).abs() < 2.0), "{shown:?}");
    let moment = play(&path).into_iter().find(|(_, at)| at.is_some_and(|at| apart(at, ball) < 1.0));
    let length = order.iter().copied().fold(0.0, f64::max) / 1000.0;
    let at = moment.unwrap().0 / 1000.0;
    assert!((length - at - 1.0).abs() < 0.3, "at {at} s of {length}");
}

#[test]
fn no_more_is_held_than_there_is_room_for_and_nothing_of_mjpeg() {
    let (h264, mjpeg) = (clips::h264_320x240(), clips::mjpeg_320x240());
    let size = |clip: &Clip| clip.access_units.iter().flat_map(|unit| &unit.units).map(Vec::len).sum::<usize>();
    // Room for a third of the four seconds: one group of pictures, or two.
    let room = size(&h264) as u64 * 2 / 5;
    let names = [h264.name.clone(), mjpeg.name.clone()];
    let server = FaultCamera::start([h264, mjpeg]);
    let [small, none] =
        [(&names[0], room), (&names[1], room)].map(|(name, bytes)| Watched::start(&server.url(name), bytes));
    let over = wait_for(Duration::from_secs(6), || small.ring.bytes() > room || none.ring.bytes() > 0);
    assert!(!over, "{} of {room}, {} of MJPEG", small.ring.bytes(), none.ring.bytes());
    assert!(small.ring.dropped() > 0 && small.ring.bytes() > room / 10, "{}", small.ring.bytes());
    let (meta, _) = *none.frames().last().unwrap();
    assert!(!none.ring.covers(&around(&meta, 1000, 0)), "there can be no clip of MJPEG");
    let (meta, _) = small.frames()[0];
    assert_eq!(small.ring.ripe(&around(&meta, 1000, 0)), Ripe::Gone);
}

#[test]
fn a_clip_that_cannot_be_written_leaves_nothing() {
    let sent = clips::h264_320x240();
    let dir = tempfile::tempdir().unwrap();
    let server = FaultCamera::start([sent.clone()]);
    let watched = Watched::start(&server.url(&sent.name), 30_000_000);
    let (meta, _) = watched.frame_at(1, Duration::from_millis(500));
    let cut = watched.ring.cut(&around(&meta, 100, 0)).unwrap();
    // A folder has its name.
    fs::create_dir_all(dir.path().join("a-clip.mp4/in")).unwrap();
    assert!(write_clip(&cut, &dir.path().join("a-clip.mp4"), SOON).is_err());
    let error = write_clip(&cut, &dir.path().join("b-clip.mp4"), Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["a-clip.mp4"]);
}

// ------------------------------------------------------------------------------------------------ the daemon

/// A zone at the right, which the ball enters once in four seconds, and a smaller one in it.
const ZONES: &str = r#"
[[cameras.zones]]
id = "right"
polygon = [[0.7, 0.0], [1.0, 0.0], [1.0, 1.0], [0.7, 1.0]]
anchor = "centre"
inertia_s = 0.0

[[cameras.zones]]
id = "edge"
polygon = [[0.8, 0.0], [1.0, 0.0], [1.0, 1.0], [0.8, 1.0]]
anchor = "centre"
inertia_s = 0.0
"#;

fn daemon(dir: &Path, media: &str, cameras: &[(&str, &str)]) -> Daemon {
    let sections: String = cameras.iter().map(|(id, url)| camera_section(id, url, "") + ZONES).collect();
    let more = format!("[http]\nlisten = \"127.0.0.1:0\"\n\n[media]\nclips = true\n{media}");
    Daemon::start(&blob_config(dir, &more, &sections))
}

/// Where the clip of an event lies, by the address that the event tells.
fn clip_of(dir: &Path, event: &serde_json::Value) -> PathBuf {
    let id = event["event_id"].as_str().unwrap();
    assert_eq!(event["media"]["clip"], format!("/api/v1/events/{id}/clip.mp4"), "{event}");
    watchkeeper::media::path(&dir.join("state/media"), Ulid::from_string(id).unwrap(), Kind::Clip)
}

/// The middle of the track that an event is about, pixels.
fn subject(event: &serde_json::Value) -> [f64; 2] {
    let edges: Vec<f64> = event["track"]["box"].as_array().unwrap().iter().map(|edge| edge.as_f64().unwrap()).collect();
    [(edges[0] + edges[2]) / 2.0 * 320.0, (edges[1] + edges[3]) / 2.0 * 240.0]
}

fn entered(daemon: &Daemon, camera: &str, zone: &str) -> Vec<serde_json::Value> {
    let of = |event: &serde_json::Value| event["camera"] == camera && event["rule"] == zone;
    daemon.events_of("zone.enter").into_iter().filter(of).collect()
}

fn get(daemon: &Daemon, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(daemon.http_address()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn events_have_clips_that_show_their_moment() {
    let dir = tempfile::tempdir().unwrap();
    let sent = clips::h264_320x240();
    let server = FaultCamera::start([sent.clone(), clips::mjpeg_320x240()]);
    let urls = [&sent.name, "mjpeg_320x240"].map(|name| server.url(name));
    let media = "pre_roll_s = 1.0\npost_roll_s = 1.0\n";
    let mut daemon = daemon(dir.path(), media, &[("gate", &urls[0]), ("yard", &urls[1])]);
    let zones = ["right", "edge"];
    let all = || zones.iter().all(|zone| entered(&daemon, "gate", zone).len() >= 2);
    assert!(wait_for(SOON * 2, || all() && !entered(&daemon, "yard", "edge").is_empty()), "{}", daemon.log());
    // The second ones: before the first there may have been less than the pre-roll.
    let events = zones.map(|zone| entered(&daemon, "gate", zone)[1].clone());
    for event in &events {
        let path = clip_of(dir.path(), event);
        assert!(wait_for(SOON, || path.exists()), "{}", daemon.log());
        let pictures = assert_as_sent(&path, &sent).len() as f64;
        assert!((2.0 * FPS - 1.0..=3.0 * FPS + 2.0).contains(&pictures), "{pictures}");
        // Boxes are smoothed, and the model sees to a pixel or two: to the nearest picture or two.
        let shown = play(&path);
        let far = |n: &usize| shown[*n].1.map_or(f64::MAX, |at| apart(at, subject(event)));
        let best = (0..shown.len()).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap();
        let left = (shown.len() - 1 - best) as f64;
        assert!(far(&best) < 6.0 && (left - FPS).abs() <= 2.0, "{} px, {left} pictures follow", far(&best));
        let answer = get(&daemon, event["media"]["clip"].as_str().unwrap());
        assert!(answer.ends_with(&fs::read(&path).unwrap()) && answer.starts_with(b"HTTP/1.1 200"));
    }
    // Their times overlap, and each has its own.
    assert_ne!(clip_of(dir.path(), &events[0]), clip_of(dir.path(), &events[1]));
    let yard = &entered(&daemon, "yard", "edge")[0];
    assert!(yard["media"]["snapshot"].is_string() && yard["media"]["clip"].is_null(), "{yard}");
    assert!(daemon.metric("watchkeeper_clip_buffer_bytes{camera=\"gate\"}") > Some(10_000.0));
    assert_eq!(daemon.metric("watchkeeper_clip_buffer_bytes{camera=\"yard\"}"), Some(0.0));
    assert_eq!(daemon.metric("watchkeeper_media_dropped_total"), Some(0.0));
    // Clips are kept within the same bounds as pictures.
    let clips: u64 = events.iter().map(|event| fs::metadata(clip_of(dir.path(), event)).unwrap().len()).sum();
    assert!(daemon.metric("watchkeeper_media_bytes") > Some(clips as f64));
    let evil = get(&daemon, "/api/v1/events/..%2f..%2fevents.db/clip.mp4");
    assert!(evil.starts_with(b"HTTP/1.1 404"));
    let (code, _) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
}

#[test]
fn at_the_end_clips_are_cut_with_what_there_is_and_count_as_kept() {
    let dir = tempfile::tempdir().unwrap();
    let sent = clips::h264_320x240();
    let server = FaultCamera::start([sent.clone()]);
    let url = server.url(&sent.name);
    // No pictures, and much more is wanted after an event than there will be.
    let media = "snapshots = false\ncrops = false\npre_roll_s = 1.0\npost_roll_s = 60.0\n";
    let mut daemon = daemon(dir.path(), media, &[("gate", &url)]);
    let there = || !entered(&daemon, "gate", "edge").is_empty();
    assert!(wait_for(SOON, there), "{}", daemon.log());
    let event = entered(&daemon, "gate", "edge").remove(0);
    assert!(event["media"]["snapshot"].is_null());
    let path = clip_of(dir.path(), &event);
    assert!(!path.exists(), "its time is not over");
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(8), "{took:?}");
    let promised: Vec<PathBuf> = daemon
        .events()
        .iter()
        .filter(|event| event["media"]["clip"].is_string())
        .map(|event| clip_of(dir.path(), event))
        .collect();
    assert!(promised.len() >= 2, "{promised:?}");
    for path in &promised {
        assert_as_sent(path, &sent);
        assert_eq!(play(path).len(), demux(path).pictures.len());
    }
    // They go by age like everything else: one is of long ago now, and the next start finds it.
    let old =
        watchkeeper::media::path(&dir.path().join("state/media"), Ulid::from_parts(1_700_000_000_000, 1), Kind::Clip);
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    fs::rename(&promised[0], &old).unwrap();
    let mut again = self::daemon(dir.path(), media, &[("gate", &url)]);
    assert!(wait_for(SOON, || !old.exists()), "{}", again.log());
    assert!(promised[1].exists());
    again.stop();
}
