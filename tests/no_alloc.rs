//! Nothing is allocated on the frame path after start-up: preprocessing, decoding of a model's output, suppression and
//! tracking work in memory they already have. Allocations are counted on the calling thread.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use watchkeeper::config::{self, Backend, Fit, Head, Input, Model, Tracking};
use watchkeeper::inference::ModelManager;
use watchkeeper::telemetry::metrics::Metrics;
use watchkeeper::tracking;
use watchkeeper::types::detection::Detection;
use watchkeeper::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::tensor::{ElementType, ModelIo, TensorData, TensorRef, TensorSpec};
use watchkeeper::vision::nms::{Candidate, MAX_CANDIDATES, Nms};
use watchkeeper::vision::{Decoder, Letterbox, Mapping};

/// Runs a frame and asserts that it allocated nothing, nor gave anything back.
#[track_caller]
fn allocates_nothing(what: &str, frame: impl FnOnce()) {
    let info = measure(frame);
    assert_eq!((info.count_total, info.bytes_total, info.count_current), (0, 0, 0), "{what}: {info:?}");
}

#[test]
fn the_counter_counts() {
    let info = measure(|| {
        black_box(vec![1_u8; 1000]);
    });
    assert_eq!((info.count_total, info.bytes_total, info.count_current), (1, 1000, 0));
    let mut grown: Vec<u32> = Vec::with_capacity(1);
    grown.push(1);
    assert_eq!(measure(|| grown.push(black_box(2))).count_total, 1, "growing counts too");
    let given_back = black_box(vec![1]);
    assert_eq!(measure(|| drop(given_back)).count_current, -1, "and so does giving back");
    allocates_nothing("nothing", || {
        black_box(1);
    });
}

// ------------------------------------------------------------------------------------------------ frame to tensor

fn input(fit: Fit) -> Input {
    Input { fit, bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0 / 255.0; 3] }
}

#[test]
fn a_picture_becomes_a_tensor_without_an_allocation() {
    let bytes: Vec<u8> = (0..1280 * 720 * 2).map(|i| (i * 7 % 256) as u8).collect();
    let plane = |stride: usize| Plane { data: &bytes, stride };
    for (width, height) in [(1280_usize, 720), (321, 241), (48, 700)] {
        let half = width.div_ceil(2);
        for planes in [
            Planes::Planar { y: plane(width), u: plane(half), v: plane(half), halved_rows: true },
            Planes::Planar { y: plane(width), u: plane(half), v: plane(half), halved_rows: false },
            Planes::Nv12 { y: plane(width), uv: plane(2 * half) },
        ] {
            let colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };
            let picture = Picture { width, height, planes, colour };
            for fit in [Fit::Letterbox, Fit::LetterboxTopLeft, Fit::Stretch] {
                let mut letterbox = Letterbox::new(&picture, 320, 320, &input(fit)).unwrap();
                let mut tensor = vec![0.0; 3 * 320 * 320];
                letterbox.run(&picture, &mut tensor).unwrap();
                allocates_nothing(&format!("{width}x{height} {planes:.20?} {fit:?}"), || {
                    for _ in 0..2 {
                        assert!(letterbox.fits(&picture));
                        letterbox.run(&picture, &mut tensor).unwrap();
                        black_box(letterbox.mapping());
                    }
                });
                assert!(tensor.iter().any(|value| *value > 0.0));
            }
        }
    }
}

// ------------------------------------------------------------------------------------------------ tensor to detections

const LABELS: usize = 80;
const SIDE: usize = 640;
const MAX_DETECTIONS: usize = 300;

fn model(head: Head) -> Model {
    Model {
        name: "m".into(),
        onnx: PathBuf::new(),
        backend: Backend::OnnxruntimeCpu,
        precision: None,
        head,
        input: input(Fit::Letterbox),
        labels: (0..LABELS).map(|n| n.to_string()).collect::<Arc<[_]>>(),
        classes: vec![],
        min_score: 0.1,
        nms_iou: 0.6,
        nms_across_classes: false,
        max_detections: MAX_DETECTIONS,
    }
}

