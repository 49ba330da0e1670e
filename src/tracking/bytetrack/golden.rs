//! ByteTrack with the choices of another implementation, against what that one gave.
//!
//! The detections and tracks are those of the test of Vertical-Beach/ByteTrack-cpp: 6008 boxes of 42 tracks. With the
//! choices in [`theirs`], all of them come out, with their numbers and to a hundredth of a pixel.
//!
//! Two more of their rules change nothing in these detections: an unconfirmed track asks for an overlap of 0.3, and
//! low scores keep a track alive for ever.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::config::{TrackerKind, Tracking};
use crate::tracking::Tracker;
use crate::tracking::kalman::Model;
use crate::types::geometry::BBox;

const FPS: f64 = 30.0;
/// Pixels; both compute with 32 bits, in another order.
const TOLERANCE: f32 = 0.01;

fn theirs() -> Rules {
    let config = Tracking {
        tracker: TrackerKind::Bytetrack,
        high_score: 0.5,
        low_score: 0.0,
        start_score: 0.6,
        match_iou: 0.2,
        confirm: Duration::from_millis(30),
        // Thirty frames, and two more: the next one ends a track, but only for the frame after that. With thirty
        // alone, one box is missing: track 18 is found again in frame 99, after 31.
        max_gap: Duration::from_secs_f64(32.5 / FPS),
        ..Tracking::default()
    };
    Rules {
        motion: Model { measured: 1.0 / 20.0, aspect: true, ..Model::BYTETRACK },
        fused: false,
        compare_last_seen: true,
        unconfirmed_stay: true,
        first_at_once: true,
        whole_pixels: true,
        ..Rules::new(&config)
    }
}

/// Number of the track, score (of detections), box.
type Row = (u64, f32, BBox);

/// The rows of one file by frame; every value in it is a string.
fn rows(name: &str) -> Option<BTreeMap<u64, Vec<Row>>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/assets");
    let assets = std::env::var_os("WATCHKEEPER_ASSETS").map_or_else(|| beside.into(), PathBuf::from);
    let text = std::fs::read_to_string(assets.join("mot/bytetrack_cpp").join(name)).ok()?;
    let file: Value = serde_json::from_str(&text).unwrap();
    let mut frames = BTreeMap::<u64, Vec<Row>>::new();
    for row in file["results"].as_array().unwrap() {
        let value = |key: &str| row[key].as_str().map_or(0.0, |text| text.parse::<f32>().unwrap());
        let (x, y) = (value("x"), value("y"));
        let bbox = BBox::new(x, y, x + value("width"), y + value("height"));
        frames.entry(value("frame_id") as u64).or_default().push((value("track_id") as u64, value("prob"), bbox));
    }
    Some(frames)
}

/// Boxes of theirs that ours has under the same track, and every difference.
struct Comparison {
    equal: usize,
    different: Vec<String>,
}

fn compare(rules: Rules) -> Option<Comparison> {
    let (detections, expected) = (rows("detection_results.json")?, rows("tracking_results.json")?);
    let mut tracker = ByteTrack::new(rules);
    // Their number to ours, and back.
    let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
    let mut comparison = Comparison { equal: 0, different: vec![] };
    for (frame, detections) in &detections {
        let detections: Vec<Detection> =
            detections.iter().map(|&(_, score, bbox)| Detection { bbox, score, class: 0 }).collect();
        tracker.update(&Input::new(Duration::from_secs_f64(*frame as f64 / FPS), &detections));
        let seen = tracker.lives.subjects.iter().map(Subject::life).filter(|life| life.confirmed && life.seen);
        let mut found: Vec<(u64, BBox)> = seen.map(|life| (life.track.number, life.bbox)).collect();
        for &(number, _, bbox) in expected.get(frame).map_or(&[][..], Vec::as_slice) {
            let distance = |b: &BBox| {
                let pairs = [(b.x1, bbox.x1), (b.y1, bbox.y1), (b.x2, bbox.x2), (b.y2, bbox.y2)];
                pairs.iter().map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
            };
            let nearest = (0..found.len()).min_by(|&a, &b| distance(&found[a].1).total_cmp(&distance(&found[b].1)));
            let Some(nearest) = nearest.filter(|&i| distance(&found[i].1) <= 2.0 * TOLERANCE) else {
                comparison.different.push(format!("frame {frame}: {number} is not there: {bbox:?}"));
                continue;
            };
            let (mine, _) = found.swap_remove(nearest);
            let (was, known) = (*ours.entry(number).or_insert(mine), *theirs.entry(mine).or_insert(number));
            if (was, known) == (mine, number) {
                comparison.equal += 1;
            } else {
                let difference = format!("frame {frame}: {number} is {mine}, was {was}; {mine} was {known}");
                comparison.different.push(difference);
            }
        }
        comparison.different.extend(found.iter().map(|more| format!("frame {frame}: {more:?} is not theirs")));
    }
    Some(comparison)
}

#[test]
fn with_their_choices_every_box_and_number_is_theirs() {
    let Some(Comparison { equal, different }) = compare(theirs()) else {
        eprintln!("skipped: no mot/bytetrack_cpp");
        return;
    };
    assert!(equal == 6008 && different.is_empty(), "{equal} equal, {different:#?}");
}

/// None of the choices is there for nothing: without any of them, tracks differ.
#[test]
fn each_of_their_choices_matters() {
    let all = theirs();
    let ours = Rules::new(&all.config);
    let one_less = [
        ("motion", Rules { motion: ours.motion, ..all }),
        ("fused", Rules { fused: ours.fused, ..all }),
        ("compare_last_seen", Rules { compare_last_seen: ours.compare_last_seen, ..all }),
        ("unconfirmed_stay", Rules { unconfirmed_stay: ours.unconfirmed_stay, ..all }),
        ("first_at_once", Rules { first_at_once: ours.first_at_once, ..all }),
        ("whole_pixels", Rules { whole_pixels: ours.whole_pixels, ..all }),
    ];
    for (choice, rules) in one_less {
        let Some(Comparison { equal, different }) = compare(rules) else { return };
        assert!(equal < 6008 && !different.is_empty(), "without {choice}: {equal} equal");
    }
}
