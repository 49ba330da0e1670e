//! The tracker against the tracks that another implementation of ByteTrack gave for the same
//! detections.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use watchkeeper::config::{TrackerKind, Tracking};
use watchkeeper::tracking;
use watchkeeper::types::detection::Detection;
use watchkeeper::types::geometry::BBox;

const FPS: f64 = 30.0;

fn assets() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/assets");
    std::env::var_os("WATCHKEEPER_ASSETS").map_or_else(|| beside.into(), PathBuf::from)
}

/// The rows of one file by frame; every value in it is a string.
fn rows(name: &str) -> Option<BTreeMap<u64, Vec<Value>>> {
    let text = std::fs::read_to_string(assets().join("mot/bytetrack_cpp").join(name)).ok()?;
    let file: Value = serde_json::from_str(&text).unwrap();
    let mut frames = BTreeMap::<u64, Vec<Value>>::new();
    for row in file["results"].as_array().unwrap() {
        frames.entry(number(row, "frame_id") as u64).or_default().push(row.clone());
    }
    Some(frames)
}

fn number(row: &Value, key: &str) -> f32 {
    row[key].as_str().unwrap().parse().unwrap()
}

fn bbox(row: &Value) -> BBox {
    let (x, y) = (number(row, "x"), number(row, "y"));
    BBox::new(x, y, x + number(row, "width"), y + number(row, "height"))
}

/// How often two numberings name the same box, under the best one-to-one translation between them
/// (taken greedily, commonest pair first).
fn agreement(pairs: &[(u64, u64)]) -> usize {
    let mut counts = BTreeMap::<(u64, u64), usize>::new();
    pairs.iter().for_each(|&pair| *counts.entry(pair).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    let mut total = 0;
    for ((a, b), count) in counts {
        if !theirs.contains(&a) && !ours.contains(&b) {
            theirs.push(a);
            ours.push(b);
            total += count;
        }
    }
    total
}

#[test]
fn tracks_agree_with_the_cpp_bytetrack() {
    let (Some(detections), Some(expected)) = (rows("detection_results.json"), rows("tracking_results.json")) else {
        eprintln!("skipped: no mot/bytetrack_cpp in {}", assets().display());
        return;
    };
    // The reference's own: track_thresh 0.5, high_thresh 0.6, match_thresh 0.8 (IoU 0.2; not fused
    // with the score there, hence the lower value here), 30 frames, ended only after a last try.
    let env = |k: &str, d: f32| std::env::var(k).map_or(d, |v| v.parse().unwrap());
    let settings = Tracking {
        tracker: TrackerKind::Bytetrack,
        high_score: 0.5,
        low_score: 0.1,
        start_score: 0.6,
        match_iou: env("M", 0.15),
        confirm_frames: env("C", 2.0) as u32,
        max_gap: Duration::from_secs_f64(env("G", 31.0) as f64 / FPS + 0.001),
    };
    let mut tracker = tracking::new(&settings);
    let (mut pairs, mut total, mut extra) = (Vec::new(), 0, 0);
    for (&frame, detections) in &detections {
        let detections: Vec<Detection> =
            detections.iter().map(|row| Detection { bbox: bbox(row), score: number(row, "prob"), class: 0 }).collect();
        let tracks = tracker.update(Duration::from_secs_f64(frame as f64 / FPS), &detections);
        let seen: Vec<_> = tracks.iter().filter(|track| !track.coasted).collect();
        let expected = expected.get(&frame).map_or(&[][..], Vec::as_slice);
        total += expected.len();
        extra += seen.len().saturating_sub(expected.len());
        for row in expected {
            let nearest = seen.iter().max_by(|a, b| a.bbox.iou(&bbox(row)).total_cmp(&b.bbox.iou(&bbox(row))));
            if let Some(track) = nearest.filter(|track| track.bbox.iou(&bbox(row)) > 0.5) {
                pairs.push((number(row, "track_id") as u64, track.number));
            }
        }
    }
    let ids = |of: fn(&(u64, u64)) -> u64| pairs.iter().map(of).collect::<std::collections::BTreeSet<_>>().len();
    let (ours, theirs) = (ids(|p| p.1), ids(|p| p.0));
    let agreed = agreement(&pairs);
    println!("{agreed} of {total} boxes agree, {} found, {extra} more; {ours} tracks for {theirs}", pairs.len());
}
