#![allow(dead_code, reason = "each test file uses its own part")]

pub mod build;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use onnx::{Calibration, Histogram, Model, Ranges};
use onnxruntime::{Runtime, Session, SessionOptions};
use streetscene::truth::Class;
use streetscene::{Options, View, World};

/// The shipped models, with the width and height of their pictures.
pub const SHIPPED: [(&str, u32, u32); 4] =
    [("detection", 512, 288), ("pose", 512, 288), ("segmentation", 512, 288), ("reid", 64, 128)];

/// A file of the repository's folder of models.
pub fn engines(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engines").join(name)
}

pub fn shipped(task: &str) -> Model {
    Model::read(&engines(task).join("model.onnx")).expect("a shipped model is read")
}

/// Every model file at hand: those of the repository, and real ones where there are some.
pub fn all_files() -> Vec<PathBuf> {
    let mut files: Vec<_> = SHIPPED.iter().map(|(task, _, _)| engines(task).join("model.onnx")).collect();
    files.push(engines("blob.onnx"));
    let assets = std::env::var_os("WATCHKEEPER_ASSETS").map(PathBuf::from);
    let assets = assets.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/assets"));
    match std::fs::read_dir(assets.join("models")) {
        Ok(entries) => {
            let paths = entries.map(|entry| entry.expect("the folder is read").path());
            files.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "onnx")));
        }
        Err(_) => println!("skipped: real models; set WATCHKEEPER_ASSETS to a folder that has models/*.onnx"),
    }
    files
}

/// The library that `scripts/setup.sh` brings, or the one that `ORT_DYLIB_PATH` names.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
        let brought = || {
            let ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
            ancestors.map(|dir| dir.join(".deps/onnxruntime/libonnxruntime.so")).find(|path| path.exists())
        };
        let path = named.or_else(brought).expect("no ONNX Runtime: run scripts/setup.sh");
        Runtime::load(&path).expect("ONNX Runtime loads")
    })
}

/// The model as ONNX Runtime takes it.
pub fn session(model: &Model) -> Result<Arc<Session>, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("model.onnx");
    std::fs::write(&file, model.to_bytes()).expect("the model is written");
    Session::open(runtime(), &file, SessionOptions { threads: 1 }).map_err(|error| error.to_string())
}

/// The outputs of a model with one input of `f32`, for each of `inputs` of shape `dims`.
pub fn run(model: &Model, dims: &[i64], inputs: &[Vec<f32>]) -> Vec<Vec<Vec<f32>>> {
    let session = session(model).expect("ONNX Runtime takes the model");
    let mut binding = session.bind(&[dims.to_vec()]).expect("the input fits");
    let outputs = session.outputs().len();
    let mut answers = Vec::new();
    for input in inputs {
        binding.input_mut::<f32>(0).expect("an input of f32").copy_from_slice(input);
        binding.run().expect("the model runs");
        let output = |index| binding.output::<f32>(index).expect("an output of f32").1.to_vec();
        answers.push((0..outputs).map(output).collect());
    }
    answers
}

/// Pictures of a little world as a model takes them: 1x3xHxW, RGB.
pub fn pictures(task: &str, seeds: std::ops::Range<u64>) -> Vec<Vec<f32>> {
    let &(_, width, height) = SHIPPED.iter().find(|(name, _, _)| *name == task).expect("a shipped model");
    let mut pictures = Vec::new();
    for seed in seeds {
        if task == "reid" {
            pictures.extend(people(seed, width, height));
        } else {
            let (world, camera) = scene(seed, width, height);
            let mut view = View::new(&world, camera);
            let frame = view.render_pixels(&world, 1);
            pictures.push(planes(&frame.rgba, width, (0, 0, width, height), width, height, 255.0));
        }
    }
    pictures
}

fn scene(seed: u64, width: u32, height: u32) -> (World, usize) {
    let mut world = World::new(&Options { seed, width, height, ..Options::default() });
    world.advance_to(4.0 + seed as f64 % 7.0);
    (world, seed as usize % 4)
}

/// Crops of the people in a frame.
fn people(seed: u64, width: u32, height: u32) -> Vec<Vec<f32>> {
    let (frame_width, frame_height) = (960, 540);
    let (world, camera) = scene(seed, frame_width, frame_height);
    let mut view = View::new(&world, camera);
    let frame = view.render(&world, 1).clone();
    let mut crops = Vec::new();
    for object in &view.truth().objects {
        let [x1, y1, x2, y2] = object.bounds.map(|edge| edge.max(0.0) as u32);
        let (x2, y2) = (x2.min(frame_width), y2.min(frame_height));
        if object.class == Class::Person && y2 > y1 + 60 && x2 > x1 + 20 {
            crops.push(planes(&frame.rgba, frame_width, (x1, y1, x2 - x1, y2 - y1), width, height, 1.0));
        }
    }
    crops
}

