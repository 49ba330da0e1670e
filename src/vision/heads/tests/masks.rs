#![allow(clippy::unwrap_used)]

use super::*;
use crate::types::mask::Rle;

const COUNT: usize = 5;
const SIZE: (usize, usize) = (16, 8);

/// What torch's interpolation makes of the prototypes below, packed; the frames and boxes are in the test.
/// Source: `scripts/reference_vision.py masks`.
const TORCH: [&str; 4] = [
    "gn1R1^100000VOoN54\\Oc0=[Oe0a0YOAj0<SOGo08nNJT14jNNW11hN0Y1OgN1Y1MjN2V1MlN2U1KoN3h1OfN25KI:7CGa0S10O\
     2O001O001nN@3`0JC5>IC>7@Jc04[OMf04WOMj04SOMm04ROLn03TOLm02UOMk03UOMk02WOMk01VOMQ1MoN2V1JkN5?OAJ25=24\
     ML54IN70KO60LN6OL0;HG7:GG9:EGQl6",
    "nk9m06NMCb0`0@L0C`0D]Oj02N4Ca0?ZOM7C`0`0WOM:Ca0U1BjN?T1CkN>R1DnN=o0EQO<m0FRO<h0HXO9e0I[O8b0J^O6a0L^O\
     5a0K_O6`0J@7>JB6?IA7?HB8>HB8>HB8>GC9>FBIHJf0=BH4@:g0CI4_O9h0CI5^O8h0DJ5]O8h0CK5]O8g0DL4]O8f0EM3]O8e0\
     FN2]O8d0GO1^O7c0HO0@6c0IM0B5c0JK0D4c0KI0G1b0OGOI0b00EOLN`03Rg:",
    ":?a0000O1G81O1O1N2O10013N9IN0N1O1O001_OC<e0L2N2MAL45;0FNF2:0D1;0E28NH37MH48LG9;MDN7OK15NL24MN210N11O\
     00O11?1O001O00000O0BJ180IN46MH75KI66KH67:N20GJH66MJ250J051KO52JN62KM44LL53KM53KM53KL72JNd0OL14NI6GJK\
     94HL84HL84HK95GL83IN53KN41M0110OO13NK25OK131M020N021N0000`03MO01N1O2L4M3001N<Ce5",
    "?13210N030LN0031O39",
];

fn segmentation(head: Head, labels: usize) -> Model {
    Model { task: Task::Segmentation, ..model(head, labels) }
}

fn prototypes() -> Vec<f32> {
    let value = |k: usize, row: usize, column: usize| {
        let mixed = k * 31 + row * 17 + column * 7 + row * column * (k + 1);
        ((mixed % 23) as f32 - 11.0) / 8.0
    };
    let rows = (0..COUNT).flat_map(|k| (0..SIZE.1).map(move |row| (k, row)));
    rows.flat_map(|(k, row)| (0..SIZE.0).map(move |column| value(k, row, column))).collect()
}

fn coefficients(i: usize) -> [f32; COUNT] {
    std::array::from_fn(|j| (((i * 7 + j * 5) % 9) as f32 - 4.0) / 4.0)
}

/// Boxes first, or prototypes first.
fn outputs<'a>(boxes: TensorRef<'a>, prototypes: &'a [f32], swapped: bool) -> [TensorRef<'a>; 2] {
    let prototypes = TensorRef { shape: &[1, COUNT, SIZE.1, SIZE.0], data: TensorData::F32(prototypes) };
    if swapped { [prototypes, boxes] } else { [boxes, prototypes] }
}

fn seg_io(boxes: &[i64], swapped: bool) -> ModelIo {
    let mut io = io(boxes);
    io.outputs.push(spec("output1", ElementType::F32, &[1, COUNT as i64, SIZE.1 as i64, SIZE.0 as i64]));
    if swapped {
        io.outputs.reverse();
    }
    io
}

