//! The daemon's life: start, events, signals, notify socket, failing sinks, restarts.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::Command;
use std::time::Duration;

use fault_camera::{FaultCamera, clips};
use support::daemon::{Daemon, NotifySocket, blob_config, camera_section, read_events};
use support::wait_for;

const SOON: Duration = Duration::from_secs(20);

/// Every event of the file is numbered one after the other.
fn assert_gapless(events: &[serde_json::Value]) {
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[test]
fn a_camera_comes_online_and_its_subject_starts_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let server = FaultCamera::start([clips::h264_320x240()]);
    let url = server.url("h264_320x240");
    let config = blob_config(dir.path(), "[runtime]\ndevice = \"lab-1\"", &camera_section("gate", &url, ""));
    let mut daemon = Daemon::start(&config);
    assert!(wait_for(SOON, || !daemon.events_of("object.start").is_empty()), "{}", daemon.log());
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(5), "{took:?}");

    let events = daemon.events();
    assert_gapless(&events);
    let online = &daemon.events_of("camera.online")[0];
    assert_eq!(
        (&online["schema"], &online["camera"], &online["device"]),
        (&"event/1".into(), &"gate".into(), &"lab-1".into())
    );
    let start = &daemon.events_of("object.start")[0];
    let track = &start["track"];
    assert_eq!(track["id"], "gate:1:1");
    assert_eq!(track["label"], "ball");
    assert!(track["score"].as_f64().unwrap() > 0.5);
    let edges: Vec<f64> = track["box"].as_array().unwrap().iter().map(|edge| edge.as_f64().unwrap()).collect();
    assert!(
        edges[0] < edges[2] && edges[1] < edges[3] && edges.iter().all(|edge| (0.0..=1.0).contains(edge)),
        "{edges:?}"
    );
    assert_eq!(start["phase"], "start");
    assert_eq!(start["time"]["clock"], "ntp");
    assert_eq!(start["model"]["id"], "detection");
    assert!(start["model"]["engine"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(start["event_id"].as_str().unwrap().len(), 26);
    // What was started is ended, at the latest by the drain.
    assert_eq!(daemon.events_of("object.start").len(), daemon.events_of("object.end").len());
}

#[test]
fn numbers_go_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = blob_config(dir.path(), "", &camera_section("pattern", "test://ball", ""));
    for _ in 0..2 {
        let before = read_events(&dir.path().join("events.jsonl")).len();
        let mut daemon = Daemon::start(&config);
        assert!(wait_for(SOON, || daemon.events().len() >= before + 2), "{}", daemon.log());
        assert_eq!(daemon.stop().0, Some(0));
    }
    let events = read_events(&dir.path().join("events.jsonl"));
    assert_gapless(&events);
    assert_ne!(events[0]["boot"], events[events.len() - 1]["boot"]);
}

#[test]
fn the_service_manager_is_told_when_it_is_ready_alive_and_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let config = blob_config(dir.path(), "", &camera_section("pattern", "test://ball", ""));
    let socket = NotifySocket::bind(dir.path());
    let mut daemon = Daemon::start_with(&config, |command| {
        command.env("NOTIFY_SOCKET", &socket.path).env("WATCHDOG_USEC", "3000000");
    });
    assert!(wait_for(SOON, || socket.count("READY=1") == 1), "{}", daemon.log());
    assert!(wait_for(SOON, || socket.count("WATCHDOG=1") >= 4), "{:?}", socket.told());
    assert!(wait_for(SOON, || socket.count("STATUS=1/1 cameras online") >= 1), "{:?}", socket.told());
    assert_eq!(daemon.stop().0, Some(0));
    assert_eq!(socket.count("STOPPING=1"), 1);
}

