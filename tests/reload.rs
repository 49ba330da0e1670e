//! SIGHUP and `POST /api/v1/reload`: models are changed over under running cameras, or everything goes back.

#![allow(clippy::unwrap_used)]

#[path = "support/blobs.rs"]
mod blobs;
#[path = "support/production.rs"]
mod production;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use blobs::{Blobs, CAMERAS, SIZE, digest_of, reload, reloads};
use production::{Production, STARTED, alone, assert_gapless, sum};
use serde_json::{Value, json};
use support::daemon::{Daemon, NotifySocket};
use support::wait_for;

/// A camera with five frames a second that has not had one analysed for so long has stood still, on a busy machine too.
const STILL: Duration = Duration::from_secs(10);

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Does something while somebody looks, again and again, whether every camera's count of analysed frames goes on.
fn while_cameras_go_on(daemon: &Daemon, cameras: &[&str], work: impl FnOnce()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut grew = cameras.iter().map(|camera| (production::inferred(daemon, camera), Instant::now()));
            let mut grew: Vec<_> = grew.by_ref().collect();
            let mut longest = Duration::ZERO;
            while !done.load(Ordering::SeqCst) {
                for (camera, (count, at)) in cameras.iter().zip(&mut grew) {
                    let now = production::inferred(daemon, camera);
                    assert!(now >= *count, "{camera} counts backwards");
                    longest = longest.max(at.elapsed());
                    if now > *count {
                        (*count, *at) = (now, Instant::now());
                    }
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            longest
        });
        // However it ends: nobody ends a scope whose watch goes on.
        let ends = Done(&done);
        work();
        drop(ends);
        let longest = watch.join().unwrap();
        assert!(longest < STILL, "a camera stood still for {longest:?}: {}", daemon.log());
    });
}

/// Every camera is online since the start and has had no failure.
fn assert_undisturbed(daemon: &Daemon, cameras: &[&str]) {
    for camera in cameras {
        assert_eq!(daemon.metric(&format!("watchkeeper_camera_up{{camera=\"{camera}\"}}")), Some(1.0), "{camera}");
    }
    assert_eq!(daemon.events_of("camera.offline"), Vec::<Value>::new());
    assert_eq!(sum(daemon, "watchkeeper_camera_panics_total", ""), 0, "{}", daemon.log());
}

#[test]
fn cameras_move_to_a_new_engine_and_their_tracks_go_on() {
    let _alone = alone();
    let site = Blobs::new("parallel");
    let first = site.install("blob", SIZE);
    let socket = NotifySocket::bind(&site.path(""));
    let mut daemon = site.start_with("{}", |command| {
        command.env("NOTIFY_SOCKET", &socket.path).env("WATCHDOG_USEC", "6000000");
    });
    site.all_have_a_track(&daemon);
    let memory = site.memory(&daemon);
    let since = site.model(&daemon)["since"].clone();
    assert_eq!(site.model(&daemon)["engine"], json!(format!("sha256:{first}")));

    let second = site.install("blob-new", SIZE);
    let ready = socket.count("READY=1");
    while_cameras_go_on(&daemon, &CAMERAS, || {
        let (status, answer) = reload(&daemon);
        assert_eq!((status, &answer["outcome"]), (200, &json!("done")), "{answer}: {}", daemon.log());
        let change =
            json!({ "name": "detection", "before": format!("sha256:{first}"), "now": format!("sha256:{second}") });
        assert_eq!(answer["models"], json!([change]));
    });
    let model = site.model(&daemon);
    assert_eq!((&model["engine"], &model["contexts"]), (&json!(format!("sha256:{second}")), &json!(CAMERAS.len())));
    assert_ne!(model["since"], since);
    let metrics = daemon.get("/metrics");
    let info: Vec<_> = metrics.lines().filter(|line| line.starts_with("watchkeeper_engine_info{")).collect();
    assert!(info.len() == 1 && info[0].contains(&second), "{info:?}");
    assert_eq!(site.memory(&daemon), memory, "the old engine still has memory: {}", daemon.log());
    assert!(daemon.says("the new engine serves, the old one is dropped", STARTED), "{}", daemon.log());
    assert_eq!(reloads(&daemon, "done"), 1);
    let told = socket.told();
    assert!(told.iter().any(|(_, text)| text.contains("RELOADING=1") && text.contains("MONOTONIC_USEC=")), "{told:?}");
    assert_eq!(socket.count("READY=1"), ready + 1, "{told:?}");

    // The next one by a signal, with a link that leads elsewhere.
    let third = site.link("blob-third", SIZE);
    while_cameras_go_on(&daemon, &CAMERAS, || {
        daemon.signal("HUP");
        assert!(wait_for(STARTED, || reloads(&daemon, "done") == 2), "{}", daemon.log());
    });
    assert_eq!(site.model(&daemon)["engine"], json!(format!("sha256:{third}")));
    assert_eq!(site.memory(&daemon), memory, "{}", daemon.log());
    for camera in CAMERAS {
        assert_eq!(production::frames(&daemon, camera, "failed"), 0, "{camera}: {}", daemon.log());
    }
    assert_undisturbed(&daemon, &CAMERAS);
    assert_eq!(daemon.events_of("object.end"), Vec::<Value>::new());
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert_eq!(site.misuse(), Vec::<String>::new());

    assert_gapless(&daemon.events());
    for camera in CAMERAS {
        let of = |kind: &str| -> Vec<Value> {
            daemon.events_of(kind).into_iter().filter(|event| event["camera"] == camera).collect()
        };
        let (starts, ends) = (of("object.start"), of("object.end"));
        let id = format!("{camera}:1:1");
        assert_eq!((starts.len(), &starts[0]["track"]["id"]), (1, &json!(id)), "{starts:?}");
        assert_eq!((ends.len(), &ends[0]["track"]["id"]), (1, &json!(id)), "{ends:?}");
        assert_eq!(starts[0]["model"]["engine"], json!(format!("sha256:{first}")));
        assert_eq!(ends[0]["model"]["engine"], json!(format!("sha256:{third}")));
    }
}