/// A row for `yolo` with one label: its box in input pixels is where `frame` has it.
fn row(bbox: BBox, mapping: &Mapping, score: f32, coefficients: [f32; COUNT]) -> Vec<f32> {
    let b = mapping.to_input(bbox);
    let (cx, cy) = b.centre();
    [&[cx, cy, b.width(), b.height(), score][..], &coefficients].concat()
}

#[test]
fn masks_are_those_of_torch() {
    let table = [
        ((160, 80), Fit::Stretch, BBox::new(25.0, 7.5, 72.5, 62.4)),
        ((250, 100), Fit::Letterbox, BBox::new(101.4, 9.6, 140.5, 88.7)),
        ((97, 32), Fit::Letterbox, BBox::new(0.0, 0.0, 97.0, 32.0)),
        ((12, 6), Fit::Stretch, BBox::new(2.0, 0.6, 10.4, 6.0)),
    ];
    let prototypes = prototypes();
    for (i, (((width, height), fit, bbox), want)) in table.into_iter().zip(TORCH).enumerate() {
        let mapping = Mapping::new(width as usize, height as usize, 64, 32, fit);
        let want = Rle::from_compressed([height, width], want).unwrap();
        // Another box before it and one after it, on other coefficients: nothing may leak.
        let first = row(BBox::new(0.0, 0.0, 2.0, 3.0), &mapping, 0.9, [1.0; COUNT]);
        let last = row(BBox::new(3.0, 2.0, 6.0, 4.0), &mapping, 0.3, [-1.0; COUNT]);
        let rows = [&last[..], &row(bbox, &mapping, 0.6, coefficients(i)), &first];
        let columns = transposed(&rows);
        let ends: Vec<f32> = rows
            .iter()
            .flat_map(|r| {
                let b = BBox::from_centre(r[0], r[1], r[2], r[3]);
                [&[b.x1, b.y1, b.x2, b.y2, r[4], 0.0][..], &r[5..]].concat()
            })
            .collect();
        for swapped in [false, true] {
            let mut out = Found::default();
            let mut suppressing = segmentation(Head::Yolo, 1);
            suppressing.nms_iou = 1.0;
            let mut yolo = Decoder::new(&suppressing, &seg_io(&[1, 10, -1], swapped)).unwrap();
            let table = TensorRef { shape: &[1, 10, 3], data: TensorData::F32(&columns) };
            yolo.decode(&outputs(table, &prototypes, swapped), &mapping, &mut out).unwrap();
            assert_eq!((out.detections.len(), out.masks.len(), yolo.rejected()), (3, 3, 0));
            let got = out.mask(1).unwrap();
            assert_eq!(got.rle(width, height), want, "yolo, case {i}");
            let corner = out.mask(0).unwrap();
            assert_eq!((corner.x, corner.y, corner.width, corner.height), (0, 0, 2, 3));

            let model = segmentation(Head::YoloEnd2End, 1);
            let mut end2end = Decoder::new(&model, &seg_io(&[1, 300, 11], swapped)).unwrap();
            let table = TensorRef { shape: &[1, 3, 11], data: TensorData::F32(&ends) };
            end2end.decode(&outputs(table, &prototypes, swapped), &mapping, &mut out).unwrap();
            assert_eq!(out.mask(1).unwrap().rle(width, height), want, "yolo-end2end, case {i}");
        }
    }
}

#[test]
fn thin_boxes_have_no_mask_and_full_frames_only_so_many() {
    let mapping = mapping();
    let mut model = segmentation(Head::Yolo, 1);
    (model.nms_iou, model.max_detections) = (1.0, 20);
    let mut decoder = Decoder::new(&model, &seg_io(&[1, 10, -1], false)).unwrap();
    let prototypes = vec![1.0; COUNT * SIZE.0 * SIZE.1];
    let whole = row(BBox::new(0.0, 0.0, 640.0, 320.0), &mapping, 0.5, [1.0; COUNT]);
    // No pixel's centre between x 100.6 and 101.4.
    let thin = row(BBox::new(100.6, 40.0, 101.4, 80.0), &mapping, 0.9, [1.0; COUNT]);
    let mut rows = vec![&whole[..]; 10];
    rows.insert(0, &thin);
    let table = transposed(&rows);
    let table = TensorRef { shape: &[1, 10, 11], data: TensorData::F32(&table) };
    let mut out = Found::default();
    decoder.decode(&outputs(table, &prototypes, false), &mapping, &mut out).unwrap();
    assert_eq!((out.detections.len(), out.masks.len()), (11, 11));
    let areas: Vec<_> = (0..11).map(|i| out.mask(i).map_or(0, |mask| mask.area())).collect();
    assert_eq!(areas, [&[0][..], &[640 * 320; 8], &[0; 2]].concat());
    assert_eq!(decoder.rejected(), 0);
    let none = TensorRef { shape: &[1, 10, 0], data: TensorData::F32(&[]) };
    decoder.decode(&outputs(none, &prototypes, false), &mapping, &mut out).unwrap();
    assert_eq!(out, Found::default());
}