#[test]
fn a_camera_that_is_down_does_not_keep_the_daemon_from_being_ready() {
    let dir = tempfile::tempdir().unwrap();
    let cameras = camera_section("gone", "rtsp://127.0.0.1:1/x", "");
    let config = blob_config(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"", &cameras);
    let socket = NotifySocket::bind(dir.path());
    let mut daemon = Daemon::start_with(&config, |command| {
        command.env("NOTIFY_SOCKET", &socket.path).env("WATCHDOG_USEC", "2000000");
    });
    assert!(wait_for(SOON, || socket.count("READY=1") == 1), "{}", daemon.log());
    assert!(wait_for(SOON, || daemon.events_of("camera.offline").len() == 1));
    let ready = daemon.get("/readyz");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.contains("\"fault\":\"unreachable\""), "{ready}");
    assert_eq!(daemon.metric("watchkeeper_camera_up{camera=\"gone\"}"), Some(0.0));
    // It is retried, which is no news, and waiting is not being stuck.
    let fed = socket.count("WATCHDOG=1");
    assert!(wait_for(SOON, || socket.count("WATCHDOG=1") >= fed + 3));
    assert_eq!(daemon.events_of("camera.offline").len(), 1);
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn hup_without_a_change_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = blob_config(dir.path(), "", &camera_section("pattern", "test://ball", ""));
    let mut daemon = Daemon::start(&config);
    assert!(daemon.says("ready", SOON), "{}", daemon.log());
    daemon.signal("HUP");
    assert!(daemon.says("configuration reloaded models=0", SOON), "{}", daemon.log());
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn a_second_term_leaves_at_once() {
    let dir = tempfile::tempdir().unwrap();
    // The sink cannot write, so that the drain has something to wait for.
    let full = "[[sinks]]\ntype = \"jsonl\"\npath = \"/dev/full\"\n\n";
    let cameras = format!("{full}{}", camera_section("pattern", "test://ball", ""));
    let config = blob_config(dir.path(), "[runtime]\ndrain_s = 30", &cameras);
    let mut daemon = Daemon::start(&config);
    assert!(daemon.says("cannot write events: No space left on device", SOON), "{}", daemon.log());
    daemon.signal("TERM");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(daemon.wait(Duration::ZERO).is_none(), "it did not wait for the sink: {}", daemon.log());
    daemon.signal("TERM");
    assert!(daemon.wait(Duration::from_secs(2)).is_some(), "{}", daemon.log());
}

#[test]
fn a_full_disk_costs_no_event_once_there_is_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = FaultCamera::start([clips::h264_320x240()]);
    // The subject jumps at every end of the 4 s clip, and sessions end every 3 s: events keep coming.
    let cameras = camera_section("gate", &server.url("h264_320x240?close=3"), "retry_min_s = 0.2\nretry_max_s = 0.5");
    let config = blob_config(dir.path(), "", &cameras);
    let mut daemon = Daemon::start(&config);
    assert!(wait_for(SOON, || daemon.events().len() >= 2), "{}", daemon.log());
    let prlimit = |bytes: &str| {
        let pid = daemon.pid().to_string();
        assert!(Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).status().unwrap().success());
    };
    // A little room: the next event is half-written and must be cut off.
    let size = std::fs::metadata(dir.path().join("events.jsonl")).unwrap().len();
    prlimit(&format!("{}:unlimited", size + 100));
    assert!(daemon.says("cannot write events", SOON), "{}", daemon.log());
    std::thread::sleep(Duration::from_secs(4));
    let meanwhile = daemon.events();
    assert!(std::fs::metadata(dir.path().join("events.jsonl")).unwrap().len() <= size + 100);
    prlimit("unlimited:unlimited");
    assert!(daemon.says("events are written again", SOON), "{}", daemon.log());
    assert!(wait_for(SOON, || daemon.events().len() >= meanwhile.len() + 3));
    assert_eq!(daemon.stop().0, Some(0));
    assert_gapless(&daemon.events());
}

#[test]
fn events_written_to_standard_output_can_be_piped() {
    let dir = tempfile::tempdir().unwrap();
    let cameras =
        format!("[[sinks]]\ntype = \"jsonl\"\npath = \"-\"\n\n{}", camera_section("pattern", "test://ball", ""));
    let config = blob_config(dir.path(), "", &cameras);
    let out = std::fs::File::create(dir.path().join("stdout")).unwrap();
    let mut daemon = Daemon::start_with(&config, |command| {
        command.stdout(out);
    });
    assert!(wait_for(SOON, || read_events(&dir.path().join("stdout")).len() >= 2), "{}", daemon.log());
    assert_eq!(daemon.stop().0, Some(0));
    assert_eq!(read_events(&dir.path().join("stdout")), daemon.events());
}