#[test]
fn without_a_change_nothing_is_done_and_a_wrong_configuration_is_refused() {
    let _alone = alone();
    let site = Blobs::new("parallel");
    site.install("blob", SIZE);
    let mut daemon = site.start("{}");
    site.all_have_a_track(&daemon);
    let contexts = daemon.log().matches("context created").count();
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["outcome"], &answer["models"]), (200, &json!("unchanged"), &json!([])), "{answer}");

    // What is no model waits for a restart, and is named.
    let text = fs::read_to_string(site.config()).unwrap();
    let other = text.replace("width_px = 320", "width_px = 352");
    let other = other.replace("[runtime]", "[tracking]\nmax_gap_s = 3\n[runtime]\ndevice = \"other\"");
    fs::write(site.config(), format!("{other}\n[[cameras]]\nid = \"e\"\nurl = \"test://snow\"\n")).unwrap();
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["outcome"]), (200, &json!("unchanged")), "{answer}");
    let keys: BTreeSet<&str> =
        answer["restart_to_apply"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let cameras = CAMERAS.map(|camera| format!("cameras.{camera}.url"));
    let wanted =
        ["runtime.device", "tracking", "cameras.e (new)"].into_iter().chain(cameras.iter().map(String::as_str));
    assert_eq!(keys, wanted.collect::<BTreeSet<_>>(), "{answer}");
    assert!(daemon.says("restart to apply: runtime.device, tracking, ", STARTED), "{}", daemon.log());

    // All that is wrong is said.
    let wrong = text.replace("[runtime]", "[runtime]\nconcurency = \"auto\"\ndrain_s = -1");
    fs::write(site.config(), wrong).unwrap();
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["code"]), (409, &json!("reload-refused")), "{answer}");
    let problems = answer["problems"].as_array().unwrap();
    assert!(problems.len() == 2 && answer["detail"].as_str().unwrap().contains("concurrency"), "{answer}");

    // A model for another task is another one, whatever else of it changed.
    let other = text.replace("head = \"yolo\"", "head = \"yolo\"\ntask = \"pose\"\nmin_score = 0.5");
    fs::write(site.config(), other).unwrap();
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["outcome"]), (200, &json!("unchanged")), "{answer}");
    assert_eq!(answer["restart_to_apply"], json!(["models.detection.task"]), "{answer}");

    fs::write(site.config(), &text).unwrap();
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["restart_to_apply"]), (200, &json!([])), "{answer}");
    let counts = ["done", "refused", "failed_back", "unchanged"].map(|outcome| reloads(&daemon, outcome));
    assert_eq!(counts, [0, 1, 0, 4]);
    assert_eq!(daemon.log().matches("context created").count(), contexts, "{}", daemon.log());
    // A page of somebody else's has no say.
    let foreign = daemon.request(
        "POST /api/v1/reload HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\n\r\n{}",
    );
    assert!(foreign.starts_with("HTTP/1.1 403") && foreign.contains("foreign-host"), "{foreign}");
    let form = daemon
        .request("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert!(form.starts_with("HTTP/1.1 415"), "{form}");
    assert_undisturbed(&daemon, &CAMERAS);
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
}

