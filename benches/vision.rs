//! What one frame costs between decoder and model, and between model and tracker.

#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watchkeeper::config::{Backend, Cadence, Fit, Head, Input, Model, RunOn, Task};
use watchkeeper::types::found::Found;
use watchkeeper::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range, Subsampling};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::tensor::{ElementType, ModelIo, TensorData, TensorRef, TensorSpec};
use watchkeeper::vision::camera_motion::{CameraMotionEstimator, Verdict};
use watchkeeper::vision::nms::{Candidate, Nms};
use watchkeeper::vision::{Crop, Decoder, Letterbox, Mapping};

const INPUT: Input = Input { fit: Fit::Letterbox, bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0 / 255.0; 3] };

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Each letterbox beside its floor: a copy of as many bytes as it writes.
fn letterbox(c: &mut Criterion) {
    for (name, w, h, side, nv12) in [
        ("768x576 I420 to 416", 768, 576, 416, false),
        ("1920x1080 I420 to 640", 1920, 1080, 640, false),
        ("1920x1080 NV12 to 640", 1920, 1080, 640, true),
        ("640x360 I420 to 640", 640, 360, 640, false),
    ] {
        let (y, u, v, uv) = (noise(w * h), noise(w * h / 4), noise(w * h / 4), noise(w * h / 2));
        let y = Plane { data: &y, stride: w };
        let planes = if nv12 {
            Planes::Nv12 { y, uv: Plane { data: &uv, stride: w } }
        } else {
            let (u, v) = (Plane { data: &u, stride: w / 2 }, Plane { data: &v, stride: w / 2 });
            Planes::Planar { y, u, v, subsampling: Subsampling::Yuv420 }
        };
        let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        let picture = Picture { width: w, height: h, planes, colour };
        let mut out = vec![0.0_f32; 3 * side * side];
        let mut group = c.benchmark_group(format!("letterbox {name}"));
        group.throughput(Throughput::Elements(1));
        let mut letterbox = Letterbox::new(&picture, side, side, &INPUT).expect("sizes are possible");
        group.bench_function("run", |b| {
            b.iter(|| letterbox.run(black_box(&picture), &mut out).expect("planes are whole"))
        });
        let source = vec![1.0_f32; out.len()];
        group.bench_function("floor: copy", |b| b.iter(|| black_box(&mut out).copy_from_slice(black_box(&source))));
        group.finish();
    }
}

/// A walker's box into the inputs of ReID models, beside the floor as above.
fn crop(c: &mut Criterion) {
    let (w, h) = (640, 360);
    let (y, u, v) = (noise(w * h), noise(w * h / 4), noise(w * h / 4));
    let plane = |data, stride| Plane { data, stride };
    let (y, u, v) = (plane(&y, w), plane(&u, w / 2), plane(&v, w / 2));
    let planes = Planes::Planar { y, u, v, subsampling: Subsampling::Yuv420 };
    let colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };
    let picture = Picture { width: w, height: h, planes, colour };
    let bbox = BBox::new(301.3, 120.6, 341.3, 230.6);
    for (width, height) in [(64, 128), (128, 256)] {
        let mut out = vec![0.0_f32; 3 * width * height];
        let mut crop = Crop::new(width, height, &INPUT).expect("the size is possible");
        let mut group = c.benchmark_group(format!("crop 40x110 to {width}x{height}"));
        group.throughput(Throughput::Elements(1));
        group.bench_function("run", |b| {
            b.iter(|| crop.run(black_box(&picture), black_box(bbox), &mut out).expect("the box lies in the picture"))
        });
        let source = vec![1.0_f32; out.len()];
        group.bench_function("floor: copy", |b| b.iter(|| black_box(&mut out).copy_from_slice(black_box(&source))));
        group.finish();
    }
}

/// Boxes of people-like size all over a 640 x 640 input; `classes` different ones.
fn candidates(n: u32, classes: u32) -> Vec<Candidate> {
    let random = |i: u32, salt: u32| {
        let hash = i.wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(0x9e37_79b9)).rotate_left(11);
        (hash.wrapping_mul(0x85eb_ca6b) >> 8) as f32 / (1 << 24) as f32
    };
    (0..n)
        .map(|i| {
            let (x, y) = (random(i, 1) * 600.0, random(i, 2) * 560.0);
            let (w, h) = (10.0 + random(i, 3) * 30.0, 20.0 + random(i, 4) * 60.0);
            let class = (random(i, 6) * classes as f32) as u16;
            Candidate { bbox: BBox::new(x, y, x + w, y + h), score: random(i, 5), class, index: i }
        })
        .collect()
}

