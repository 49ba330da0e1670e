//! Engines as artefacts, through the binary on a simulated GPU: a manifest that forbids a plan, `engine list`, `rollback`
//! and `gc`.

#![allow(clippy::unwrap_used)]

#[path = "support/street.rs"]
mod recorded;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gpu_sim::plan::{Plan, Target};
use recorded::{SEED, Street};
use serde_json::{Value, json};
use watchkeeper::inference::artefact::{Store, sha256_of_bytes, sha256_of_file};

/// A street's recording, the simulator's libraries, and a configuration with the detector on TensorRT.
struct Site(Street);

impl Site {
    fn new() -> Self {
        let street = Street::new(4, 1);
        fs::create_dir(street.path("gpu")).unwrap();
        gpu_sim::stage::stage(&street.path("gpu")).unwrap();
        street.config(&[("detection", "plan = \"detection.plan\"")]);
        let text = fs::read_to_string(street.path("config.toml")).unwrap();
        fs::write(street.path("config.toml"), text.replace("\"onnxruntime\"", "\"tensorrt\"")).unwrap();
        Self(street)
    }

    /// Puts a plan of the detector into the store under this name, with what its manifest says changed by `edit`, and
    /// lets the configured path lead to it.
    fn install(&self, name: &str, edit: impl FnOnce(&mut Value)) -> String {
        let onnx = onnx();
        let target = Target { tensorrt: "10.16.1".into(), compute_capability: "8.7".into(), precision: "fp32".into() };
        let plan = Plan::build(name, fs::read(&onnx).unwrap(), &[], &target).unwrap().to_bytes();
        let mut manifest = json!({
            "schema": "engine/1", "model": "detection", "built_at": "2026-01-02T03:04:05Z", "watchkeeper": "0.1.0",
            "onnx": { "file": "model.onnx", "sha256": sha256_of_file(&onnx).unwrap(), "bytes": 1 },
            "plan": { "sha256": sha256_of_bytes(&plan), "bytes": plan.len() },
            "platform": {
                "tensorrt": "10.16.1.0", "cuda": "12.2",
                "gpu": {
                    "name": "Simulated GPU (CPU)", "uuid_class": "GPU", "compute_capability": "8.7",
                    "multiprocessors": 8, "memory_bytes": 8_u64 << 30, "integrated": false,
                },
            },
            "options": { "precision": "fp32", "strongly_typed": false, "low_memory": false, "flags": [] },
            "profiles": [],
            "timings": { "calibrate_s": 0.0, "parse_s": 0.1, "build_s": 1.0, "total_s": 1.2, "timing_cache": false },
        });
        edit(&mut manifest);
        let store = Store::of(&self.0.path("detection.plan"));
        let lock = store.lock(|| true).unwrap();
        let sha256 = sha256_of_bytes(&plan);
        let staged = store.staged(&sha256);
        fs::write(&staged.plan, plan).unwrap();
        fs::write(staged.plan.with_extension("json"), manifest.to_string()).unwrap();
        store.point_to(&lock, &staged, "test").unwrap();
        sha256
    }

    fn run(&self, args: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.args(args).args(["--config", "config.toml"]).current_dir(self.0.folder.path()).stdin(Stdio::null());
        command.env("LD_LIBRARY_PATH", self.0.path("gpu")).envs(environment.iter().copied());
        command.output().unwrap()
    }

    /// Everything that `analyze` says about a start that must fail, in one line.
    fn refused(&self, environment: &[(&str, &str)]) -> String {
        let output = self.analyze(environment);
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(69), "{words}");
        words.lines().last().unwrap().to_owned()
    }

    fn analyze(&self, environment: &[(&str, &str)]) -> Output {
        let video = format!("street/seed-{SEED:06}/plaza-1/video.mp4");
        self.run(&["analyze", &video, "--out", "tracks.jsonl"], environment)
    }
}

fn onnx() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/detection/model.onnx")
}