#[test]
fn settings_of_a_model_are_changed_over_too() {
    let _alone = alone();
    let site = Blobs::new("parallel");
    let digest = site.install("blob", SIZE);
    let mut daemon = site.start("{}");
    site.all_have_a_track(&daemon);
    let text = fs::read_to_string(site.config()).unwrap();
    fs::write(site.path("disc.txt"), "disc\n").unwrap();
    let labels = text.lines().find(|line| line.starts_with("labels = ")).unwrap();
    fs::write(site.config(), text.replace(labels, "labels = \"disc.txt\"")).unwrap();
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["outcome"]), (200, &json!("done")), "{answer}: {}", daemon.log());
    assert_eq!(site.model(&daemon)["engine"], json!(format!("sha256:{digest}")));
    // What was a ball cannot become a disc: it ends, and something else begins.
    let of = |kind: &str, label: &str| {
        daemon.events_of(kind).iter().filter(|event| event["track"]["label"] == label).count()
    };
    assert!(wait_for(STARTED, || of("object.start", "disc") == CAMERAS.len()), "{}", daemon.log());
    assert_eq!((of("object.end", "ball"), of("object.start", "ball")), (CAMERAS.len(), CAMERAS.len()));
    let active = daemon.metric("watchkeeper_tracks_active{camera=\"a\",label=\"disc\"}");
    assert_eq!(active, Some(1.0), "{}", daemon.log());
    assert_undisturbed(&daemon, &CAMERAS);
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert_eq!(daemon.events_of("object.start").len(), daemon.events_of("object.end").len());
}

/// All is as before a reload that failed, and a good one is still possible.
fn assert_all_as_before(site: &Blobs, daemon: &mut Daemon, before: &[(String, u64)], serving: &str) {
    let settled = || site.memory(daemon) == before;
    assert!(wait_for(STARTED, settled), "{:?}, and not {before:?}: {}", site.memory(daemon), daemon.log());
    let model = site.model(daemon);
    assert_eq!((&model["engine"], &model["contexts"]), (&json!(format!("sha256:{serving}")), &json!(CAMERAS.len())));
    site.all_infer(daemon, 3);
    assert_eq!(daemon.events_of("object.end"), Vec::<Value>::new(), "{}", daemon.log());
    assert_undisturbed(daemon, &CAMERAS);
    assert!(daemon.says("the old one serves on", STARTED), "{}", daemon.log());
    assert_eq!(daemon.log().matches("the old one serves on").count(), 1, "{}", daemon.log());
    let good = site.install("blob-good", SIZE);
    let (status, answer) = reload(daemon);
    assert_eq!((status, &answer["outcome"]), (200, &json!("done")), "{answer}: {}", daemon.log());
    assert_eq!(site.model(daemon)["engine"], json!(format!("sha256:{good}")));
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert_eq!(site.misuse(), Vec::<String>::new());
    let events = daemon.events();
    assert_gapless(&events);
    assert_eq!(daemon.events_of("object.start").len(), CAMERAS.len(), "a track was lost");
}

/// A reload that fails on the way; the daemon's log.
fn fails_back(faults: &str, name: &str, size: (u32, u32), words: &str) -> String {
    let _alone = alone();
    let site = Blobs::new("parallel");
    let first = site.install("blob", SIZE);
    let mut daemon = site.start(faults);
    site.all_have_a_track(&daemon);
    let before = site.memory(&daemon);
    site.install(name, size);
    while_cameras_go_on(&daemon, &CAMERAS, || {
        let (status, answer) = reload(&daemon);
        assert_eq!((status, &answer["code"]), (409, &json!("reload-failed-back")), "{answer}: {}", daemon.log());
        assert_eq!(answer["outcome"], "failed_back");
        assert!(answer["detail"].as_str().unwrap().contains(words), "{answer}");
    });
    assert_eq!(reloads(&daemon, "failed_back"), 1);
    assert_all_as_before(&site, &mut daemon, &before, &first);
    daemon.log()
}

