//! 8-bit integers: ranges from pictures, kept for the next build, and a gate for what they spoil.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use streetscene::output::{Images, Plan, Writer};
use streetscene::{Light, Options, View, World};

use crate::builds::{Site, onnx, sha256, words};
use crate::recorded::{SEED, Street};

/// Pictures of a street that is neither in training nor in the recording.
fn pictures(site: &Site) -> PathBuf {
    let out = site.path("pictures");
    let mut world = World::new(&Options { seed: SEED + 4, light: Some(Light::Day), ..Options::default() });
    let images = Some(Images::Jpg);
    let plan = Plan { out: out.clone(), cameras: vec![0], images, quality: 90, fps: 1.0 };
    let mut writer = Writer::new(&plan, &world, SEED + 4).unwrap();
    let mut view = View::new(&world, 0);
    for frame in 0..24 {
        world.advance_to(10.0 + frame as f64);
        view.render(&world, frame + 1);
        let truth = view.truth().clone();
        writer.frame(view.frame(), &truth).unwrap();
    }
    writer.finish().unwrap();
    // The writer has a folder for each seed and camera.
    let mut folder = out;
    while !fs::read_dir(&folder).unwrap().any(|entry| entry.unwrap().path().extension().is_some_and(|it| it == "jpg")) {
        let folders = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        folder = folders.filter(|path| path.is_dir()).min().unwrap();
    }
    folder
}

fn answer(output: &std::process::Output) -> Value {
    let said = words(output);
    assert!(output.status.success(), "{said}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["engines"][0].clone()
}

#[test]
fn good_pictures_make_an_engine_that_is_installed_on_either_tensorrt() {
    let street = Street::new(16, 1);
    let video = street.path(&format!("street/seed-{SEED:06}/plaza-1/video.mp4"));
    for version in ["10.16.1", "11.4.0"] {
        let site = Site::new(version);
        let folder = pictures(&site);
        let (folder, video) = (folder.to_str().unwrap(), video.to_str().unwrap());
        let common = ["detection", "--json", "--precision", "int8", "--recording", video];
        let output = site.build(&common, "{}");
        let said = words(&output);
        assert_eq!(output.status.code(), Some(65), "{said}");
        assert!(said.contains("watchkeeper engine build detection --precision int8 --calibration FOLDER"), "{said}");

        let engine = answer(&site.build(&[&common[..], &["--calibration", folder]].concat(), "{}"));
        assert_eq!(site.misuse(), Vec::<String>::new());
        let manifest = &engine["manifest"];
        assert_eq!((&engine["installed"], &manifest["options"]["precision"]), (&true.into(), &"int8".into()));
        assert_eq!(manifest["options"]["strongly_typed"], version.starts_with("11"));
        let calibration = &manifest["calibration"];
        assert_eq!(
            (&calibration["pictures"], &calibration["method"]),
            (&24.into(), &"entropy".into()),
            "{calibration}"
        );
        assert_eq!(calibration["source"], folder);
        let ranges = format!("{}.ranges.json", calibration["id"].as_str().unwrap());
        assert!(site.store().contains(&ranges), "{:?}", site.store());
        let derived = manifest["onnx"]["derived_sha256"].as_str().unwrap();
        assert_ne!(derived, manifest["onnx"]["sha256"].as_str().unwrap());
        let plan = gpu_sim::plan::Plan::from_bytes(&fs::read(site.path("detection.plan")).unwrap()).unwrap();
        assert_eq!(sha256(&plan.model), derived, "TensorRT was given the quantised model");
        assert!(manifest["timings"]["calibrate_s"].as_f64().unwrap() > 0.0);
        let agreement = manifest["verified"]["agreement"].as_f64().unwrap();
        assert!((0.9..1.0).contains(&agreement), "8 bits lose something: {}", manifest["verified"]);
        // The daemon takes it, though its configuration says nothing of 8 bits.
        site.config(&[("detection", onnx("detection"), "")]);
        assert!(!site.analyze(&street).is_empty());
        site.config(&[("detection", onnx("detection"), ""), ("reid", onnx("reid"), "")]);

        // The same ranges without the pictures, and the same engine.
        let again = answer(&site.build(&common, "{}"));
        assert_eq!(again["manifest"]["calibration"], *calibration);
        assert_eq!(again["sha256"], engine["sha256"]);
        // Another method has other ranges.
        let max =
            ["--calibration", folder, "--calibration-method", "max", "--calibration-pictures", "8", "--low-memory"];
        let other = answer(&site.build(&[&common[..], &max].concat(), "{}"));
        assert_ne!(other["manifest"]["calibration"]["id"], calibration["id"]);
        assert_eq!(other["manifest"]["calibration"]["pictures"], 8);
        assert_ne!(other["sha256"], engine["sha256"]);
        assert!(!site.store().iter().any(|name| name.starts_with(".new-")), "{:?}", site.store());
    }
}

#[test]
fn a_recording_will_do_and_crops_too() {
    let street = Street::new(16, 1);
    let video = street.path(&format!("street/seed-{SEED:06}/plaza-1/video.mp4"));
    let site = Site::new("10.16.1");
    let args = ["reid", "--json", "--precision", "int8", "--calibration-pictures", "8", "--calibration"];
    let engine = answer(&site.build(&[&args[..], &[video.to_str().unwrap()]].concat(), "{}"));
    assert_eq!(engine["manifest"]["calibration"]["pictures"], 8);
    assert_eq!(engine["installed"], true);
}

#[test]
fn bad_pictures_are_refused_by_the_gate_with_the_numbers() {
    let site = Site::new("10.16.1");
    let before = answer(&site.build(&["detection", "--json"], "{}"));
    let folder = site.path("dark");
    fs::create_dir(&folder).unwrap();
    let dark = image::RgbImage::from_fn(320, 180, |x, y| image::Rgb([2 + (x % 3) as u8, 1, (y % 2) as u8]));
    for number in 0..4 {
        dark.save(folder.join(format!("{number}.jpg"))).unwrap();
    }
    let args = ["detection", "--precision", "int8", "--calibration", "dark"];
    let output = site.build(&args, "{}");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(65), "{said}");
    let line = said.lines().find(|line| line.contains("is not installed")).unwrap_or_else(|| panic!("{said}"));
    for wanted in ["agrees with its model file by 0.", "asked 0.9", "calibrate it with pictures of your own cameras"] {
        assert!(line.contains(wanted), "{line}");
    }
    let plan = fs::read(site.path("detection.plan")).unwrap();
    assert_eq!(sha256(&plan), before["sha256"].as_str().unwrap(), "the engine before is still in use");

    for (name, wanted) in [
        ("empty", "--calibration empty: no .jpg, .jpeg or .png"),
        ("nowhere", "--calibration nowhere: no such"),
        ("broken", "one.jpg"),
    ] {
        if name != "nowhere" {
            fs::create_dir(site.path(name)).unwrap();
        }
        if name == "broken" {
            fs::write(site.path("broken/one.jpg"), "no picture").unwrap();
        }
        let output = site.build(&["detection", "--precision", "int8", "--calibration", name], "{}");
        let said = words(&output);
        assert_eq!(output.status.code(), Some(65), "{said}");
        assert!(said.contains(wanted), "{name}: {said}");
    }
}

