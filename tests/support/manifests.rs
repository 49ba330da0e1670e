//! Manifests beside plans that the simulator built, with what the binary measured of them.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use watchkeeper::inference::artefact::{
    GpuModel, Manifest, Memory, ModelFile, Options, PlanFile, Platform, Speed, Timings, sha256_of_file,
};

/// Writes `<plan>.json`, as a build on this (simulated) device does. `ms`: the middle run of one picture.
pub fn write(model: &str, onnx: &Path, plan: &Path, ms: f64, environment: impl FnOnce(&mut Command)) -> Manifest {
    let _ = fs::remove_file(plan.with_extension("json"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.args(["engine", "inspect"]).arg(plan).arg("--json").stdin(Stdio::null());
    environment(&mut command);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let about: Value = serde_json::from_slice(&output.stdout).unwrap();
    let platform: Platform = serde_json::from_value(about["here"].clone()).unwrap();
    let memory: Memory = serde_json::from_value(about["plan"]["memory"].clone()).unwrap();
    let plain = plain(model, onnx);
    let manifest = Manifest {
        plan: PlanFile { sha256: sha256_of_file(plan).unwrap(), bytes: fs::metadata(plan).unwrap().len() },
        platform,
        memory: Some(memory),
        speed: vec![Speed { batch: 1, median_ms: ms, p99_ms: 2.0 * ms, runs: 10 }],
        ..plain
    };
    fs::write(plan.with_extension("json"), manifest.to_bytes().unwrap()).unwrap();
    manifest
}

/// Of a model on the simulated device, with nothing measured and no plan yet.
pub fn plain(model: &str, onnx: &Path) -> Manifest {
    Manifest {
        schema: Manifest::schema(),
        model: model.to_owned(),
        built_at: "2026-01-02T03:04:05Z".to_owned(),
        watchkeeper: "0.1.0".to_owned(),
        onnx: ModelFile {
            file: "model.onnx".to_owned(),
            sha256: sha256_of_file(onnx).unwrap(),
            bytes: fs::metadata(onnx).unwrap().len(),
            derived_sha256: None,
        },
        plan: PlanFile { sha256: String::new(), bytes: 0 },
        platform: Platform {
            tensorrt: "10.16.1.0".to_owned(),
            cuda: "12.2".to_owned(),
            driver: None,
            l4t: None,
            gpu: GpuModel {
                name: "Simulated GPU (CPU)".to_owned(),
                uuid_class: "GPU".to_owned(),
                compute_capability: "8.7".to_owned(),
                multiprocessors: 8,
                memory_bytes: 8 << 30,
                integrated: false,
            },
        },
        options: Options {
            precision: "fp32".to_owned(),
            strongly_typed: false,
            low_memory: false,
            workspace_mb: None,
            optimization_level: None,
            dla_core: None,
            flags: Vec::new(),
        },
        profiles: Vec::new(),
        calibration: None,
        timings: Timings { calibrate_s: 0.0, parse_s: 0.1, build_s: 1.0, total_s: 1.2, timing_cache: false },
        log: None,
        placement: None,
        memory: None,
        speed: Vec::new(),
        golden: None,
        verified: None,
    }
}
