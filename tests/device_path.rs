//! The frame path on a (simulated) device, seen from inside the process: nothing is allocated on it, and what several
//! models take alike is prepared once.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use allocation_counter::measure;
use gpu_sim::plan::{Plan, Profile, Range, Target};
use watchkeeper::config;
use watchkeeper::inference::{Context, FrameRef, LoadedModel, ModelManager, Placement};
use watchkeeper::pipeline;
use watchkeeper::telemetry::metrics::Metrics;
use watchkeeper::types::frame::{self, Colour, Matrix, Picture, Plane, Planes};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::tensor::TensorData;

const CHILD: &str = "WATCHKEEPER_TEST_FOLDER";
const MODELS: [&str; 3] = ["detection", "pose", "reid"];

/// Runs `test` of this program again, in a process that finds the simulator's libraries.
fn on_the_simulator(test: &str) -> Option<tempfile::TempDir> {
    if std::env::var_os(CHILD).is_some() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    gpu_sim::stage::stage(folder.path()).unwrap();
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines");
    let mut text = format!("[runtime]\npolicy = \"any\"\nstate_dir = {:?}\n", folder.path());
    for model in MODELS {
        let onnx = engines.join(model).join("model.onnx");
        let target = Target { tensorrt: "10.16.1".into(), compute_capability: "8.7".into(), precision: "fp32".into() };
        let crops = |n: i64| vec![n, 3, 128, 64];
        let profile = Profile::from([("images".to_owned(), Range { min: crops(1), opt: crops(8), max: crops(8) })]);
        let profiles = if model == "reid" { vec![profile] } else { vec![] };
        let plan = Plan::build(model, fs::read(&onnx).unwrap(), &profiles, &target).unwrap();
        let path = folder.path().join(format!("{model}.plan"));
        fs::write(&path, plan.to_bytes()).unwrap();
        text += &format!("[models.{model}]\nonnx = {onnx:?}\nplan = {path:?}\nbackend = \"tensorrt\"\n");
    }
    fs::write(folder.path().join("config.toml"), text).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, folder.path()).env("LD_LIBRARY_PATH", folder.path());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    Some(folder)
}

fn manager() -> ModelManager {
    let path = Path::new(&std::env::var_os(CHILD).unwrap()).join("config.toml");
    let loaded = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    ModelManager::load(&loaded.config, &Metrics::default(), &pipeline::fits_head).unwrap()
}

fn context(manager: &ModelManager, lane: &watchkeeper::inference::Lane, name: &str) -> Box<dyn Context> {
    let mut index = 0..MODELS.len();
    let model = index.find_map(|at| manager.model(at).filter(|model| model.model.name == name)).unwrap();
    let model: &LoadedModel = &model;
    manager.create_pipeline_contexts(lane, model, 1).unwrap().free.pop_front().unwrap()
}

fn picture(samples: &[u8]) -> Picture<'_> {
    let (y, uv) = samples[..640 * 360 * 3 / 2].split_at(640 * 360);
    let planes = Planes::Nv12 { y: Plane { data: y, stride: 640 }, uv: Plane { data: uv, stride: 640 } };
    Picture { width: 640, height: 360, planes, colour: Colour { matrix: Matrix::Bt709, range: frame::Range::Limited } }
}

const PLACEMENT: Placement = Placement { left: 0, top: 0, columns: 512, rows: 288, width: 512, height: 288 };

#[test]
fn a_frame_on_the_device_allocates_nothing() {
    if on_the_simulator("a_frame_on_the_device_allocates_nothing").is_some() {
        return;
    }
    let manager = manager();
    let lane = manager.lane("gate").unwrap();
    let mut contexts = ["detection", "pose"].map(|name| Some(context(&manager, &lane, name)));
    for (context, classes) in contexts.iter_mut().zip([3, 1]) {
        assert!(context.as_mut().unwrap().filter(0, classes, 0.1).unwrap(), "the device looks through it");
    }
    let mut reid = Some(context(&manager, &lane, "reid"));
    let samples: Vec<u8> = (0..640 * 360 * 3 / 2).map(|i| (i * 7 % 251) as u8).collect();
    let boxes = [BBox::new(10.0, 20.0, 50.0, 120.0), BBox::new(300.0, 40.0, 380.0, 300.0)];
    for number in 1..=4 {
        let frame = FrameRef { tag: (1, number), picture: picture(&samples) };
        let info = measure(|| {
            for slot in &mut contexts {
                let mut context = slot.take().unwrap();
                assert!(context.letterbox(0, &frame, PLACEMENT).unwrap());
                let (context, result) = context.submit().wait().unwrap();
                result.unwrap();
                std::hint::black_box(context.output(0).unwrap());
                *slot = Some(context);
            }
            let mut context = reid.take().unwrap();
            context.set_batch(2).unwrap();
            assert!(context.crops(0, &frame, &boxes).unwrap());
            let (context, result) = context.submit().wait().unwrap();
            result.unwrap();
            assert_eq!(context.output(0).unwrap().shape, [2, 128]);
            reid = Some(context);
        });
        // The first frames find out sizes; then there is nothing left to be made.
        if number > 2 {
            assert_eq!((info.count_total, info.count_current), (0, 0), "frame {number}: {info:?}");
        }
    }
}

/// The answer of a context for a frame.
fn answer(slot: &mut Option<Box<dyn Context>>, frame: &FrameRef<'_>) -> Vec<f32> {
    let mut context = slot.take().unwrap();
    assert!(context.letterbox(0, frame, PLACEMENT).unwrap());
    let (context, result) = context.submit().wait().unwrap();
    result.unwrap();
    let TensorData::F32(values) = context.output(0).unwrap().data else { panic!("floats") };
    let values = values.to_vec();
    *slot = Some(context);
    values
}

#[test]
fn models_that_want_a_frame_alike_share_what_was_prepared() {
    if on_the_simulator("models_that_want_a_frame_alike_share_what_was_prepared").is_some() {
        return;
    }
    let manager = manager();
    let (lane, other) = (manager.lane("gate").unwrap(), manager.lane("yard").unwrap());
    let mut detection = Some(context(&manager, &lane, "detection"));
    let mut pose = Some(context(&manager, &lane, "pose"));
    let mut elsewhere = Some(context(&manager, &other, "pose"));
    let samples = |step: usize| -> Vec<u8> { (0..640 * 360 * 3 / 2).map(|i| (i * step % 251) as u8).collect() };
    let (first, second) = (samples(7), samples(13));
    let frame = |tag, samples| FrameRef { tag, picture: picture(samples) };
    answer(&mut detection, &frame((1, 1), &first));
    // Under the same name there is nothing to prepare: other pixels go unseen.
    let shared = answer(&mut pose, &frame((1, 1), &second));
    assert!(shared == answer(&mut elsewhere, &frame((1, 1), &first)), "it is the first frame's answer");
    // Another frame is prepared, and a lane knows nothing of another's.
    let anew = answer(&mut pose, &frame((1, 2), &second));
    assert!(anew != shared && anew == answer(&mut elsewhere, &frame((1, 2), &second)));
}
