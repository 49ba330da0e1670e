//! From a model's outputs to what was found: heads of all tasks, and suppression.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use watchkeeper::config::{Backend, Cadence, Fit, Head, Model, RunOn, Task};
use watchkeeper::types::found::Found;
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::tensor::{ElementType, ModelIo, TensorData, TensorRef, TensorSpec};
use watchkeeper::vision::nms::{Candidate, MAX_CANDIDATES, Nms};
use watchkeeper::vision::{Decoder, Mapping};

use super::{allocates_nothing, input};

const LABELS: usize = 80;
const SIDE: usize = 640;
const MAX_DETECTIONS: usize = 300;
const KEYPOINTS: usize = 17;
/// Prototypes of masks, of a quarter of the input's size.
const PROTOTYPES: usize = 32;
/// Candidates of the heads that need suppression.
const ROWS: usize = 8400;

pub(super) fn model(head: Head, task: Task) -> Model {
    Model {
        name: "m".into(),
        onnx: PathBuf::new(),
        backend: Backend::OnnxruntimeCpu,
        plan: std::path::PathBuf::new(),
        precision: None,
        task,
        head,
        input: input(Fit::Letterbox),
        labels: (0..LABELS).map(|n| n.to_string()).collect::<Arc<[_]>>(),
        classes: vec![],
        min_score: 0.1,
        nms_iou: 0.6,
        nms_across_classes: false,
        max_detections: MAX_DETECTIONS,
        cadence: Cadence { every_n_frames: 1, run_on: RunOn::Frames, stale: Duration::ZERO },
        max_batch: 8,
        engine_copies: 1,
        manifest: None,
    }
}

pub(super) fn spec(name: &str, element: ElementType, shape: &[usize]) -> TensorSpec {
    TensorSpec { name: name.into(), shape: shape.iter().map(|n| *n as i64).collect(), element }
}

/// A small generator of numbers 0..1, always the same ones.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// A box that a model would give: centre and size, score, class.
type Boxed = ([f32; 4], f32, usize);

fn boxes(count: usize, random: &mut Random) -> Vec<Boxed> {
    let side = SIDE as f32;
    (0..count)
        .map(|_| {
            let (x, y) = (random.next() * side, random.next() * side);
            let (w, h) = (10.0 + random.next() * 60.0, 10.0 + random.next() * 60.0);
            ([x, y, w, h], 0.2 + 0.8 * random.next(), (random.next() * LABELS as f32) as usize % LABELS)
        })
        .collect()
}

/// As many boxes as fill the frame each.
fn large_boxes(count: usize) -> Vec<Boxed> {
    let side = SIDE as f32;
    (0..count).map(|i| ([side / 2.0, side / 2.0, side, side], 0.9, i % LABELS)).collect()
}

/// What the task adds to a box: keypoints near its centre, or coefficients of its mask.
fn extras(task: Task, [x, y, w, h]: [f32; 4], random: &mut Random) -> Vec<f32> {
    let mut keypoint = || [x + (random.next() - 0.5) * w, y + (random.next() - 0.5) * h, random.next()];
    match task {
        Task::Pose => (0..KEYPOINTS).flat_map(|_| keypoint()).collect(),
        Task::Segmentation => (0..PROTOTYPES).map(|_| random.next() - 0.5).collect(),
        Task::Detection | Task::Reid => vec![],
    }
}

/// What one run gave.
struct Outputs {
    shapes: Vec<Vec<usize>>,
    floats: Vec<Vec<f32>>,
    labels: Vec<i64>,
}