fn spec(name: &str, element: ElementType, shape: &[usize]) -> TensorSpec {
    TensorSpec { name: name.into(), shape: shape.iter().map(|n| *n as i64).collect(), element }
}

/// A small generator of numbers 0..1, always the same ones.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// Boxes that a model would give: centre, size, score, class.
fn boxes(count: usize, random: &mut Random) -> Vec<([f32; 4], f32, usize)> {
    let side = SIDE as f32;
    (0..count)
        .map(|_| {
            let (x, y) = (random.next() * side, random.next() * side);
            let (w, h) = (10.0 + random.next() * 60.0, 10.0 + random.next() * 60.0);
            ([x, y, w, h], 0.2 + 0.8 * random.next(), (random.next() * LABELS as f32) as usize % LABELS)
        })
        .collect()
}

/// What one run gave.
struct Outputs {
    shapes: Vec<Vec<usize>>,
    floats: Vec<Vec<f32>>,
    labels: Vec<i64>,
}

impl Outputs {
    /// With `found` boxes among those there is room for.
    fn new(head: Head, found: usize, random: &mut Random) -> Self {
        let mut outputs = Self { shapes: vec![], floats: vec![], labels: vec![] };
        let row = 5 + LABELS;
        let found = boxes(found, random);
        match head {
            Head::Yolo => {
                let n = 8400;
                let mut data = vec![0.0; (4 + LABELS) * n];
                for (i, (edges, score, class)) in found.iter().enumerate() {
                    for (field, value) in edges.iter().enumerate() {
                        data[field * n + i] = *value;
                    }
                    data[(4 + class) * n + i] = *score;
                }
                outputs.shapes.push(vec![1, 4 + LABELS, n]);
                outputs.floats.push(data);
            }
            Head::Yolov5 | Head::Yolox => {
                // YOLOX: boxes at strides 8, 16 and 32, of which the first 6400 are at 8 in rows of 80.
                let n = if head == Head::Yolox { 8400 } else { 25_200 };
                let mut data = vec![0.0; row * n];
                for (i, ([x, y, w, h], score, class)) in found.iter().enumerate() {
                    let place = match head {
                        Head::Yolox => {
                            [x / 8.0 - (i % 80) as f32, y / 8.0 - (i / 80) as f32, (w / 8.0).ln(), (h / 8.0).ln()]
                        }
                        _ => [*x, *y, *w, *h],
                    };
                    data[i * row..][..4].copy_from_slice(&place);
                    data[i * row + 4] = *score;
                    data[i * row + 5 + class] = 1.0;
                }
                outputs.shapes.push(vec![1, n, row]);
                outputs.floats.push(data);
            }
            Head::YoloEnd2End => {
                let n = 300;
                let mut data = vec![0.0; 6 * n];
                for (row, ([x, y, w, h], score, class)) in data.chunks_exact_mut(6).zip(&found) {
                    row.copy_from_slice(&[x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0, *score, *class as f32]);
                }
                outputs.shapes.push(vec![1, n, 6]);
                outputs.floats.push(data);
            }
            Head::Detr => {
                let n = 300;
                outputs.labels = vec![0; n];
                let (mut boxes, mut scores) = (vec![0.0; 4 * n], vec![0.0; n]);
                for (i, ([x, y, w, h], score, class)) in found.iter().enumerate().take(n) {
                    boxes[4 * i..][..4].copy_from_slice(&[x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]);
                    scores[i] = *score;
                    outputs.labels[i] = *class as i64;
                }
                outputs.shapes = vec![vec![1, n], vec![1, n, 4], vec![1, n]];
                outputs.floats = vec![boxes, scores];
            }
        }
        outputs
    }

    fn io(&self) -> ModelIo {
        let picture = spec("images", ElementType::F32, &[1, 3, SIDE, SIDE]);
        if self.labels.is_empty() {
            return ModelIo {
                inputs: vec![picture],
                outputs: vec![spec("output0", ElementType::F32, &self.shapes[0])],
            };
        }
        ModelIo {
            inputs: vec![picture, spec("orig_target_sizes", ElementType::I64, &[1, 2])],
            outputs: vec![
                spec("labels", ElementType::I64, &self.shapes[0]),
                spec("boxes", ElementType::F32, &self.shapes[1]),
                spec("scores", ElementType::F32, &self.shapes[2]),
            ],
        }
    }

