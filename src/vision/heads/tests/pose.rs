#![allow(clippy::unwrap_used)]

use super::*;

fn pose(head: Head, labels: usize) -> Model {
    Model { task: Task::Pose, ..model(head, labels) }
}

fn keypoint(x: f32, y: f32, score: f32) -> Keypoint {
    Keypoint { x, y, score }
}

/// Two keypoints a box, one of them beyond the frame's right edge; x and y are ranges apart.
const POINTS: [[f32; 6]; 3] = [
    [41.5, 7.25, 0.9, 65.0, 12.5, 0.1],
    [42.0, 8.0, 0.5, 46.0, 12.0, 1.005], // overlaps, and goes
    [51.0, 19.5, 0.0, 59.0, 20.5, -0.005],
];

fn run(decoder: &mut Decoder, shape: &[usize], data: &[f32], mapping: &Mapping) -> Found {
    let mut out = Found::default();
    decoder.decode(&[TensorRef { shape, data: TensorData::F32(data) }], mapping, &mut out).unwrap();
    out
}

#[test]
fn keypoints_follow_their_boxes() {
    let boxes = [[45.0, 10.0, 4.0, 6.0, 0.1, 0.7], [45.5, 10.0, 4.0, 6.0, 0.1, 0.6], [55.0, 20.0, 10.0, 2.0, 0.9, 0.1]];
    let rows: Vec<Vec<f32>> = boxes.iter().zip(POINTS).map(|(b, p)| [&b[..], &p].concat()).collect();
    let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    for io in [io(&[1, 12, -1]), io(&[1, -1, 3])] {
        let mut decoder = Decoder::new(&pose(Head::Yolo, 2), &io).unwrap();
        let out = run(&mut decoder, &[1, 12, 3], &transposed(&rows), &mapping());
        assert_near(
            &out.detections,
            &[detection(500.0, 190.0, 600.0, 210.0, 0.9, 0), detection(430.0, 70.0, 470.0, 130.0, 0.7, 1)],
        );
        assert_eq!(out.keypoints_each, 2);
        assert_eq!(out.pose(0).unwrap(), [keypoint(510.0, 195.0, 0.0), keypoint(590.0, 205.0, 0.0)]);
        assert_eq!(out.pose(1).unwrap(), [keypoint(415.0, 72.5, 0.9), keypoint(650.0, 125.0, 0.1)]);
        assert_eq!((out.pose(2), out.mask(0), decoder.rejected()), (None, None, 0));
    }
}

#[test]
fn keypoints_of_rows_without_suppression() {
    let boxes = [[43.0, 7.0, 47.0, 13.0, 0.6, 1.0], [43.0, 7.0, 47.0, 13.0, 0.7, 1.0], [0.0; 6]];
    let rows: Vec<f32> = boxes.iter().zip(POINTS).flat_map(|(b, p)| [*b, p].concat()).collect();
    let mut decoder = Decoder::new(&pose(Head::YoloEnd2End, 2), &io(&[1, 300, 12])).unwrap();
    // A frame of 640 x 160 with 8 rows of padding above it.
    let out = run(&mut decoder, &[1, 3, 12], &rows, &Mapping::new(640, 160, 64, 32, Fit::Letterbox));
    assert_near(
        &out.detections,
        &[detection(430.0, 0.0, 470.0, 50.0, 0.7, 1), detection(430.0, 0.0, 470.0, 50.0, 0.6, 1)],
    );
    assert_eq!(out.pose(0).unwrap(), [keypoint(420.0, 0.0, 0.5), keypoint(460.0, 40.0, 1.0)]);
    assert_eq!(out.pose(1).unwrap(), [keypoint(415.0, -7.5, 0.9), keypoint(650.0, 45.0, 0.1)]);
}

#[test]
fn boxes_with_keypoints_that_are_none_are_rejected_and_counted() {
    let good = [45.0, 10.0, 4.0, 6.0, 0.5, 41.5, 7.25, 0.9, 43.0, 12.5, 0.1];
    let mut rows = vec![];
    for place in 5..11 {
        for bad in [f32::NAN, f32::INFINITY, -f32::INFINITY, -1e30] {
            let mut row = good;
            row[0] += 10.0; // it would not suppress the good one
            row[place] = bad;
            rows.push(row);
        }
    }
    // Scores before the sigmoid.
    rows.extend([7, 10].map(|place| std::array::from_fn(|i| if i == place { 3.5 } else { good[i] })));
    let bad = rows.len() as u64;
    rows.push(good);
    // Too low for anyone to look.
    rows.push(std::array::from_fn(|i| if i == 4 { 0.1 } else { f32::NAN }));
    let columns: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
    let mut decoder = Decoder::new(&pose(Head::Yolo, 1), &io(&[1, 11, -1])).unwrap();
    let out = run(&mut decoder, &[1, 11, rows.len()], &transposed(&columns), &mapping());
    assert_near(&out.detections, &[detection(430.0, 70.0, 470.0, 130.0, 0.5, 0)]);
    assert_eq!(out.pose(0).unwrap(), [keypoint(415.0, 72.5, 0.9), keypoint(430.0, 125.0, 0.1)]);
    assert_eq!(decoder.rejected(), bad, "yolo");

    let ends: Vec<f32> =
        rows.iter().flat_map(|r| [&[r[0] - 2.0, 7.0, r[0] + 2.0, 13.0, r[4], 0.0][..], &r[5..]].concat()).collect();
    let mut decoder = Decoder::new(&pose(Head::YoloEnd2End, 1), &io(&[1, -1, 12])).unwrap();
    let out = run(&mut decoder, &[1, rows.len(), 12], &ends, &mapping());
    assert_near(&out.detections, &[detection(430.0, 70.0, 470.0, 130.0, 0.5, 0)]);
    assert_eq!((decoder.rejected(), out.keypoints.len()), (bad, 2), "yolo-end2end");
}
