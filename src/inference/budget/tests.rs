#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::config::{Cadence, Model, RunOn, Task};
use crate::inference::artefact::{Element, Memory, Speed, Tensor};

const PARALLEL: Machine = Machine { serial: false, integrated: false };

fn tensor(input: bool, element: Element, shape: &[i64], most: Option<u64>) -> Tensor {
    Tensor { name: "t".to_owned(), input, element, shape: shape.to_vec(), most }
}

/// As the configuration of tests has it.
fn model(name: &str, task: Task) -> Model {
    let text = format!(
        "[runtime]\npolicy = \"any\"\n[models.{name}]\nonnx = {:?}\nbackend = \"onnxruntime\"\ntask = {:?}\n",
        concat!(env!("CARGO_MANIFEST_DIR"), "/engines/detection/model.onnx"),
        task.name()
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    let loaded = crate::config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    (*loaded.config.models[0]).clone()
}

fn detector() -> (Model, Memory) {
    let tensors =
        vec![tensor(true, Element::F16, &[1, 3, 32, 64], None), tensor(false, Element::F32, &[1, 4 + 2, 100], None)];
    let memory = Memory { engine: 1000, activations: 500, context: 70, process: Some(9), tensors };
    (model("d", Task::Detection), memory)
}

#[test]
fn every_buffer_of_a_context_is_counted_once() {
    let (model, memory) = detector();
    let need =
        ModelNeed::new(&Model { engine_copies: 2, ..model.clone() }, &memory, Some(Filter { output: 0, classes: 2 }));
    assert_eq!((need.weights, need.batch), (2000, 1));
    let lines = camera("gate", &[&need, &need], (64, 32), PARALLEL);
    let sum = |part: Part| {
        lines.iter().filter(|line| line.part == part).fold((0, 0), |(d, p), line| (d + line.device, p + line.pinned))
    };
    // The output on both sides, of each model.
    assert_eq!(sum(Part::Tensors), (2 * 6 * 100 * 4, 2 * 6 * 100 * 4));
    // The picture, which both want alike, once; in half precision, never on the host.
    assert_eq!(sum(Part::Pictures), (3 * 32 * 64 * 2, 0));
    // NV12, twice on the host; planes begin at multiples of 256 bytes, which they do here anyway.
    assert_eq!(sum(Part::Frames), (64 * 32 * 3 / 2, 2 * 64 * 32 * 3 / 2));
    assert_eq!((sum(Part::Activations), sum(Part::Context)), ((1000, 0), (140, 0)));
    // 100 bits, scores and classes of 100 boxes, at most 100 survivors of 7 words, and their number.
    assert_eq!(sum(Part::Candidates), (2 * 4 * (4 + 200 + 701), 2 * 4 * 701));
    assert!(lines.iter().all(|line| line.owner == "camera gate" && line.mapped == 0));
}

#[test]
fn where_memory_is_shared_frames_are_read_in_place_and_all_of_it_is_the_devices() {
    let (model, memory) = detector();
    let need = ModelNeed::new(&model, &memory, None);
    let lines = camera("gate", &[&need], (64, 32), Machine { serial: true, integrated: true });
    let frames = lines.iter().find(|line| line.part == Part::Frames).unwrap();
    assert_eq!((frames.device, frames.pinned, frames.mapped), (0, 0, 2 * 64 * 32 * 3 / 2));
    assert_eq!((frames.taken(true), frames.taken(false)), (2 * 64 * 32 * 3 / 2, 0));
    // Serially nobody has activations of his own.
    assert!(lines.iter().all(|line| line.part != Part::Activations));
    let shared = scratch([&need].into_iter(), Machine { serial: true, integrated: true }).unwrap();
    assert_eq!((shared.owner.as_str(), shared.device), ("activations", 500));
    assert_eq!(scratch([&need].into_iter(), PARALLEL), None);
    assert_eq!(serial_saves([&need, &need, &need].into_iter()), 1000);
}

#[test]
fn crops_are_as_many_as_profile_and_configuration_allow() {
    let reid = model("d", Task::Detection);
    let reid = Model { task: Task::Reid, max_batch: 6, ..reid };
    let tensors =
        vec![tensor(true, Element::F32, &[-1, 3, 8, 4], Some(8)), tensor(false, Element::F16, &[-1, 16], None)];
    let memory = Memory { engine: 1, activations: 2, context: 3, process: None, tensors };
    let need = ModelNeed::new(&reid, &memory, None);
    assert_eq!(need.batch, 4);
    let lines = camera("gate", &[&need], (64, 32), PARALLEL);
    let tensors = lines.iter().find(|line| line.part == Part::Tensors).unwrap();
    assert_eq!((tensors.device, tensors.pinned), (4 * (3 * 8 * 4 * 4 + 16 * 2), 4 * 16 * 2));
    assert!(lines.iter().all(|line| line.part != Part::Pictures));
}

#[test]
fn cameras_are_admitted_in_their_order_until_one_does_not_fit() {
    let cameras = [("gate", 300_u64 << 20), ("hall", 200 << 20), ("yard", 200 << 20)];
    assert_eq!(admit_all(&cameras, 800 << 20, 64 << 20, 0).unwrap(), 36 << 20);
    let refused = admit_all(&cameras, 650 << 20, 64 << 20, 90 << 20).unwrap_err();
    assert_eq!((refused.place, refused.left, refused.before), ((3, 3), 86 << 20, 500 << 20));
    assert_eq!(
        refused.to_string(),
        "camera \"yard\" (3rd of 3) needs 200 MB, 86.0 MB are free: 650 MB after the engines, less 64.0 MB that are kept \
         back, less 500 MB for the cameras before it; 2 cameras fit; use fewer cameras, fewer models for each, \
         runtime.concurrency = \"serial\" (saves 90.0 MB), or engines of a lower precision"
    );
    let nothing = admit_all(&cameras[..1], 100, 64 << 20, 0).unwrap_err().to_string();
    assert!(nothing.contains("(1st of 1)") && nothing.contains("; not even one camera fits; "), "{nothing}");
    assert!(!nothing.contains("serial"), "{nothing}");
}

#[test]
fn runs_follow_the_cadence() {
    let speed = [(1, 2.0), (4, 5.0)].map(|(batch, median_ms)| Speed { batch, median_ms, p99_ms: 9.0, runs: 1 });
    let base = model("d", Task::Detection);
    let of = |task: Task, every_n_frames: u64, run_on: RunOn, first: bool, people: f64| {
        let cadence = Cadence { every_n_frames, run_on, stale: Duration::from_millis(500) };
        let model = Model { task, cadence, ..base.clone() };
        let runner = Runner { model: &model, batch: 4, speed: &speed, dla_core: None };
        let work = runner.work(&[Use { first, fps: 20.0 }], people);
        (work.runs, (work.seconds.unwrap() * 1e6).round())
    };
    for (task, every, run_on, first, people, want) in [
        // What feeds the tracker runs on every frame, whatever stands there.
        (Task::Detection, 5, RunOn::Stale, true, 3.0, (20.0, 40_000.0)),
        (Task::Pose, 1, RunOn::Frames, false, 3.0, (20.0, 40_000.0)),
        (Task::Pose, 5, RunOn::Tracks, false, 3.0, (4.0, 8_000.0)),
        // Three subjects, each twice a second, at different times.
        (Task::Pose, 1, RunOn::Stale, false, 3.0, (6.0, 12_000.0)),
        (Task::Pose, 10, RunOn::Stale, false, 3.0, (2.0, 4_000.0)),
        // Seven crops are 4, 2 and 1; for 2 the run with 4 is the next that was measured.
        (Task::Reid, 1, RunOn::Frames, false, 7.0, (60.0, 20.0 * (5_000.0 + 5_000.0 + 2_000.0))),
        (Task::Reid, 1, RunOn::Stale, false, 3.0, (6.0, 12_000.0)),
        (Task::Reid, 1, RunOn::Tracks, false, 0.0, (0.0, 0.0)),
    ] {
        assert_eq!(of(task, every, run_on, first, people), want, "{task:?} {every} {run_on:?} {first} {people}");
    }
    let runner = Runner { model: &base, batch: 8, speed: &[], dla_core: None };
    assert_eq!(runner.work(&[Use { first: true, fps: 20.0 }], 1.0).seconds, None);
}

#[test]
fn each_accelerator_has_its_own_time() {
    let work = |seconds: f64, dla_core: Option<u32>| Work {
        model: String::new(),
        runs: 1.0,
        seconds: Some(seconds),
        dla_core,
    };
    let works = [work(0.5, None), work(0.5, Some(0)), work(0.25, None), work(0.5, Some(0)), work(0.75, Some(1))];
    assert_eq!((busiest(&works), busiest(&works[..1]), busiest(&[])), (1.0, 0.5, 0.0));
}

#[test]
fn batches_are_powers_of_two() {
    assert_eq!([1, 2, 3, 7, 8, 20].map(|left| next_batch(left, 8)), [1, 2, 2, 4, 8, 8]);
    assert_eq!([next_batch(0, 8), next_batch(5, 0), next_batch(5, 1)], [1, 1, 1]);
}