#[test]
fn an_engine_whose_first_frames_fail_is_taken_back() {
    // The proof is the first execution.
    let faults = r#"{"tensorrt":{"engine":"blob-bad","fail_enqueue":2,"fail_enqueue_onwards":true}}"#;
    fails_back(faults, "blob-bad", SIZE, "a failure that was asked for");
}

#[test]
fn all_go_back_where_the_third_camera_gets_no_context() {
    // One to prove each engine, four at the start, and two cameras have moved.
    let faults = format!(r#"{{"tensorrt":{{"fail_context":{}}}}}"#, 1 + CAMERAS.len() + 1 + 3);
    fails_back(&faults, "blob-new", SIZE, "OutOfMemory");
}

#[test]
fn a_camera_that_has_no_room_for_both_gives_the_new_one_up_first() {
    // As above, and on the way back the first camera at first gets none either.
    let third = 1 + CAMERAS.len() + 1 + 3;
    let faults = format!(r#"{{"tensorrt":{{"fail_context":{third},"fail_context_times":2}}}}"#);
    let log = fails_back(&faults, "blob-new", SIZE, "OutOfMemory");
    assert_eq!(log.matches("waits for its contexts, for there is no room for both").count(), 1, "{log}");
    assert_eq!(log.matches("back to the old engine camera=").count(), 2, "{log}");
}

#[test]
fn all_go_back_where_there_is_no_memory_for_the_third_camera() {
    let site = Blobs::new("parallel");
    // What one camera needs more than before, so that memory ends in the middle.
    let used = |size| {
        let _alone = alone();
        site.install("blob", size);
        let mut daemon = site.start("{}");
        site.all_have_a_track(&daemon);
        let memory = site.device_memory(&daemon);
        assert_eq!(daemon.stop().0, Some(0));
        memory
    };
    // And so much that what admission keeps back at the start is enough for two, and not for three.
    let larger = (1920, 1440);
    let [(small, engine, small_camera), (_, _, large_camera)] = [SIZE, larger].map(used);
    let more = large_camera - small_camera;
    assert!(more > 30 << 20, "{small_camera} and {large_camera} bytes");
    let memory = small + 2 * engine + large_camera + more + more / 2;
    let faults = format!(r#"{{"cuda":{{"total_memory":{memory}}}}}"#);
    fails_back(&faults, "blob-large", larger, "memory");
}

#[test]
fn an_engine_without_room_beside_the_one_that_serves_is_refused_before_it_is_loaded() {
    let _alone = alone();
    let site = Blobs::new("parallel");
    let first = site.install("blob", SIZE);
    let mut daemon = site.start("{}");
    site.all_have_a_track(&daemon);
    site.install("blob-new", SIZE);
    let manifest = json!({
        "schema": "engine/1", "model": "detection", "built_at": "2026-01-02T03:04:05Z", "watchkeeper": "0.1.0",
        "onnx": { "file": "blob.onnx", "sha256": "ab".repeat(32), "bytes": 1 },
        "plan": { "sha256": "cd".repeat(32), "bytes": 1 },
        "platform": {
            "tensorrt": "10.16.1.0", "cuda": "12.2",
            "gpu": {
                "name": "Simulated GPU (CPU)", "uuid_class": "GPU", "compute_capability": "8.7", "multiprocessors": 8,
                "memory_bytes": 8_u64 << 30, "integrated": false,
            },
        },
        "options": { "precision": "fp32", "strongly_typed": false, "low_memory": false, "flags": [] },
        "profiles": [],
        "timings": { "calibrate_s": 0.0, "parse_s": 0.1, "build_s": 1.0, "total_s": 1.2, "timing_cache": false },
        "memory": { "engine": 9_u64 << 30, "activations": 1, "context": 1, "tensors": [] },
    });
    fs::write(site.path("detection.json"), manifest.to_string()).unwrap();
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["code"]), (409, &json!("reload-refused")), "{answer}");
    let words = "it needs 9216 MB beside the engine that serves";
    assert!(answer.to_string().contains(words), "{answer}");
    assert_eq!(site.model(&daemon)["engine"], json!(format!("sha256:{first}")));
    assert!(!daemon.log().contains("is not for here"), "{}", daemon.log());
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
}

#[test]
fn an_engine_that_does_not_prove_itself_is_refused_and_a_good_one_then_serves() {
    let _alone = alone();
    let production = Production::with_cameras(5.0);
    production.cameras_use(&["detection", "reid"]);
    let plan = production.path("detection.plan");
    let good = fs::read(&plan).unwrap();
    let wrong = r#"{"tensorrt":{"engine":"detection-wrong","wrong_outputs":true}}"#;
    let mut daemon = production.start("auto", wrong);
    let tracked = || {
        let starts = daemon.events_of("object.start");
        production::CAMERAS.iter().all(|camera| starts.iter().any(|event| event["camera"] == *camera))
    };
    assert!(wait_for(STARTED, tracked), "{}", daemon.log());
    let contract = daemon.get("/api/v1/contract");
    let refused = |bytes: &[u8], words: &str, count: u64| {
        fs::write(&plan, bytes).unwrap();
        daemon.signal("HUP");
        assert!(wait_for(STARTED, || reloads(&daemon, "refused") == count), "{}", daemon.log());
        // The log is written by a thread of its own.
        let said = || daemon.log().lines().any(|line| line.contains("reload refused") && line.contains(words));
        assert!(wait_for(STARTED, said), "{}", daemon.log());
    };
    while_cameras_go_on(&daemon, &production::CAMERAS, || {
        refused(&good[..good.len() / 2], "is not a usable TensorRT plan", 1);
        refused(&production::plan_as("detection", "detection-wrong"), "computes wrongly", 2);
        refused(&production::plan_as("reid", "reid"), "engine detection", 3);
    });
    let body = |answer: &str| answer.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert_eq!(body(&daemon.get("/api/v1/contract")), body(&contract), "the old engine's proof stands");

    let ids = |daemon: &Daemon| -> BTreeSet<String> {
        let starts = daemon.events_of("object.start");
        starts.iter().map(|event| event["track"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let before = (ids(&daemon), daemon.events_of("object.end").len());
    let new = production::plan_as("detection", "detection-new");
    fs::write(&plan, &new).unwrap();
    while_cameras_go_on(&daemon, &production::CAMERAS, || {
        daemon.signal("HUP");
        assert!(wait_for(STARTED, || reloads(&daemon, "done") == 1), "{}", daemon.log());
    });
    let digest = digest_of(&new);
    assert_eq!(sum(&daemon, "watchkeeper_engine_info", &digest), 1);
    assert_eq!(sum(&daemon, "watchkeeper_engine_info", "model=\"detection\""), 1);
    // Subjects come and go; but no track is ended by the change.
    let ended = daemon.events_of("object.end").split_off(before.1);
    assert!(ended.iter().all(|event| event["data"]["reason"] != "reset"), "{ended:?}");
    let starts_of_new =
        || daemon.events().iter().filter(|event| event["model"]["engine"] == format!("sha256:{digest}")).count();
    assert!(wait_for(STARTED, || starts_of_new() > 0), "{}", daemon.log());
    assert_undisturbed(&daemon, &production::CAMERAS);
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(production.path("state/contract.json")).unwrap()).unwrap();
    assert!(kept["checks"].as_array().unwrap().iter().all(|check| check["outcome"] != "failed"), "{kept}");
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert_eq!(production.misuse(), Vec::<String>::new());
    assert_gapless(&daemon.events());
    let (starts, ends) = (daemon.events_of("object.start"), daemon.events_of("object.end"));
    assert_eq!(starts.len(), ids(&daemon).len(), "a number was given twice");
    assert_eq!(starts.len(), ends.len());
}

#[test]
fn twenty_changes_leave_memory_and_threads_as_they_were() {
    let _alone = alone();
    let site = Blobs::new("auto");
    site.install("blob", SIZE);
    let mut daemon = site.start("{}");
    site.all_have_a_track(&daemon);
    let change = |number: usize| {
        // Larger and smaller by turns.
        let size = if number.is_multiple_of(2) { SIZE } else { (384, 288) };
        let digest = site.install(&format!("blob-{number}"), size);
        let (status, answer) = reload(&daemon);
        assert_eq!((status, &answer["outcome"]), (200, &json!("done")), "{number}: {answer}: {}", daemon.log());
        assert_eq!(site.model(&daemon)["engine"], json!(format!("sha256:{digest}")));
    };
    (0..2).for_each(change);
    change(2);
    let (memory, (_, threads, files)) = (site.memory(&daemon), daemon.resources());
    while_cameras_go_on(&daemon, &CAMERAS, || (3..=20).for_each(change));
    assert_eq!(site.memory(&daemon), memory, "{}", daemon.log());
    // A connection of this test's own may just be closing.
    let settled = || matches!(daemon.resources(), (_, now, open) if now <= threads && open <= files);
    assert!(wait_for(STARTED, settled), "{threads} threads, {files} files, and then {:?}", daemon.resources());
    assert_eq!(daemon.events_of("object.end"), Vec::<Value>::new());
    assert_undisturbed(&daemon, &CAMERAS);
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert_eq!(site.misuse(), Vec::<String>::new());
}

#[test]
fn in_serial_mode_a_larger_engine_gets_a_larger_block() {
    let _alone = alone();
    let site = Blobs::new("serial");
    site.install("blob", SIZE);
    let mut daemon = site.start("{}");
    site.all_have_a_track(&daemon);
    let block = |daemon: &Daemon| daemon.metric("watchkeeper_device_memory_bytes{owner=\"activations\"}").unwrap();
    let small = block(&daemon);
    site.install("blob-large", (640, 480));
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["outcome"]), (200, &json!("done")), "{answer}: {}", daemon.log());
    let large = block(&daemon);
    assert!(large > small, "{large} bytes after {small}");
    site.all_infer(&daemon, 3);
    // And back: one block is enough.
    site.install("blob", SIZE);
    assert_eq!(reload(&daemon).0, 200, "{}", daemon.log());
    assert_eq!(block(&daemon), large);
    site.all_infer(&daemon, 3);
    for camera in CAMERAS {
        assert_eq!(production::frames(&daemon, camera, "failed"), 0, "{camera}: {}", daemon.log());
    }
    assert_eq!(daemon.metric("watchkeeper_serial_mode"), Some(1.0));
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert_eq!(site.misuse(), Vec::<String>::new());
}

#[test]
fn a_breaker_that_tripped_stays_tripped() {
    let _alone = alone();
    let site = Blobs::new("auto");
    site.install("blob", SIZE);
    let mut daemon = site.start(r#"{"tensorrt":{"engine":"blob","myelin_every":40}}"#);
    site.all_have_a_track(&daemon);
    let serial = || daemon.metric("watchkeeper_serial_mode") == Some(1.0);
    assert!(wait_for(STARTED, serial), "{}", daemon.log());
    site.install("blob-new", SIZE);
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["outcome"]), (200, &json!("done")), "{answer}: {}", daemon.log());
    assert!(serial(), "{}", daemon.log());
    let failed = sum(&daemon, "watchkeeper_infer_errors_total", "kind=\"myelin\"");
    assert!(failed >= 1, "what the old engine counted is forgotten");
    site.all_infer(&daemon, 5);
    assert_eq!(sum(&daemon, "watchkeeper_infer_errors_total", "kind=\"myelin\""), failed);
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert!(site.path("state/serial-mode.json").exists());
}