#[test]
fn a_model_that_its_maker_quantised_is_built_in_every_precision() {
    let site = Site::new("10.16.1");
    let model = onnx::Model::read(&onnx("reid")).unwrap();
    let ranges = onnx::conv_inputs(&model).into_iter().map(|point| (point.tensor, 8.0)).collect();
    let (quantised, report) = onnx::quantise(&model, &onnx::Ranges(ranges), &[]).unwrap();
    assert!(!report.layers.is_empty());
    fs::create_dir(site.path("own")).unwrap();
    fs::write(site.path("own/model.onnx"), quantised.to_bytes()).unwrap();
    let about = fs::read_to_string(onnx("reid").with_file_name("model.toml")).unwrap();
    let about: Vec<&str> = about.lines().filter(|line| !line.starts_with("sha256")).collect();
    fs::write(site.path("own/model.toml"), about.join("\n")).unwrap();
    site.config(&[("reid", site.path("own/model.onnx"), "")]);
    for (precision, flags) in [
        ("fp32", &["INT8"][..]),
        ("fp16", &["FP16", "INT8"][..]),
        ("int8", &["FP16", "INT8"][..]),
        ("best", &["FP16", "INT8"][..]),
    ] {
        let engine = answer(&site.build(&["reid", "--json", "--no-verify", "--precision", precision], "{}"));
        assert_eq!(engine["manifest"]["options"]["flags"], serde_json::json!(flags), "{precision}");
        assert!(engine["manifest"]["onnx"]["derived_sha256"].is_null(), "{precision}");
    }
    assert_eq!(site.misuse(), Vec::<String>::new());
}

#[test]
fn best_is_of_8_bits_where_ranges_are_known_and_then_has_to_prove_itself() {
    let site = Site::new("10.16.1");
    let folder = pictures(&site);
    let args = ["detection", "--json", "--no-verify", "--calibration-method", "max", "--calibration-pictures", "4"];
    let known = ["--precision", "int8", "--calibration", folder.to_str().unwrap()];
    let before = answer(&site.build(&[&args[..], &known].concat(), "{}"));
    let best = answer(&site.build(&[&args[..], &["--precision", "best", "--no-install"]].concat(), "{}"));
    assert_eq!(best["manifest"]["options"]["flags"], serde_json::json!(["FP16", "INT8"]));
    assert_eq!(best["manifest"]["calibration"], before["manifest"]["calibration"]);
    // Ranges of pictures that were prepared otherwise are of no use.
    site.config(&[("detection", onnx("detection"), "input = { mean = [0, 0, 0], std = [128, 128, 128] }")]);
    let output = site.build(&["detection", "--no-verify", "--precision", "int8"], "{}");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(said.contains("8-bit integers need ranges"), "{said}");
    site.config(&[("detection", onnx("detection"), "")]);
    // Nobody is in these.
    fs::create_dir(site.path("dark")).unwrap();
    image::RgbImage::new(320, 180).save(site.path("dark/1.png")).unwrap();
    let output = site.build(&["detection", "--precision", "best", "--pictures", "dark"], "{}");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(said.contains("is not installed") && said.contains("finds nothing in these pictures"), "{said}");
    let output = site.build(&["detection", "--precision", "fp16", "--pictures", "dark", "--json"], "{}");
    assert_eq!(answer(&output)["installed"], true, "floats are the model's own");
}