impl Outputs {
    /// With `found` boxes among those there is room for.
    fn new(head: Head, task: Task, found: &[Boxed], random: &mut Random) -> Self {
        let mut outputs = Self { shapes: vec![], floats: vec![], labels: vec![] };
        let row = 5 + LABELS;
        let each = extras(task, [0.0; 4], random).len();
        match head {
            Head::Yolo => {
                let rows = 4 + LABELS + each;
                let mut data = vec![0.0; rows * ROWS];
                for (i, (place, score, class)) in found.iter().enumerate() {
                    for (field, value) in place.iter().enumerate() {
                        data[field * ROWS + i] = *value;
                    }
                    data[(4 + class) * ROWS + i] = *score;
                    for (field, value) in (4 + LABELS..).zip(extras(task, *place, random)) {
                        data[field * ROWS + i] = value;
                    }
                }
                outputs.shapes.push(vec![1, rows, ROWS]);
                outputs.floats.push(data);
            }
            Head::Yolov5 | Head::Yolox => {
                // YOLOX: boxes at strides 8, 16 and 32, of which the first 6400 are at 8 in rows of 80.
                let n = if head == Head::Yolox { ROWS } else { 25_200 };
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
                let (n, row) = (300, 6 + each);
                let mut data = vec![0.0; row * n];
                for (row, (place, score, class)) in data.chunks_exact_mut(row).zip(found) {
                    let [x, y, w, h] = place;
                    let (values, rest) = row.split_at_mut(6);
                    values.copy_from_slice(&[
                        x - w / 2.0,
                        y - h / 2.0,
                        x + w / 2.0,
                        y + h / 2.0,
                        *score,
                        *class as f32,
                    ]);
                    rest.copy_from_slice(&extras(task, *place, random));
                }
                outputs.shapes.push(vec![1, n, row]);
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
            Head::Embedding => unreachable!("finds no boxes"),
        }
        if task == Task::Segmentation {
            let shape = vec![1, PROTOTYPES, SIDE / 4, SIDE / 4];
            outputs.floats.push((0..shape.iter().product()).map(|_| random.next() - 0.5).collect());
            outputs.shapes.push(shape);
        }
        outputs
    }

    fn io(&self) -> ModelIo {
        let picture = spec("images", ElementType::F32, &[1, 3, SIDE, SIDE]);
        if self.labels.is_empty() {
            let output = |(i, shape): (usize, &Vec<usize>)| spec(&format!("output{i}"), ElementType::F32, shape);
            return ModelIo { inputs: vec![picture], outputs: self.shapes.iter().enumerate().map(output).collect() };
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

/// Decodes scenes of few and of many boxes after an empty one; `look` judges what was found in each.
fn decodes_without_an_allocation(head: Head, task: Task, look: impl Fn(&Found)) {
    let mut random = Random(7);
    let empty = Outputs::new(head, task, &[], &mut random);
    let mut decoder = Decoder::new(&model(head, task), &empty.io()).unwrap();
    let mapping = Mapping::new(1280, 720, SIDE, SIDE, Fit::Letterbox);
    let mut out = Found::default();
    decoder.decode(&empty.tensors(), &mapping, &mut out).unwrap();
    assert!(out.detections.is_empty());
    for found in [3, 100, 300, 0, 6000, 1] {
        let outputs = Outputs::new(head, task, &boxes(found, &mut random), &mut random);
        let tensors = outputs.tensors();
        allocates_nothing(&format!("{head:?}, {task:?}, {found} boxes"), || {
            decoder.decode(&tensors, &mapping, &mut out).unwrap();
        });
        // Some lie in the letterbox's borders only, and some suppress others.
        let count = out.detections.len();
        assert!(count <= found && count >= found.min(300) / 3, "{head:?}, {task:?}: {found}");
        look(&out);
    }
    let outputs = Outputs::new(head, task, &large_boxes(LABELS), &mut random);
    let tensors = outputs.tensors();
    allocates_nothing(&format!("{head:?}, {task:?}, boxes as large as the frame"), || {
        decoder.decode(&tensors, &mapping, &mut out).unwrap();
    });
    assert_eq!(out.detections.len(), LABELS, "{head:?}, {task:?}: of different classes");
    look(&out);
}

#[test]
fn outputs_become_detections_without_an_allocation_even_when_a_crowd_follows_an_empty_scene() {
    for head in [Head::Yolo, Head::Yolov5, Head::Yolox, Head::YoloEnd2End, Head::Detr] {
        decodes_without_an_allocation(head, Task::Detection, |found| {
            assert!(found.keypoints.is_empty() && found.masks.is_empty());
        });
    }
}

#[test]
fn keypoints_come_without_an_allocation() {
    for head in [Head::Yolo, Head::YoloEnd2End] {
        decodes_without_an_allocation(head, Task::Pose, |found| {
            let all = found.detections.len();
            assert!((0..all).all(|i| found.pose(i).is_some_and(|pose| pose.len() == KEYPOINTS)), "{head:?}");
        });
    }
}

#[test]
fn masks_come_without_an_allocation() {
    for head in [Head::Yolo, Head::YoloEnd2End] {
        decodes_without_an_allocation(head, Task::Segmentation, |found| {
            let all = found.detections.len();
            let seen = (0..all).filter(|&i| found.mask(i).is_some_and(|mask| mask.area() > 0)).count();
            // A frame's masks are not larger than eight frames.
            assert!(found.masks.len() == all && seen >= (all / 2).min(8), "{head:?}: {seen} of {all}");
        });
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
