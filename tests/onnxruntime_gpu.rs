//! `backend = "onnxruntime"` with `provider = "cuda"` and `"tensorrt"` through the binary: on a simulated GPU with
//! simulated providers, a recorded street and the four shipped models; and without any GPU.

#![allow(clippy::unwrap_used)]

#[path = "support/street.rs"]
mod recorded;

use std::fs;
use std::process::{Command, Output, Stdio};

use recorded::{SEED, Street};
use serde_json::Value;

const MODELS: [&str; 4] = ["detection", "pose", "segmentation", "reid"];

/// The configuration of [`Street::config`], with these lines for each model and for the runtime.
fn config(street: &Street, model: &str, runtime: &str) {
    let models =
        MODELS.map(|name| (name, if name == "reid" { format!("run_on = \"tracks\"\n{model}") } else { model.into() }));
    street.config(&models.each_ref().map(|(name, more)| (*name, more.as_str())));
    let text = fs::read_to_string(street.path("config.toml")).unwrap();
    fs::write(street.path("config.toml"), text.replace("[runtime]\n", &format!("[runtime]\n{runtime}\n"))).unwrap();
}

/// Links the simulator beside the recording, and says how to use its ONNX Runtime.
fn simulator(street: &Street) -> String {
    let folder = street.path("gpu");
    fs::create_dir(&folder).unwrap();
    gpu_sim::stage::stage(&folder).unwrap();
    format!("onnxruntime_library = {:?}", folder.join("onnxruntime/libonnxruntime.so"))
}

fn analyze(street: &Street, faults: &str) -> Output {
    let _ = fs::remove_file(street.path("tracks.jsonl"));
    let _ = fs::remove_file(street.path("misuse.jsonl"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.args(["analyze", &format!("street/seed-{SEED:06}/plaza-1/video.mp4"), "--out", "tracks.jsonl"]);
    command.args(["--config", "config.toml"]).current_dir(street.folder.path()).stdin(Stdio::null());
    command.env("LD_LIBRARY_PATH", street.path("gpu")).env("WATCHKEEPER_SIM", faults);
    command.env("WATCHKEEPER_SIM_REPORT", street.path("misuse.jsonl"));
    command.output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn tracks(street: &Street) -> Vec<Value> {
    let text = fs::read_to_string(street.path("tracks.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the simulator calls a misuse or a leak.
fn misuse(street: &Street) -> Vec<String> {
    let text = fs::read_to_string(street.path("misuse.jsonl")).unwrap_or_default();
    text.lines().filter(|line| line.contains("\"misuse\",") || line.contains("\"leak\"")).map(str::to_owned).collect()
}

#[test]
fn it_finds_what_the_cpu_finds_with_either_provider() {
    let street = Street::new(16, 1);
    config(&street, "", "");
    let on_cpu = street.analyze();
    assert!(on_cpu.iter().any(|line| !line["tracks"].as_array().unwrap().is_empty()));
    let library = simulator(&street);
    for (provider, more, runtime, faults) in [
        ("cuda", "", "concurrency = \"parallel\"", "{}"),
        ("cuda", "", "concurrency = \"serial\"", "{}"),
        // Slow copies show whoever does not wait for them; slow runs whoever does not wait for those.
        ("cuda", "engine_copies = 2", "", r#"{"cuda":{"copy_ms":2,"launch_ms":2},"onnxruntime":{"slow_ms":3}}"#),
        ("tensorrt", "precision = \"fp16\"", "", "{}"),
    ] {
        config(&street, &format!("provider = \"{provider}\"\n{more}"), &format!("{library}\n{runtime}"));
        let output = analyze(&street, faults);
        let said = words(&output);
        assert!(output.status.success(), "{said}");
        assert_eq!(tracks(&street), on_cpu, "{provider}, {more}, {runtime}");
        assert_eq!(misuse(&street), Vec::<String>::new(), "{provider}, {more}, {runtime}: {said}");
        let loaded: Vec<_> = said.lines().filter(|line| line.contains("engine loaded")).collect();
        assert!(
            loaded.len() == 4 && loaded.iter().all(|line| line.contains(&format!("provider=\"{provider}\""))),
            "{said}"
        );
        let name = if provider == "cuda" { "nodes=CUDA " } else { "nodes=Tensorrt " };
        assert!(said.lines().filter(|line| line.contains(name)).count() >= 4, "{said}");
    }
    // One folder for each model file and setting.
    let kept: Vec<String> = fs::read_dir(street.path("state/engines"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert!(kept.iter().any(|name| name.starts_with("reid-") && name.ends_with("-fp16-8")), "{kept:?}");
}

#[test]
fn a_provider_that_does_not_run_the_model_is_refused_with_code_69_and_no_work_begins() {
    let street = Street::new(2, 1);
    let library = simulator(&street);
    for (provider, faults, wanted) in [
        ("cuda", r#"{"onnxruntime":{"missing":"libcudnn.so.8"}}"#, "built for cuDNN 8 and no other major version does"),
        ("tensorrt", r#"{"onnxruntime":{"missing":"libnvinfer.so.10"}}"#, "install TensorRT 10"),
        ("cuda", r#"{"onnxruntime":{"cpu_nodes":1}}"#, "fallback to CPU EP has been explicitly disabled"),
        ("cuda", r#"{"onnxruntime":{"cpu_nodes":2,"ignore_no_fallback":true}}"#, "CPU 2 (Conv"),
        ("tensorrt", r#"{"onnxruntime":{"tensorrt_takes_nothing":true}}"#, "TensorRT took no node"),
        ("cuda", r#"{"onnxruntime":{"fail_run":6}}"#, "a failure that was asked for"),
        ("cuda", r#"{"cuda":{"devices":0}}"#, "no GPU: the driver starts but finds none"),
        ("cuda", r#"{"cuda":{"fail_allocation":4}}"#, "model \""),
    ] {
        config(&street, &format!("provider = \"{provider}\""), &library);
        let output = analyze(&street, faults);
        let said = words(&output);
        assert_eq!(output.status.code(), Some(69), "{faults}: {said}");
        let ours: Vec<_> = said.lines().filter(|line| line.starts_with("no GPU inference: ")).collect();
        assert!(ours.len() == 1 && ours[0].contains(wanted), "{faults}: {said}");
        assert!(!street.path("tracks.jsonl").exists(), "{faults}: work began");
    }
}

#[test]
fn the_cpu_build_of_the_library_is_never_used_in_place_of_the_gpu() {
    let street = Street::new(2, 1);
    simulator(&street);
    for provider in ["cuda", "tensorrt"] {
        config(&street, &format!("provider = \"{provider}\""), "");
        let output = analyze(&street, "{}");
        let said = words(&output);
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(said.contains("execution provider is not enabled in this build"), "{said}");
        assert!(said.contains("install ONNX Runtime's GPU build"), "{said}");
        assert!(said.contains("runtime.onnxruntime_library names another"), "{said}");
        assert!(!street.path("tracks.jsonl").exists(), "work began");
    }
    // No driver at all, which is every machine without a GPU.
    fs::remove_dir_all(street.path("gpu")).unwrap();
    let output = analyze(&street, "{}");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("libcuda.so.1"), "{said}");
}

#[test]
fn a_sticky_error_is_the_end_of_the_process() {
    let street = Street::new(12, 1);
    let library = simulator(&street);
    config(&street, "provider = \"cuda\"", &library);
    let output = analyze(&street, r#"{"cuda":{"sticky_after":150}}"#);
    let said = words(&output);
    assert_eq!(output.status.code(), Some(71), "{said}");
    assert!(said.contains("the GPU failed for good"), "{said}");
}