    fn tensors(&self) -> Vec<TensorRef<'_>> {
        let labels = (!self.labels.is_empty()).then_some(TensorData::I64(&self.labels));
        let data = labels.into_iter().chain(self.floats.iter().map(|data| TensorData::F32(data)));
        self.shapes.iter().zip(data).map(|(shape, data)| TensorRef { shape, data }).collect()
    }
}

#[test]
fn outputs_become_detections_without_an_allocation_even_when_a_crowd_follows_an_empty_scene() {
    for head in [Head::Yolo, Head::Yolov5, Head::Yolox, Head::YoloEnd2End, Head::Detr] {
        let mut random = Random(7);
        let empty = Outputs::new(head, 0, &mut random);
        let mut decoder = Decoder::new(&model(head), &empty.io()).unwrap();
        let mapping = Mapping::new(1280, 720, SIDE, SIDE, Fit::Letterbox);
        // As the pipeline has it.
        let mut detections = Vec::with_capacity(MAX_DETECTIONS);
        decoder.decode(&empty.tensors(), &mapping, &mut detections).unwrap();
        assert!(detections.is_empty());
        for found in [3, 100, 300, 0, 6000, 1] {
            let outputs = Outputs::new(head, found, &mut random);
            let tensors = outputs.tensors();
            allocates_nothing(&format!("{head:?}, {found} boxes"), || {
                decoder.decode(&tensors, &mapping, &mut detections).unwrap();
            });
            // Some lie in the letterbox's borders only, and some suppress others.
            assert!(detections.len() <= found && detections.len() >= found.min(300) / 3, "{head:?}: {found}");
        }
    }
}

#[test]
fn suppression_works_in_place() {
    let mut random = Random(11);
    for (count, across_classes) in [(0, false), (10, false), (500, true), (MAX_CANDIDATES + 500, false)] {
        let mut candidates: Vec<Candidate> = boxes(count, &mut random)
            .into_iter()
            .zip(0..)
            .map(|(([x, y, w, h], score, class), index)| Candidate {
                bbox: BBox::from_centre(x, y, w, h),
                score,
                class: u16::try_from(class).unwrap(),
                index,
            })
            .collect();
        // No warm-up: it has no state.
        allocates_nothing(&format!("{count} candidates"), || {
            Nms { iou: 0.5, across_classes, limit: MAX_DETECTIONS }.run(&mut candidates);
        });
        assert!(candidates.len() <= MAX_DETECTIONS && candidates.is_empty() == (count == 0));
    }
}

// ------------------------------------------------------------------------------------------------ detections to tracks

/// Frames after which the scene below is as it was.
const PERIOD: usize = 90;

/// Forty walkers on ten lanes, whose ways cross; of the four in a lane one is away for a while, one is seen badly
/// for a while, and a stranger passes.
fn scene(frame: usize, detections: &mut Vec<Detection>) {
    let phase = frame % PERIOD;
    let turn = phase as f32 / PERIOD as f32 * std::f32::consts::TAU;
    detections.clear();
    for lane in 0..10_u16 {
        for walker in 0..4_u16 {
            // Away for longer than a track lives.
            if walker == 3 && (20..60).contains(&phase) {
                continue;
            }
            let x = 600.0 + 500.0 * (turn + f32::from(walker) * 1.5).sin();
            let y = 50.0 + 60.0 * f32::from(lane) + 4.0 * (2.0 * turn + f32::from(walker)).cos();
            let score = if walker == 1 && (30..35).contains(&phase) { 0.3 } else { 0.9 };
            detections.push(Detection { bbox: BBox::from_centre(x, y, 40.0, 50.0), score, class: lane % 2 });
        }
        if (10..15).contains(&phase) {
            let x = 100.0 + 200.0 * f32::from(lane);
            detections.push(Detection { bbox: BBox::from_centre(x, 900.0, 30.0, 30.0), score: 0.8, class: 0 });
        }
    }
}