#[test]
fn a_plan_whose_manifest_fits_runs() {
    let site = Site::new();
    site.install("detection", |_| ());
    let output = site.analyze(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_plan_for_another_machine_is_refused_before_it_is_read_with_both_values_and_the_command() {
    let site = Site::new();
    let rows: [(&str, Value, &str); 4] = [
        ("/platform/tensorrt", json!("10.3.0.30"), "TensorRT: built 10.3.0.30, here 10.16.1.0; "),
        (
            "/platform/gpu/multiprocessors",
            json!(16),
            "GPU: built on Simulated GPU (CPU), 16 SMs, compute capability 8.7, 8.0 GB, here is Simulated GPU (CPU), 8 SMs, \
             compute capability 8.7, 8.0 GB; ",
        ),
        (
            "/platform/gpu/name",
            json!("Orin"),
            "GPU: built on Orin, 8 SMs, compute capability 8.7, 8.0 GB, here is Simul",
        ),
        ("/onnx/sha256", json!("ab".repeat(32)), "model file: built sha256 abababababab, here sha256 e49b385d1711; "),
    ];
    for (key, value, words) in rows {
        site.install("detection", |manifest| *manifest.pointer_mut(key).unwrap() = value.clone());
        // Had TensorRT been asked, this would be its words.
        let said = site.refused(&[("WATCHKEEPER_SIM", r#"{"tensorrt":{"fail_deserialize":1}}"#)]);
        assert!(said.contains(words), "{key}: {said}");
        assert!(said.ends_with("build it here: watchkeeper engine build detection --config config.toml"), "{said}");
    }
}

#[test]
fn a_plan_that_is_not_the_one_of_the_manifest_is_refused() {
    let site = Site::new();
    let sha256 = site.install("detection", |_| ());
    let file = Store::of(&site.0.path("detection.plan")).staged(&sha256).plan;
    let mut bytes = fs::read(&file).unwrap();
    bytes[5000] ^= 1;
    fs::write(&file, bytes).unwrap();
    let said = site.refused(&[]);
    assert!(said.contains(&format!("plan file: built sha256 {}, here sha256 ", &sha256[..12])), "{said}");
    fs::write(file.with_extension("json"), "{").unwrap();
    let said = site.refused(&[]);
    assert!(
        said.contains(&format!("{sha256}.json: ")) && said.contains("watchkeeper engine build detection"),
        "{said}"
    );
}

#[test]
fn an_engine_that_nobody_verified_or_that_agrees_too_little_is_refused_where_that_is_asked() {
    let site = Site::new();
    let asked = [("WATCHKEEPER__RUNTIME__REQUIRE_VERIFIED", "0.95")];
    site.install("detection", |_| ());
    assert!(site.refused(&asked).contains("nobody verified this engine"));
    let loaded = watchkeeper::config::load(&site.0.path("config.toml")).unwrap();
    let settings = watchkeeper::inference::settings_sha256(&loaded.config.models[0]);
    let of = |agreement: f64, boxes: u32, pictures: u32| {
        json!({
            "at": "2026-01-02T03:04:05Z", "data": "street", "pictures": 16, "agreement": agreement,
            "settings_sha256": settings, "counted": boxes, "counted_in": pictures, "agreements": { "boxes": agreement },
        })
    };
    let verified = |agreement: f64| of(agreement, 20, 2);
    for (boxes, pictures) in [(19, 16), (81, 1)] {
        site.install("detection", |manifest| manifest["verified"] = of(1.0, boxes, pictures));
        let said = site.refused(&asked);
        assert!(
            said.contains(&format!("about {boxes} boxes or crops in {pictures} of 16 pictures of street")),
            "{said}"
        );
    }
    site.install("detection", |manifest| manifest["verified"] = verified(0.41));
    let said = site.refused(&asked);
    assert!(said.contains("agreement with the model file is 0.410 (boxes 0.410, 16 pictures of street)"), "{said}");
    assert!(said.contains("asks for 0.95"), "{said}");
    assert!(site.analyze(&[]).status.success());
    site.install("detection", |manifest| manifest["verified"] = verified(0.97));
    assert!(site.analyze(&asked).status.success());
    // It agreed about other boxes.
    let said = site.refused(&[asked[0], ("WATCHKEEPER__MODELS__DETECTION__MIN_SCORE", "0.6")]);
    assert!(said.contains("was verified with other settings") && said.contains("engine verify detection"), "{said}");
}

#[test]
fn engines_are_listed_rolled_back_and_collected() {
    let site = Site::new();
    let said = String::from_utf8(site.run(&["engine", "list"], &[]).stdout).unwrap();
    assert!(said.contains("detection: detection.plan: not built yet"), "{said}");
    // Three plans of one model differ in their names only.
    let [first, second, third] = ["one", "two", "three"].map(|name| site.install(name, |_| ()));
    let list = || -> Value { serde_json::from_slice(&site.run(&["engine", "list", "--json"], &[]).stdout).unwrap() };
    let in_use = || {
        let lists = list();
        let engines = lists[0]["engines"].as_array().unwrap().clone();
        engines.into_iter().find(|engine| engine["models"] == json!(["detection"])).unwrap()["sha256"].clone()
    };
    assert_eq!(list()[0]["engines"].as_array().unwrap().len(), 3);
    assert_eq!(in_use(), json!(third));
    assert!(site.run(&["engine", "rollback", "detection"], &[]).status.success());
    assert_eq!(in_use(), json!(second));
    assert!(site.analyze(&[]).status.success());
    let back = site.run(&["engine", "rollback", "detection", "--to", &third[..12]], &[]);
    assert!(back.status.success());
    assert_eq!(in_use(), json!(third));
    let nowhere = site.run(&["engine", "rollback", "detection", "--to", "ffff"], &[]);
    assert_eq!(nowhere.status.code(), Some(65));
    let unknown = site.run(&["engine", "rollback", "pose"], &[]);
    let words = String::from_utf8(unknown.stderr).unwrap();
    assert!(unknown.status.code() == Some(65) && words.contains("there are: detection"), "{words}");
    let would = site.run(&["engine", "gc", "--dry-run"], &[]);
    assert!(String::from_utf8(would.stdout).unwrap().contains(&format!("would delete {}", &first[..12])));
    assert_eq!(list()[0]["engines"].as_array().unwrap().len(), 3);
    assert!(site.run(&["engine", "gc"], &[]).status.success());
    assert_eq!(list()[0]["engines"].as_array().unwrap().len(), 2);
    assert_eq!(in_use(), json!(third));
}

#[test]
fn an_engine_that_the_daemon_would_refuse_is_gone_back_to_by_force_only() {
    let site = Site::new();
    let old = site.install("old", |manifest| manifest["onnx"]["sha256"] = json!("ab".repeat(32)));
    let new = site.install("new", |_| ());
    let store = Store::of(&site.0.path("detection.plan"));
    let refused = site.run(&["engine", "rollback", "detection"], &[]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(
        refused.status.code() == Some(65) && words.contains("model file: built sha256 abababababab, here"),
        "{words}"
    );
    assert_eq!(store.current(), Some(new));
    assert!(site.run(&["engine", "rollback", "detection", "--force"], &[]).status.success());
    assert_eq!(store.current(), Some(old));
}

#[test]
fn who_changes_engines_while_another_does_is_asked_to_come_back() {
    let site = Site::new();
    site.install("detection", |_| ());
    let store = Store::of(&site.0.path("detection.plan"));
    let _held = store.lock(|| true).unwrap();
    for args in [&["engine", "gc"][..], &["engine", "rollback", "detection"]] {
        assert_eq!(site.run(args, &[]).status.code(), Some(75), "{args:?}");
    }
    assert!(site.run(&["engine", "list"], &[]).status.success());
}

#[test]
fn a_plan_that_is_not_there_is_answered_with_the_command_that_builds_it() {
    let site = Site::new();
    symlink("store/nowhere.plan", site.0.path("detection.plan")).unwrap();
    let output = site.run(&["check"], &[]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(
        words.contains("detection.plan is not there; build it") && words.contains("engine build detection"),
        "{words}"
    );
}
