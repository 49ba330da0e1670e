//! Engines that fail inside Myelin, in the production configuration on a simulated GPU: what is contained, what the
//! breaker does, and that serial mode outlives the process.

#![allow(clippy::unwrap_used)]

#[path = "support/production.rs"]
mod production;
mod support;

use jiff::{SignedDuration, Timestamp};
use production::{CAMERAS, Production, STARTED, all_infer, alone, assert_gapless, inferred, sum};
use serde_json::{Value, json};
use support::daemon::Daemon;
use support::wait_for;

/// An execution that begins while another is under way breaks its engine.
const OVERLAP: &str = r#"{"tensorrt":{"myelin_overlap":true,"slow_ms":5}}"#;

/// The longest time from the breaker's trip to the next answer for a camera.
const RECOVERED: SignedDuration = SignedDuration::from_secs(2);

fn failures(daemon: &Daemon) -> u64 {
    sum(daemon, "watchkeeper_infer_errors_total", "kind=\"myelin\"")
}

fn reloads(daemon: &Daemon) -> u64 {
    sum(daemon, "watchkeeper_engine_reloads_total", "")
}

/// No camera was ever down.
fn assert_online(daemon: &Daemon) {
    for camera in CAMERAS {
        assert_eq!(daemon.metric(&format!("watchkeeper_camera_up{{camera=\"{camera}\"}}")), Some(1.0), "{camera}");
    }
    assert_eq!(daemon.events_of("camera.offline"), Vec::<Value>::new());
    assert_eq!(sum(daemon, "watchkeeper_camera_panics_total", ""), 0);
}

fn all_online(daemon: &Daemon) {
    assert!(wait_for(STARTED, || daemon.events_of("camera.online").len() == CAMERAS.len()), "{}", daemon.log());
}

fn stop(daemon: &mut Daemon) {
    let (code, _) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert_gapless(&daemon.events());
}

#[test]
fn in_parallel_mode_failures_are_contained_and_counted() {
    let _alone = alone();
    let production = Production::with_cameras(5.0);
    let mut daemon = production.start("parallel", OVERLAP);
    all_online(&daemon);
    // An engine that breaks is loaded anew, breaks again, and gives answers in between.
    assert!(wait_for(STARTED, || failures(&daemon) >= 3 && reloads(&daemon) >= 2), "{}", daemon.log());
    let answers = || CAMERAS.map(|camera| inferred(&daemon, camera)).iter().sum::<u64>();
    let (before, broken) = (answers(), failures(&daemon));
    assert!(wait_for(STARTED, || answers() >= before + 2), "{}", daemon.log());
    assert!(wait_for(STARTED, || failures(&daemon) > broken), "{}", daemon.log());
    assert_online(&daemon);
    assert_eq!(daemon.metric("watchkeeper_serial_mode"), Some(0.0));
    assert_eq!(daemon.events_of("engine.serial_mode"), Vec::<Value>::new());
    assert!(!production.path("state/serial-mode.json").exists());
    stop(&mut daemon);
    assert_eq!(production.misuse(), Vec::<String>::new());
}

#[test]
fn in_serial_mode_there_is_no_failure() {
    let _alone = alone();
    let production = Production::with_cameras(5.0);
    let mut daemon = production.start("serial", OVERLAP);
    all_online(&daemon);
    all_infer(&daemon, 10);
    assert_eq!((failures(&daemon), reloads(&daemon)), (0, 0), "{}", daemon.log());
    for camera in CAMERAS {
        assert_eq!(production::frames(&daemon, camera, "failed"), 0, "{}", daemon.log());
    }
    assert_online(&daemon);
    // The configuration leaves no choice.
    let answer = daemon.post("/api/v1/serial-mode", r#"{"serial": false}"#);
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("serial-mode-fixed"), "{answer}");
    stop(&mut daemon);
    assert_eq!(production.misuse(), Vec::<String>::new());
}

#[test]
fn the_breaker_trips_once_and_serial_mode_outlives_the_process() {
    let _alone = alone();
    let production = Production::with_cameras(5.0);
    trips(&production);
    let mut late = Vec::new();
    // A machine that has much else to do may once be late; a daemon that is slow is so every time.
    for _ in 0..3 {
        match resumes(&production) {
            Ok(()) => return,
            Err(words) => late.push(words),
        }
    }
    panic!("no answer in time after the breaker tripped: {late:#?}");
}

/// The first run: the breaker trips, and that is the end of it.
fn trips(production: &Production) {
    let mut daemon = production.start("auto", OVERLAP);
    all_online(&daemon);
    assert!(wait_for(STARTED, || !daemon.events_of("engine.serial_mode").is_empty()), "{}", daemon.log());
    all_infer(&daemon, 2);
    let (failed, reloaded) = (failures(&daemon), reloads(&daemon));
    assert!(failed >= 1 && reloaded >= 1, "{failed} failures, {reloaded} reloads: {}", daemon.log());
    all_infer(&daemon, 8);
    assert_eq!((failures(&daemon), reloads(&daemon)), (failed, reloaded), "it failed again: {}", daemon.log());
    assert_eq!(daemon.metric("watchkeeper_serial_mode"), Some(1.0));
    assert_online(&daemon);

    assert_eq!(daemon.log().matches("from now on there is one at a time").count(), 1, "{}", daemon.log());
    let events = daemon.events_of("engine.serial_mode");
    assert_eq!(events.len(), 1, "{events:?}");
    let data = &events[0]["data"];
    assert_eq!((&events[0]["phase"], &data["serial"]), (&json!("instant"), &json!(true)));
    assert!(data["reason"].as_str().unwrap().contains("Myelin"), "{data}");
    let model = data["model"].as_str().unwrap();
    let recording = production::Recording::read(data["recording"].as_str().unwrap().as_ref());
    assert_eq!(recording.head["reason"], "serial-mode");
    let broke = |record: &&Value| record["step"] == "failed" && record["words"].as_str().unwrap().contains("Myelin");
    assert!(recording.records.iter().any(|record| broke(&record) && record["model"] == model), "{model}");
    assert!(daemon.get("/api/v1/serial-mode").contains(&format!("\"model\":\"{model}\"")));
    stop(&mut daemon);
    assert_eq!(production.misuse(), Vec::<String>::new());
    assert_eq!(kept(production)["model"], model);
}

