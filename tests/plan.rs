//! `watchkeeper plan` through the binary: what it says of memory is what `bench` and the daemon then measure on the
//! simulated GPU, and what it says does not fit is refused at the start.

#![allow(clippy::unwrap_used)]

#[path = "support/manifests.rs"]
mod manifests;
#[path = "support/production.rs"]
mod production;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use production::{MODELS, Production, STARTED, alone};
use serde_json::Value;
use support::daemon::camera_section;
use watchkeeper::inference::{FrameRef, ModelManager, Placement};
use watchkeeper::pipeline;
use watchkeeper::telemetry::metrics::Metrics;
use watchkeeper::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range};

/// The production configuration, and a manifest for each of its plans.
fn built(rig: Production, ms: f64) -> Production {
    built_on(rig, ms, "{}")
}

fn built_on(rig: Production, ms: f64, faults: &str) -> Production {
    for model in MODELS {
        let onnx = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines").join(model).join("model.onnx");
        let plan = rig.path(&format!("{model}.plan"));
        manifests::write(model, &onnx, &plan, ms, |command| rig.environment(command, "auto", faults));
    }
    rig
}

fn watchkeeper(rig: &Production, concurrency: &str, faults: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.args(args).arg("--config").arg(rig.path("watchkeeper.toml")).stdin(Stdio::null());
    rig.environment(&mut command, concurrency, faults);
    command.output().unwrap()
}

/// The plan as JSON, and the code that it ended with.
#[track_caller]
fn plan(rig: &Production, concurrency: &str, args: &[&str]) -> (Value, i32) {
    let output = watchkeeper(rig, concurrency, "{}", &[&["plan", "--json"], args].concat());
    let code = output.status.code().unwrap();
    assert!(code == 0 || code == 65, "{}", String::from_utf8_lossy(&output.stderr));
    (serde_json::from_slice(&output.stdout).unwrap(), code)
}

fn owners(value: &Value) -> BTreeMap<String, f64> {
    let owners = value.as_object().unwrap().iter();
    owners.map(|(owner, bytes)| (owner.replace("bench-", "camera-"), bytes.as_f64().unwrap())).collect()
}

#[track_caller]
fn within_a_hundredth(planned: f64, measured: f64, what: &str) {
    assert!((planned - measured).abs() <= 0.01 * measured, "{what}: {planned} planned, {measured} measured");
}

#[track_caller]
fn same_owners(planned: &BTreeMap<String, f64>, measured: &BTreeMap<String, f64>) {
    assert_eq!(planned.keys().collect::<Vec<_>>(), measured.keys().collect::<Vec<_>>());
    for (owner, bytes) in measured {
        within_a_hundredth(planned[owner], *bytes, owner);
    }
}