fn suppression(c: &mut Criterion) {
    let nms = Nms { iou: 0.6, across_classes: false, limit: 300 };
    let mut group = c.benchmark_group("nms");
    for (n, classes) in [(300, 1), (300, 80), (3000, 1), (3000, 80), (100_000, 1)] {
        let boxes = candidates(n, classes);
        let mut work = Vec::with_capacity(boxes.len());
        group.bench_function(format!("{n} candidates, {classes} classes"), |b| {
            b.iter(|| {
                work.clear();
                work.extend_from_slice(black_box(&boxes));
                nms.run(&mut work);
                work.len()
            });
        });
    }
    group.finish();
}

fn model(head: Head, task: Task, labels: usize) -> Model {
    Model {
        name: "bench".into(),
        onnx: "bench.onnx".into(),
        backend: Backend::OnnxruntimeCpu,
        plan: std::path::PathBuf::new(),
        precision: None,
        task,
        head,
        input: INPUT,
        labels: (0..labels).map(|i| i.to_string()).collect::<Vec<_>>().into(),
        classes: vec![],
        min_score: 0.25,
        nms_iou: 0.6,
        nms_across_classes: false,
        max_detections: 300,
        cadence: Cadence { every_n_frames: 1, run_on: RunOn::Frames, stale: Duration::ZERO },
        max_batch: 1,
        engine_copies: 1,
        manifest: None,
    }
}

fn spec(name: &str, shape: &[usize]) -> TensorSpec {
    let shape = shape.iter().map(|&dim| dim as i64).collect();
    TensorSpec { name: name.into(), shape, element: ElementType::F32 }
}

/// A table as a frame with a few objects gives it: nearly all scores are next to nothing.
fn head(c: &mut Criterion) {
    for (name, task, labels, extras) in
        [("yolo 84x8400", Task::Detection, 80, 0), ("yolo pose 56x8400", Task::Pose, 1, 17 * 3)]
    {
        let (rows, n) = (4 + labels + extras, 8400);
        let mut table: Vec<f32> = noise(rows * n).iter().map(|&v| f32::from(v) / 3000.0).collect();
        for i in (100..n).step_by(400) {
            for (row, value) in [300.0, 300.0, 40.0, 80.0, 0.8].into_iter().enumerate() {
                table[row * n + i] = value + if row < 2 { (i % 900) as f32 / 3.0 } else { 0.0 };
            }
        }
        let shape = [1, rows, n];
        let io = ModelIo { inputs: vec![spec("images", &[1, 3, 640, 640])], outputs: vec![spec("output0", &shape)] };
        let mut decoder = Decoder::new(&model(Head::Yolo, task, labels), &io).expect("the head fits");
        let mapping = Mapping::new(1920, 1080, 640, 640, Fit::Letterbox);
        let mut out = Found::default();
        let mut group = c.benchmark_group(format!("head {name}"));
        group.bench_function("decode", |b| {
            b.iter(|| {
                let output = TensorRef { shape: &shape, data: TensorData::F32(black_box(&table)) };
                decoder.decode(&[output], &mapping, &mut out).expect("the output fits");
                out.detections.len()
            });
        });
        let mut copy = vec![0.0_f32; table.len()];
        group.bench_function("floor: copy", |b| b.iter(|| black_box(&mut copy).copy_from_slice(black_box(&table))));
        group.finish();
    }
}