fn kept(production: &Production) -> Value {
    let text = std::fs::read_to_string(production.path("state/serial-mode.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A later run: it goes on in serial mode until an operator resets it, and then the breaker trips again. An error where
/// a camera waited too long for its next answer.
fn resumes(production: &Production) -> Result<(), String> {
    let told = production.events_of("engine.serial_mode").len();
    let before = kept(production);
    let mut daemon = production.start("auto", OVERLAP);
    all_online(&daemon);
    assert_eq!(daemon.metric("watchkeeper_serial_mode"), Some(1.0));
    all_infer(&daemon, 3);
    assert_eq!((failures(&daemon), reloads(&daemon)), (0, 0), "{}", daemon.log());
    assert!(daemon.log().contains("serial mode, as before: "), "{}", daemon.log());
    // What is kept tells of the trip, not of the restart.
    assert_eq!(kept(production), before);

    // Both are answered from a state in which all cameras are at work.
    let trips = |number: usize| {
        let answer = daemon.post("/api/v1/serial-mode", r#"{"serial": false}"#);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        // Two each time: parallel, and serial again. That it went on as before is no news.
        let news = told + 2 * number;
        assert!(wait_for(STARTED, || daemon.events_of("engine.serial_mode").len() == news), "{}", daemon.log());
        assert_eq!(daemon.metric("watchkeeper_serial_mode"), Some(1.0));
        all_infer(&daemon, 2);
    };
    trips(1);
    trips(2);
    assert_online(&daemon);
    stop(&mut daemon);
    let told = production.events_of("engine.serial_mode");
    assert_eq!(told.last().unwrap()["data"]["serial"], true);
    assert!(kept(production)["model"].is_string(), "{}", kept(production));

    // The second trip's recording holds what came after the first.
    let tripped = time_of(&daemon, "from now on there is one at a time");
    let recordings = production.recordings();
    let recording = recordings.last().unwrap();
    assert_eq!(recording.head["reason"], "serial-mode");
    let enqueued = |record: &&Value| record["step"] == "enqueued" && record["camera"] != "warm-up";
    let before = recording.records.iter().filter(enqueued).filter(|record| recording.time(record) < tripped).count();
    assert!(before >= CAMERAS.len(), "{before} executions before the first failure are recorded");
    for camera in CAMERAS {
        let of_camera = recording.records.iter().filter(|record| record["camera"] == camera);
        let mut after = of_camera.filter(|record| recording.time(record) > tripped && record["model"] == "detection");
        after.find(|record| record["step"] == "enqueued").unwrap_or_else(|| panic!("{camera} never looked again"));
        let answer = after.find(|record| record["step"] == "finished").unwrap();
        let took = recording.time(answer).duration_since(tripped);
        if took > RECOVERED {
            return Err(format!("{camera}: {took:?} after the trip"));
        }
    }
    Ok(())
}

/// When the log first said something.
fn time_of(daemon: &Daemon, words: &str) -> Timestamp {
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains(words)).unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn an_engine_that_fails_by_itself_is_loaded_anew_each_time() {
    let _alone = alone();
    let production = Production::with_cameras(5.0);
    let faults = r#"{"tensorrt":{"engine":"pose","myelin_every":25}}"#;
    let mut daemon = production.start("auto", faults);
    all_online(&daemon);
    let of_pose = |name: &str| daemon.metric(&format!("watchkeeper_{name}")).unwrap();
    let again = || of_pose("engine_reloads_total{model=\"pose\"}") >= 2.0;
    assert!(wait_for(STARTED, again), "{}", daemon.log());
    assert!(
        wait_for(STARTED, || daemon.log().matches("answers again model=\"pose\"").count() >= 2),
        "{}",
        daemon.log()
    );
    assert!(of_pose("infer_errors_total{model=\"pose\",kind=\"myelin\"}") >= 2.0);
    // It costs poses, and neither frames nor other models' answers.
    all_infer(&daemon, 3);
    assert!(sum(&daemon, "watchkeeper_camera_unanswered_total", "") >= 2);
    for camera in CAMERAS {
        assert_eq!(production::frames(&daemon, camera, "failed"), 0, "{}", daemon.log());
    }
    for model in ["detection", "reid", "segmentation"] {
        assert_eq!(of_pose(&format!("engine_reloads_total{{model=\"{model}\"}}")), 0.0, "{model}");
    }
    assert_online(&daemon);
    // The breaker does what it can, once.
    assert_eq!(daemon.events_of("engine.serial_mode").len(), 1);
    assert_eq!(daemon.events_of("engine.serial_mode")[0]["data"]["model"], "pose");
    stop(&mut daemon);
    assert_eq!(production.misuse(), Vec::<String>::new());
}
