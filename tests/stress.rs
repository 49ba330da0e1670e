//! `watchkeeper stress` through the binary, on a simulated GPU that bears parallel executions or does not, and on the
//! CPU.

#![allow(clippy::unwrap_used)]

#[path = "support/production.rs"]
mod production;
mod support;

use std::process::{Command, Output, Stdio};

use production::{MODELS, Production, alone};
use serde_json::Value;
use support::daemon::blob_config;

fn stress(rig: &Production, faults: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.arg("stress").arg("--config").arg(rig.path("watchkeeper.toml")).args(args).stdin(Stdio::null());
    // What the configuration says of it must not matter.
    rig.environment(&mut command, "auto", faults);
    command.output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn report(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}", words(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn mode<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["modes"].as_array().unwrap().iter().find(|mode| mode["mode"] == name).unwrap()
}

/// A count, all models together.
fn sum(mode: &Value, pointer: &str) -> u64 {
    mode["models"].as_array().unwrap().iter().map(|model| model.pointer(pointer).unwrap().as_u64().unwrap()).sum()
}

#[track_caller]
fn is_spotless(mode: &Value, models: usize) {
    assert_eq!(mode["safe"], true, "{mode}");
    let counted = mode["models"].as_array().unwrap();
    assert_eq!(counted.len(), models, "{mode}");
    assert!(counted.iter().all(|model| model["runs"].as_u64().unwrap() > 0), "{mode}");
    for count in ["/wrong", "/different", "/failures/myelin", "/failures/other", "/failures/refused", "/reloads"] {
        assert_eq!(sum(mode, count), 0, "{count}: {mode}");
    }
}

#[test]
fn engines_without_fault_are_safe_in_both_modes_and_the_answers_exact() {
    let _alone = alone();
    let rig = Production::new();
    let output = stress(&rig, "{}", &["--contexts", "3", "--seconds", "1.5", "--json"]);
    let report = report(&output, 0);
    assert_eq!((&report["schema"], &report["safe"]), (&"stress/1".into(), &true.into()));
    assert_eq!((&report["config"], &report["contexts"]), (&"concurrency = \"parallel\"".into(), &3.into()));
    for name in ["serial", "parallel"] {
        is_spotless(mode(&report, name), MODELS.len());
    }
    let about = &report["about"];
    assert_eq!((&about["simulated"], &about["tensorrt"]), (&true.into(), &"10.16.1.0".into()), "{about}");
    assert!(about["device"]["name"].as_str().unwrap().starts_with("Simulated GPU"), "{about}");
    assert!(about["models"].as_array().unwrap().iter().all(|model| model["sha256"].as_str().unwrap().len() == 64));
    assert_eq!(rig.misuse(), Vec::<String>::new());
}

#[test]
fn engines_that_fail_when_executions_overlap_are_safe_in_serial_mode_only() {
    let _alone = alone();
    let rig = Production::new();
    let faults = r#"{"tensorrt":{"myelin_overlap":true,"slow_ms":5}}"#;
    let args = ["--models", "detection,reid", "--contexts", "3", "--seconds", "2"];
    let output = stress(&rig, faults, &[&args[..], &["--json"]].concat());
    let report = report(&output, 69);
    assert_eq!((&report["safe"], &report["config"]), (&false.into(), &"concurrency = \"serial\"".into()));
    is_spotless(mode(&report, "serial"), 2);
    let parallel = mode(&report, "parallel");
    assert_eq!(parallel["safe"], false);
    let (myelin, other) = (sum(parallel, "/failures/myelin"), sum(parallel, "/failures/other"));
    // Neither a run that an engine refuses while it rests nor the reload itself is a failure of another kind.
    assert!(myelin > 0 && other == 0 && sum(parallel, "/reloads") > 0, "{parallel}");
    let reason = parallel["reasons"][0].as_str().unwrap();
    assert!(reason.starts_with(&format!("{myelin} run")) && reason.contains("failed inside Myelin ("), "{reason}");
    assert!(parallel["words"][0]["text"].as_str().unwrap().contains("already loaded binary graph"), "{parallel}");
    assert_eq!(rig.misuse(), Vec::<String>::new());

    // As text, with both verdicts and the line for the configuration.
    let output = stress(&rig, faults, &args);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(69), "{text}{}", words(&output));
    for line in ["\nserial: safe\n", "\nparallel: not safe: ", "\n[runtime]\nconcurrency = \"serial\"\n", "simulated"] {
        assert!(text.contains(line), "{line:?}: {text}");
    }
    assert!(text.starts_with("device      Simulated GPU"), "{text}");
}

