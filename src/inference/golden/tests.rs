#![allow(clippy::unwrap_used)]
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::{Cadence, Fit, Head, Input, Precision, RunOn, Task};

const ORIN: (u32, u32) = (8, 7);
const XAVIER: (u32, u32) = (7, 2);
const SHA256: &str = "0123456789abcdef";

fn model(head: Head, onnx: &Path) -> Model {
    Model {
        name: "test".into(),
        onnx: onnx.to_owned(),
        backend: Backend::Tensorrt,
        plan: PathBuf::new(),
        precision: None,
        task: Task::Detection,
        head,
        input: Input { fit: Fit::Letterbox, bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0 / 255.0; 3] },
        labels: Arc::new(["person".to_owned(), "car".to_owned()]),
        classes: vec![],
        min_score: 0.25,
        nms_iou: 0.5,
        nms_across_classes: false,
        max_detections: 300,
        cadence: Cadence { every_n_frames: 1, run_on: RunOn::Frames, stale: Duration::ZERO },
        max_batch: 8,
        engine_copies: 1,
        manifest: None,
    }
}

/// A detector's output, `[1, 6, 500]`: boxes in hundreds of pixels, scores of which a few are high.
fn detections() -> Answer {
    let value = |place: usize| match (place / 500, place % 500) {
        (0..4, column) => 100.0 + (place * 37 % 400) as f32 + column as f32 / 500.0,
        (_, column) if column % 100 == 7 => 0.9,
        (_, column) => 1e-4 * (column % 13) as f32,
    };
    Answer { name: "output0".into(), shape: vec![1, 6, 500], values: (0..3000).map(value).collect() }
}

fn changed(mut answer: Answer, change: impl Fn(usize, f32) -> f32) -> Answer {
    answer.values.iter_mut().enumerate().for_each(|(place, value)| *value = change(place, *value));
    answer
}

/// Records `right` for a model and checks `got`, at this precision on this device.
#[track_caller]
fn checked(head: Head, right: Answer, got: Answer, precision: Option<Precision>, device: (u32, u32)) -> Check {
    let folder = tempfile::tempdir().unwrap();
    let mut model = model(head, &folder.path().join("model.onnx"));
    record(&model, SHA256, "cpu", &[right]).unwrap().write(&folder.path().join("golden.json")).unwrap();
    model.precision = precision;
    check(&model, SHA256, device, None, &[vec![got]])
}

#[track_caller]
fn wrong(check: &Check, words: &str) {
    assert!(check.outcome == Outcome::Failed && check.found.contains(words), "{check}");
    assert!(check.found.starts_with("engine \"test\" computes wrongly: ") && check.next.is_some(), "{check}");
}

#[test]
fn an_engine_may_be_off_as_its_precision_is() {
    // Relative noise of alternating sign.
    let noisy =
        |share: f32| changed(detections(), move |place, v| v * if place % 2 == 0 { 1.0 + share } else { 1.0 - share });
    let off =
        |share: f32, precision, device| checked(Head::Yolo, detections(), noisy(share), precision, device).outcome;
    use Outcome::{Failed, Passed};
    for (precision, device, right, too_far) in [
        (Some(Precision::Fp32), XAVIER, 5e-4, 5e-3),
        (Some(Precision::Fp32), ORIN, 1e-2, 5e-2),
        (Some(Precision::Fp16), XAVIER, 1e-2, 5e-2),
        (None, ORIN, 1e-2, 5e-2),
        (Some(Precision::Int8), ORIN, 7e-2, 0.2),
        (Some(Precision::Best), ORIN, 7e-2, 0.2),
    ] {
        assert_eq!(off(right, precision, device), Passed, "{precision:?} {device:?}");
        assert_eq!(off(too_far, precision, device), Failed, "{precision:?} {device:?}");
    }
}

#[test]
fn scores_that_are_gone_are_seen_beside_boxes_that_are_right() {
    let blind = changed(detections(), |place, value| if place < 2000 { value } else { 1e-4 });
    wrong(&checked(Head::Yolo, detections(), blind, Some(Precision::Int8), ORIN), "scores of output \"output0\" are ");
    // The same values as `yolov5` has them: a row per box.
    let rows = |mut answer: Answer| {
        let columns = std::mem::take(&mut answer.values);
        answer.values = (0..3000).map(|place| columns[place % 6 * 500 + place / 6]).collect();
        answer.shape = vec![1, 500, 6];
        answer
    };
    let blind = changed(detections(), |place, value| if place < 2000 { value } else { 1e-4 });
    wrong(&checked(Head::Yolov5, rows(detections()), rows(blind), None, ORIN), "scores of output \"output0\" are ");
}

