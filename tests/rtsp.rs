//! The daemon on a real RTSP server: four cameras, an outage, and many reconnects.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fault_camera::{FaultCamera, clips};
use gst::prelude::*;
use support::daemon::{Daemon, blob_config, camera_section};
use support::rtsp_server::RtspServer;
use support::{asset, wait_for};

const SOON: Duration = Duration::from_secs(30);

fn run_launch(launch: &str) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(launch).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds).unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}

/// Two minutes of footage with B-frames where the assets are here, else of a moving ball.
fn footage(dir: &Path) -> PathBuf {
    let (out, clip) = (dir.join("long.mp4"), dir.join("clip.mp4"));
    let clip = asset("videos/people.mp4").unwrap_or_else(|| {
        run_launch(&format!(
            "videotestsrc num-buffers=300 pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1 ! \
             {} ! h264parse ! mp4mux ! filesink location={clip:?}",
            if gst::ElementFactory::find("openh264enc").is_some() {
                "openh264enc gop-size=15"
            } else {
                "x264enc key-int-max=15"
            }
        ));
        clip
    });
    let parts: String = (0..7).map(|_| format!(" filesrc location={clip:?} ! qtdemux ! h264parse ! c.")).collect();
    run_launch(&format!("concat name=c ! h264parse ! mp4mux ! filesink location={out:?} {parts}"));
    out
}

/// `WATCHKEEPER_SOAK_S=120 cargo test --test rtsp -- --nocapture` runs the long form and prints figures.
fn soak() -> Duration {
    Duration::from_secs(std::env::var("WATCHKEEPER_SOAK_S").ok().and_then(|s| s.parse().ok()).unwrap_or(8))
}

#[test]
fn four_cameras_survive_an_outage_of_their_server_and_drain_with_every_event_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = footage(dir.path());
    let server = RtspServer::start(0, &file);
    let port = server.port();
    let cameras: String = (0..4).map(|n| camera_section(&format!("c{n}"), &server.url(), "detect_fps = 10")).collect();
    let config = blob_config(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"", &cameras);
    let mut daemon = Daemon::start(&config);
    let online = |daemon: &Daemon| {
        (0..4).filter(|n| daemon.metric(&format!("watchkeeper_camera_up{{camera=\"c{n}\"}}")) == Some(1.0)).count()
    };
    assert!(wait_for(SOON, || online(&daemon) == 4), "{}", daemon.log());
    let began = Instant::now();
    let before = frames(&daemon);
    std::thread::sleep(soak() / 2);
    let rate = (frames(&daemon) - before) / began.elapsed().as_secs_f64();
    println!("before the outage: {rate:.1} frames/s analysed in four cameras, {:?}", daemon.resources());
    assert!(rate > 15.0, "{rate} frames/s: {}", daemon.log());

    server.stop();
    assert!(wait_for(SOON, || online(&daemon) == 0), "{}", daemon.log());
    std::thread::sleep(Duration::from_secs(if soak() > Duration::from_secs(60) { 10 } else { 3 }));
    let server = RtspServer::start(port, &file);
    let back = Instant::now();
    assert!(wait_for(Duration::from_secs(25), || online(&daemon) == 4), "{}", daemon.log());
    println!("all four back {:.1} s after the server", back.elapsed().as_secs_f64());
    let before = frames(&daemon);
    std::thread::sleep(soak() / 2);
    assert!(frames(&daemon) > before);
    println!("after the outage: {:?}", daemon.resources());

    let (code, took) = daemon.stop();
    println!("drained in {took:?}");
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(server);
    let events = daemon.events();
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    let told: Vec<_> = events
        .iter()
        .filter(|e| e["type"].as_str().unwrap().starts_with("camera"))
        .map(|e| format!("{} {} {} {}", e["time"]["emit"], e["camera"], e["type"], e["data"]))
        .collect();
    assert_eq!(daemon.events_of("camera.online").len(), 8, "{}", told.join("\n"));
    assert_eq!(daemon.events_of("camera.offline").len(), 4, "{}", told.join("\n"));
    assert_eq!(daemon.events_of("object.start").len(), daemon.events_of("object.end").len());
}

fn frames(daemon: &Daemon) -> f64 {
    let count = |n| daemon.metric(&format!("watchkeeper_camera_frames_total{{camera=\"c{n}\",outcome=\"inferred\"}}"));
    (0..4).filter_map(count).sum()
}

#[test]
fn memory_threads_and_files_stay_flat_over_two_hundred_reconnects() {
    let dir = tempfile::tempdir().unwrap();
    let server = FaultCamera::start([clips::h264_320x240()]);
    let faults = ["close=0.4", "rst=0.4", "bye=0.4", "ssrc=0.4", "auth=basic", "status=503", "garble=0.4", "badsdp"];
    let retry = "retry_min_s = 0.1\nretry_max_s = 0.2\nretry_refused_s = 0.2";
    let cameras: String = faults
        .iter()
        .enumerate()
        .map(|(n, fault)| camera_section(&format!("c{n}"), &server.url(&format!("h264_320x240?{fault}")), retry))
        .collect();
    let config = blob_config(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"", &cameras);
    let mut daemon = Daemon::start(&config);
    let reconnects = |daemon: &Daemon| -> f64 {
        let count = |n| daemon.metric(&format!("watchkeeper_camera_reconnects_total{{camera=\"c{n}\"}}"));
        (0..faults.len()).filter_map(count).sum()
    };
    let most = f64::from(u32::try_from(soak().as_secs()).unwrap()) * 25.0;
    let mut seen = Vec::new();
    for part in 1..=6 {
        let want = most * f64::from(part) / 6.0;
        assert!(wait_for(Duration::from_secs(60), || reconnects(&daemon) >= want), "{}", daemon.log());
        // The most of a few looks: sessions come and go.
        let looks: Vec<_> = (0..10)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(100));
                daemon.resources()
            })
            .collect();
        let highest = looks.iter().fold((0, 0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1), a.2.max(b.2)));
        println!("{:>5} reconnects: {} kB, {} threads, {} files", reconnects(&daemon), highest.0, highest.1, highest.2);
        seen.push(highest);
    }
    let (early, late) = (seen[1], seen[5]);
    assert!(late.0 <= early.0 + 20_000, "resident memory grows: {seen:?}");
    assert!(late.1 <= early.1 + 8, "threads grow: {seen:?}");
    assert!(late.2 <= early.2 + 12, "files grow: {seen:?}");
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn a_codec_without_a_chain_is_named() {
    gst::init().unwrap();
    if gst::ElementFactory::find("vp8enc").is_none() {
        eprintln!("skipped: no VP8 encoder");
        return;
    }
    let server = RtspServer::start_launch(
        0,
        "( videotestsrc is-live=true ! video/x-raw,width=160,height=120 ! vp8enc deadline=1 ! rtpvp8pay name=pay0 )",
    );
    let rig = support::rig::Rig::start(support::rig::camera(&server.url()));
    assert!(wait_for(Duration::from_secs(10), || rig.first_fault().is_some()));
    let (_, class, detail) = rig.first_fault().unwrap();
    assert_eq!(class, watchkeeper::source::FaultClass::UnsupportedCodec);
    assert!(detail.contains("the camera sends VP8"), "{detail}");
}