#[test]
fn what_is_planned_is_what_bench_measures() {
    let _alone = alone();
    let rig = built(Production::new(), 1.0);
    for size in ["640x360", "1920x1080"] {
        let args = ["--cameras", "1,2,4", "--modes", "parallel,serial", "--seconds", "2", "--fps", "4", "--size", size];
        let output = watchkeeper(&rig, "auto", "{}", &[&["bench", "--json"], &args[..]].concat());
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let rows = report["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 6);
        for row in rows {
            let (mode, cameras) = (row["mode"].as_str().unwrap(), row["cameras"].to_string());
            let (planned, code) = plan(&rig, mode, &["--cameras", &cameras, "--resolution", size]);
            assert_eq!((code, &planned["fits"]), (0, &true.into()), "{planned:#}");
            let memory = &planned["memory"];
            same_owners(&owners(&memory["owners"]), &owners(&row["device_memory"]));
            let used = row["device_used_bytes"].as_f64().unwrap();
            within_a_hundredth(memory["device_bytes"].as_f64().unwrap(), used, "all of the device");
            assert_eq!(owners(&memory["owners"]).contains_key("activations"), mode == "serial");
        }
    }
}

#[test]
fn a_build_measures_all_that_is_needed_for_it() {
    let _alone = alone();
    let rig = Production::new();
    let output = watchkeeper(&rig, "auto", "{}", &["engine", "build", "--all", "--no-verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let args = ["--cameras", "2", "--modes", "serial", "--seconds", "2", "--fps", "4", "--size", "640x360"];
    let output = watchkeeper(&rig, "auto", "{}", &[&["bench", "--json"], &args[..]].concat());
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let row = &report["rows"][0];
    let (planned, _) = plan(&rig, "serial", &["--cameras", "2", "--resolution", "640x360"]);
    same_owners(&owners(&planned["memory"]["owners"]), &owners(&row["device_memory"]));
    let device = planned["memory"]["device_bytes"].as_f64().unwrap();
    within_a_hundredth(device, row["device_used_bytes"].as_f64().unwrap(), "all of the device");
    let models = planned["time"]["models"].as_array().unwrap();
    assert!(models.len() == 4 && models.iter().all(|model| model["seconds"].as_f64() > Some(0.0)), "{planned:#}");
}

#[test]
fn where_host_and_device_share_memory_it_is_right_too() {
    let _alone = alone();
    let shared = r#"{"cuda":{"integrated":true}}"#;
    let rig = built_on(Production::new(), 1.0, shared);
    let args = ["--cameras", "2", "--modes", "parallel", "--seconds", "2", "--fps", "4", "--size", "1280x720"];
    let output = watchkeeper(&rig, "auto", shared, &[&["bench", "--json"], &args[..]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (planned, _) = plan(&rig, "parallel", &["--cameras", "2", "--resolution", "1280x720"]);
    same_owners(&owners(&planned["memory"]["owners"]), &owners(&report["rows"][0]["device_memory"]));
    let lines = planned["memory"]["lines"].as_array().unwrap();
    let of = |part: &str| lines.iter().find(|line| line["part"] == part).unwrap();
    let frames = of("frames");
    assert_eq!((frames["device"].as_u64(), frames["mapped"].as_u64()), (Some(0), Some(2 * 1280 * 720 * 3 / 2)));
    // What is in use there is the host's, too: nothing to be measured.
    assert_eq!(of("process")["basis"], "estimate");
    // And what is locked on the host is the device's.
    let need = planned["memory"]["cameras"]["camera-1"].as_f64().unwrap();
    let surfaces = of("surfaces")["device"].as_f64().unwrap();
    within_a_hundredth(need - surfaces, owners(&planned["memory"]["owners"])["camera camera-1"], "a camera");
}

#[test]
fn what_is_planned_is_what_the_daemon_tells() {
    let _alone = alone();
    let rig = built(Production::with_cameras(5.0), 1.0);
    for concurrency in ["auto", "serial"] {
        let (planned, _) = plan(&rig, concurrency, &["--resolution", "640x360"]);
        let planned = owners(&planned["memory"]["owners"]);
        let mut daemon = rig.start(concurrency, "{}");
        assert!(daemon.says("ready", STARTED), "{}", daemon.log());
        production::all_infer(&daemon, 1);
        let metrics = daemon.get("/metrics");
        let measured: BTreeMap<String, f64> = (metrics.lines())
            .filter_map(|line| line.strip_prefix("watchkeeper_device_memory_bytes{owner=\"")?.split_once("\"} "))
            .map(|(owner, bytes)| (owner.to_owned(), bytes.parse().unwrap()))
            .collect();
        same_owners(&planned, &measured);
        let report: Value = serde_json::from_slice(&fs::read(rig.path("state/contract.json")).unwrap()).unwrap();
        let (outcome, found) = check(&report, "memory");
        assert!(outcome == "passed" && found.starts_with("4 cameras need ") && found.contains("1920x1080"), "{found}");
        assert_eq!(check(&report, "time").0, "passed");
        assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    }
}

fn check(report: &Value, name: &str) -> (String, String) {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {report:#}"));
    (check["outcome"].as_str().unwrap().to_owned(), check["found"].as_str().unwrap().to_owned())
}

#[test]
fn the_table_has_a_line_for_all_that_takes_memory_and_says_how_it_is_known() {
    let _alone = alone();
    let rig = built(Production::new(), 2.0);
    let output = watchkeeper(&rig, "auto", "{}", &["plan", "--cameras", "3", "--people-per-camera", "2"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let has = |words: &[&str]| text.lines().any(|line| words.iter().all(|word| line.contains(word)));
    for words in [
        &["camera-1 to camera-3, 3", "1920x1080 pixels (assumed), 25 frames/s analysed (assumed)"][..],
        &["auto", "\"serial\" would save"],
        &["engine detection", "weights of detection", "measured"],
        &["activations of pose", "measured"],
        &["candidates of detection", "computed"],
        &["frames on their way", "computed"],
        &["decoder's surfaces", "estimate"],
        &["and 2 more"],
        &["time: ", "it fits"],
        &["memory: 3 cameras need ", "it fits"],
    ] {
        assert!(has(words), "{words:?}: {text}");
    }
    assert!(text.ends_with("\nit fits\n"), "{text}");
}

#[test]
fn what_nobody_measured_makes_the_sum_a_lower_bound() {
    let _alone = alone();
    let rig = built(Production::new(), 1.0);
    fs::remove_file(rig.path("pose.json")).unwrap();
    let (planned, code) = plan(&rig, "auto", &[]);
    assert_eq!((code, &planned["fits"]), (65, &Value::Null), "{planned:#}");
    assert_eq!(planned["unknown"][0]["model"], "pose");
    let why = planned["unknown"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("not known: build it with: watchkeeper engine build pose --config /"), "{why}");
    let owners = owners(&planned["memory"]["owners"]);
    assert!(owners.contains_key("engine detection") && !owners.contains_key("engine pose"), "{owners:?}");
    // Without it nothing is missing.
    assert_eq!(plan(&rig, "auto", &["--models", "detection,reid"]).1, 0);
}

#[test]
fn what_does_not_fit_says_how_many_do_and_what_else_helps() {
    let _alone = alone();
    let rig = built(Production::new(), 10.0);
    let (whole, _) = plan(&rig, "parallel", &["--cameras", "5", "--fps", "2"]);
    let mb = |bytes: &Value| bytes.as_f64().unwrap() / f64::from(1 << 20);
    let each = mb(&whole["memory"]["cameras"]["camera-1"]);
    let engines = mb(&whole["device"]["memory_bytes"]) - mb(&whole["memory"]["free_after_engines_bytes"]);
    let device = (engines + mb(&whole["memory"]["reserve_bytes"]) + 3.5 * each) as u64;
    let args = ["--cameras", "5", "--fps", "2", "--device-memory-mb", &device.to_string()];
    let (short, code) = plan(&rig, "parallel", &args);
    assert_eq!((code, &short["fits"], &short["memory"]["fitting_cameras"]), (65, &false.into(), &3.into()));
    let why = short["why"][0].as_str().unwrap();
    assert!(why.starts_with("memory: 5 cameras need ") && why.contains("; 3 fit; use fewer cameras"), "{why}");
    assert!(why.contains("\"serial\" (saves "), "{why}");

    // Four models of 10 ms, one of which looks at four people twice a second.
    let (slow, code) = plan(&rig, "parallel", &["--cameras", "2", "--fps", "25"]);
    assert_eq!((code, &slow["fits"]), (65, &false.into()), "{slow:#}");
    let seconds = slow["time"]["seconds"].as_f64().unwrap();
    assert!((seconds - 2.0 * 0.010 * (3.0 * 25.0 + 4.0 / 0.5)).abs() < 1e-6, "{slow:#}");
    let why = slow["why"][1].as_str().unwrap();
    assert!(why.starts_with("time: 1.66 s of GPU work per second; lower detect_fps to 15, use 1 of the"), "{why}");
}

#[test]
fn models_on_the_cpu_take_nothing_of_a_device() {
    let folder = tempfile::tempdir().unwrap();
    let config = support::daemon::blob_config(folder.path(), "", &camera_section("gate", "test://ball", ""));
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.arg("plan").arg("--config").arg(&config).args(args).output().unwrap()
    };
    let output = run(&["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&planned["fits"], planned["memory"]["lines"].as_array().unwrap().len()), (&true.into(), 0));
    for wrong in [["--cameras", "0"], ["--resolution", "7"], ["--fps", "x"], ["--device-memory-mb", "0"]] {
        assert_eq!(run(&wrong).status.code(), Some(64), "{wrong:?}");
    }
}

/// Cameras that nobody answers for.
fn cameras(rig: &Production, ids: &[&str]) {
    let text: String = ids.iter().map(|id| camera_section(id, "rtsp://127.0.0.1:9/none", "")).collect();
    fs::create_dir_all(rig.path("conf.d")).unwrap();
    fs::write(rig.path("conf.d/cameras.toml"), text).unwrap();
}

#[test]
fn a_camera_that_there_is_no_room_for_refuses_the_start_with_the_numbers() {
    let _alone = alone();
    let rig = built(Production::new(), 1.0);
    let ids = ["gate", "hall", "yard"];
    cameras(&rig, &ids);
    let (planned, _) = plan(&rig, "parallel", &[]);
    let bytes = |pointer: &str| planned.pointer(pointer).unwrap().as_u64().unwrap();
    let decoder =
        planned["memory"]["lines"].as_array().unwrap().iter().find(|line| line["part"] == "surfaces").unwrap();
    let each = bytes("/memory/cameras/gate") - decoder["device"].as_u64().unwrap();
    let engines = bytes("/device/memory_bytes") - bytes("/memory/free_after_engines_bytes");
    let total = engines + bytes("/memory/reserve_bytes") + 2 * each + each / 2;
    let faults = format!(r#"{{"cuda":{{"total_memory":{total}}}}}"#);

    let output = watchkeeper(&rig, "parallel", &faults, &["run"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().unwrap();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(last.starts_with("GPU contract failed: memory: camera \"yard\" (3rd of 3) needs "), "{said}");
    for words in ["2 cameras fit; use fewer cameras", "64.0 MB that are kept back", "\"serial\" (saves "] {
        assert!(last.contains(words), "{words}: {said}");
    }
    let report: Value = serde_json::from_slice(&fs::read(rig.path("state/contract.json")).unwrap()).unwrap();
    assert_eq!((check(&report, "memory").0.as_str(), check(&report, "time").0.as_str()), ("failed", "skipped"));

    // One camera less, or one block for the activations of all: there is room.
    for (concurrency, ids) in [("serial", &ids[..]), ("parallel", &ids[..2])] {
        cameras(&rig, ids);
        let mut daemon = rig.start(concurrency, &faults);
        assert!(daemon.says("ready", STARTED), "{concurrency}: {}", daemon.log());
        assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
    }
}

#[test]
fn work_that_a_second_is_too_short_for_is_a_warning() {
    let _alone = alone();
    let rig = built(Production::new(), 30.0);
    cameras(&rig, &["gate", "hall"]);
    let mut daemon = rig.start("auto", "{}");
    assert!(daemon.says("ready", STARTED), "{}", daemon.log());
    let report: Value = serde_json::from_slice(&fs::read(rig.path("state/contract.json")).unwrap()).unwrap();
    let (outcome, found) = check(&report, "time");
    assert!(outcome == "warning" && found.starts_with("4.98 s of GPU work a second, for 2 cameras"), "{found}");
    assert!(daemon.says("GPU contract: time: 4.98 s", Duration::from_secs(5)), "{}", daemon.log());
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
}

const CHILD: &str = "WATCHKEEPER_TEST_FOLDER";

#[test]
fn a_picture_larger_than_there_is_room_for_costs_its_camera_the_frame_and_nobody_else() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return larger_than_there_is_room_for(Path::new(&folder));
    }
    let _alone = alone();
    let rig = Production::new();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = "a_picture_larger_than_there_is_room_for_costs_its_camera_the_frame_and_nobody_else";
    command.args(["--exact", test, "--nocapture"]).env(CHILD, rig.path(""));
    rig.environment(&mut command, "parallel", r#"{"cuda":{"total_memory":67108864}}"#);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn larger_than_there_is_room_for(folder: &Path) {
    let loaded = watchkeeper::config::load(&folder.join("watchkeeper.toml")).unwrap_or_else(|bad| panic!("{bad}"));
    let manager = ModelManager::load(&loaded.config, &Metrics::default(), &pipeline::fits_head).unwrap();
    let detection = manager.model(0).unwrap();
    assert_eq!(detection.model.name, "detection");
    let samples = vec![99_u8; 8192 * 4320 * 3 / 2];
    let frame = |number: u64, width: usize, height: usize| {
        let (y, uv) = samples[..width * height * 3 / 2].split_at(width * height);
        let planes = Planes::Nv12 { y: Plane { data: y, stride: width }, uv: Plane { data: uv, stride: width } };
        let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        FrameRef { tag: (1, number), picture: Picture { width, height, planes, colour } }
    };
    let mut cameras = ["gate", "yard"].map(|camera| {
        let lane = manager.lane(camera).unwrap();
        let context = manager.create_pipeline_contexts(&lane, &detection, 1).unwrap().free.pop_front();
        (lane, context)
    });
    let place = Placement { left: 0, top: 0, columns: 512, rows: 288, width: 512, height: 288 };
    let mut sees = |camera: usize, frame: FrameRef<'_>| {
        let mut context = cameras[camera].1.take().unwrap();
        let put = context.letterbox(0, &frame, place).map_err(|error| error.to_string());
        let (context, ran) = context.submit().wait().unwrap();
        cameras[camera].1 = Some(context);
        put.map(|_| ran.unwrap())
    };
    sees(0, frame(1, 640, 360)).unwrap();
    let error = sees(0, frame(2, 8192, 4320)).unwrap_err();
    assert!(error.contains("camera gate: no 53084160 bytes of device memory"), "{error}");
    assert_eq!(manager.device_lost(), None);
    sees(1, frame(1, 640, 360)).unwrap();
    sees(0, frame(3, 640, 360)).unwrap();
}
