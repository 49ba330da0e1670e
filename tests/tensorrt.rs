//! `backend = "tensorrt"` through the binary, on a simulated GPU: plans of the four shipped models, a recorded street.

#![allow(clippy::unwrap_used)]

#[path = "support/street.rs"]
mod recorded;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gpu_sim::plan::{Plan, Profile, Range, Target};
use recorded::{SEED, Street};

const MODELS: [(&str, &str); 4] =
    [("detection", ""), ("pose", ""), ("segmentation", ""), ("reid", "run_on = \"tracks\"")];

/// Libraries of the simulator and plans of the models, beside the street's recording.
fn prepare(street: &Street, tensorrt: &str) {
    let folder = street.path("gpu");
    fs::create_dir(&folder).unwrap();
    gpu_sim::stage::stage(&folder).unwrap();
    if tensorrt.starts_with("11") {
        fs::remove_file(folder.join("libnvinfer.so.10")).unwrap();
    }
    for (model, _) in MODELS {
        let onnx =
            fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("engines").join(model).join("model.onnx")).unwrap();
        let target =
            Target { tensorrt: tensorrt.to_owned(), compute_capability: "8.7".into(), precision: "fp32".into() };
        let crops = |n: i64| vec![n, 3, 128, 64];
        let profile = Profile::from([("images".to_owned(), Range { min: crops(1), opt: crops(8), max: crops(8) })]);
        let profiles = if model == "reid" { vec![profile] } else { vec![] };
        let plan = Plan::build(model, onnx, &profiles, &target).unwrap();
        fs::write(street.path(&format!("{model}.plan")), plan.to_bytes()).unwrap();
    }
}

/// The configuration of [`Street::config`], on TensorRT.
fn config(street: &Street, runtime: &str) {
    street.config(&MODELS);
    let mut text = fs::read_to_string(street.path("config.toml")).unwrap();
    for (model, _) in MODELS {
        let (section, plan) = (format!("[models.{model}]\n"), street.path(&format!("{model}.plan")));
        text = text.replace(&section, &format!("{section}plan = {plan:?}\n"));
    }
    text = text.replace("backend = \"onnxruntime\"", "backend = \"tensorrt\"");
    text = text.replace("[runtime]\n", &format!("[runtime]\n{runtime}\n"));
    fs::write(street.path("config.toml"), text).unwrap();
}

fn analyze(street: &Street, faults: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.args(["analyze", &format!("street/seed-{SEED:06}/plaza-1/video.mp4"), "--out", "tracks.jsonl"]);
    command.args(["--config", "config.toml"]).current_dir(street.folder.path()).stdin(Stdio::null());
    command.env("LD_LIBRARY_PATH", street.path("gpu")).env("WATCHKEEPER_SIM", faults);
    command.output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_finds_what_the_cpu_finds_with_either_tensorrt() {
    let street = Street::new(16, 1);
    street.config(&MODELS);
    let on_cpu = street.analyze();
    assert!(on_cpu.iter().any(|line| !line["tracks"].as_array().unwrap().is_empty()));
    for version in ["10.16.1", "11.4.0"] {
        let _ = fs::remove_dir_all(street.path("gpu"));
        prepare(&street, version);
        for concurrency in ["parallel", "serial"] {
            config(&street, &format!("concurrency = \"{concurrency}\""));
            let output = analyze(&street, "{}");
            let said = words(&output);
            assert!(output.status.success(), "{said}");
            let text = fs::read_to_string(street.path("tracks.jsonl")).unwrap();
            let on_gpu: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(on_gpu, on_cpu, "TensorRT {version}, {concurrency}");
            assert!(said.contains("Simulated GPU"), "{said}");
            let mut lines = BTreeMap::new();
            for line in said.lines().filter(|line| line.contains("engine loaded")) {
                assert!(line.contains("provider=\"tensorrt\""), "{line}");
                *lines.entry(line.split("model=").nth(1).unwrap().split(' ').next().unwrap()).or_insert(0) += 1;
            }
            assert_eq!(lines, MODELS.map(|(model, _)| (model, 1)).into(), "{said}");
            assert!(!said.contains("ONNX Runtime loaded"), "{said}");
        }
    }
}

#[test]
fn what_is_wrong_with_gpu_or_plan_is_said_in_one_line_with_code_69() {
    let street = Street::new(2, 1);
    prepare(&street, "10.16.1");
    config(&street, "");
    for (faults, wanted) in [
        (r#"{"cuda":{"devices":0}}"#, "no GPU: the driver starts but finds none"),
        (r#"{"cuda":{"init_error":500}}"#, "visible but unusable"),
        (r#"{"cuda":{"wrong_proof":true}}"#, "computes wrongly"),
        (r#"{"cuda":{"fail_allocation":3}}"#, "is not a usable TensorRT plan: "),
        (r#"{"tensorrt":{"fail_context":2}}"#, "is not a usable TensorRT plan: "),
    ] {
        let output = analyze(&street, faults);
        let said = words(&output);
        assert_eq!(output.status.code(), Some(69), "{faults}: {said}");
        let ours: Vec<_> =
            said.lines().filter(|line| line.starts_with("no GPU inference: ") || line.starts_with("model ")).collect();
        assert!(ours.len() == 1 && ours[0].contains(wanted), "{faults}: {said}");
        assert!(!street.path("tracks.jsonl").exists(), "{faults}: work began");
    }
    let plan = street.path("segmentation.plan");
    let whole = fs::read(&plan).unwrap();
    fs::write(&plan, &whole[..whole.len() / 2]).unwrap();
    let output = analyze(&street, "{}");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("segmentation.plan is not a usable TensorRT plan: "), "{said}");
    // No driver at all, which is every machine without a GPU.
    fs::remove_dir_all(street.path("gpu")).unwrap();
    let output = analyze(&street, "{}");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("libcuda.so.1"), "{said}");
}
