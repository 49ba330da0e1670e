//! What one frame costs between decoder and model, and between model and tracker.

#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watchkeeper::config::{Backend, Fit, Head, Input, Model};
use watchkeeper::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range, Subsampling};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::tensor::{ElementType, ModelIo, TensorData, TensorRef, TensorSpec};
use watchkeeper::vision::nms::{Candidate, Nms};
use watchkeeper::vision::{Decoder, Letterbox, Mapping};

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

/// A table as a frame with a few objects gives it: nearly all scores are next to nothing.
fn head(c: &mut Criterion) {
    let (rows, n) = (84, 8400);
    let mut table: Vec<f32> = noise(rows * n).iter().map(|&v| f32::from(v) / 3000.0).collect();
    for i in (100..n).step_by(400) {
        for (row, value) in [300.0, 300.0, 40.0, 80.0, 0.8].into_iter().enumerate() {
            table[row * n + i] = value + if row < 2 { (i % 900) as f32 / 3.0 } else { 0.0 };
        }
    }
    let model = Model {
        name: "bench".into(),
        onnx: "bench.onnx".into(),
        backend: Backend::OnnxruntimeCpu,
        precision: None,
        head: Head::Yolo,
        input: INPUT,
        labels: (0..80).map(|i| i.to_string()).collect::<Vec<_>>().into(),
        classes: vec![],
        min_score: 0.25,
        nms_iou: 0.6,
        nms_across_classes: false,
        max_detections: 300,
    };
    let spec =
        |name: &str, shape: &[i64]| TensorSpec { name: name.into(), shape: shape.into(), element: ElementType::F32 };
    let io =
        ModelIo { inputs: vec![spec("images", &[1, 3, 640, 640])], outputs: vec![spec("output0", &[1, 84, 8400])] };
    let mut decoder = Decoder::new(&model, &io).expect("the head fits");
    let mapping = Mapping::new(1920, 1080, 640, 640, Fit::Letterbox);
    let mut out = Vec::new();
    let mut group = c.benchmark_group("head yolo 84x8400");
    group.bench_function("decode", |b| {
        b.iter(|| {
            let output = TensorRef { shape: &[1, 84, 8400], data: TensorData::F32(black_box(&table)) };
            decoder.decode(&[output], &mapping, &mut out).expect("the output fits");
            out.len()
        });
    });
    let mut copy = vec![0.0_f32; table.len()];
    group.bench_function("floor: copy", |b| b.iter(|| black_box(&mut copy).copy_from_slice(black_box(&table))));
    group.finish();
}

criterion_group!(benches, letterbox, suppression, head);
criterion_main!(benches);
