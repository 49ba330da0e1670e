//! `watchkeeper engine build` through the binary, on both simulated TensorRTs.

#![allow(clippy::unwrap_used)]

#[path = "support/builds.rs"]
mod builds;
#[path = "engine_build/int8.rs"]
mod int8;
#[path = "support/street.rs"]
mod recorded;
#[path = "engine_build/trouble.rs"]
mod trouble;

use std::fs;
use std::path::Path;

use builds::{MODELS, Site, sha256, words};
use recorded::Street;
use serde_json::Value;

#[test]
fn all_models_are_built_and_find_what_the_cpu_finds_with_either_tensorrt() {
    let street = Street::new(16, 1);
    street.config(&MODELS);
    let on_cpu = street.analyze();
    assert!(on_cpu.iter().any(|line| !line["tracks"].as_array().unwrap().is_empty()));
    // The simulator computes in the model's own types: on TensorRT 11 FP16 is another model.
    for (version, precision) in [("10.16.1", "fp16"), ("11.4.0", "fp32")] {
        let site = Site::new(version);
        let output = site.build(&["--all", "--precision", precision, "--json"], "{}");
        let said = words(&output);
        assert!(output.status.success(), "{said}");
        assert_eq!(site.misuse(), Vec::<String>::new());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let engines = answer["engines"].as_array().unwrap();
        assert_eq!((engines.len(), answer["failed"].as_array().unwrap().len()), (4, 0), "{said}");
        // The largest first.
        assert_eq!((&engines[0]["model"], &engines[3]["model"]), (&"pose".into(), &"reid".into()));
        for engine in engines {
            site.is_whole(engine, precision);
        }
        let reid = &engines[3]["manifest"]["profiles"][0]["images"];
        assert_eq!((&reid["min"][0], &reid["max"][0]), (&1.into(), &8.into()));
        let on_gpu = site.analyze(&street);
        assert_eq!(on_gpu, on_cpu, "TensorRT {version}");

        let list = String::from_utf8(site.run(&["engine", "list"], "{}").stdout).unwrap();
        for (model, _) in MODELS {
            assert!(list.contains(&format!("* {model}")), "{list}");
        }
        let again = site.build(&["reid", "--precision", precision, "--json"], "{}");
        let again: Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_eq!(again["engines"][0]["manifest"]["timings"]["timing_cache"], true, "{again}");
        assert_eq!(engines[0]["manifest"]["timings"]["timing_cache"], false);
        let without = site.build(&["reid", "--precision", precision, "--json", "--no-timing-cache"], "{}");
        let without: Value = serde_json::from_slice(&without.stdout).unwrap();
        assert_eq!(without["engines"][0]["manifest"]["timings"]["timing_cache"], false, "{without}");
        assert_eq!(
            without["engines"][0]["manifest"]["options"]["flags"].as_array().unwrap().last().unwrap(),
            "DISABLE_TIMING_CACHE"
        );
    }
}

#[test]
fn on_tensorrt_11_a_model_of_half_the_width_is_built_and_still_agrees() {
    let site = Site::new("11.4.0");
    let output = site.build(&["--all", "--json"], "{}");
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(site.misuse(), Vec::<String>::new());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    for engine in answer["engines"].as_array().unwrap() {
        site.is_whole(engine, "fp16");
        let manifest = &engine["manifest"];
        assert_eq!(
            (&manifest["options"]["strongly_typed"], &manifest["options"]["flags"]),
            (&true.into(), &serde_json::json!([]))
        );
        let plan = fs::read(site.path(&format!("{}.plan", engine["model"].as_str().unwrap()))).unwrap();
        let plan = gpu_sim::plan::Plan::from_bytes(&plan).unwrap();
        assert_eq!(sha256(&plan.model), manifest["onnx"]["derived_sha256"].as_str().unwrap());
        assert!(plan.model.len() < 6 * manifest["onnx"]["bytes"].as_u64().unwrap() as usize / 10, "half the bytes");
        assert!(manifest["verified"]["agreement"].as_f64().unwrap() > 0.95, "{}", manifest["verified"]);
    }
}

impl Site {
    /// All that an answer says of an engine is so.
    fn is_whole(&self, engine: &Value, precision: &str) {
        let manifest = &engine["manifest"];
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
        let model = text(&engine["model"]);
        let plan = fs::read(self.path(&format!("{model}.plan"))).unwrap();
        assert_eq!(sha256(&plan), text(&engine["sha256"]));
        assert_eq!(sha256(&plan), text(&manifest["plan"]["sha256"]));
        assert_eq!(manifest["plan"]["bytes"], plan.len());
        let onnx = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines").join(&model).join("model.onnx");
        assert_eq!(sha256(&fs::read(onnx).unwrap()), text(&manifest["onnx"]["sha256"]));
        let log = fs::read(self.path(&text(&engine["log"]))).unwrap();
        assert!(!log.is_empty());
        assert_eq!(sha256(&log), text(&manifest["log"]["sha256"]));
        assert_eq!(manifest["log"]["errors"], 0);
        let mut beside: Value =
            serde_json::from_slice(&fs::read(self.path(&text(&engine["engine"])).with_extension("json")).unwrap())
                .unwrap();
        // Its numbers have 32 bits, and are written with as many digits as they need or as 64 bits would.
        let mut printed = manifest.clone();
        for manifest in [&mut beside, &mut printed] {
            assert!(manifest["golden"].take().is_object());
        }
        assert_eq!(beside, printed);
        assert_eq!(text(&manifest["schema"]), "engine/1");
        assert_eq!(text(&manifest["options"]["precision"]), precision);
        assert!(text(&manifest["platform"]["tensorrt"]).starts_with(&self.tensorrt), "{manifest}");
        assert_eq!(text(&manifest["platform"]["gpu"]["uuid_class"]), "GPU");
        assert!(manifest["memory"]["engine"].as_u64().unwrap() > 0, "{manifest}");
        assert!(manifest["memory"]["activations"].as_u64().unwrap() > 0, "{manifest}");
        let speed = manifest["speed"].as_array().unwrap();
        assert_eq!(speed.len(), if model == "reid" { 2 } else { 1 });
        for speed in speed {
            assert!(
                speed["median_ms"].as_f64().unwrap() > 0.0 && speed["p99_ms"].as_f64() >= speed["median_ms"].as_f64()
            );
        }
        assert_eq!(text(&manifest["golden"]["sha256"]), text(&manifest["onnx"]["sha256"]));
        assert!(manifest["timings"]["total_s"].as_f64().unwrap() > 0.0);
        let verified = &manifest["verified"];
        assert!(verified["agreement"].as_f64().unwrap() > 0.9, "{verified}");
        assert!(verified["counted"].as_u64().unwrap() >= 40, "the drawn street is enough, and by far: {verified}");
        assert!(engine["installed"].as_bool().unwrap());
    }
}