#[test]
fn values_between_those_that_are_kept_count_too() {
    let recording = record(&model(Head::Yolo, Path::new("model.onnx")), SHA256, "cpu", &[detections()]).unwrap();
    let kept: Vec<u32> = recording.outputs[0].parts.iter().flat_map(|part| part.places.clone()).collect();
    assert!(kept.len() <= 256 && kept.len() > 200, "{}", kept.len());
    let elsewhere =
        changed(detections(), |place, value| if kept.contains(&(place as u32)) { value } else { 3.0 * value });
    wrong(&checked(Head::Yolo, detections(), elsewhere, None, ORIN), "output \"output0\" is ");
}

#[test]
fn what_a_model_ranks_itself_may_come_in_another_order() {
    let rows = |order: fn(usize) -> usize| {
        let row = |n: usize| [10.0 * n as f32, 5.0, 300.0, 90.0 + n as f32, 0.0, (n % 3) as f32];
        let values = (0..100).flat_map(|place| {
            let mut values = row(order(place));
            values[4] = 0.9 - place as f32 * 1e-3;
            values
        });
        Answer { name: "output0".into(), shape: vec![1, 100, 6], values: values.collect() }
    };
    let swapped = rows(|place| place ^ 1);
    assert_eq!(checked(Head::YoloEnd2End, rows(|place| place), swapped, None, ORIN).outcome, Outcome::Passed);
    let swapped = rows(|place| place ^ 1);
    wrong(&checked(Head::Yolov5, rows(|place| place), swapped, None, ORIN), "off the recording");
    let low = changed(rows(|place| place), |place, value| if place % 6 == 4 { value / 2.0 } else { value });
    wrong(&checked(Head::YoloEnd2End, rows(|place| place), low, None, ORIN), "scores of output");
}

#[test]
fn what_is_no_answer_fails_without_a_recording_too() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(Head::Yolo, &folder.path().join("model.onnx"));
    let check = |answer: Answer| check(&model, SHA256, ORIN, None, &[vec![detections()], vec![answer]]);
    wrong(&check(changed(detections(), |place, value| if place == 77 { f32::NAN } else { value })), "no numbers");
    wrong(&check(changed(detections(), |_, _| 0.25)), "the same value everywhere");
    let unproven = check(detections());
    assert_eq!(unproven.outcome, Outcome::Warning);
    assert!(unproven.found.contains("golden.json: no such file"), "{unproven}");
    assert!(unproven.next.unwrap().contains("watchkeeper engine golden"));
}

#[test]
fn each_copy_of_an_engine_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(Head::Yolo, &folder.path().join("model.onnx"));
    record(&model, SHA256, "cpu", &[detections()]).unwrap().write(&folder.path().join("golden.json")).unwrap();
    let copies = [vec![detections()], vec![changed(detections(), |_, value| value * 2.0)]];
    wrong(&check(&model, SHA256, ORIN, None, &copies), "off the recording");
}

#[test]
fn another_models_recording_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (onnx, path) = (folder.path().join("model.onnx"), folder.path().join("golden.json"));
    let right = model(Head::Yolo, &onnx);
    let recording = record(&right, SHA256, "cpu", &[detections()]).unwrap();
    recording.write(&path).unwrap();
    let reason = |model: &Model, sha256: &str| {
        let check = check(model, sha256, ORIN, None, &[vec![detections()]]);
        assert_eq!(check.outcome, Outcome::Warning, "{check}");
        check.found
    };
    assert!(reason(&right, "f00").contains("of another model.onnx"));
    let mut other = right.clone();
    other.input.bgr = true;
    assert!(reason(&other, SHA256).contains("Letterbox, bgr"));
    std::fs::write(&path, "{\"schema\":").unwrap();
    assert!(reason(&right, SHA256).contains("golden.json: EOF"));
    // Of an engine that was built from another model.
    recording.write(&path).unwrap();
    let longer = Answer { shape: vec![1, 6, 400], values: detections().values[..2400].to_vec(), ..detections() };
    wrong(&check(&right, SHA256, ORIN, None, &[vec![longer]]), "is of shape [1, 6, 400], recorded is [1, 6, 500]");
    wrong(
        &check(&right, SHA256, ORIN, None, &[vec![Answer { name: "boxes".into(), ..detections() }]]),
        "no output \"output0\"",
    );
}

