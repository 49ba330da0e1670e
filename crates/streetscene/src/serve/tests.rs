#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use gst::prelude::*;

use super::*;

fn options(truth: Option<&Path>) -> ServeOptions {
    ServeOptions {
        world: Options { seed: 7, width: 320, height: 180, ..Options::default() },
        cameras: 2,
        fps: 10.0,
        port: 0,
        login: Some(Login { username: "viewer".to_owned(), password: "pass word:1".to_owned() }),
        truth: truth.map(Path::to_owned),
    }
}

/// Capture times of the first `count` frames, microseconds since 1970, as sender reports tell them.
fn watch(url: &str, password: &str, count: usize) -> Result<Vec<u64>, String> {
    let launch = format!(
        "rtspsrc name=source location={url} protocols=tcp latency=0 user-id=viewer add-reference-timestamp-meta=true \
         ! rtph264depay ! avdec_h264 ! appsink name=sink sync=false"
    );
    let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("source").unwrap().set_property("user-pw", password);
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let (mut times, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(20));
    let outcome = loop {
        if let Some(error) = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]) {
            break Err(crate::video::words(&error).to_string());
        }
        if times.len() == count {
            break Ok(times);
        }
        if Instant::now() > deadline {
            break Err(format!("{} frames with a time after 20 s", times.len()));
        }
        let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_mseconds(200)) else { continue };
        let meta = sample.buffer().and_then(|b| b.meta::<gst::ReferenceTimestampMeta>().map(|m| m.timestamp()));
        let Some(meta) = meta else { continue };
        // From 1900 to 1970: RFC 868.
        times.push(meta.useconds() - 2_208_988_800_000_000);
    };
    pipeline.set_state(gst::State::Null).unwrap();
    outcome
}

#[test]
fn sender_reports_tell_when_the_world_was_as_shown() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(options(Some(folder.path()))).unwrap();
    let times = watch(&server.urls()[1].url, "pass word:1", 15).unwrap();
    let counts = server.stop().unwrap();
    let text = std::fs::read_to_string(folder.path().join("truth.jsonl")).unwrap();
    let truth: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(truth.len() as u64, counts.frames, "a line for each frame sent");
    let walls: Vec<u64> = truth.iter().map(|t| t["wall_us"].as_u64().unwrap()).collect();
    for time in times {
        let nearest = walls.iter().map(|wall| wall.abs_diff(time)).min();
        assert!(nearest < Some(5000), "{time}: {nearest:?} us from the nearest frame");
    }
    assert!(truth.iter().all(|t| t["camera"] == server_camera(1)), "nobody watched the other camera");
}

fn server_camera(index: usize) -> String {
    World::new(&Options::default()).cameras()[index].id.clone()
}

#[test]
fn a_wrong_password_and_a_taken_port_are_refused() {
    let server = Server::start(options(None)).unwrap();
    assert!(server.urls().iter().all(|camera| !camera.url.contains('@')));
    let refused = watch(&server.urls()[0].url, "pass", 1).unwrap_err();
    assert!(refused.contains("Unauthorized") || refused.contains("401"), "{refused}");
    let taken = Server::start(ServeOptions { port: server.port(), ..options(None) }).err().unwrap().to_string();
    assert!(taken.contains(&format!("127.0.0.1:{} cannot be opened", server.port())), "{taken}");
    assert!(server.is_running());
    let port = server.port();
    assert_eq!(server.stop().unwrap().frames, 0, "nothing is rendered while nobody watches");
    Server::start(ServeOptions { port, ..options(None) }).unwrap().stop().unwrap();
}

#[test]
fn a_world_without_so_many_cameras_says_so() {
    let said = Server::start(ServeOptions { cameras: 99, ..options(None) }).err().unwrap().to_string();
    assert!(said.contains("99 cameras") && said.contains("the world has"), "{said}");
}