#[test]
fn a_signal_in_the_middle_ends_both() {
    let _alone = alone();
    let site = Blobs::new("parallel");
    site.install("blob", SIZE);
    let socket = NotifySocket::bind(&site.path(""));
    let mut daemon = site.start_with(r#"{"tensorrt":{"engine":"blob-slow","slow_ms":1500}}"#, |command| {
        command.env("NOTIFY_SOCKET", &socket.path).env("WATCHDOG_USEC", "8000000");
    });
    site.all_have_a_track(&daemon);
    site.install("blob-slow", SIZE);
    daemon.signal("HUP");
    assert!(daemon.says("the new engine has answered", STARTED), "{}", daemon.log());
    let put_off = "EXTEND_TIMEOUT_USEC=8000000";
    assert!(wait_for(STARTED, || socket.count(put_off) >= 1), "{:?}", socket.told());
    // Another waits its turn; one by HTTP does not.
    daemon.signal("HUP");
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["code"]), (409, &json!("reload-under-way")), "{answer}");
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < STILL, "{took:?}: {}", daemon.log());
    assert!(daemon.log().contains("the reload ends with the daemon"), "{}", daemon.log());
    // A reload is put off by whoever feeds the watchdog, and only for as long as that waits: else nobody would watch.
    let told: Vec<String> = socket.told().into_iter().map(|(_, text)| text).collect();
    let at = |what: &str| told.iter().position(|text| text.contains(what)).unwrap();
    let (reloading, stopping) = (at("RELOADING=1"), at("STOPPING=1"));
    for text in told[reloading..].iter().filter(|text| text.contains("EXTEND_TIMEOUT_USEC")) {
        assert!(text.contains(put_off) && text.contains("WATCHDOG=1"), "{told:?}");
    }
    assert!(!told[stopping..].iter().any(|text| text.contains("EXTEND_TIMEOUT_USEC")), "{told:?}");
    assert!(!told[..reloading].iter().any(|text| text.contains(put_off)), "{told:?}");
    assert_eq!(site.misuse(), Vec::<String>::new());
    assert_gapless(&daemon.events());
    assert_eq!(daemon.events_of("object.start").len(), daemon.events_of("object.end").len());
}

