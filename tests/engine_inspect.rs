//! `watchkeeper engine inspect` through the binary: plans on both simulated TensorRTs and without any GPU, and model files.

#![allow(clippy::unwrap_used)]

#[path = "support/manifests.rs"]
mod manifests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gpu_sim::plan::{Plan, Profile, Range, Target};
use serde_json::Value;

/// A folder with the simulator's libraries and a configuration with one model.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir(site.path("gpu")).unwrap();
        gpu_sim::stage::stage(&site.path("gpu")).unwrap();
        site.config(None);
        site
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn config(&self, tensorrt: Option<&str>) {
        let library = tensorrt.map(|major| self.path(&format!("gpu/libnvinfer.so.{major}")));
        let library = library.map(|path| format!("tensorrt_library = {path:?}\n")).unwrap_or_default();
        let text = format!(
            "[runtime]\npolicy = \"any\"\nstate_dir = \"state\"\n{library}\n[models.reid]\nonnx = {:?}\nplan = \"reid.plan\"\n\
             backend = \"tensorrt\"\n",
            onnx()
        );
        fs::write(self.path("config.toml"), text).unwrap();
    }

    /// A plan of the ReID model, for 1 to 8 crops.
    fn plan(&self, tensorrt: &str, edit: impl FnOnce(&mut Plan)) {
        let target =
            Target { tensorrt: tensorrt.to_owned(), compute_capability: "8.7".into(), precision: "fp32".into() };
        let crops = |n: i64| vec![n, 3, 128, 64];
        let profile = Profile::from([("images".to_owned(), Range { min: crops(1), opt: crops(4), max: crops(8) })]);
        let mut plan = Plan::build("reid", fs::read(onnx()).unwrap(), &[profile], &target).unwrap();
        edit(&mut plan);
        fs::write(self.path("reid.plan"), plan.to_bytes()).unwrap();
    }

    fn inspect(&self, gpu: bool, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.args(["engine", "inspect", "--config", "config.toml"]).args(args);
        command.current_dir(self.0.path()).stdin(Stdio::null());
        if gpu {
            command.env("LD_LIBRARY_PATH", self.path("gpu"));
        }
        command.output().unwrap()
    }

    #[track_caller]
    fn json(&self, gpu: bool, what: &str, more: &[&str]) -> Value {
        let output = self.inspect(gpu, &[&[what, "--json"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    fn text(&self, gpu: bool, args: &[&str]) -> String {
        let output = self.inspect(gpu, args);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn manifest(&self) {
        manifests::write("reid", &onnx(), &self.path("reid.plan"), 1.5, |command| {
            command.current_dir(self.0.path()).env("LD_LIBRARY_PATH", self.path("gpu"));
            command.args(["--config", "config.toml"]);
        });
    }
}

fn onnx() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/reid/model.onnx")
}

#[test]
fn a_plan_tells_its_tensors_profiles_memory_and_layers_on_both_majors() {
    let site = Site::new();
    for (version, library) in [("10.16.1", "10"), ("11.4.0", "11")] {
        site.config(Some(library));
        site.plan(version, |_| {});
        let about = site.json(true, "reid.plan", &["--layers"]);
        assert_eq!((&about["schema"], &about["kind"]), (&"inspect/1".into(), &"plan".into()));
        assert_eq!((&about["manifest"], &about["not_loaded"]), (&Value::Null, &Value::Null));
        assert!(about["here"]["tensorrt"].as_str().unwrap().starts_with(version), "{about:#}");
        let plan = &about["plan"];
        let [input, output] = [&plan["tensors"][0], &plan["tensors"][1]];
        assert_eq!(
            (&input["name"], &input["input"], &input["type"]),
            (&"images".into(), &true.into(), &"FLOAT".into())
        );
        assert_eq!(input["shape"], serde_json::json!([-1, 3, 128, 64]));
        assert_eq!(input["profiles"][0]["opt"], serde_json::json!([4, 3, 128, 64]));
        assert_eq!((&input["location"], &output["input"]), (&"DEVICE".into(), &false.into()));
        assert!(input["format"].as_str().unwrap().starts_with("Row major linear"), "{input}");
        // The simulator's: twice the largest input and 64 KB; 64 KB besides; the plan itself.
        let activations = 2 * 8 * 3 * 128 * 64 * 4 + (64 << 10);
        assert_eq!(plan["activations_by_profile"], serde_json::json!([activations]));
        let memory = &plan["memory"];
        let number = |name: &str| memory[name].as_u64().unwrap();
        assert_eq!((number("activations"), number("context")), (activations, 64 << 10));
        let bytes = plan["bytes"].as_u64().unwrap();
        assert!((bytes..bytes + 512).contains(&number("engine")), "{plan:#}");
        assert_eq!((&memory["tensors"][0]["shape"][0], &memory["tensors"][0]["most"]), (&(-1).into(), &8.into()));
        let layers = &plan["layers"];
        assert_eq!((&layers["count"], &layers["verbosity"]), (&1.into(), &"DETAILED".into()));
        assert_eq!((&layers["placement"]["gpu"], &layers["placement"]["dla"]), (&1.into(), &0.into()));
        assert_eq!((&layers["list"][0]["precision"], &layers["list"][0]["placement"]), (&"FP32".into(), &"gpu".into()));
        // By the model's name it is the same plan.
        let named = site.json(true, "reid", &[]);
        assert_eq!((&named["plan"]["sha256"], &named["model"]), (&plan["sha256"], &"reid".into()));
        assert_eq!(named["plan"]["layers"]["list"], Value::Null);
    }
}

#[test]
fn layers_on_an_accelerator_and_layers_that_are_not_told_of_are_shown_as_such() {
    let site = Site::new();
    site.plan("10.16.1", |plan| plan.header.dla_core = Some(0));
    let text = site.text(true, &["reid", "--layers"]);
    assert!(text.contains("layers      1: 1 on DLA\n") && text.contains("  DLA  FP32"), "{text}");
    assert!(text.contains("profile 0: 1x3x128x64 to 8x3x128x64, tuned for 4x3x128x64"), "{text}");
    site.plan("10.16.1", |plan| plan.header.names_only = true);
    let text = site.text(true, &["reid", "--layers"]);
    assert!(
        text.contains("layers      1: the engine does not tell what they run on (verbosity LAYER_NAMES_ONLY)"),
        "{text}"
    );
    assert!(text.contains("  -    -            -                    reid (simulated)"), "{text}");
}

#[test]
fn a_manifest_is_shown_held_against_this_machine_and_forbids_loading() {
    let site = Site::new();
    site.plan("10.16.1", |_| {});
    site.manifest();
    let text = site.text(true, &["reid"]);
    assert!(text.contains("manifest    reid, fp32, built 2026-01-02T03:04:05Z"), "{text}");
    assert!(text.contains("matches     this machine: Simulated GPU (CPU), 8 SMs"), "{text}");
    assert!(text.contains("speed       1.50 ms for 1 in a run") && text.contains("verified    no: "), "{text}");

    let path = site.path("reid.json");
    let written = fs::read_to_string(&path).unwrap();
    fs::write(&path, written.replace("\"multiprocessors\": 8", "\"multiprocessors\": 16")).unwrap();
    let about = site.json(true, "reid", &[]);
    assert_eq!((&about["plan"], &about["mismatches"][0]["what"]), (&Value::Null, &"GPU".into()), "{about:#}");
    let why = about["not_loaded"].as_str().unwrap();
    assert!(why.contains("16 SMs") && why.contains("here is Simulated GPU (CPU), 8 SMs"), "{why}");
    assert!(why.contains("; build it here: watchkeeper engine build reid --config "), "{why}");
}

#[test]
fn without_a_gpu_the_manifest_is_shown_and_that_is_said() {
    let site = Site::new();
    site.plan("10.16.1", |_| {});
    let output = site.inspect(false, &["reid.plan"]);
    assert_eq!(output.status.code(), Some(69), "{}", String::from_utf8_lossy(&output.stdout));
    site.manifest();
    let about = site.json(false, "reid.plan", &[]);
    assert_eq!((&about["plan"], &about["here"]), (&Value::Null, &Value::Null));
    assert_eq!(about["manifest"]["memory"]["context"], 64 << 10);
    assert!(about["not_loaded"].as_str().unwrap().ends_with("; only its manifest is shown"), "{about:#}");
    let text = site.text(false, &["reid.plan"]);
    assert!(text.contains("manifest    reid, fp32") && text.contains("only its manifest is shown"), "{text}");
}

#[test]
fn a_model_file_tells_what_is_in_it_without_a_gpu() {
    let site = Site::new();
    fs::copy(onnx(), site.path("reid.onnx")).unwrap();
    let about = site.json(false, "reid.onnx", &[]);
    assert_eq!((&about["kind"], &about["schema"]), (&"onnx".into(), &"inspect/1".into()));
    let facts = &about["onnx"];
    assert_eq!(facts["inputs"][0]["name"], "images");
    let nodes: u64 = facts["operators"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(facts["nodes"].as_u64(), Some(nodes));
    assert!(nodes > 10 && facts["parameters"].as_u64() > Some(1000), "{facts:#}");
    let text = site.text(false, &["reid.onnx", "--layers"]);
    assert!(text.contains(" Conv") && text.contains("input       images f32 "), "{text}");
}

#[test]
fn what_is_not_there_is_said() {
    let site = Site::new();
    for (what, words) in [
        ("pose", "there is no model \"pose\" in the configuration; there are: reid"),
        ("reid", "it is not built yet; build it: watchkeeper engine build reid --config config.toml"),
        ("none.plan", "none.plan: No such file"),
        ("none.onnx", "none.onnx: No such file"),
        ("config.toml.onnx", "config.toml.onnx"),
    ] {
        fs::write(site.path("config.toml.onnx"), "not a model").unwrap();
        let output = site.inspect(true, &[what]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains(words)), (Some(65), true), "{what}: {said}");
    }
    fs::write(site.path("bad.plan"), "not a plan").unwrap();
    let output = site.inspect(true, &["bad.plan"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(69) && said.contains("is not a usable TensorRT plan"), "{said}");
}