#[test]
fn masks_that_are_none_are_rejected_and_counted() {
    let mapping = mapping();
    let mut decoder = Decoder::new(&segmentation(Head::Yolo, 1), &seg_io(&[1, 10, -1], false)).unwrap();
    let mut prototypes = prototypes();
    // The last prototype's right bottom corner; only the first box is there.
    prototypes[COUNT * SIZE.0 * SIZE.1 - 1] = f32::NAN;
    let good = coefficients(1);
    let rows = [
        row(BBox::new(600.0, 300.0, 640.0, 320.0), &mapping, 0.9, good),
        row(BBox::new(100.0, 40.0, 140.0, 100.0), &mapping, 0.8, [1.0, f32::NAN, 1.0, 1.0, 1.0]),
        row(BBox::new(200.0, 40.0, 240.0, 100.0), &mapping, 0.8, [1.0, 1.0, 1.0, 1.0, f32::INFINITY]),
        row(BBox::new(300.0, 40.0, 340.0, 100.0), &mapping, 0.7, good),
    ];
    let columns = transposed(&rows.each_ref().map(Vec::as_slice));
    let table = TensorRef { shape: &[1, 10, 4], data: TensorData::F32(&columns) };
    let mut out = Found::default();
    decoder.decode(&outputs(table, &prototypes, false), &mapping, &mut out).unwrap();
    assert_near(&out.detections, &[detection(300.0, 40.0, 340.0, 100.0, 0.7, 0)]);
    assert_eq!((out.masks.len(), decoder.rejected()), (1, 3));
    assert_eq!(out.mask(0).map(|mask| (mask.x, mask.y, mask.width, mask.height)), Some((300, 40, 40, 60)));
}

#[test]
fn prototypes_must_be_as_many_as_coefficients() {
    let mut open = seg_io(&[1, -1, -1], false);
    open.outputs[1].shape = vec![1, -1, -1, -1];
    let mut decoder = Decoder::new(&segmentation(Head::Yolo, 1), &open).unwrap();
    let (boxes, prototypes) = ([0.5; 36], prototypes());
    let table = TensorRef { shape: &[1, 9, 4], data: TensorData::F32(&boxes) };
    let mut out = Found::default();
    let message = decoder.decode(&outputs(table, &prototypes, false), &mapping(), &mut out).unwrap_err().to_string();
    assert_eq!(
        message,
        "output \"output1\" came as 5 prototypes for 4 mask coefficients; head \"yolo\" expects f32[1,m,height,width] \
         (m prototypes)"
    );
    let short = TensorRef { shape: &[1, COUNT, SIZE.1, SIZE.0], data: TensorData::F32(&prototypes[1..]) };
    let table = TensorRef { shape: &[1, 10, 3], data: TensorData::F32(&boxes[..30]) };
    let message = decoder.decode(&[table, short], &mapping(), &mut out).unwrap_err().to_string();
    assert!(message.starts_with("output \"output1\" came as f32[1,5,8,16] of 639 elements"), "{message}");
    let message = decoder.decode(&[table], &mapping(), &mut out).unwrap_err().to_string();
    assert!(message.starts_with("output \"output1\" came as nothing"), "{message}");
    assert_eq!(out, Found::default());
}