#[test]
fn term_during_any_state_of_a_camera_drains_in_time() {
    let server = FaultCamera::start([clips::h264_320x240()]);
    let dir = tempfile::tempdir().unwrap();
    let cameras: String = ["", "?hang=DESCRIBE", "?nodata", "?status=401", "?freeze=1", "?trickle"]
        .iter()
        .enumerate()
        .map(|(n, query)| camera_section(&format!("c{n}"), &server.url(&format!("h264_320x240{query}")), ""))
        .collect();
    let config = blob_config(dir.path(), "", &cameras);
    let mut daemon = Daemon::start(&config);
    assert!(wait_for(SOON, || !daemon.events_of("object.start").is_empty()), "{}", daemon.log());
    std::thread::sleep(Duration::from_secs(2));
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_gapless(&daemon.events());
}

#[test]
fn one_engine_serves_all_cameras_and_each_has_its_own_context() {
    let dir = tempfile::tempdir().unwrap();
    let cameras: String = (0..3)
        .map(|n| camera_section(&format!("c{n}"), "test://ball", "width_px = 320\nheight_px = 240\nfps = 10"))
        .collect();
    let config = blob_config(dir.path(), "[http]\nlisten = \"127.0.0.1:0\"", &cameras);
    let mut daemon = Daemon::start(&config);
    assert!(wait_for(SOON, || daemon.events_of("object.start").len() >= 3), "{}", daemon.log());
    assert_eq!(daemon.log().matches("engine loaded").count(), 1);
    for n in 0..3 {
        assert!(daemon.log().contains(&format!("camera=\"c{n}\"")), "{}", daemon.log());
    }
    assert_eq!(daemon.log().matches("context created").count(), 3);
    assert_eq!(daemon.metric("watchkeeper_contexts{model=\"detection\"}"), Some(3.0));
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn a_track_that_was_told_to_have_ended_never_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = FaultCamera::start([clips::h264_320x240(), clips::h264_640x480()]);
    // Silences longer than a track lives but shorter than the stall time-out, and a change of size.
    let cameras = camera_section("silent", &server.url("h264_320x240?stall=3:4.4"), "")
        + &camera_section("sized", &server.url("h264_320x240?switch=3:h264_640x480"), "");
    let config = blob_config(dir.path(), "", &cameras);
    let mut daemon = Daemon::start(&config);
    let starts = |daemon: &Daemon, camera: &str| {
        let events = daemon.events_of("object.start").into_iter().filter(|event| event["camera"] == camera);
        events.map(|event| event["track"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let both = || starts(&daemon, "silent").len() >= 2 && starts(&daemon, "sized").len() >= 2;
    assert!(wait_for(SOON, both), "{:?}\n{}", daemon.events(), daemon.log());
    assert_eq!(daemon.stop().0, Some(0));
    for camera in ["silent", "sized"] {
        let mut ids = starts(&daemon, camera);
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "{camera}: an id was given twice: {:?}", starts(&daemon, camera));
        assert!(ids.iter().all(|id| id.starts_with(&format!("{camera}:1:"))), "{ids:?}");
    }
    assert_eq!(daemon.events_of("object.start").len(), daemon.events_of("object.end").len());
    let first = &daemon.events()[0];
    assert_eq!(first["type"], "camera.online", "nothing is told of a camera before it is online");
}

#[test]
fn a_log_that_nobody_reads_holds_up_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = blob_config(dir.path(), "[log]\nfilter = \"trace\"", &camera_section("pattern", "test://ball", ""));
    let (reader, writer) = std::io::pipe().unwrap();
    let writer = std::os::fd::OwnedFd::from(writer);
    let mut child = Command::new(env!("CARGO_BIN_EXE_watchkeeper"))
        .args(["run", "--config"])
        .arg(&config)
        .stdout(std::process::Stdio::null())
        .stderr(writer)
        .spawn()
        .unwrap();
    let started = wait_for(SOON, || !read_events(&dir.path().join("events.jsonl")).is_empty());
    std::thread::sleep(Duration::from_secs(2));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = wait_for(Duration::from_secs(8), || child.try_wait().unwrap().is_some());
    let _ = child.kill();
    let _ = child.wait();
    drop(reader);
    assert!(started && ended, "started {started}, ended {ended}");
}
