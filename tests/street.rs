//! The four shipped models on a street they never saw, through the binary, against the street's own truth.

#![allow(clippy::unwrap_used)]

#[path = "support/street.rs"]
mod recorded;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use watchkeeper::types::mask::Rle;

use recorded::{SEED, Street};

fn score(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} is missing in {report:#}"))
}

#[test]
fn the_shipped_models_see_a_street_as_it_is() {
    let street = Street::new(40, 2);
    street.config(&[("detection", ""), ("pose", ""), ("segmentation", ""), ("reid", "stale_s = 0.5")]);
    let output = street.run(&["eval", "--truth", "street", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "eval/1");
    // Their cards on many streets are higher; a few seconds of one street vary more.
    for (path, least) in [
        ("/all/detection/ap50", 0.9),
        ("/all/detection/per_class/person/ap50", 0.88),
        ("/all/keypoints/ap50", 0.6),
        ("/all/segmentation/ap50", 0.75),
        ("/all/tracking/hota", 0.65),
        ("/all/tracking/idf1", 0.78),
        ("/all/reid/rank1", 0.6),
    ] {
        let found = score(&report, path);
        assert!(found >= least, "{path} is {found}, at least {least} was expected: {report:#}");
    }
    assert!(report.pointer("/all/cross_camera/idf1").is_some(), "{report:#}");
}

#[test]
fn coco_annotations_and_summaries_hold_what_further_models_say() {
    let street = Street::new(12, 1);
    street.config(&[("detection", ""), ("pose", ""), ("segmentation", ""), ("reid", "run_on = \"tracks\"")]);
    let video = format!("street/seed-{SEED:06}/plaza-1/video.mp4");
    let outputs = ["--out", "coco.json", "--format", "coco", "--out", "sum.jsonl", "--format", "summary"];
    street.run(&[&["analyze", &video][..], &outputs].concat());
    let document: Value = serde_json::from_str(&fs::read_to_string(street.path("coco.json")).unwrap()).unwrap();
    let (mut posed, mut masked) = (0, 0);
    for annotation in document["annotations"].as_array().unwrap() {
        if let Some(mask) = annotation.get("segmentation") {
            let rle: Rle = serde_json::from_value(mask.clone()).unwrap();
            assert_eq!((rle.size(), annotation["area"].as_f64()), ([360, 640], Some(rle.area() as f64)));
            masked += 1;
        }
        if let Some(points) = annotation.get("keypoints").and_then(Value::as_array) {
            let visible = points.iter().skip(2).step_by(3).filter(|v| **v == 2).count();
            assert_eq!((points.len(), annotation["num_keypoints"].as_u64()), (17 * 3, Some(visible as u64)));
            posed += 1;
        }
    }
    assert!(posed > 10 && masked > 10, "{posed} with keypoints, {masked} with masks");
    let summaries = fs::read_to_string(street.path("sum.jsonl")).unwrap();
    let embeddings = summaries.lines().filter_map(|line| {
        let summary: Value = serde_json::from_str(line).unwrap();
        serde_json::from_value::<Vec<f64>>(summary.get("embedding")?.clone()).ok()
    });
    let lengths: Vec<f64> = embeddings.map(|one| one.iter().map(|v| v * v).sum::<f64>().sqrt()).collect();
    assert!(!lengths.is_empty() && lengths.iter().all(|length| (length - 1.0).abs() < 1e-3), "{lengths:?}");
}

#[test]
fn keypoints_masks_and_embeddings_go_with_their_tracks() {
    let street = Street::new(20, 1);
    street.config(&[("detection", ""), ("pose", ""), ("segmentation", ""), ("reid", "run_on = \"tracks\"")]);
    let (mut persons, mut posed, mut masked, mut embedded) = (0, 0, 0, 0);
    for line in street.analyze() {
        for track in line["tracks"].as_array().unwrap().iter().filter(|track| track["coasted"] == false) {
            let edges: Vec<f64> = track["box"].as_array().unwrap().iter().map(|edge| edge.as_f64().unwrap()).collect();
            if let Some(mask) = track.get("mask") {
                let rle: Rle = serde_json::from_value(mask.clone()).unwrap();
                assert_eq!(rle.size(), [360, 640]);
                let area = (edges[2] - edges[0]) * (edges[3] - edges[1]);
                assert!(rle.area() as f64 <= 2.5 * area, "the mask of {track} is larger than its box");
                masked += 1;
            }
            if track["label"] != "person" {
                assert!(track.get("keypoints").is_none() && track.get("embedding").is_none(), "{track}");
                continue;
            }
            persons += 1;
            if let Some(points) = track.get("keypoints").and_then(Value::as_array) {
                assert_eq!(points.len(), 17);
                // Most of a person is where his box is.
                let (width, height) = (edges[2] - edges[0], edges[3] - edges[1]);
                let inside = points.iter().filter(|point| {
                    let [x, y] = [0, 1].map(|i| point[i].as_f64().unwrap());
                    (edges[0] - 0.3 * width..edges[2] + 0.3 * width).contains(&x)
                        && (edges[1] - 0.3 * height..edges[3] + 0.3 * height).contains(&y)
                });
                posed += usize::from(inside.count() >= 12);
            }
            if let Some(vector) = track.get("embedding").and_then(Value::as_array) {
                let length: f64 = vector.iter().map(|value| value.as_f64().unwrap().powi(2)).sum();
                assert!((length - 1.0).abs() < 1e-3, "{length}");
                embedded += 1;
            }
        }
    }
    assert!(persons >= 40, "{persons} persons");
    for (what, count) in [("poses", posed), ("masks", masked), ("embeddings", embedded)] {
        assert!(count * 10 >= persons * 7, "{count} {what} of {persons} persons");
    }
}

#[test]
fn each_model_looks_as_often_as_it_is_told() {
    let street = Street::new(30, 1);
    street.config(&[
        ("detection", ""),
        ("pose", "every_n_frames = 3"),
        ("segmentation", "run_on = \"stale\"\nstale_s = 1.0"),
        ("reid", "stale_s = 0.5"),
    ]);
    // With it on, the tracker asks for looks of its own.
    let config = fs::read_to_string(street.path("config.toml")).unwrap();
    fs::write(street.path("config.toml"), config + "[tracking]\nappearance = \"off\"\n").unwrap();
    let mut seen: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut embedded: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for line in street.analyze() {
        let frame = line["frame"].as_u64().unwrap();
        for track in line["tracks"].as_array().unwrap() {
            for what in ["keypoints", "mask", "embedding"].into_iter().filter(|what| track.get(*what).is_some()) {
                seen.entry(what).or_default().push(frame);
            }
            if track.get("embedding").is_some() {
                embedded.entry(track["id"].as_u64().unwrap()).or_default().push(frame);
            }
        }
    }
    assert!(seen["keypoints"].iter().all(|frame| (frame - 1) % 3 == 0), "{:?}", seen["keypoints"]);
    assert!(seen["mask"].len() < seen["keypoints"].len() * 3, "{seen:?}");
    assert!(!embedded.is_empty());
    for frames in embedded.values() {
        assert!(frames.windows(2).all(|pair| pair[1] - pair[0] >= 5), "twice within half a second: {frames:?}");
    }
}

#[test]
fn the_same_street_gives_the_same_answers_byte_for_byte() {
    let street = Street::new(12, 1);
    street.config(&[("detection", ""), ("pose", "every_n_frames = 2"), ("segmentation", ""), ("reid", "")]);
    let (first, second) = (street.analyze(), street.analyze());
    assert_eq!(first, second);
    assert!(first.iter().any(|line| !line["tracks"].as_array().unwrap().is_empty()));
}

#[test]
fn a_model_file_that_its_manifest_does_not_promise_is_refused() {
    let street = Street::new(2, 1);
    let engine = street.path("engine");
    fs::create_dir(&engine).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/detection");
    fs::copy(shipped.join("model.toml"), engine.join("model.toml")).unwrap();
    let mut changed = fs::read(shipped.join("model.onnx")).unwrap();
    changed.push(0);
    fs::write(engine.join("model.onnx"), changed).unwrap();
    fs::write(
        street.path("config.toml"),
        "[runtime]\npolicy = \"any\"\n[models.detection]\nonnx = \"engine/model.onnx\"\nbackend = \"onnxruntime\"\n",
    )
    .unwrap();
    let video = format!("street/seed-{SEED:06}/plaza-1/video.mp4");
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.args(["analyze", &video, "--config", "config.toml", "--out", "x"]).current_dir(street.folder.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{words}");
    assert!(words.contains("model.toml promises another"), "{words}");
}
