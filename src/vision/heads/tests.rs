#![allow(clippy::unwrap_used)]

mod embedder;
mod errors;
mod masks;
mod pose;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::{Backend, Cadence, Fit, Input, RunOn};
use crate::types::geometry::BBox;
use crate::types::tensor::{ElementType, TensorData, TensorSpec};

fn model(head: Head, labels: usize) -> Model {
    Model {
        name: "test".into(),
        onnx: PathBuf::new(),
        backend: Backend::OnnxruntimeCpu,
        plan: std::path::PathBuf::new(),
        precision: None,
        task: Task::Detection,
        head,
        input: Input { fit: Fit::Stretch, bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0; 3] },
        labels: (0..labels).map(|i| format!("label {i}")).collect::<Arc<[_]>>(),
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

fn spec(name: &str, element: ElementType, shape: &[i64]) -> TensorSpec {
    TensorSpec { name: name.into(), shape: shape.to_vec(), element }
}

/// A picture of 64 x 32 in, one float tensor out.
fn io(shape: &[i64]) -> ModelIo {
    ModelIo {
        inputs: vec![spec("images", ElementType::F32, &[1, 3, 32, 64])],
        outputs: vec![spec("output0", ElementType::F32, shape)],
    }
}

fn detr_io() -> ModelIo {
    ModelIo {
        inputs: vec![
            spec("images", ElementType::F32, &[-1, 3, 32, 64]),
            spec("orig_target_sizes", ElementType::I64, &[-1, 2]),
        ],
        outputs: vec![
            spec("labels", ElementType::I64, &[-1, 3]),
            spec("boxes", ElementType::F32, &[-1, 3, 4]),
            spec("scores", ElementType::F32, &[-1, 3]),
        ],
    }
}

/// A frame ten times as large as the input, on both axes: 640 x 320.
fn mapping() -> Mapping {
    Mapping::new(640, 320, 64, 32, Fit::Stretch)
}

fn decode(decoder: &mut Decoder, shape: &[usize], data: &[f32]) -> Vec<Detection> {
    let mut out = Found::default();
    decoder.decode(&[TensorRef { shape, data: TensorData::F32(data) }], &mapping(), &mut out).unwrap();
    assert!(out.keypoints.is_empty() && out.keypoints_each == 0 && out.masks.is_empty());
    out.detections
}

fn detection(x1: f32, y1: f32, x2: f32, y2: f32, score: f32, class: u16) -> Detection {
    Detection { bbox: BBox::new(x1, y1, x2, y2), score, class }
}

#[track_caller]
fn assert_near(got: &[Detection], want: &[Detection]) {
    let near = got.len() == want.len()
        && got.iter().zip(want).all(|(a, b)| {
            let edges =
                [(a.bbox.x1, b.bbox.x1), (a.bbox.y1, b.bbox.y1), (a.bbox.x2, b.bbox.x2), (a.bbox.y2, b.bbox.y2)];
            a.class == b.class && (a.score - b.score).abs() < 1e-6 && edges.iter().all(|(a, b)| (a - b).abs() < 1e-2)
        });
    assert!(near, "{got:?}\nis not\n{want:?}");
}

/// Rows of boxes as columns.
fn transposed(rows: &[&[f32]]) -> Vec<f32> {
    (0..rows[0].len()).flat_map(|c| rows.iter().map(move |row| row[c])).collect()
}

#[test]
fn yolo() {
    let mut decoder = Decoder::new(&model(Head::Yolo, 3), &io(&[1, 7, -1])).unwrap();
    // x in 40..60, y in 5..25
    let rows: [&[f32]; 5] = [
        &[45.0, 10.0, 4.0, 6.0, 0.1, 0.2, 0.7],
        &[45.5, 10.0, 4.0, 6.0, 0.1, 0.6, 0.2], // overlaps, other class
        &[45.5, 10.0, 4.0, 6.0, 0.1, 0.2, 0.6], // overlaps, same class
        &[55.0, 20.0, 10.0, 2.0, 0.9, 0.1, 0.1],
        &[55.0, 20.0, 10.0, 2.0, 0.1, 0.24, 0.2], // below
    ];
    let want = [
        detection(500.0, 190.0, 600.0, 210.0, 0.9, 0),
        detection(430.0, 70.0, 470.0, 130.0, 0.7, 2),
        detection(435.0, 70.0, 475.0, 130.0, 0.6, 1),
    ];
    assert_near(&decode(&mut decoder, &[1, 7, 5], &transposed(&rows)), &want);
    assert_eq!(decoder.rejected(), 0);
    let mut across = model(Head::Yolo, 3);
    across.nms_across_classes = true;
    let mut decoder = Decoder::new(&across, &io(&[-1, 7, 5])).unwrap();
    assert_near(&decode(&mut decoder, &[1, 7, 5], &transposed(&rows)), &want[..2]);
}

#[test]
fn yolo_over_several_blocks_of_columns() {
    let (classes, n) = (5, 2500);
    let mut decoder = Decoder::new(&model(Head::Yolo, classes), &io(&[1, 9, n as i64])).unwrap();
    let mut data = vec![0.0; (4 + classes) * n];
    let mut want = vec![];
    for (k, i) in [0, 1023, 1024, 2047, 2048, 2499].into_iter().enumerate() {
        let (class, score) = (k % classes, 0.9 - k as f32 * 0.1);
        for (row, value) in [5.0 + 10.0 * k as f32, 10.0, 4.0, 2.0].into_iter().enumerate() {
            data[row * n + i] = value;
        }
        data[(4 + class) * n + i] = score;
        let x = 50.0 + 100.0 * k as f32;
        want.push(detection(x - 20.0, 90.0, x + 20.0, 110.0, score, class as u16));
    }
    assert_near(&decode(&mut decoder, &[1, 4 + classes, n], &data), &want);
}

#[test]
fn yolov5() {
    let mut decoder = Decoder::new(&model(Head::Yolov5, 2), &io(&[1, -1, 7])).unwrap();
    let data = [
        [45.0, 10.0, 4.0, 6.0, 0.8, 0.5, 0.9],
        [45.5, 10.0, 4.0, 6.0, 0.8, 0.1, 0.8], // overlaps, same class
        [55.0, 20.0, 10.0, 2.0, 0.5, 0.6, 0.4],
        [55.0, 20.0, 10.0, 2.0, 0.4, 0.6, 0.4], // 0.24
        [20.0, 20.0, 10.0, 2.0, 0.2, 1.0, 1.0], // objectness too low
    ];
    let want = [detection(430.0, 70.0, 470.0, 130.0, 0.72, 1), detection(500.0, 190.0, 600.0, 210.0, 0.3, 0)];
    assert_near(&decode(&mut decoder, &[1, 5, 7], data.as_flattened()), &want);
}

#[test]
fn yolox() {
    // 64 x 32: grids of 8 x 4, 4 x 2 and 2 x 1
    let mut decoder = Decoder::new(&model(Head::Yolox, 2), &io(&[1, 42, 7])).unwrap();
    let mut data = [[0.0_f32; 7]; 42];
    // stride 8, column 5, row 2: centre (44, 18)
    data[2 * 8 + 5] = [0.5, 0.25, 0.0, 0.5_f32.ln(), 0.9, 0.2, 1.0];
    // stride 16, column 1, row 1: centre (20, 20)
    data[32 + 4 + 1] = [0.25, 0.25, 0.5_f32.ln(), 0.25_f32.ln(), 0.8, 1.0, 0.2];
    // stride 32, column 1, row 0: centre (48, 8)
    data[40 + 1] = [0.5, 0.25, 0.25_f32.ln(), 0.0625_f32.ln(), 0.7, 1.0, 0.2];
    let want = [
        detection(400.0, 160.0, 480.0, 200.0, 0.9, 1),
        detection(160.0, 180.0, 240.0, 220.0, 0.8, 0),
        detection(440.0, 70.0, 520.0, 90.0, 0.7, 0),
    ];
    assert_near(&decode(&mut decoder, &[1, 42, 7], data.as_flattened()), &want);
}

#[test]
fn yolo_end2end() {
    let mut decoder = Decoder::new(&model(Head::YoloEnd2End, 3), &io(&[1, 4, 6])).unwrap();
    let data = [
        [43.0, 7.0, 47.0, 13.0, 0.6, 1.0],
        [43.0, 7.0, 47.0, 13.0, 0.7, 1.0], // the same box again: nothing suppresses it
        [50.0, 19.0, 60.0, 21.0, 0.9, 2.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], // filler
    ];
    let want = [
        detection(500.0, 190.0, 600.0, 210.0, 0.9, 2),
        detection(430.0, 70.0, 470.0, 130.0, 0.7, 1),
        detection(430.0, 70.0, 470.0, 130.0, 0.6, 1),
    ];
    assert_near(&decode(&mut decoder, &[1, 4, 6], data.as_flattened()), &want);
    assert_eq!(decoder.rejected(), 0);
    for class in [3.0, 1.5, -1.0, f32::NAN, 1e9] {
        let before = decoder.rejected();
        assert_near(&decode(&mut decoder, &[1, 1, 6], &[1.0, 2.0, 3.0, 4.0, 0.5, class]), &[]);
        assert_eq!(decoder.rejected(), before + 1, "class {class}");
    }
}

#[test]
fn detr() {
    let mut decoder = Decoder::new(&model(Head::Detr, 3), &detr_io()).unwrap();
    assert_eq!(decoder.input(), PictureInput { index: 0, width: 64, height: 32 });
    assert_eq!(decoder.size_input(), Some(SizeInput { index: 1, size: [64, 32] }));
    let boxes = [43.0, 7.0, 47.0, 13.0, 50.0, 19.0, 60.0, 21.0, 1.0, 1.0, 2.0, 2.0];
    let floats = |shape, data| TensorRef { shape, data: TensorData::F32(data) };
    let (boxes, scores) = (floats(&[1, 3, 4], &boxes), floats(&[1, 3], &[0.6, 0.9, 0.2]));
    let want = [detection(500.0, 190.0, 600.0, 210.0, 0.9, 0), detection(430.0, 70.0, 470.0, 130.0, 0.6, 2)];
    let mut out = Found::default();
    let labels = TensorRef { shape: &[1, 3], data: TensorData::I64(&[2, 0, 1]) };
    decoder.decode(&[labels, boxes, scores], &mapping(), &mut out).unwrap();
    assert_near(&out.detections, &want);
    let labels = TensorRef { shape: &[1, 3], data: TensorData::I32(&[2, 0, 1]) };
    decoder.decode(&[labels, boxes, scores], &mapping(), &mut out).unwrap();
    assert_near(&out.detections, &want);
    let labels = TensorRef { shape: &[1, 3], data: TensorData::I64(&[-1, 3, -1]) };
    decoder.decode(&[labels, boxes, scores], &mapping(), &mut out).unwrap();
    assert_near(&out.detections, &[]);
    assert_eq!(decoder.rejected(), 2);
    let labels = TensorRef { shape: &[1, 2], data: TensorData::I64(&[2, 0]) };
    let message = decoder.decode(&[labels, boxes, scores], &mapping(), &mut out).unwrap_err().to_string();
    assert_eq!(
        message,
        "output \"labels\" came as 2 boxes, where \"scores\" has 3; head \"detr\" expects i64 or i32 or f32[1,n]"
    );
}

#[test]
fn detr_inputs_and_outputs_go_by_name() {
    let mut io = detr_io();
    io.inputs.reverse();
    io.outputs.reverse();
    let mut decoder = Decoder::new(&model(Head::Detr, 3), &io).unwrap();
    assert_eq!((decoder.input().index, decoder.size_input().unwrap().index), (1, 0));
    let mut out = Found::default();
    let outputs = [
        TensorRef { shape: &[1, 1], data: TensorData::F32(&[0.5]) },
        TensorRef { shape: &[1, 1, 4], data: TensorData::F32(&[43.0, 7.0, 47.0, 13.0]) },
        TensorRef { shape: &[1, 1], data: TensorData::I64(&[1]) },
    ];
    decoder.decode(&outputs, &mapping(), &mut out).unwrap();
    assert_near(&out.detections, &[detection(430.0, 70.0, 470.0, 130.0, 0.5, 1)]);
}

#[test]
fn unwanted_classes_and_surplus_boxes_are_left_out() {
    let mut wanting = model(Head::YoloEnd2End, 4);
    wanting.classes = vec![1, 3];
    wanting.max_detections = 2;
    let mut decoder = Decoder::new(&wanting, &io(&[1, -1, 6])).unwrap();
    let data = [0.0, 1.0, 2.0, 3.0, 3.0].map(|class| [43.0, 7.0, 47.0, 13.0, 0.5 + class / 10.0, class]);
    let want = [detection(430.0, 70.0, 470.0, 130.0, 0.8, 3); 2];
    assert_near(&decode(&mut decoder, &[1, 5, 6], data.as_flattened()), &want);
    assert_eq!(decoder.rejected(), 0, "not wanted is not wrong");
}

#[test]
fn boxes_are_clipped_to_the_frame_and_dropped_outside_it() {
    // 640 x 360 at the top left of 64 x 64: rows from 36 down are padding
    let mapping = Mapping::new(640, 360, 64, 64, Fit::LetterboxTopLeft);
    let mut letterboxed = io(&[1, -1, 6]);
    letterboxed.inputs[0].shape = vec![1, 3, 64, 64];
    let mut decoder = Decoder::new(&model(Head::YoloEnd2End, 1), &letterboxed).unwrap();
    let data = [[-5.0, 30.0, 70.0, 40.0, 0.9, 0.0], [10.0, 40.0, 20.0, 50.0, 0.8, 0.0]];
    let mut out = Found::default();
    let output = TensorRef { shape: &[1, 2, 6], data: TensorData::F32(data.as_flattened()) };
    decoder.decode(&[output], &mapping, &mut out).unwrap();
    assert_near(&out.detections, &[detection(0.0, 300.0, 640.0, 360.0, 0.9, 0)]);
}

/// NaN, infinities, no area, no probability: dropped and counted by each head, in each place.
#[test]
fn boxes_that_are_none_are_rejected_and_counted() {
    let bad_scores = [f32::NAN, -f32::NAN, f32::INFINITY, 5.0];
    let bad_edges = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let good = [45.0, 10.0, 4.0, 6.0];
    let mut rows: Vec<([f32; 4], f32)> = bad_scores.map(|score| (good, score)).into();
    for place in 0..4 {
        rows.extend(bad_edges.map(|bad| {
            let mut row = good;
            row[place] = bad;
            (row, 0.5)
        }));
    }
    rows.extend([([45.0, 10.0, 0.0, 6.0], 0.5), ([45.0, 10.0, 4.0, -6.0], 0.5)]);
    let low = [([f32::NAN; 4], 0.1), (good, f32::NEG_INFINITY)];
    let n = rows.len();
    rows.extend(low);
    rows.push((good, 0.5));
    let want = [detection(430.0, 70.0, 470.0, 130.0, 0.5, 1)];

    let yolo: Vec<[f32; 6]> = rows.iter().map(|&([a, b, c, d], s)| [a, b, c, d, 0.0, s]).collect();
    let yolo: Vec<&[f32]> = yolo.iter().map(|row| &row[..]).collect();
    let mut decoder = Decoder::new(&model(Head::Yolo, 2), &io(&[1, 6, -1])).unwrap();
    assert_near(&decode(&mut decoder, &[1, 6, rows.len()], &transposed(&yolo)), &want);
    assert_eq!(decoder.rejected(), n as u64, "yolo");

    for nan_in_objectness in [false, true] {
        let yolov5: Vec<[f32; 7]> = rows
            .iter()
            .map(
                |&([a, b, c, d], s)| {
                    if nan_in_objectness { [a, b, c, d, s, 0.0, 1.0] } else { [a, b, c, d, 1.0, 0.0, s] }
                },
            )
            .collect();
        let mut decoder = Decoder::new(&model(Head::Yolov5, 2), &io(&[1, -1, 7])).unwrap();
        assert_near(&decode(&mut decoder, &[1, rows.len(), 7], yolov5.as_flattened()), &want);
        assert_eq!(decoder.rejected(), n as u64, "yolov5");
    }

    let end2end: Vec<[f32; 6]> =
        rows.iter().map(|&([a, b, c, d], s)| [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0, s, 1.0]).collect();
    let mut decoder = Decoder::new(&model(Head::YoloEnd2End, 2), &io(&[1, -1, 6])).unwrap();
    assert_near(&decode(&mut decoder, &[1, rows.len(), 6], end2end.as_flattened()), &want);
    assert_eq!(decoder.rejected(), n as u64, "yolo-end2end");

    let boxes: Vec<[f32; 4]> = end2end.iter().map(|row| [row[0], row[1], row[2], row[3]]).collect();
    let scores: Vec<f32> = rows.iter().map(|row| row.1).collect();
    let mut io = detr_io();
    io.outputs.iter_mut().for_each(|output| output.shape[1] = -1);
    let mut decoder = Decoder::new(&model(Head::Detr, 2), &io).unwrap();
    let outputs = [
        TensorRef { shape: &[1, rows.len()], data: TensorData::I64(&vec![1; rows.len()]) },
        TensorRef { shape: &[1, rows.len(), 4], data: TensorData::F32(boxes.as_flattened()) },
        TensorRef { shape: &[1, rows.len()], data: TensorData::F32(&scores) },
    ];
    let mut out = Found::default();
    decoder.decode(&outputs, &mapping(), &mut out).unwrap();
    assert_near(&out.detections, &want);
    assert_eq!(decoder.rejected(), n as u64, "detr");
}

#[test]
fn yolox_rejects_sizes_that_overflow() {
    let mut decoder = Decoder::new(&model(Head::Yolox, 1), &io(&[1, 42, 6])).unwrap();
    let mut data = [[0.0_f32; 6]; 42];
    data[0] = [0.0, 0.0, 1000.0, 0.0, 1.0, 1.0];
    data[1] = [0.0, 0.0, 0.0, -1000.0, 1.0, 1.0];
    data[2] = [f32::NAN, 0.0, 0.0, 0.0, 1.0, 1.0];
    data[3] = [0.5, 0.5, 0.0, 0.0, f32::NAN, 1.0];
    assert_near(&decode(&mut decoder, &[1, 42, 6], data.as_flattened()), &[]);
    assert_eq!(decoder.rejected(), 4);
}

#[test]
fn a_hundred_thousand_good_boxes_are_no_trouble() {
    let n = 100_000;
    let mut decoder = Decoder::new(&model(Head::Yolo, 2), &io(&[1, 6, n as i64])).unwrap();
    let mut data: Vec<f32> = Vec::with_capacity(6 * n);
    data.extend((0..n).map(|i| (i % 320) as f32 / 5.0));
    data.extend((0..n).map(|i| (i / 320) as f32 / 10.0));
    data.extend(std::iter::repeat_n(0.1, 2 * n));
    data.extend(std::iter::repeat_n(0.9, 2 * n));
    let got = decode(&mut decoder, &[1, 6, n], &data);
    assert_eq!(got.len(), 300);
    assert!(got.iter().all(|d| d.class == 0 && d.bbox.is_valid()));
    assert_eq!(decoder.rejected(), 0);
}