/// The engine says nothing, and leaves the answer of an earlier picture where the new one should be.
#[test]
fn answers_that_are_silently_wrong_are_found() {
    let _alone = alone();
    let rig = Production::new();
    let faults = r#"{"tensorrt":{"myelin_overlap":true,"myelin_asynchronous":true,"myelin_heals":true,"slow_ms":5}}"#;
    let output = stress(&rig, faults, &["--models", "detection", "--contexts", "3", "--seconds", "2", "--json"]);
    let report = report(&output, 69);
    is_spotless(mode(&report, "serial"), 1);
    let parallel = mode(&report, "parallel");
    assert_eq!((parallel["safe"].clone(), &report["config"]), (false.into(), &"concurrency = \"serial\"".into()));
    assert!(sum(parallel, "/wrong") > 0, "{parallel}");
    assert!(parallel["reasons"].to_string().contains("gave a wrong answer (detection)"), "{parallel}");
}

/// Answers are compared with the engine's own: that these are right is for the recorded ones to say.
#[test]
fn engines_that_are_wrong_even_alone_are_refused_at_once() {
    let _alone = alone();
    let rig = Production::new();
    let faults = r#"{"tensorrt":{"wrong_outputs":true,"engine":"reid"}}"#;
    let output = stress(&rig, faults, &["--models", "detection,reid", "--seconds", "60"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(69), 0), "{}", words(&output));
    let words = words(&output);
    assert!(words.lines().any(|line| line.starts_with("GPU contract failed: golden reid: ")), "{words}");
}

#[test]
fn a_device_that_fails_for_good_ends_it_with_71_and_a_report() {
    let _alone = alone();
    let rig = Production::new();
    let faults = r#"{"cuda":{"sticky_after":2000}}"#;
    let args = ["--models", "detection,reid", "--seconds", "120", "--mode", "parallel", "--json"];
    let report = report(&stress(&rig, faults, &args), 71);
    let parallel = mode(&report, "parallel");
    assert_eq!((&parallel["safe"], &parallel["device_lost"]), (&false.into(), &true.into()), "{parallel}");
    assert!(sum(parallel, "/runs") > 0 && report.get("config").is_none(), "{report}");
    assert!(parallel["reasons"][0].as_str().unwrap().starts_with("the device failed for good: "), "{parallel}");
}

#[test]
fn it_works_on_the_cpu_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = blob_config(folder.path(), "", "");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.arg("stress").arg("--config").arg(&config).args(args).current_dir(folder.path());
        command.stdin(Stdio::null()).output().unwrap()
    };
    let report = report(&run(&["--contexts", "2", "--seconds", "0.5", "--json"]), 0);
    for name in ["serial", "parallel"] {
        is_spotless(mode(&report, name), 1);
    }
    let about = &report["about"];
    assert_eq!((&about["device"], &about["simulated"]), (&Value::Null, &false.into()), "{about}");
    assert!(about["onnxruntime"].as_str().unwrap().starts_with("1."), "{about}");
    for wrong in [["--contexts", "0"], ["--seconds", "-1"], ["--mode", "auto"], ["--tolerance", "x"]] {
        assert_eq!(run(&wrong).status.code(), Some(64), "{wrong:?}");
    }
    assert_eq!(run(&["--models", "pose"]).status.code(), Some(65));
}