#[test]
fn a_tolerance_that_somebody_wrote_into_a_recording_holds_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("golden.json");
    let model = model(Head::Yolo, &folder.path().join("model.onnx"));
    let recording = record(&model, SHA256, "cpu", &[detections()]).unwrap();
    recording.write(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap().replace("\"provider\"", "\"tolerance\":0.5,\"provider\"");
    std::fs::write(&path, text).unwrap();
    for _ in 0..2 {
        let louder = changed(detections(), |_, value| value * 1.4);
        let check = check(&model, SHA256, ORIN, None, &[vec![louder]]);
        assert_eq!(check.outcome, Outcome::Passed, "{check}");
        recording.write(&path).unwrap();
    }
}

#[test]
fn a_recording_lies_beside_its_model_file() {
    let of = |onnx: &str| Recording::path(Path::new(onnx)).display().to_string();
    assert_eq!(of("engines/pose/model.onnx"), "engines/pose/golden.json");
    assert_eq!(of("engines/blob.onnx"), "engines/blob.golden.json");
}

/// The model, and what its plan answered when it was built.
fn built() -> (Model, Recording) {
    // Nothing lies there.
    let model = model(Head::Yolo, Path::new("/nowhere/model.onnx"));
    let recording = record(&model, SHA256, "tensorrt", &[detections()]).unwrap();
    (model, recording)
}

#[test]
fn a_plan_answers_as_when_it_was_built_whatever_its_precision_allows() {
    let (mut model, recording) = built();
    model.precision = Some(Precision::Int8);
    let check = |share: f32| {
        let noisy = |place: usize, v: f32| v * if place.is_multiple_of(2) { 1.0 + share } else { 1.0 - share };
        check(&model, SHA256, ORIN, Some(&recording), &[vec![detections()], vec![changed(detections(), noisy)]])
    };
    for share in [0.0, 4e-4] {
        let same = check(share);
        assert_eq!(same.outcome, Outcome::Passed, "{same}");
        assert!(
            same.found.contains("as when it was built") && same.found.contains("not compared with the CPU's"),
            "{same}"
        );
    }
    let other = check(1e-2);
    assert_eq!(other.outcome, Outcome::Failed, "{other}");
    assert!(other.found.starts_with("engine \"test\" does not answer as when it was built: "), "{other}");
    let next = other.next.unwrap();
    assert!(
        next.contains("driver") && next.contains("memory") && next.contains("watchkeeper engine build test"),
        "{next}"
    );
}

#[test]
fn the_cpus_answer_is_asked_for_too_where_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(Head::Yolo, &folder.path().join("model.onnx"));
    let wrong_from_the_start = || changed(detections(), |_, value| value * 1.5);
    let recording = record(&model, SHA256, "tensorrt", &[wrong_from_the_start()]).unwrap();
    record(&model, SHA256, "cpu", &[detections()]).unwrap().write(&folder.path().join("golden.json")).unwrap();
    wrong(&check(&model, SHA256, ORIN, Some(&recording), &[vec![wrong_from_the_start()]]), "off the recording");
    let both = record(&model, SHA256, "tensorrt", &[detections()]).unwrap();
    let passed = check(&model, SHA256, ORIN, Some(&both), &[vec![detections()]]);
    assert!(passed.outcome == Outcome::Passed && passed.found.contains("when it was built"), "{passed}");
}

#[test]
fn an_answer_to_another_picture_is_no_proof_of_anything() {
    let (model, recording) = built();
    let mut text = serde_json::to_value(&recording).unwrap();
    text["picture"] = 0.into();
    let of_another_picture: Recording = serde_json::from_value(text.clone()).unwrap();
    let found = check(&model, SHA256, ORIN, Some(&of_another_picture), &[vec![detections()]]);
    assert_eq!(found.outcome, Outcome::Warning, "{found}");
    // A manifest that somebody edited.
    text["picture"] = picture::VERSION.into();
    text["outputs"][0]["parts"][0]["places"][0] = 999_999.into();
    let broken: Recording = serde_json::from_value(text).unwrap();
    let found = check(&model, SHA256, ORIN, Some(&broken), &[vec![detections()]]);
    assert_eq!(found.outcome, Outcome::Warning, "{found}");
}
