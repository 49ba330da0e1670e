//! `watchkeeper engine verify` through the binary, on a simulated GPU: plans that wrap the shipped models, or what is left
//! of them.

#![allow(clippy::unwrap_used)]

#[path = "support/manifests.rs"]
mod manifests;
#[path = "support/street.rs"]
mod recorded;
#[path = "support/weights.rs"]
mod weights;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gpu_sim::plan::{Plan, Profile, Range, Target};
use onnxruntime::{Session, SessionOptions};
use recorded::{SEED, Street};
use serde_json::{Value, json};
use streetscene::output::{Images, Plan as Writing, Writer};
use streetscene::{Light, Options, View, World};
use watchkeeper::inference::artefact::{Manifest, Store};

const MODELS: [&str; 4] = ["detection", "pose", "segmentation", "reid"];

/// A street's recording, the simulator's libraries, and a configuration with these models on TensorRT.
struct Site(Street);

impl Site {
    fn new(models: &[&str], frames: u64, cameras: usize) -> Self {
        let street = Street::new(frames, cameras);
        fs::create_dir(street.path("gpu")).unwrap();
        gpu_sim::stage::stage(&street.path("gpu")).unwrap();
        let plans: Vec<String> = models.iter().map(|model| format!("plan = \"{model}.plan\"")).collect();
        street.config(&models.iter().copied().zip(plans.iter().map(String::as_str)).collect::<Vec<_>>());
        let text = fs::read_to_string(street.path("config.toml")).unwrap();
        let text = text.replace("\"onnxruntime\"", "\"tensorrt\"").replace("\"any\"", "\"gpu-only\"");
        fs::write(street.path("config.toml"), text).unwrap();
        Self(street)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path(file)
    }

    /// Builds a plan of `wrapped`, with a manifest that says it is of the shipped model, and installs it.
    fn install(&self, model: &str, wrapped: Vec<u8>) -> String {
        let plan = plan(model, wrapped);
        let store = Store::of(&self.path(&format!("{model}.plan")));
        let lock = store.lock(|| true).unwrap();
        let staged = store.put(&lock, &plan, "", &mut manifests::plain(model, &onnx(model))).unwrap();
        store.point_to(&lock, &staged, "test").unwrap();
        staged.sha256
    }

    fn manifest(&self, model: &str) -> Manifest {
        Manifest::read(&self.path(&format!("{model}.plan"))).unwrap().unwrap()
    }

    fn run(&self, args: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.args(args).args(["--config", "config.toml"]).current_dir(self.0.folder.path()).stdin(Stdio::null());
        command.env("LD_LIBRARY_PATH", self.path("gpu")).env("GST_PLUGIN_PATH", self.path("gpu/gstreamer"));
        command.env("GST_REGISTRY", self.path("registry.bin"));
        command.envs(environment.iter().copied());
        command.output().unwrap()
    }

    /// What `engine verify` says, its JSON, and its exit code.
    fn verify(&self, args: &[&str]) -> (i32, Value, String) {
        let args = [&["engine", "verify", "--json"], args].concat();
        let output = self.run(&args, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap(), json, said)
    }

    /// What it says where it refuses.
    fn refused(&self, args: &[&str]) -> String {
        let (code, _, said) = self.verify(args);
        assert_eq!(code, 65, "{said}");
        said
    }
}

fn onnx(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("engines").join(model).join("model.onnx")
}

fn shipped(model: &str) -> Vec<u8> {
    fs::read(onnx(model)).unwrap()
}

fn plan(model: &str, wrapped: Vec<u8>) -> Vec<u8> {
    let target = Target { tensorrt: "10.16.1".into(), compute_capability: "8.7".into(), precision: "fp32".into() };
    let crops = |n: i64| vec![n, 3, 128, 64];
    let profile = Profile::from([("images".to_owned(), Range { min: crops(1), opt: crops(8), max: crops(8) })]);
    let profiles = if model == "reid" { vec![profile] } else { vec![] };
    Plan::build(model, wrapped, &profiles, &target).unwrap().to_bytes()
}

/// `video.mp4` of a camera.
fn recording(camera: &str) -> String {
    format!("street/seed-{SEED:06}/{camera}/video.mp4")
}