/// Reload upon reload, until the device fails for good and the daemon ends; true where one was under way then.
fn device_lost_in_a_reload() -> bool {
    let _alone = alone();
    let site = Blobs::new("auto");
    site.install("blob-slow", SIZE);
    let mut daemon = site.start(r#"{"cuda":{"sticky_after":900},"tensorrt":{"engine":"blob-slow","slow_ms":300}}"#);
    site.all_have_a_track(&daemon);
    let mut number = 0;
    let lost = |daemon: &Daemon| daemon.log().contains("the GPU failed for good");
    while !lost(&daemon) && number < 200 {
        number += 1;
        site.install("blob-slow", if number % 2 == 1 { (384, 288) } else { SIZE });
        daemon.signal("HUP");
        wait_for(STARTED, || lost(&daemon) || daemon.log().matches("configuration reloaded").count() >= number);
    }
    let status = daemon.wait(STARTED).unwrap_or_else(|| panic!("it hangs: {}", daemon.log()));
    assert_eq!(status.code(), Some(71), "{}", daemon.log());
    assert_gapless(&daemon.events());
    let log = daemon.log();
    let (before, _) = log.split_once("the GPU failed for good").unwrap();
    before.rfind("the configuration is read anew") > before.rfind("configuration reloaded")
}

#[test]
fn a_device_that_fails_for_good_meanwhile_ends_the_daemon_with_71() {
    // Between two reloads there is little time.
    assert!((0..4).any(|_| device_lost_in_a_reload()), "it never failed during a reload");
}

#[test]
fn a_camera_that_is_offline_is_not_waited_for_and_has_the_new_engine_when_it_comes() {
    let _alone = alone();
    let site = Blobs::new("parallel");
    site.install("blob", SIZE);
    let text = fs::read_to_string(site.config()).unwrap();
    let gone = "id = \"d\"\nurl = \"rtsp://127.0.0.1:1/x\"\n";
    let (others, _) = text.split_once("[[cameras]]\nid = \"d\"").unwrap();
    fs::write(site.config(), format!("{others}[[cameras]]\n{gone}")).unwrap();
    let mut daemon = site.start("{}");
    assert!(wait_for(STARTED, || daemon.events_of("object.start").len() == 3), "{}", daemon.log());
    let digest = site.install("blob-new", SIZE);
    let began = Instant::now();
    while_cameras_go_on(&daemon, &CAMERAS[..3], || {
        let (status, answer) = reload(&daemon);
        assert_eq!((status, &answer["outcome"]), (200, &json!("done")), "{answer}: {}", daemon.log());
    });
    assert!(began.elapsed() < STILL, "{:?}: {}", began.elapsed(), daemon.log());
    let model = site.model(&daemon);
    assert_eq!((&model["engine"], &model["contexts"]), (&json!(format!("sha256:{digest}")), &json!(CAMERAS.len())));
    assert!(wait_for(STARTED, || daemon.log().matches("the new engine has ").count() >= 4), "{}", daemon.log());
    let log = daemon.log();
    let of_d: Vec<_> = log.lines().filter(|line| line.contains("the new engine has") && line.contains('d')).collect();
    assert!(of_d.iter().any(|line| line.contains("nothing to answer") && line.contains("camera=\"d\"")), "{log}");
    assert_eq!(log.matches("the new engine has answered").count(), 3, "{log}");
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert_eq!(site.misuse(), Vec::<String>::new());
}

#[test]
fn an_engine_whose_plan_was_moved_away_can_still_be_loaded_anew() {
    let _alone = alone();
    let site = Blobs::new("parallel");
    let first = site.install("blob", SIZE);
    let mut daemon = site.start(r#"{"tensorrt":{"engine":"blob","myelin_every":40}}"#);
    site.all_have_a_track(&daemon);
    // Another takes its place, and nobody asks for a reload.
    site.install("blob-new", (384, 288));
    let anew = || daemon.log().matches("engine loaded anew").count();
    let before = anew();
    assert!(wait_for(STARTED, || anew() > before), "{}", daemon.log());
    site.all_infer(&daemon, 5);
    assert_eq!(site.model(&daemon)["engine"], json!(format!("sha256:{first}")));
    assert!(!daemon.log().contains("was written over"), "{}", daemon.log());
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
}

#[test]
fn pose_segmentation_and_reid_are_changed_over_together() {
    const OTHERS: [&str; 3] = ["pose", "reid", "segmentation"];
    let _alone = alone();
    let production = Production::with_cameras(2.0);
    let mut daemon = production.start("auto", "{}");
    let tracked = || {
        let starts = daemon.events_of("object.start");
        production::CAMERAS.iter().all(|camera| starts.iter().any(|event| event["camera"] == *camera))
    };
    assert!(wait_for(STARTED, tracked), "{}", daemon.log());
    let digests = OTHERS.map(|model| {
        let plan = production::plan_as(model, &format!("{model}-new"));
        fs::write(production.path("new"), &plan).unwrap();
        fs::rename(production.path("new"), production.path(&format!("{model}.plan"))).unwrap();
        digest_of(&plan)
    });
    while_cameras_go_on(&daemon, &production::CAMERAS, || {
        let (status, answer) = reload(&daemon);
        assert_eq!((status, &answer["outcome"]), (200, &json!("done")), "{answer}: {}", daemon.log());
        let changed: BTreeSet<_> =
            answer["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
        assert_eq!(changed.len(), OTHERS.len(), "{answer}");
    });
    for (model, digest) in OTHERS.iter().zip(&digests) {
        assert_eq!(sum(&daemon, "watchkeeper_engine_info", digest), 1, "{model}");
    }
    // Each goes on answering: what begins after the change has keypoints, a mask and an embedding.
    let before = daemon.events_of("object.start").len();
    let told = || {
        let starts = daemon.events_of("object.start");
        let has = |what: &str| starts[before..].iter().any(|event| !event["track"][what].is_null());
        ["keypoints", "mask", "embedding"].map(has)
    };
    assert!(wait_for(STARTED, || told() == [true; 3]), "{:?}: {}", told(), daemon.log());
    assert_eq!(sum(&daemon, "watchkeeper_camera_unanswered_total", ""), 0, "{}", daemon.log());
    assert_undisturbed(&daemon, &production::CAMERAS);
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    assert_eq!(production.misuse(), Vec::<String>::new());
    assert_gapless(&daemon.events());
}

#[test]
fn on_the_cpu_a_model_file_is_changed_over() {
    let _alone = alone();
    let site = Blobs::on_cpu();
    let first = digest_of(&fs::read(site.path("blob.onnx")).unwrap());
    let mut daemon = site.start("{}");
    site.all_have_a_track(&daemon);
    assert_eq!(site.model(&daemon)["engine"], json!(format!("sha256:{first}")));
    let second = site.install_onnx((384, 288));
    while_cameras_go_on(&daemon, &CAMERAS, || {
        let (status, answer) = reload(&daemon);
        assert_eq!((status, &answer["outcome"]), (200, &json!("done")), "{answer}: {}", daemon.log());
    });
    let model = site.model(&daemon);
    assert_eq!((&model["engine"], &model["provider"]), (&json!(format!("sha256:{second}")), &json!("cpu")));
    assert_eq!(model["contexts"], json!(CAMERAS.len()));
    // A file that is no model.
    fs::write(site.path("blob.onnx"), b"no model").unwrap();
    let (status, answer) = reload(&daemon);
    assert_eq!((status, &answer["code"]), (409, &json!("reload-refused")), "{answer}");
    site.all_infer(&daemon, 3);
    assert_eq!(daemon.events_of("object.end"), Vec::<Value>::new());
    assert_undisturbed(&daemon, &CAMERAS);
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
}