/// Ten people close to the camera. The head has nothing to look for in its ten rows, so that the masks are all the
/// work there is; the floor is a copy of as many bytes as they have pixels.
fn masks(c: &mut Criterion) {
    const PEOPLE: usize = 10;
    const COUNT: usize = 32;
    let weights = |len| noise(len).into_iter().map(|v| f32::from(v) / 255.0 - 0.5).collect::<Vec<_>>();
    let mapping = Mapping::new(640, 360, 512, 288, Fit::Stretch);
    let coefficients = weights(PEOPLE * COUNT);
    let rows: Vec<f32> = coefficients
        .chunks_exact(COUNT)
        .zip(0_u8..)
        .flat_map(|(coefficients, i)| {
            let x = 10.0 + 54.0 * f32::from(i);
            let b = mapping.to_input(BBox::new(x, 60.0, x + 100.0, 310.0));
            [&[b.x1, b.y1, b.x2, b.y2, 0.9, 0.0][..], coefficients].concat()
        })
        .collect();
    let (boxes, prototypes) = ([1, PEOPLE, 6 + COUNT], [1, COUNT, 72, 128]);
    let values = weights(COUNT * 72 * 128);
    let io = ModelIo {
        inputs: vec![spec("images", &[1, 3, 288, 512])],
        outputs: vec![spec("output0", &boxes), spec("output1", &prototypes)],
    };
    let mut decoder = Decoder::new(&model(Head::YoloEnd2End, Task::Segmentation, 1), &io).expect("the head fits");
    let outputs = [
        TensorRef { shape: &boxes, data: TensorData::F32(&rows) },
        TensorRef { shape: &prototypes, data: TensorData::F32(&values) },
    ];
    let mut out = Found::default();
    decoder.decode(&outputs, &mapping, &mut out).expect("the outputs fit");
    let source = vec![1_u8; PEOPLE * 100 * 250];
    assert_eq!(out.masks.pixels(), source.len(), "the masks are of another size");
    let mut group = c.benchmark_group("masks 10 of 100x250 from 32x72x128");
    group.bench_function("decode", |b| {
        b.iter(|| {
            decoder.decode(black_box(&outputs), &mapping, &mut out).expect("the outputs fit");
            out.masks.len()
        });
    });
    let mut copy = vec![0_u8; source.len()];
    group.bench_function("floor: copy", |b| b.iter(|| black_box(&mut copy).copy_from_slice(black_box(&source))));
    group.finish();
}

/// One frame of a camera that stands, and of one that shakes, beside the floor: a look at every luma sample.
fn camera_motion(c: &mut Criterion) {
    for (name, w, h) in [("640x360", 640, 360), ("1920x1080", 1920, 1080)] {
        // Stones of all sizes and shades.
        let mut stones = vec![100_u8; w * h];
        let random = |i: u32, salt: u32| (i.wrapping_mul(2_654_435_761) ^ salt).wrapping_mul(0x85eb_ca6b) as usize >> 8;
        for i in 0..900 {
            let (x, y, side) = (random(i, 1) % w, random(i, 2) % h, 2 + random(i, 3) % (w / 20));
            for row in stones.chunks_exact_mut(w).skip(y).take(side) {
                row[x..(x + side).min(w)].fill(random(i, 4) as u8);
            }
        }
        let shifted: Vec<u8> = stones.iter().skip(7 * w + 13).chain(&stones).take(w * h).copied().collect();
        let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        let uv = Plane { data: &stones[..w * h / 2], stride: w };
        let picture = |y| Picture { width: w, height: h, planes: Planes::Nv12 { y, uv }, colour };
        let pictures = [&stones, &shifted].map(|data| picture(Plane { data, stride: w }));
        let mut group = c.benchmark_group(format!("camera motion {name}"));
        group.throughput(Throughput::Elements(1));
        for (how, second, verdict) in [("stands", 0, Verdict::Stood), ("shakes", 1, Verdict::Moved)] {
            let (mut estimator, mut next) = (CameraMotionEstimator::new(), 0);
            estimator.estimate(&pictures[second], &[]);
            estimator.estimate(&pictures[0], &[]);
            assert_eq!(estimator.support().verdict, verdict);
            group.bench_function(how, |b| {
                b.iter(|| {
                    next = second - next;
                    estimator.estimate(black_box(&pictures[next]), &[])
                })
            });
        }
        group
            .bench_function("floor: sum", |b| b.iter(|| black_box(&stones).iter().map(|v| u64::from(*v)).sum::<u64>()));
        group.finish();
    }
}

criterion_group!(benches, letterbox, crop, suppression, head, masks, camera_motion);
criterion_main!(benches);