/// The engine's entry in the JSON.
fn entry<'a>(json: &'a Value, model: &str) -> &'a Value {
    json["engines"].as_array().unwrap().iter().find(|entry| entry["model"] == model).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_plan_of_the_same_model_agrees_wholly_and_its_manifest_says_so() {
    let site = Site::new(&MODELS, 4, 1);
    let sums = MODELS.map(|model| site.install(model, shipped(model)));
    let (code, json, said) = site.verify(&["--all"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("run on the CPU"), "a gpu-only configuration, and nothing is said: {said}");
    let parts: [&[&str]; 4] =
        [&["boxes", "scores"], &["boxes", "keypoints", "scores"], &["boxes", "masks", "scores"], &["embeddings"]];
    for ((model, sha256), parts) in MODELS.iter().zip(&sums).zip(parts) {
        let entry = entry(&json, model);
        assert_eq!((&entry["sha256"], &entry["passed"]), (&json!(sha256), &json!(true)), "{entry}");
        let agreements = entry["verified"]["agreements"].as_object().unwrap();
        assert_eq!(agreements.keys().collect::<Vec<_>>(), parts, "{model}");
        for (part, value) in agreements {
            assert!(number(value) > 0.9999, "{model}: {part} {value}");
        }
        let l2: Vec<f64> = entry["verified"]["figures"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| name.starts_with("l2 "))
            .map(|(_, value)| number(value))
            .collect();
        assert!(!l2.is_empty() && l2.iter().all(|value| *value < 1e-3), "{model}: {l2:?}");
        let kept = site.manifest(model).verified.unwrap();
        assert_eq!(serde_json::to_value(&kept).unwrap(), entry["verified"], "{model}");
        assert_eq!((kept.pictures, kept.data.as_str()), (16, "a street drawn by Watchkeeper"));
    }
    let list = String::from_utf8(site.run(&["engine", "list"], &[]).stdout).unwrap();
    assert_eq!(list.matches("agreement 1.000").count(), 4, "{list}");
    // What is kept is what a start asks for.
    let tracks = ["analyze", &recording("plaza-1"), "--out", "tracks.jsonl"];
    let output = site.run(&tracks, &[("WATCHKEEPER__RUNTIME__REQUIRE_VERIFIED", "0.99")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What `watchkeeper eval` says of a model, on TensorRT or on the CPU. The model file lies without its recording, which would
/// refuse a damaged engine before it is measured.
fn eval(site: &Site, model: &str, on_cpu: bool, truth: &[&str]) -> Value {
    let text = fs::read_to_string(site.path("config.toml")).unwrap().replace("\"gpu-only\"", "\"any\"");
    let plan = format!("plan = \"{model}.plan\"\n");
    let cpu = || {
        text.replace("\"tensorrt\"", "\"onnxruntime\"")
            .lines()
            .filter(|l| !l.starts_with("plan ="))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(text.contains(&plan));
    fs::write(site.path("eval.toml"), if on_cpu { cpu() } else { text.clone() }).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.args(["eval", "--json", "--models", model, "--config", "eval.toml"]).args(truth);
    command.current_dir(site.0.folder.path()).stdin(Stdio::null()).env("LD_LIBRARY_PATH", site.path("gpu"));
    command.env("GST_PLUGIN_PATH", site.path("gpu/gstreamer")).env("GST_REGISTRY", site.path("registry.bin"));
    for file in ["model.onnx", "model.toml"] {
        fs::copy(onnx(model).with_file_name(file), site.path(file)).unwrap();
    }
    command.env(format!("WATCHKEEPER__MODELS__{}__ONNX", model.to_uppercase()), site.path("model.onnx"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["all"].clone()
}

/// AP, AP50 and recall are those of `eval`.
#[track_caller]
fn assert_as_eval(labelled: &Value, eval: &Value, what: &str) {
    for (ours, theirs) in [("ap", "ap"), ("ap50", "ap50"), ("recall", "ar")] {
        let (ours, theirs) = (number(&labelled[ours]), number(&eval[theirs]));
        assert!((ours - theirs).abs() < 1e-9, "{what}: {ours} instead of {theirs}");
    }
}

#[test]
fn a_damaged_engine_is_told_with_numbers_and_its_accuracy_is_what_eval_says() {
    for (model, part, section, steps) in [
        ("detection", "boxes", "detection", 16.0),
        ("pose", "keypoints", "keypoints", 16.0),
        ("segmentation", "masks", "segmentation", 16.0),
    ] {
        let site = Site::new(&[model], 10, 2);
        site.install(model, weights::rounded(&shipped(model), steps));
        let (code, json, said) = site.verify(&[model, "--truth", "street", "--min-agreement", "0.97"]);
        let entry = entry(&json, model);
        let verified = &entry["verified"];
        eprintln!("{model}: {verified}");
        assert_eq!((code, &entry["passed"]), (65, &json!(false)), "{said}");
        let agreement = number(&verified["agreement"]);
        let words =
            format!("engine \"{model}\" agrees with its model file by {:.3} only (", (agreement * 1e3).floor() / 1e3);
        assert!(said.contains(&words) && said.contains(", asked 0.97; build it in a higher precision"), "{said}");
        let worst = verified["agreements"].as_object().unwrap().values().map(number).fold(1.0, f64::min);
        assert!((worst - agreement).abs() < 1e-12 && agreement > 0.05, "{verified}");
        assert_eq!((&verified["pictures"], &verified["labelled"]["of"]), (&json!(20), &json!(part)));
        let labelled = &verified["labelled"];
        for (side, on_cpu) in [("onnx", true), ("plan", false)] {
            let eval = eval(&site, model, on_cpu, &["--truth", "street"]);
            assert_as_eval(&labelled[side], &eval[section], &format!("{model}, {side}"));
        }
        let (onnx, plan) = (number(&labelled["onnx"]["ap"]), number(&labelled["plan"]["ap"]));
        assert!(plan < onnx, "{labelled}");
        assert!((number(&verified["agreements"]["ap"]) - plan / onnx).abs() < 1e-9, "{verified}");
        // Kept all the same, for whoever lists engines or asks for more at a start.
        assert_eq!(site.manifest(model).verified.unwrap().agreement, agreement);
        let wanted = [("WATCHKEEPER__RUNTIME__REQUIRE_VERIFIED", "0.97")];
        let output = site.run(&["analyze", &recording("plaza-1"), "--out", "tracks.jsonl"], &wanted);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(said.contains("runtime.require_verified asks for 0.97"), "{said}");
    }
}

#[test]
fn embeddings_are_compared_on_the_crops_of_the_truth_and_judged_by_who_finds_whom() {
    let site = Site::new(&["reid"], 10, 4);
    site.install("reid", weights::rounded(&shipped("reid"), 3.0));
    let (_, json, said) = site.verify(&["reid", "--truth", "street"]);
    let verified = &entry(&json, "reid")["verified"];
    eprintln!("{verified} {said}");
    assert_eq!(verified["labelled"]["of"], "embeddings");
    let (onnx, plan) = (&verified["labelled"]["onnx"], &verified["labelled"]["plan"]);
    assert!(number(&onnx["map"]) > 0.3 && number(&onnx["map"]) >= number(&plan["map"]), "{verified}");
    let (mean, worst) = (&verified["agreements"]["embeddings"], &verified["figures"]["embeddings_worst"]);
    assert!(number(mean) < 0.999 && number(worst) < number(mean), "{verified}");
    assert!(number(&verified["figures"]["embeddings_compared"]) >= 20.0, "{verified}");
}

#[test]
fn an_engine_that_answers_nonsense_agrees_by_nothing() {
    let site = Site::new(&["detection"], 2, 1);
    site.install("detection", shipped("detection"));
    let faults = [("WATCHKEEPER_SIM", r#"{"tensorrt":{"wrong_outputs":true}}"#)];
    let output = site.run(&["engine", "verify", "detection"], &faults);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(said.contains("agrees with its model file by 0.000 only (boxes 0.000: finds 0 of "), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("asked 0.9: not enough") && table.contains("kept in ./store/"), "{table}");
    assert_eq!(site.manifest("detection").verified.unwrap().agreement, 0.0);
}

/// A set in COCO's format, in `coco/seed-.../coco.json`, with its pictures.
fn coco(site: &Site, frames: u64) -> String {
    let mut world = World::new(&Options { seed: SEED, light: Some(Light::Day), ..Options::default() });
    let plan =
        Writing { out: site.path("coco"), cameras: vec![0, 1], images: Some(Images::Png), quality: 90, fps: 1.0 };
    let mut writer = Writer::new(&plan, &world, SEED).unwrap();
    let mut views = [View::new(&world, 0), View::new(&world, 1)];
    for frame in 1..=frames {
        world.advance_to(10.0 + frame as f64);
        for view in &mut views {
            view.render(&world, frame);
            let truth = view.truth().clone();
            writer.frame(view.frame(), &truth).unwrap();
        }
    }
    writer.finish().unwrap();
    format!("coco/seed-{SEED:06}/coco.json")
}

#[test]
fn a_set_in_cocos_format_gives_the_accuracy_of_both() {
    let site = Site::new(&["detection"], 2, 1);
    site.install("detection", weights::rounded(&shipped("detection"), 12.0));
    let set = coco(&site, 3);
    let images = Path::new(&set).parent().unwrap().to_str().unwrap();
    let (_, json, said) = site.verify(&["detection", "--coco", &set]);
    let verified = &entry(&json, "detection")["verified"];
    assert_eq!((&verified["pictures"], &verified["data"]), (&json!(6), &json!(format!("COCO {set}"))), "{said}");
    for (side, on_cpu) in [("onnx", true), ("plan", false)] {
        let eval = eval(&site, "detection", on_cpu, &["--truth", &set, "--images", images]);
        assert_as_eval(&verified["labelled"][side], &eval["detection"], side);
    }
    // Fewer of them, and the truth of these alone.
    let (_, json, said) = site.verify(&["detection", "--coco", &set, "--images", images, "--limit", "2"]);
    let few = &entry(&json, "detection")["verified"];
    assert_eq!(few["pictures"], 2, "{said}");
    assert!(number(&few["labelled"]["onnx"]["recall"]) > 0.3, "{few}");
    // A truth about other things.
    let text = fs::read_to_string(site.path(&set)).unwrap();
    let text =
        text.replace("\"person\"", "\"crane\"").replace("\"bicycle\"", "\"ship\"").replace("\"car\"", "\"gull\"");
    fs::write(site.path("harbour.json"), text).unwrap();
    let said = site.refused(&["detection", "--coco", "harbour.json", "--images", images]);
    assert!(
        said.contains("no label of model \"detection\" (person, bicycle, car) is a category of the ground truth"),
        "{said}"
    );
    let said = site.refused(&["detection", "--coco", "harbour.json"]);
    assert!(said.contains("no such picture; --images is the folder of the pictures"), "{said}");
}

#[test]
fn a_recording_gives_frames_that_are_spread_over_it() {
    let site = Site::new(&["detection", "reid"], 12, 1);
    for model in ["detection", "reid"] {
        site.install(model, shipped(model));
    }
    let (code, json, said) = site.verify(&["detection", "reid", "--recording", &recording("plaza-1"), "--limit", "5"]);
    assert_eq!(code, 0, "{said}");
    for model in ["detection", "reid"] {
        let verified = &entry(&json, model)["verified"];
        assert_eq!(verified["pictures"], 5, "{verified}");
        assert!(number(&verified["agreement"]) > 0.999, "{verified}");
        assert_eq!(verified["data"], format!("recording {}", recording("plaza-1")));
    }
    // One picture proves nothing, whatever is in it.
    let said = site.refused(&["detection", "--recording", &recording("plaza-1"), "--limit", "1"]);
    assert!(said.contains("the model file finds only ") && said.contains(" boxes in 1 of these pictures"), "{said}");
    // Nobody says where people are: the configuration's detector does.
    assert!(number(&entry(&json, "reid")["verified"]["figures"]["embeddings_compared"]) >= 5.0, "{json}");
    let said = site.refused(&["detection", "--recording", "nowhere.mp4"]);
    assert!(said.contains("--recording nowhere.mp4: no such file"), "{said}");
    fs::write(site.path("broken.mp4"), "this is no recording").unwrap();
    let said = site.refused(&["detection", "--recording", "broken.mp4"]);
    assert!(said.contains("broken.mp4: "), "{said}");
}

#[test]
fn pictures_in_which_the_model_finds_nothing_prove_nothing() {
    let site = Site::new(&["detection", "pose"], 2, 1);
    site.install("detection", shipped("detection"));
    site.install("pose", shipped("pose"));
    fs::create_dir(site.path("black")).unwrap();
    let said = site.refused(&["detection", "--pictures", "black"]);
    assert!(said.contains("--pictures black: no .jpg, .jpeg or .png file there"), "{said}");
    for name in ["a.jpg", "b.jpeg"] {
        image::RgbImage::new(320, 180).save(site.path("black").join(name)).unwrap();
    }
    let said = site.refused(&["detection", "pose", "--pictures", "black"]);
    for model in ["detection", "pose"] {
        let words = format!(
            "model \"{model}\": the model file finds nothing in these pictures (pictures black); use pictures with"
        );
        assert!(said.contains(&words), "{said}");
    }
    assert_eq!(site.manifest("detection").verified, None);
    // Beside pictures that show something they change nothing.
    let set = coco(&site, 2);
    let folder = Path::new(&set).with_file_name("plaza-1").join("img");
    let agrees = |folder: &str| {
        let (code, json, said) = site.verify(&["detection", "--pictures", folder]);
        assert_eq!(code, 0, "{said}");
        entry(&json, "detection")["verified"].clone()
    };
    let alone = agrees(folder.to_str().unwrap());
    for entry in fs::read_dir(site.path(folder.to_str().unwrap())).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, site.path("black").join(from.file_name().unwrap())).unwrap();
    }
    let mixed = agrees("black");
    assert_eq!((&alone["pictures"], &mixed["pictures"]), (&json!(2), &json!(4)));
    assert_eq!(alone["agreements"], mixed["agreements"]);
}

#[test]
fn the_bound_is_what_was_asked_here_or_what_a_start_asks_for() {
    let site = Site::new(&["detection"], 2, 1);
    site.install("detection", weights::rounded(&shipped("detection"), 16.0));
    let verify = |args: &[&str], environment: &[(&str, &str)]| {
        let output = site.run(&[&["engine", "verify", "detection"], args].concat(), environment);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let required = [("WATCHKEEPER__RUNTIME__REQUIRE_VERIFIED", "0.9999")];
    let (code, table) = verify(&[], &required);
    assert!(code == 65 && table.contains("asked 0.9999: not enough"), "{code} {table}");
    let (code, table) = verify(&["--min-agreement", "0.01"], &required);
    assert!(code == 0 && table.contains("asked 0.01: enough"), "{code} {table}");
    assert_eq!(verify(&["--min-agreement", "2"], &[]).0, 64);
    assert_eq!(site.run(&["engine", "verify"], &[]).status.code(), Some(64), "which model?");
}

#[test]
fn a_plan_from_elsewhere_is_measured_and_nothing_is_kept() {
    let site = Site::new(&["detection"], 2, 1);
    let said = site.refused(&["detection"]);
    assert!(said.contains("there is no plan detection.plan; build it: watchkeeper engine build detection"), "{said}");
    fs::write(site.path("detection.plan"), plan("detection", shipped("detection"))).unwrap();
    let output = site.run(&["engine", "verify", "detection"], &[]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(table.contains("agreement    1.000"), "{table}");
    assert!(table.contains("not kept: detection.plan was built elsewhere and has no manifest;"), "{table}");
    assert_eq!(Manifest::read(&site.path("detection.plan")).unwrap(), None);
    let (_, json, _) = site.verify(&["detection"]);
    assert!(entry(&json, "detection")["not_kept"].as_str().unwrap().contains("has no manifest"), "{json}");
}

#[test]
fn an_engine_that_does_not_answer_as_when_it_was_built_ends_the_start() {
    let site = Site::new(&["detection"], 2, 1);
    // Without the CPU's recording beside it, so that the manifest's is all there is.
    fs::copy(onnx("detection"), site.path("model.onnx")).unwrap();
    fs::copy(onnx("detection").with_file_name("model.toml"), site.path("model.toml")).unwrap();
    let text = fs::read_to_string(site.path("config.toml")).unwrap();
    fs::write(site.path("config.toml"), text.replace(onnx("detection").to_str().unwrap(), "model.onnx")).unwrap();
    let golden = fs::read(onnx("detection").with_file_name("golden.json")).unwrap();
    let install = |wrapped| {
        let sha256 = site.install("detection", wrapped);
        let store = Store::of(&site.path("detection.plan"));
        let golden = Some(serde_json::from_slice(&golden).unwrap());
        store
            .update(&store.lock(|| true).unwrap(), &sha256, &Manifest { golden, ..site.manifest("detection") })
            .unwrap();
    };
    let start = || {
        let args = ["analyze", &recording("plaza-1"), "--models", "detection", "--out", "tracks.jsonl"];
        let output = site.run(&args, &[]);
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    install(shipped("detection"));
    let (code, said) = start();
    assert!(code == 0 && !said.contains("was not compared"), "{said}");
    // As far off as a precision would excuse.
    install(weights::changed(&shipped("detection"), |weights| weights.iter_mut().for_each(|weight| *weight *= 1.0005)));
    let (code, said) = start();
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("engine \"detection\" does not answer as when it was built: "), "{said}");
    assert!(said.contains("driver") && said.contains("watchkeeper engine build detection"), "{said}");
}

/// What `engine build` makes of the detector for INT8, calibrated on these pictures.
fn quantised(site: &Site, pictures: &[streetscene::Frame]) -> Vec<u8> {
    const SIZE: (usize, usize) = (512, 288);
    let model = onnx::Model::read(&onnx("detection")).unwrap();
    let points = onnx::conv_inputs(&model);
    let inner: Vec<&str> = points.iter().filter(|point| !point.input).map(|point| point.tensor.as_str()).collect();
    let runtime = watchkeeper::inference::load_onnxruntime(None).unwrap();
    let mut seen: BTreeMap<String, onnx::Histogram> = BTreeMap::new();
    // A few at a time: a session has at most 16 outputs here.
    for inner in inner.chunks(12) {
        let watched = site.path("watched.onnx");
        fs::write(&watched, onnx::with_outputs(&model, inner).unwrap().to_bytes()).unwrap();
        let session = Session::open(&runtime, &watched, SessionOptions { threads: 1 }).unwrap();
        let mut binding = session.bind(&[vec![1, 3, SIZE.1 as i64, SIZE.0 as i64]]).unwrap();
        for picture in pictures {
            // Both are 16:9, so that nothing is padded.
            let pixel = |x: usize, y: usize| ((y * 360 / SIZE.1) * 640 + x * 640 / SIZE.0) * 4;
            let input = binding.input_mut::<f32>(0).unwrap();
            for (at, value) in input.iter_mut().enumerate() {
                let (channel, y, x) = (at / (SIZE.0 * SIZE.1), at / SIZE.0 % SIZE.1, at % SIZE.0);
                *value = f32::from(picture.rgba[pixel(x, y) + channel]) / 255.0;
            }
            seen.entry("images".to_owned()).or_default().add(input);
            binding.run().unwrap();
            for (at, output) in session.outputs().iter().enumerate() {
                seen.entry(output.name.clone()).or_default().add(binding.output::<f32>(at).unwrap().1);
            }
        }
    }
    let range = |point: &onnx::ActivationPoint| {
        let amax = seen[&point.tensor].amax(onnx::Calibration::Entropy);
        // Where a black picture leaves nothing at all, any scale is as wrong.
        (point.tensor.clone(), if amax > 0.0 { amax } else { 1.0 })
    };
    let ranges = onnx::Ranges(points.iter().map(range).collect());
    onnx::quantise(&model, &ranges, &[]).unwrap().0.to_bytes()
}

#[test]
fn int8_that_was_calibrated_on_black_pictures_is_refused_and_on_the_street_passes() {
    let site = Site::new(&["detection"], 10, 2);
    // Another street than the one that is judged on.
    let mut world = World::new(&Options { seed: SEED + 1, light: Some(Light::Day), ..Options::default() });
    let mut view = View::new(&world, 0);
    let mut street = Vec::new();
    for frame in 1..=12 {
        world.advance_to(5.0 + 2.0 * frame as f64);
        street.push(view.render(&world, frame).clone());
    }
    let black = [streetscene::Frame { rgba: vec![0; 640 * 360 * 4], ..street[0].clone() }];
    let verify = |plan: Vec<u8>| {
        site.install("detection", plan);
        let (code, json, said) = site.verify(&["detection", "--truth", "street"]);
        (code, entry(&json, "detection")["verified"].clone(), said)
    };
    let (code, good, said) = verify(quantised(&site, &street));
    eprintln!("{good}");
    assert_eq!(code, 0, "{said}");
    // The loss is real.
    assert!(number(&good["agreement"]) < 0.9999, "{good}");
    let (code, bad, said) = verify(quantised(&site, &black));
    eprintln!("{bad} {said}");
    assert_eq!(code, 65, "{said}");
    assert!(number(&bad["agreement"]) < number(&good["agreement"]) - 0.1, "{bad}");
    let (wanted, found) = (number(&bad["figures"]["boxes_wanted"]), number(&bad["figures"]["boxes_found"]));
    assert!(said.contains(&format!("finds {found} of {wanted} boxes")), "{said}");
}
