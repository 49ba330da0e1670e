//! `watchkeeper bench` through the binary, on a simulated GPU and on the CPU.

#![allow(clippy::unwrap_used)]

#[path = "support/production.rs"]
mod production;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use production::{Production, alone};
use serde_json::Value;
use support::daemon::blob_config;

fn simulated(rig: &Production, faults: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.arg("bench").arg("--config").arg(rig.path("watchkeeper.toml")).args(args).stdin(Stdio::null());
    rig.environment(&mut command, "auto", faults);
    command.output().unwrap()
}

fn on_cpu(folder: &Path, args: &[&str]) -> Output {
    let config = blob_config(folder, "", "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.arg("bench").arg("--config").arg(config).args(args).current_dir(folder);
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn ended(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
}

fn number(row: &Value, pointer: &str) -> f64 {
    row.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {row}"))
}

/// What every line of figures must hold, whatever was measured.
#[track_caller]
fn is_sound(row: &Value) {
    let count = number(row, "/cameras");
    let (frames, fps) = (number(row, "/frames"), number(row, "/fps"));
    assert!(frames > 0.0 && (fps - frames / number(row, "/seconds")).abs() < 1e-6 * fps, "{row}");
    assert!((number(row, "/fps_per_camera") * count - fps).abs() < 1e-6 * fps, "{row}");
    assert!(number(row, "/slowest_camera_fps") <= number(row, "/fps_per_camera") + 1e-9, "{row}");
    let times = ["p50", "p95", "p99", "max"].map(|part| number(row, &format!("/latency_ms/{part}")));
    assert!(times[0] > 0.0 && times.is_sorted(), "{row}");
    assert!(number(row, "/cpu_percent") > 0.0 && number(row, "/cpu_ms_per_frame") > 0.0, "{row}");
    assert!(number(row, "/resident_bytes") > 1e6, "{row}");
    let owners = row["device_memory"].as_object().unwrap().values();
    assert_eq!(owners.map(|bytes| bytes.as_u64().unwrap()).sum::<u64>(), row["device_bytes"].as_u64().unwrap());
    assert_eq!((number(row, "/failed"), number(row, "/unanswered")), (0.0, 0.0), "{row}");
    // Frames that are under way when the time begins or ends: one or two of each camera, in each half.
    let runs = number(row, "/runs_per_frame/detection") * frames;
    assert!((runs - frames).abs() <= 4.0 * count + 0.1 * frames, "{row}");
}

#[test]
fn each_number_of_cameras_in_each_mode_gets_a_line_and_a_row() {
    let _alone = alone();
    let rig = Production::new();
    let file = rig.path("bench.json");
    let args = ["--cameras", "1,2", "--seconds", "1", "--size", "640x360", "--models", "detection,reid", "--out"];
    let output = simulated(&rig, "{}", &[&args[..], &[file.to_str().unwrap()]].concat());
    ended(&output, 0);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!((&report["schema"], &report["fps"]), (&"bench/1".into(), &Value::Null));
    assert_eq!((&report["width"], &report["height"], &report["seconds"]), (&640.into(), &360.into(), &1.0.into()));
    let about = &report["about"];
    assert_eq!((&about["simulated"], &about["tensorrt"]), (&true.into(), &"10.16.1.0".into()), "{about}");

    assert!(text.starts_with("device      Simulated GPU") && text.contains("not those of a GPU"), "{text}");
    let rows = report["rows"].as_array().unwrap();
    let cells: Vec<_> =
        rows.iter().map(|row| (row["mode"].as_str().unwrap(), row["cameras"].as_u64().unwrap())).collect();
    assert_eq!(cells, [("parallel", 1), ("parallel", 2), ("serial", 1), ("serial", 2)]);
    let table: Vec<_> = text.lines().skip_while(|line| !line.starts_with("mode ")).skip(1).take(rows.len()).collect();
    for ((row, line), (mode, cameras)) in rows.iter().zip(table).zip(cells) {
        is_sound(row);
        assert!(number(row, "/bare_fps") > 0.0, "{row}");
        assert!((number(row, "/ratio") - number(row, "/fps") / number(row, "/bare_fps")).abs() < 1e-9, "{row}");
        let owners: BTreeSet<&str> = row["device_memory"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted = BTreeSet::from(["camera bench-1", "engine detection", "engine reid"]);
        wanted.extend((cameras == 2).then_some("camera bench-2"));
        // Shared by all contexts.
        wanted.extend((mode == "serial").then_some("activations"));
        assert_eq!(owners, wanted, "{row}");
        assert!(number(row, "/device_used_bytes") > 0.0, "{row}");
        let fields: Vec<_> = line.split_whitespace().collect();
        assert_eq!((fields[0], fields[1], fields.len()), (mode, cameras.to_string().as_str(), 13), "{line}");
        assert_eq!(fields[2], format!("{:.1}", number(row, "/fps")), "{line}");
    }
    assert_eq!(rig.misuse(), Vec::<String>::new());
}

#[test]
fn cameras_that_keep_their_pace_are_measured_at_it() {
    let folder = tempfile::tempdir().unwrap();
    let args =
        ["--cameras", "2", "--modes", "parallel", "--seconds", "2", "--size", "320x240", "--fps", "10", "--json"];
    let output = on_cpu(folder.path(), &args);
    ended(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["about"]["device"], &report["about"]["tensorrt"]), (&Value::Null, &Value::Null));
    assert!(report["about"]["onnxruntime"].as_str().unwrap().starts_with("1."), "{report}");
    let row = &report["rows"][0];
    is_sound(row);
    // On a busy machine there may be fewer, and hardly more: what was late comes in a rush and is replaced.
    let (fps, replaced) = (number(row, "/fps"), number(row, "/replaced"));
    assert!(fps <= 25.0 && fps + replaced / 2.0 >= 10.0, "{row}");
    assert_eq!((&row["bare_fps"], &row["ratio"], &row["device_bytes"]), (&Value::Null, &Value::Null, &0.into()));
}

#[test]
fn on_the_cpu_it_is_measured_beside_bare_inference_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--cameras", "1,3", "--modes", "serial", "--seconds", "0.6", "--size", "320x240"];
    let output = on_cpu(folder.path(), &[&args[..], &["--json"]].concat());
    ended(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        is_sound(row);
        assert!(number(row, "/ratio") > 0.0 && number(row, "/model_cpu_ms_per_frame") > 0.0, "{row}");
    }
    for wrong in [["--cameras", "0"], ["--modes", "auto"], ["--fps", "0"], ["--size", "1280"], ["--seconds", "x"]] {
        ended(&on_cpu(folder.path(), &wrong), 64);
    }
}

#[test]
fn frames_that_fail_are_told_of_and_no_measurement() {
    let _alone = alone();
    let rig = Production::new();
    let faults = r#"{"tensorrt":{"myelin_overlap":true,"slow_ms":5}}"#;
    let args = ["--cameras", "1,3", "--modes", "parallel", "--seconds", "1", "--size", "320x180"];
    let output = simulated(&rig, faults, &[&args[..], &["--models", "detection"]].concat());
    ended(&output, 70);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("frames failed, ") && text.contains("run watchkeeper stress"), "{text}");
}

#[test]
fn a_device_that_fails_for_good_ends_it_with_71_and_what_was_measured() {
    let _alone = alone();
    let rig = Production::new();
    let faults = r#"{"cuda":{"sticky_after":1500}}"#;
    let args = ["--cameras", "1,2", "--modes", "serial,parallel", "--seconds", "120", "--size", "320x180", "--json"];
    let output = simulated(&rig, faults, &[&args[..], &["--models", "detection"]].concat());
    ended(&output, 71);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["cameras"]), (1, &1.into()), "{report}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("\nthe GPU failed for good: "));
}