/// A part (x, y, width, height) of a picture, sampled to a size, as planes of R, G and B divided by `by`.
fn planes(rgba: &[u8], stride: u32, part: (u32, u32, u32, u32), width: u32, height: u32, by: f32) -> Vec<f32> {
    let mut planes = vec![0.0; (3 * width * height) as usize];
    for y in 0..height {
        for x in 0..width {
            let (from_x, from_y) = (part.0 + x * part.2 / width, part.1 + y * part.3 / height);
            for channel in 0..3 {
                let value = rgba[((from_y * stride + from_x) * 4 + channel) as usize];
                planes[((channel * height + y) * width + x) as usize] = f32::from(value) / by;
            }
        }
    }
    planes
}

/// Weights and bias of the last layer of the ReID model, found in its file by nothing but their sizes and names.
pub fn reid_head() -> (Vec<f32>, Vec<f32>) {
    let bytes = std::fs::read(engines("reid/model.onnx")).expect("the file is read");
    let floats = |name: &str, count: usize| -> Vec<f32> {
        // A tensor's name (field 8) is followed by its raw data (field 9).
        let mark = [&[0x42, name.len() as u8], name.as_bytes(), &[0x4a]].concat();
        let at = bytes.windows(mark.len()).position(|window| window == mark).expect("the tensor is there") + mark.len();
        let length = bytes[at..].iter().position(|byte| *byte < 0x80).expect("a length") + 1;
        let data = &bytes[at + length..][..4 * count];
        data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    (floats("fc.weight", 128 * 576), floats("fc.bias", 128))
}

/// How far `b` is from `a`: the length of the difference by the length of `a`.
pub fn relative_l2(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |value: f64| value * value;
    let difference: f64 = a.iter().zip(b).map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
    let length: f64 = a.iter().map(|a| square(f64::from(*a))).sum();
    (difference / length.max(1e-30)).sqrt()
}

/// Ranges of a model's activations over pictures.
pub fn calibrate(model: &Model, dims: &[i64], pictures: &[Vec<f32>], method: Calibration) -> Ranges {
    let points = onnx::conv_inputs(model);
    let mut histograms: BTreeMap<String, Histogram> = BTreeMap::new();
    for point in points.iter().filter(|point| point.input) {
        let histogram = histograms.entry(point.tensor.clone()).or_default();
        pictures.iter().for_each(|picture| histogram.add(picture));
    }
    let inner: Vec<_> = points.iter().filter(|point| !point.input).map(|point| point.tensor.as_str()).collect();
    let own = model.facts().outputs.len();
    // A session has 16 outputs at most.
    for group in inner.chunks(12) {
        let more = onnx::with_outputs(model, group).expect("the tensors are computed");
        let given: Vec<_> = more.facts().outputs.into_iter().map(|output| output.name).collect();
        for answer in run(&more, dims, pictures) {
            for (name, values) in given.iter().zip(&answer).skip(own) {
                histograms.entry(name.clone()).or_default().add(values);
            }
        }
    }
    Ranges(histograms.into_iter().map(|(name, histogram)| (name, histogram.amax(method))).collect())
}

/// Dimensions of one picture.
pub fn dims(task: &str) -> Vec<i64> {
    let &(_, width, height) = SHIPPED.iter().find(|(name, _, _)| *name == task).expect("a shipped model");
    vec![1, 3, i64::from(height), i64::from(width)]
}

/// The parts of a model's answer that are of one kind, from the outputs: boxes in pixels, scores from 0 to 1, and so on.
pub fn parts(task: &str, outputs: &[Vec<f32>]) -> Vec<(&'static str, Vec<f32>)> {
    let rows: &[(&str, usize, usize)] = match task {
        "detection" => &[("boxes", 0, 4), ("scores", 4, 7)],
        "segmentation" => &[("boxes", 0, 4), ("scores", 4, 7), ("coefficients", 7, 39)],
        "pose" => &[("boxes", 0, 4), ("scores", 4, 5), ("keypoints", 5, 56)],
        _ => return vec![("embedding", outputs[0].clone())],
    };
    let all = rows.last().map_or(0, |row| row.2);
    assert_eq!(outputs[0].len() % all, 0, "{task}: {} values in {all} rows", outputs[0].len());
    let candidates = outputs[0].len() / all;
    let part = |from: usize, to: usize| outputs[0][from * candidates..to * candidates].to_vec();
    let mut parts: Vec<_> = rows.iter().map(|&(name, from, to)| (name, part(from, to))).collect();
    if task == "segmentation" {
        parts.push(("prototypes", outputs[1].clone()));
    }
    parts
}

/// The parts of all answers of `b` that are farthest from those of `a`, as relative L2.
pub fn compare(task: &str, a: &[Vec<Vec<f32>>], b: &[Vec<Vec<f32>>]) -> Vec<(&'static str, f64)> {
    let join = |answers: &[Vec<Vec<f32>>]| {
        let mut joined: Vec<(&'static str, Vec<f32>)> = Vec::new();
        for (index, (name, values)) in answers.iter().flat_map(|outputs| parts(task, outputs)).enumerate() {
            let count = parts(task, &answers[0]).len();
            if index < count {
                joined.push((name, values));
            } else {
                joined[index % count].1.extend(values);
            }
        }
        joined
    };
    let pairs = join(a).into_iter().zip(join(b));
    pairs.map(|((name, a), (_, b))| (name, relative_l2(&a, &b))).collect()
}
