//! A device that breaks, runs out of memory or hangs under the production configuration, on a simulated GPU.

#![allow(clippy::unwrap_used)]

#[path = "support/production.rs"]
mod production;
#[path = "support/street.rs"]
mod recorded;
mod support;

use std::time::{Duration, Instant};

use production::{CAMERAS, Production, STARTED, alone, assert_gapless};
use recorded::{SEED, Street};
use support::daemon::{Daemon, NotifySocket};
use support::wait_for;

/// Work given to streams until all cameras have subjects: some twenty pieces a frame.
const A_WHILE: u32 = 2500;

/// All that is left to do is to write, and that takes no longer even on a busy machine.
const QUICK: Duration = Duration::from_secs(10);

/// What the daemon says that it told is in the file, without a gap.
fn assert_all_written(daemon: &Daemon, earlier: usize) {
    let events = daemon.events();
    assert_gapless(&events);
    let drained = format!("drained events={} lost=0", events.len() - earlier);
    assert!(daemon.log().contains(&drained), "no {drained:?} in {}", daemon.log());
}

#[test]
fn a_device_that_fails_for_good_ends_the_daemon_with_71_and_loses_no_event() {
    let _alone = alone();
    let production = Production::with_cameras(5.0);
    let mut earlier = 0;
    // A kernel at an illegal address; the second time while executions are one at a time.
    for (concurrency, error) in [("auto", 700), ("serial", 719)] {
        let faults = format!(r#"{{"cuda":{{"sticky_after":{A_WHILE},"sticky_error":{error}}}}}"#);
        let mut daemon = production.start(concurrency, &faults);
        assert!(daemon.says("the GPU failed for good", STARTED), "{}", daemon.log());
        let began = Instant::now();
        let status = daemon.wait(QUICK).unwrap_or_else(|| panic!("it hangs: {}", daemon.log()));
        assert_eq!(status.code(), Some(71), "{status}, {:?}: {}", began.elapsed(), daemon.log());
        assert!(daemon.says("drained events=", QUICK), "{}", daemon.log());
        assert_all_written(&daemon, earlier);
        let events = daemon.events().split_off(earlier);
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        assert!(of("camera.online") >= 1 && of("object.start") >= 1, "{}", daemon.log());
        assert_eq!(of("object.start"), of("object.end"), "what was told to have begun is told to have ended");
        earlier = daemon.events().len();

        let recording = production.recordings().pop().unwrap();
        assert_eq!(recording.head["reason"], "device-lost");
        assert!(recording.head["words"].as_str().unwrap().contains(&format!("({error})")), "{}", recording.head);
        let of_cameras = |record: &&serde_json::Value| CAMERAS.iter().any(|camera| record["camera"] == *camera);
        assert!(recording.records.iter().filter(of_cameras).any(|record| record["step"] == "enqueued"));
    }
    // Started again, it goes on where it was.
    let mut daemon = production.start("auto", "{}");
    assert!(wait_for(STARTED, || daemon.events().len() > earlier + CAMERAS.len()), "{}", daemon.log());
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert_all_written(&daemon, earlier);
    assert_eq!(production.recordings().len(), 2);
}

#[test]
fn analyze_ends_with_71_where_the_device_fails_for_good() {
    let _alone = alone();
    let street = Street::new(12, 1);
    let production = Production::new();
    let recording = street.path(&format!("street/seed-{SEED:06}/plaza-1/video.mp4"));
    for concurrency in ["parallel", "serial"] {
        let output = production.analyze(&recording, concurrency, r#"{"cuda":{"sticky_after":120}}"#);
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(71), "{words}");
        assert!(words.lines().any(|line| line.starts_with("the GPU failed for good: ")), "{words}");
        assert!(words.contains("context created"), "it failed before any frame: {words}");
    }
}

#[test]
fn a_camera_that_does_not_fit_is_named_before_any_starts() {
    let _alone = alone();
    let production = Production::with_cameras(5.0);
    let mut daemon = production.start("parallel", "{}");
    assert!(daemon.says(" ready ", STARTED), "{}", daemon.log());
    let used = |owner: &str| production::sum(&daemon, "watchkeeper_device_memory_bytes", owner);
    let (all, last) = (used(""), used("plaza-4"));
    assert!(last > 0 && all > 4 * last, "{all} bytes, {last} for the last camera");
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());

    // Enough for all but the last, and what is kept back. Pinned memory of the host is counted above, too, so this is less
    // than it seems.
    let memory = all - 2 * last + (64 << 20);
    let mut daemon = production.start("parallel", &format!(r#"{{"cuda":{{"total_memory":{memory}}}}}"#));
    let status = daemon.wait(STARTED).unwrap_or_else(|| panic!("it runs: {}", daemon.log()));
    assert_eq!(status.code(), Some(69), "{}", daemon.log());
    let log = daemon.log();
    let line = log.lines().find(|line| line.starts_with("GPU contract failed: memory: camera ")).unwrap_or_default();
    let words = ["plaza-", "of 4) needs ", " MB are free: ", "use fewer cameras"];
    assert!(words.iter().all(|words| line.contains(words)) && !log.contains("context created"), "{log}");
}

#[test]
fn a_device_that_hangs_starves_the_watchdog_and_holds_up_no_drain() {
    let _alone = alone();
    let production = Production::with_cameras(5.0);
    let socket = NotifySocket::bind(production.path("").as_path());
    let faults = format!(r#"{{"cuda":{{"hang_after":{A_WHILE}}}}}"#);
    let mut daemon = Daemon::start_with(&production.path("watchkeeper.toml"), |command| {
        production.environment(command, "auto", &faults);
        command.env("NOTIFY_SOCKET", &socket.path).env("WATCHDOG_USEC", "6000000");
    });
    assert!(daemon.says("no progress; the watchdog is not fed", STARTED), "{}", daemon.log());
    let fed = socket.count("WATCHDOG=1");
    assert!(fed >= 1, "{:?}", socket.told());
    // For longer than it may go unfed.
    assert!(!wait_for(Duration::from_secs(7), || socket.count("WATCHDOG=1") > fed), "{:?}", socket.told());
    // The process itself is well, and tells what it knows.
    assert!(daemon.get("/healthz").starts_with("HTTP/1.1 200"));
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(75), "{}", daemon.log());
    assert!(took < QUICK, "{took:?}");
    assert!(daemon.says("did not end in time and is left behind", QUICK), "{}", daemon.log());
    assert!(daemon.says("drained events=", QUICK), "{}", daemon.log());
    assert_all_written(&daemon, 0);
}