#[test]
fn tracks_are_followed_born_and_ended_without_an_allocation() {
    let settings = Tracking { max_gap: Duration::from_millis(500), ..Tracking::default() };
    let mut tracker = tracking::new(&settings);
    let mut detections = Vec::with_capacity(64);
    // Every birth and every end happened once, and the lists are as long as they will be.
    let warm_up = 2 * PERIOD;
    let (mut ended, mut most) = (0, 0);
    for frame in 0..warm_up + 3 * PERIOD {
        scene(frame, &mut detections);
        let time = Duration::from_millis(frame as u64 * 1000 / 15);
        let mut update = || {
            most = most.max(tracker.update(time, &detections).len());
            ended += tracker.ended().len();
        };
        if frame < warm_up {
            update();
        } else {
            allocates_nothing(&format!("frame {frame}"), update);
        }
    }
    assert!(most >= 40 && ended >= 3 * 10, "{most} tracks at once and {ended} ends prove little");
}

// ------------------------------------------------------------------------------------------------ all of it

/// A model on disk and the manager that loaded it.
fn loaded() -> (tempfile::TempDir, ModelManager) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("blob.onnx"), test_models::blob_detector(320, 240, 16)).unwrap();
    std::fs::write(folder.path().join("ball.txt"), "ball\n").unwrap();
    let text = "[runtime]\npolicy = \"any\"\n[models.blob]\nonnx = \"blob.onnx\"\nbackend = \"onnxruntime\"\n\
                head = \"yolo\"\nlabels = \"ball.txt\"\n";
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    let config = config::load(&file).unwrap().config;
    let manager = ModelManager::load(&config, &Metrics::default(), &watchkeeper::pipeline::fits_head).unwrap();
    (folder, manager)
}

#[test]
fn a_frame_goes_from_picture_to_tracks_without_an_allocation() {
    let (_folder, manager) = loaded();
    let model = manager.model(0).unwrap();
    let mut context = manager.create_pipeline_contexts("test", model, 1).unwrap().free.pop_front();
    let mut decoder = Decoder::new(&model.model, model.io()).unwrap();
    let mut tracker = tracking::new(&Tracking::default());
    let mut detections = Vec::with_capacity(model.model.max_detections);

    let (width, height) = (320, 240);
    let chroma = vec![128_u8; width * height / 4];
    let mut luma = vec![0_u8; width * height];
    let colour = Colour { matrix: Matrix::Bt601, range: Range::Full };
    let mut letterbox = None;
    let (mut followed, mut allocating) = (0, vec![]);
    for frame in 0..60_usize {
        // A bright disc moves to the right.
        let (x, y) = (60.0 + 2.0 * frame as f32, 120.0);
        for (at, pixel) in luma.iter_mut().enumerate() {
            let (dx, dy) = ((at % width) as f32 - x, (at / width) as f32 - y);
            *pixel = if dx * dx + dy * dy < 400.0 { 255 } else { 0 };
        }
        let plane = |data, stride| Plane { data, stride };
        let (y, u, v) = (plane(&luma, width), plane(&chroma, width / 2), plane(&chroma, width / 2));
        let picture = Picture { width, height, planes: Planes::Planar { y, u, v, halved_rows: true }, colour };
        let letterbox =
            letterbox.get_or_insert_with(|| Letterbox::new(&picture, 320, 240, &model.model.input).unwrap());
        let mut step = || {
            let mut ready = context.take().unwrap();
            letterbox.run(&picture, ready.input_f32(0).unwrap()).unwrap();
            let (back, result) = ready.submit().wait().unwrap();
            result.unwrap();
            let output = back.output(0).unwrap();
            decoder.decode(&[output], &letterbox.mapping(), &mut detections).unwrap();
            let time = Duration::from_millis(frame as u64 * 1000 / 15);
            followed += usize::from(tracker.update(time, &detections).len() == 1);
            context = Some(back);
        };
        if frame < 10 {
            step();
        } else if measure(step).count_total > 0 {
            allocating.push(frame);
        }
    }
    // The channel to the workers allocates once, in the first frame whose result is not there at once.
    assert!(allocating.len() <= 1, "frames that allocated: {allocating:?}");
    assert_eq!(followed, 59, "the disc is followed from its second frame on");
}
